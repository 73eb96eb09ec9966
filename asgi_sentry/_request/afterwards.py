"""What is done for a request after its response has ended: work, or a framework that returns.

By the clock alone they can't be told from one another: on a busy machine, or behind a busy event
loop, the way back through some middlewares may take longer than a small task. So it is looked at
what does not depend on others. Whoever returns passes through few turns of the event loop, three
for each of Starlette's `BaseHTTPMiddleware`s; whoever waits for something lets it go through many.
And whoever computes takes processor time of this thread.
"""

from __future__ import annotations

import asyncio
import sys
import time
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

WORTH = 0.01
"""Seconds of processor time, where the event loop has made no turn."""

LONG = 0.25
"""Seconds by the clock that are always worth a span: no framework takes that long to return."""

MOST = 40
"""Turns of the loop, at some 2 µs, that are counted, and that a framework takes at most."""


def _soon() -> Callable[[Callable[[], None]], Any] | None:
    """What calls a function in the loop's next turn."""
    try:
        return partial(asyncio.get_running_loop().call_soon, context=Context())
    except RuntimeError:
        pass
    try:
        lowlevel = sys.modules["trio"].lowlevel
        soon: Callable[[Callable[[], None]], Any] = lowlevel.current_trio_token().run_sync_soon
    except (KeyError, RuntimeError, AttributeError):
        return None
    return soon


class Afterwards:
    """From the end of a response until the app is done."""

    __slots__ = ("_began", "_cpu", "_soon", "_stopped", "_turns", "worked")

    def __init__(self) -> None:
        self.worked = True  # unless it is known better
        self._stopped = False
        self._turns = 0
        self._began = time.monotonic()
        self._cpu = time.thread_time()
        soon = _soon()
        if soon is None:  # another loop than those that we know, on which it goes by the clock
            self._stopped = True
        else:
            self._soon = soon
            soon(self._turn)

    def _turn(self) -> None:
        if not self._stopped:
            self._turns += 1
            if self._turns < MOST:
                self._soon(self._turn)

    def stop(self) -> None:
        """The app is done: say whether it has worked."""
        if self._stopped:
            return
        self._stopped = True
        if time.monotonic() - self._began >= LONG:
            return
        computed = not self._turns and time.thread_time() - self._cpu >= WORTH
        self.worked = computed or self._turns >= MOST
