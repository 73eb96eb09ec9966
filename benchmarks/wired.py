"""One contender in a process of its own, with the transport that it would have in production, and a DSN of the sink."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from typing import Any

import sentry_sdk

from benchmarks.commands import obey
from benchmarks.contenders import make
from benchmarks.frameworks import build
from benchmarks.traffic import CASES, User, receive, scope_of, send, several

BATCH = 50  # requests; the SDK's queue holds a hundred, and drops what comes then
TIMEOUT = 60.0
_IDLE, _SPENT = 0.05, 0.002  # seconds; a process that spends no more in that time has nothing left to do
_WARM = 200
_CASE = CASES["sampled"]


class Wired:
    """A contender's app that sends to the sink, and the same app bare."""

    def __init__(self, contender: str, framework: str, port: str, project: str) -> None:
        self.bare = build(framework)
        dsn = f"http://49d0f7386ad645858ae85020e393bef3@127.0.0.1:{port}/{project}"
        self.app = make(contender, framework, dsn=dsn, transport=None)

    async def one(self) -> None:
        """A request with the secrets of `traffic.SECRETS`, sent when this is over."""
        scope = {**scope_of(_CASE, trace=False, user=User("alice")), "query_string": b"q=blue+socks"}
        await self.app(scope, receive, send)
        sentry_sdk.flush(TIMEOUT)

    async def warm_up(self) -> None:
        """Before the first block."""
        await self._drive(self.app, _WARM)
        await self._drive(self.bare, _WARM)
        await settled()
        gc.freeze()

    async def block(self, requests: int) -> tuple[float, float]:
        """Microseconds of processor time of all threads for a request, to the bare app, and to the contender's."""
        spent = await self._drive(self.app, requests)
        return await self._drive(self.bare, requests) * 1e6, spent * 1e6

    async def rush(self, requests: int, per_second: int) -> None:
        """Requests at a steady rate, on a loop that computes in between: what came of them is asked of the sink."""
        began = time.perf_counter()
        for number, scope in enumerate(several(_CASE, requests, trace=False), start=1):
            await self.app(scope, receive, send)
            await asyncio.sleep(0)
            while time.perf_counter() < began + number / per_second:
                pass
        sentry_sdk.flush(TIMEOUT)

    async def _drive(self, app: Any, requests: int) -> float:
        scopes = several(_CASE, requests, trace=False)
        sends = app is self.app
        gc.collect()
        before = time.process_time()
        for first in range(0, requests, BATCH):
            for scope in scopes[first : first + BATCH]:
                await app(scope, receive, send)
            if sends:
                sentry_sdk.get_client().transport.flush(TIMEOUT)  # waits until its thread has sent all
        if sends:
            sentry_sdk.flush(TIMEOUT)
        return (time.process_time() - before) / requests


async def settled() -> None:
    """Wait until other threads of the process have ended what they began: Hyperscan compiles its patterns in one."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        before = time.process_time()
        await asyncio.sleep(_IDLE)
        if time.process_time() - before < _SPENT:
            return


if __name__ == "__main__":  # CONTENDER FRAMEWORK PORT PROJECT
    obey(lambda: Wired(*sys.argv[1:]))
