"""How long a request keeps the event loop from doing anything else: the longest of its steps."""

from __future__ import annotations

import asyncio
import gc
import time
from asyncio.events import Handle
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from benchmarks.traffic import receive, send

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Steps:
    """Times each callback that the event loop runs, as asyncio does itself in its debug mode."""

    def __init__(self) -> None:
        self.on = False  # a step counts if this was true at its beginning
        self.processor: list[float] = []  # seconds of the loop's own thread
        self.wall: list[float] = []

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Within, `Handle._run` is replaced in the whole process."""
        original = Handle._run

        def run(handle: Handle) -> None:
            if not self.on:
                return original(handle)
            wall, processor = time.perf_counter(), time.thread_time()
            try:
                return original(handle)
            finally:
                self.processor.append(time.thread_time() - processor)
                self.wall.append(time.perf_counter() - wall)

        Handle._run = run  # type: ignore[method-assign]
        try:
            yield
        finally:
            Handle._run = original  # type: ignore[method-assign]

    async def request(self, app: Any, scope: dict[str, Any]) -> tuple[float, float]:
        """The longest step of one request: in microseconds of the thread's processor time, and by the wall clock."""
        self.processor.clear()
        self.wall.clear()

        async def whole() -> None:
            with suppress(ValueError):  # the app's own, where it is to fail
                await app(scope, receive, send)
            for _ in range(3):  # what was put off to the loop counts as well
                await asyncio.sleep(0)
            self.on = False

        task = asyncio.create_task(whole())
        self.on = True
        await task
        return max(self.processor) * 1e6, max(self.wall) * 1e6


async def longest(
    app: Any, scopes: list[dict[str, Any]], between: Callable[[], None]
) -> tuple[list[float], list[float]]:
    """The longest step of each request; `between` runs before each, untimed, and waits for other threads."""
    steps = Steps()
    processor, wall = [], []
    gc.collect()
    with steps.timed():
        for scope in scopes:
            between()
            one, other = await steps.request(app, scope)
            processor.append(one)
            wall.append(other)
    return processor, wall
