"""In which thread the function ran that served a request, as far as it told anybody.

A framework runs a `def` handler in a worker thread, and what we do is done in the event loop's. The
SDK's integrations patch the frameworks to ask the worker. Nothing of ours runs there, but for what
the handler itself starts or sends: a span, an event, a log, a metric. Whose stack that is tells the
thread, and dependencies that run in threads of their own are not mistaken for the handler.
"""

from __future__ import annotations

import inspect
import sys
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from types import CodeType

_REMEMBERED = 1000  # functions: a websocket may live for days


class Worker(NamedTuple):
    """A thread."""

    ident: int
    name: str


class Threads:
    """Which functions ran in which thread other than the one that this was made in."""

    __slots__ = ("_own", "_seen")

    def __init__(self) -> None:
        self._own = threading.get_ident()
        # By code: its thread, None for several. None for the whole: nothing was seen yet.
        self._seen: dict[CodeType, Worker | None] | None = None

    def look(self) -> None:
        """Note what runs in the caller's thread, if it is another one."""
        ident = threading.get_ident()
        if ident == self._own:
            return
        seen = self._seen
        if seen is None:
            seen = self._seen = {}
        worker = None
        frame = sys._getframe(1)
        while frame is not None and len(seen) < _REMEMBERED:
            code = frame.f_code
            if code not in seen:
                if worker is None:
                    worker = Worker(ident, threading.current_thread().name)
                seen[code] = worker
            else:
                known = seen[code]
                if known is not None and known.ident != ident:
                    seen[code] = None
            frame = frame.f_back  # type: ignore[assignment]  # None at the thread's beginning

    @property
    def any(self) -> bool:
        """Whether anything was seen."""
        return self._seen is not None

    def of(self, function: Any) -> Worker | None:
        """The only thread in which a plain function was seen; None where it was in none."""
        if self._seen is None:
            return None
        code = code_of(function)
        if code is None:
            return None
        return self._seen.get(code)


def code_of(function: Any) -> Any:
    """The code of a plain function or method.

    None for a coroutine function, which runs where the event loop does.
    """
    while hasattr(function, "func") and not hasattr(function, "__code__"):  # `functools.partial`
        function = function.func
    function = inspect.unwrap(function)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return None
    return getattr(function, "__code__", None)
