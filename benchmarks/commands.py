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
    """Answer commands, one JSON object a line, until there are no more."""
    for line in sys.stdin:
        command = json.loads(line)
        action = command.pop("do")
        try:
            reply({"ok": await getattr(subject, action)(**command)})
        except Exception as exc:
            reply({"error": f"{type(exc).__name__}: {exc}"})


def obey(begin: Callable[[], Any]) -> None:
    """Make the subject whose methods the commands name, say that it is ready, and answer."""
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
    reply({"ok": "ready"})
    asyncio.run(serve(subject, reply))
