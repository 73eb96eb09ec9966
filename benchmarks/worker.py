"""One contender in a process of its own, which measures it beside the bare app when told to.

A process each, since an SDK, its patches and its client are one a process. The parent tells them one after another to
run a block, round by round, so that all of them meet the same disturbances of the machine.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import time
import tracemalloc
from contextlib import suppress
from typing import Any

from benchmarks.commands import obey
from benchmarks.contenders import entry_of, make, prober
from benchmarks.frameworks import build
from benchmarks.guards import Guard, GuardError, Tally, check_by_probe, check_shape
from benchmarks.steps import longest
from benchmarks.traffic import (
    CASES,
    COLD,
    Case,
    Document,
    Upload,
    drive,
    posted,
    send,
    several,
    together,
    upload,
    with_documents,
)
from benchmarks.transport import Bench

_WARM, _WARM_SECONDS = 60, 0.1  # before a case's first block
_SETTLES, _STEP = 3.0, 0.25  # seconds
_BLOCK_SECONDS = 0.004
_SENT_SECONDS = 0.012  # of a block whose requests are sent: more than six of them, with warm caches
_LEAST, _MOST = 4, 600  # requests
_CHUNK, _CHUNKS = 20, 6  # requests at a time where the worker is a thread: a quarter of its queue at most


def made(
    case: Case, requests: int, *, trace: bool, body: int = 0, **shape: Any
) -> tuple[list[dict[str, Any]], list[bytes]]:
    """So many requests: their scopes, and their bodies of about so many bytes, if they are to have any."""
    scopes = several(case, requests, trace=trace, **shape)
    return scopes, with_documents(scopes, body) if body else []


class Subject:
    """A contender's app on a framework, and the same app bare."""

    def __init__(self, contender: str, framework: str, **given: Any) -> None:
        self.contender = contender
        self.framework = framework
        # Built first: a framework that is patched later must not be.
        self.bare = build(framework)
        self.app = make(contender, framework, **given)
        self.entry, self.detail = entry_of(contender)
        self.sends = self.entry.sends
        self.patched = self.entry.patches and framework != "raw"
        self.probe = prober(contender)
        self._size: dict[Any, int] = {}

    async def settle(self) -> None:
        """Serve a few requests for some seconds, so that what a process does in its first ones is not measured.

        asgi-sentry watches what is set around requests, until nothing has been for a second, and Hyperscan compiles
        its patterns in a thread.
        """
        until = time.monotonic() + _SETTLES
        while time.monotonic() < until:
            for app in (self.bare, self.app):
                await drive(app, several(CASES["excluded"], COLD + _LEAST, trace=False))
            await asyncio.sleep(_STEP)

    async def guard(self, case: str, *, trace: bool) -> None:
        """Raises GuardError."""
        if self.sends:
            await Guard(self.app, CASES[case], trace=trace, **self.entry.duties(self.detail)).check()
        elif self.probe is not None:
            await check_by_probe(self.app, CASES[case], self.probe)

    async def look(self, case: str, *, trace: bool, **shape: Any) -> None:
        """Make one request of this shape, as `block` has it, and look at what is sent. Raises GuardError."""
        [scope], bodies = made(CASES[case], 1, trace=trace, **shape)
        body = bodies[0] if bodies else b""
        with Bench.last.keeping() as found, suppress(ValueError):
            await self.app(scope, Document(body), send)
        duties = {"scrubs": self.entry.duties()["scrubs"], "attaches": self.entry.attaches(self.framework)}
        wrong = list(check_shape(found, scope, body, **duties))
        if wrong:
            raise GuardError(f"{case}, {shape}: " + "; ".join(wrong))

    async def block(self, case: str, *, trace: bool, **shape: Any) -> tuple[float | None, float]:
        """Microseconds of a request to the bare app, where there is one, and to the contender's; the counts checked.

        Args:
            case: of `traffic.CASES`.
            trace: whether trace headers come in.
            shape: `number` of headers, the size of a JSON `body`, whether authorization is `basic`, and further keys
                of the scope, of which the bare app gets neither `spans` nor `tag`.
        """
        kind = CASES[case]
        plain = {key: value for key, value in shape.items() if key not in {"spans", "tag"}}

        async def driven(app: Any, requests: int, shape: dict[str, Any]) -> float:
            scopes, bodies = made(kind, requests, trace=trace, **shape)
            return await drive(app, scopes, [Document(body) for body in bodies])

        key = (case, trace, tuple(shape.items()))
        if key not in self._size:
            cold = await driven(self.app, COLD + _LEAST, shape)
            warm = max(_LEAST, min(_WARM, int(_WARM_SECONDS / cold)))
            await driven(self.app, COLD + warm, shape)
            if not self.patched:
                await driven(self.bare, _WARM, plain)
            gc.freeze()
            seconds = _SENT_SECONDS if kind.transactions or kind.errors else _BLOCK_SECONDS
            once = await driven(self.app, COLD + _LEAST, shape)
            self._size[key] = COLD + max(_LEAST, min(_MOST, int(seconds / max(once, 1e-7))))
        requests = self._size[key]
        tally = Tally()
        spent = await driven(self.app, requests, shape)
        if self.sends:
            tally.check(kind, requests)
        if self.patched:
            return None, spent * 1e6
        bare = await driven(self.bare, max(150, requests), plain)
        return bare * 1e6, spent * 1e6

    async def loop(self, case: str, *, trace: bool, **shape: Any) -> tuple[float | None, float]:
        """The same of the event loop's thread alone, while the SDK's worker is a thread that serialises, too."""
        kind = CASES[case]
        plain = {key: value for key, value in shape.items() if key not in {"spans", "tag"}}
        spent, tally = 0.0, Tally()
        with Bench.last.in_thread() as settle:
            for _ in range(_CHUNKS):  # each within a quarter of the queue, beyond which nothing is left to the thread
                spent += await self._looped(self.app, kind, trace, shape)
                settle()
        tally.check(kind, _CHUNKS * (COLD + _CHUNK))
        if self.patched:
            return None, spent / _CHUNKS * 1e6
        bare = 0.0
        for _ in range(_CHUNKS):
            bare += await self._looped(self.bare, kind, trace, plain)
        return bare / _CHUNKS * 1e6, spent / _CHUNKS * 1e6

    async def _looped(self, app: Any, kind: Case, trace: bool, shape: dict[str, Any]) -> float:
        scopes, bodies = made(kind, COLD + _CHUNK, trace=trace, **shape)
        return await drive(app, scopes, [Document(body) for body in bodies], clock=time.thread_time)

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
            scopes, bodies = made(CASES[case], requests, trace=False, body=size)
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


if __name__ == "__main__":  # CONTENDER FRAMEWORK
    obey(lambda: Subject(*sys.argv[1:]))
