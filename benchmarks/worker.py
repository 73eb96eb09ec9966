"""One contender in a process of its own, which measures it beside the bare app when told to.

A process each, since an SDK, its patches and its client are one a process. The parent tells them one after another to
run a block, round by round, so that all of them meet the same disturbances of the machine.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import warnings
from typing import Any

from benchmarks.contenders import Skipped, make
from benchmarks.frameworks import build
from benchmarks.guards import Guard, Tally
from benchmarks.traffic import CASES, User, drive, scope_of

_WARM = 60  # requests before a case's first block
_BLOCK_SECONDS = 0.004
_LEAST, _MOST = 8, 3_000


class Subject:
    """A contender's app on a framework, and the same app bare."""

    def __init__(self, contender: str, framework: str) -> None:
        self.contender = contender
        # Built first: a framework that is patched later must not be.
        self.bare = build(framework)
        self.app = make(contender, framework)
        self.sends = contender.partition(":")[0] in {"ours", "sdk"}
        self._size: dict[Any, int] = {}

    async def guard(self, case: str, *, trace: bool) -> None:
        """Raises GuardError."""
        if self.sends:
            guard = Guard(self.app, CASES[case], trace=trace, scrubs=self.contender == "ours")
            await guard.check()

    async def block(self, case: str, *, trace: bool, **scope: Any) -> tuple[float, float]:
        """Microseconds of a request to the bare app and to the contender's, and the counts checked."""
        template = {**scope_of(CASES[case], trace=trace, user=User("alice"), **scope)}
        key = (case, trace, tuple(scope.items()))
        if key not in self._size:
            await drive(self.app, template, _WARM)
            await drive(self.bare, template, _WARM)
            gc.freeze()
            once = await drive(self.app, template, 20)
            self._size[key] = max(_LEAST, min(_MOST, int(_BLOCK_SECONDS / max(once, 1e-7))))
        requests = self._size[key]
        await drive(self.app, template, 3)
        tally = Tally()
        spent = await drive(self.app, template, requests)
        if self.sends:
            tally.check(CASES[case], requests)
        bare = await drive(self.bare, template, max(200, min(_MOST, requests)))
        return bare * 1e6, spent * 1e6


async def serve(subject: Subject, reply: Any) -> None:
    """Answer commands, one JSON object a line, until there are no more."""
    for line in sys.stdin:
        command = json.loads(line)
        action = command.pop("do")
        try:
            if action == "guard":
                await subject.guard(**command)
                answer: Any = None
            else:
                answer = await subject.block(**command)
            reply({"ok": answer})
        except Exception as exc:
            reply({"error": f"{type(exc).__name__}: {exc}"})


def main() -> None:
    """Of `python -m benchmarks.worker CONTENDER FRAMEWORK`."""
    warnings.simplefilter("ignore")
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what anybody prints is no answer

    def reply(answer: dict[str, Any]) -> None:
        out.write(json.dumps(answer) + "\n")
        out.flush()

    try:
        subject = Subject(sys.argv[1], sys.argv[2])
    except Skipped as exc:
        reply({"skipped": str(exc)})
        return
    reply({"ok": "ready"})
    asyncio.run(serve(subject, reply))


if __name__ == "__main__":
    main()
