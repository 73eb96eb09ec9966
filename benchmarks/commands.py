"""The other end of `harness.Process`: a process that does what it is told, by a JSON object a line."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import Skipped

if TYPE_CHECKING:
    from collections.abc import Callable


async def serve(subject: Any, reply: Callable[[dict[str, Any]], None]) -> None:
    """Have the subject settle, where it does, say that it is ready, and answer commands until there are no more."""
    settle = getattr(subject, "settle", None)
    if settle is not None:
        await settle()
    reply({"ok": "ready"})
    for line in sys.stdin:
        command = json.loads(line)
        action = command.pop("do")
        try:
            reply({"ok": await getattr(subject, action)(**command)})
        except Exception as exc:
            reply({"error": f"{type(exc).__name__}: {exc}"})


def obey(begin: Callable[[], Any]) -> None:
    """Make the subject whose methods the commands name, a JSON object a line each."""
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what anybody prints is no answer

    def reply(answer: dict[str, Any]) -> None:
        out.write(json.dumps(answer) + "\n")
        out.flush()

    try:
        subject = begin()
    except Skipped as exc:
        reply({"skipped": str(exc)})
        return
    asyncio.run(serve(subject, reply))
