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
import tracemalloc
import warnings
from typing import Any

from benchmarks.contenders import Skipped, make, prober
from benchmarks.frameworks import build
from benchmarks.guards import Guard, GuardError, Tally, check_by_probe
from benchmarks.steps import longest
from benchmarks.traffic import CASES, COLD, Document, Upload, document, drive, posted, several, together, upload
from benchmarks.transport import Bench

_WARM, _WARM_SECONDS = 60, 0.1  # before a case's first block
_BLOCK_SECONDS = 0.004
_LEAST, _MOST = 4, 600  # requests


class Subject:
    """A contender's app on a framework, and the same app bare."""

    def __init__(self, contender: str, framework: str) -> None:
        self.contender = contender
        # Built first: a framework that is patched later must not be.
        self.bare = build(framework)
        self.app = make(contender, framework)
        self.sends = contender.partition(":")[0] in {"ours", "ours_plain", "sdk"}
        # The SDK's integrations patch a framework's classes, so that no app of it is bare in this process any more.
        self.patched = contender in {"sdk", "sdk_off"} and framework != "raw"
        self.probe = prober(contender)
        self._size: dict[Any, int] = {}

    async def guard(self, case: str, *, trace: bool) -> None:
        """Raises GuardError."""
        if self.sends:
            kind, _, names = self.contender.partition(":")
            layers = names.rstrip("0123456789") or "fsuhb"
            options: dict[str, Any] = {"scrubs": kind != "sdk", "layers": layers, "hooks": kind != "ours_plain"}
            guard = Guard(self.app, CASES[case], trace=trace, **options)
            await guard.check()
        elif self.probe is not None:
            await check_by_probe(self.app, CASES[case], self.probe)

    async def block(self, case: str, *, trace: bool, **shape: Any) -> tuple[float | None, float]:
        """Microseconds of a request to the bare app, where there is one, and to the contender's; the counts checked.

        Args:
            case: of `traffic.CASES`.
            trace: whether trace headers come in.
            shape: `number` of headers, and further keys of the scope, of which the bare app gets no `spans`.
        """
        kind = CASES[case]
        plain = {key: value for key, value in shape.items() if key != "spans"}
        key = (case, trace, tuple(shape.items()))
        if key not in self._size:
            cold = await drive(self.app, several(kind, COLD + _LEAST, trace=trace, **shape))
            warm = max(_LEAST, min(_WARM, int(_WARM_SECONDS / cold)))
            await drive(self.app, several(kind, COLD + warm, trace=trace, **shape))
            if not self.patched:
                await drive(self.bare, several(kind, _WARM, trace=trace, **plain))
            gc.freeze()
            once = await drive(self.app, several(kind, COLD + _LEAST, trace=trace, **shape))
            self._size[key] = COLD + max(_LEAST, min(_MOST, int(_BLOCK_SECONDS / max(once, 1e-7))))
        requests = self._size[key]
        scopes = several(kind, requests, trace=trace, **shape)
        tally = Tally()
        spent = await drive(self.app, scopes)
        if self.sends:
            tally.check(kind, requests)
        if self.patched:
            return None, spent * 1e6
        bare = await drive(self.bare, several(kind, max(150, requests), trace=trace, **plain))
        return bare * 1e6, spent * 1e6

    async def crowd(self, case: str, *, requests: int) -> tuple[float, float]:
        """The same with so many requests in flight at once."""
        kind, number = CASES[case], max(300 // requests, 1) * requests
        await together(self.app, several(kind, 100, trace=False, pause=True), min(requests, 100))
        scopes = several(kind, number, trace=False, pause=True)
        tally = Tally()
        spent = await together(self.app, scopes, requests)
        if self.sends:
            tally.check(kind, number)
        bare = await together(self.bare, several(kind, number, trace=False, pause=True), requests)
        return bare * 1e6, spent * 1e6

    async def body(self, case: str, *, size: int, repeat: int) -> tuple[float, float]:
        """Microseconds of a request that uploads a body, to the bare app and to the contender's."""
        await self._upload(self.app, case, 1_000, 20)
        tally = Tally()
        spent = await self._upload(self.app, case, size, repeat)
        if self.sends:
            tally.check(CASES[case], repeat)
        return await self._upload(self.bare, case, size, repeat) * 1e6, spent * 1e6

    async def _upload(self, app: Any, case: str, size: int, requests: int) -> float:
        scopes = posted(several(CASES[case], requests, trace=False), size)
        return await upload(app, scopes, [Upload(size) for _ in scopes])

    async def document(self, case: str, *, size: int) -> tuple[float, float]:
        """Microseconds of a request that has a JSON document for its body, to the bare app and to the contender's."""

        async def post(app: Any, requests: int) -> float:
            bodies = [document(size) for _ in range(requests)]
            scopes = posted(several(CASES[case], requests, trace=False), size)
            return await upload(app, scopes, [Document(body) for body in bodies]) * 1e6

        with Bench.last.keeping() as kept:
            await post(self.app, _LEAST)
        if self.contender == "ours" and not all(event["request"].get("data") for event in kept["event"]):
            raise GuardError(f"{case}: an event without the body")
        spent = await post(self.app, 2 * _LEAST)
        return await post(self.bare, 100), spent

    async def steps(self, case: str) -> tuple[list[float], list[float]]:
        """The longest steps of the event loop in requests, in microseconds: processor time, and by the wall clock."""
        kind, requests = CASES[case], 30
        scopes = several(kind, requests, trace=False, pause=True)
        tally = Tally()
        with Bench.last.in_thread() as settle:
            found = await longest(self.app, scopes, settle)
            settle()
        tally.check(kind, requests)
        return found

    async def memory(self, case: str, *, size: int) -> tuple[float, float]:
        """Bytes allocated at the most during such a request, beyond what was there before."""
        peaks = []
        for app in (self.bare, self.app):
            await self._upload(app, case, 1_000, 5)
            tracemalloc.start()
            before, _ = tracemalloc.get_traced_memory()
            await self._upload(app, case, size, 1)
            peaks.append(tracemalloc.get_traced_memory()[1] - before)
            tracemalloc.stop()
        return peaks[0], peaks[1]


async def serve(subject: Subject, reply: Any) -> None:
    """Answer commands, one JSON object a line, until there are no more."""
    for line in sys.stdin:
        command = json.loads(line)
        action = command.pop("do")
        try:
            reply({"ok": await getattr(subject, action)(**command)})
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
