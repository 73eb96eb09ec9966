"""The requests that are alive, and the secrets of those that failed in the last minute.

Something about a request may be captured outside of its context: by asyncio's "never retrieved", by
a server's log, by a worker that serves many requests. If its request can't be found, then what
leaves is scrubbed by the secrets of all requests that it may be about. Only of such secrets as look
like one: a client's word must not blank what the app says.

Of a request that is over, only what failed is kept, for a minute; a loop that runs forgets it then
by itself.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from asgi_sentry import _sdk as sdk
from asgi_sentry import _state as state
from asgi_sentry._request.tag import Tag
from asgi_sentry._scrubbing import Scrubber, Taint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SECONDS = 60.0
_MOST_ALIVE = 32  # the newest
_MOST_FAILED = 64
_DEEPEST = 40  # frames between asyncio's handler and an event processor


class Alive(Protocol):
    """A request that is being served."""

    def taint(self) -> Taint:
        """Its secrets by value; asked only where something is sent."""


class Lately:
    """Whose secrets may be in what nobody's request is known for; safe between threads.

    Args:
        clock: in seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.alive: dict[Alive, None] = {}  # in the order of their beginning
        self._failed: deque[tuple[float, Taint]] = deque(maxlen=_MOST_FAILED)
        self._timer = False
        self._bystander: tuple[float, Bystander | None] = (0.0, None)

    def note_failed(self, taint: Taint) -> None:
        """Keep the secrets of a request that failed, for a minute."""
        if not taint:
            return
        with self._lock:
            self._failed.append((self._clock() + SECONDS, taint))
            waiting, self._timer = self._timer, True
        if not waiting:
            try:
                asyncio.get_running_loop().call_later(SECONDS + 1, self._on_time)
            except RuntimeError:  # another loop than asyncio's, or none
                self._timer = False

    def taint(self, *own: Taint) -> Taint | None:
        """The secrets of all of them, and of those that are given; None if there are none."""
        self._forget_old()
        requests = list(self.alive)[-_MOST_ALIVE:]
        taints = [
            *own,
            *(request.taint() for request in requests),
            *(taint for _, taint in list(self._failed)),
        ]
        joined = Taint.joined(taints)
        return joined or None

    def bystander(self, *of: Alive) -> Bystander | None:
        """For a log, a metric or a span that is made outside of every request.

        It is scrubbed when those are over.

        What is made within a second has one in common, since what waits in a batch is scrubbed by
        each.

        Args:
            of: the request that made whoever makes the item, such as a worker.
        """
        if not self.alive and not of:
            return None
        now, (since, last) = self._clock(), self._bystander
        if last is None or now - since >= 1:
            last = Bystander()
            self._bystander = now, last
        last.join(*of, *list(self.alive)[-_MOST_ALIVE:])
        return last

    def _on_time(self) -> None:
        self._forget_old()
        with self._lock:
            self._timer = False

    def _forget_old(self) -> None:
        now = self._clock()
        with self._lock:
            while self._failed and self._failed[0][0] <= now:
                self._failed.popleft()

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._bystander = 0.0, None
            self.alive.clear()
            self._failed.clear()


class Bystander:
    """What a tag leads to in place of a report.

    The item may be about another request than that of its context.

    Args:
        of: requests whose secrets may be in it, besides those that are alive or have failed when it
            is scrubbed.
    """

    __slots__ = ("_of",)

    def __init__(self, *of: Alive) -> None:
        self._of = dict.fromkeys(of)

    def join(self, *of: Alive) -> None:
        """May be about these, too; the oldest make room."""
        self._of.update(dict.fromkeys(of))
        for each in list(self._of)[: -2 * _MOST_ALIVE]:
            self._of.pop(each, None)

    def _taint(self) -> Taint | None:
        return lately.taint(*(each.taint() for each in list(self._of)))

    def admits(self, event: dict[str, Any]) -> bool:
        """No rule of a request's is asked."""
        return True

    def scrub_event(
        self,
        event: dict[str, Any],
        settled: Any = None,
        *,
        scrubber: Scrubber | None = None,
        owned: bool = False,
        owed: object = None,  # no event of a request's that is known lacks its own
    ) -> None:
        """Scrub an event in place, by the secrets of all requests that it may be about."""
        (scrubber or _SCRUBBER).scrub_event(event, taint=self._taint(), owned=owned)

    def settle(self, event: dict[str, Any], scrubber: Scrubber, owed: object = None) -> None:
        """Scrub an event in place.

        At the door it is looked at once more, since others may have failed meanwhile.
        """
        self.scrub_event(event, scrubber=scrubber)

    def scrub_telemetry(
        self, kind: str, entries: list[dict[str, Any]], *, scrubber: Scrubber | None = None
    ) -> list[dict[str, Any]]:
        """The same for logs, metrics or spans."""
        payload = (scrubber or _SCRUBBER).scrub_item(kind, {"items": entries}, taint=self._taint())
        scrubbed: list[dict[str, Any]] = payload["items"]
        return scrubbed


_SCRUBBER = Scrubber()
lately = Lately()
alive = lately.alive  # for the path of every request, which has two looks to spare and no more
state.register("_request.lately: requests alive and failed of late", lately.clear)


def owner_of_orphan(event: Mapping[str, Any], hint: Mapping[str, Any]) -> Any:
    """What `OWNER` holds in the task or future that asyncio complains of by this event.

    None if it is not known.
    """
    if event.get("logger") != "asyncio":
        return None
    frame: Any = sys._getframe(1)  # noqa: SLF001 - there is no other way to who calls
    for _ in range(_DEEPEST):
        if frame is None:
            break
        if frame.f_code.co_name == "call_exception_handler":
            told = frame.f_locals.get("context") or {}
            return _owner_within(told.get("task") or told.get("future"))
        frame = frame.f_back
    exc = (hint.get("exc_info") or (None, None))[1] or _exception_being_logged()
    if exc is None:
        return None
    return _owner_within(_task_that_raised(exc))


def _exception_being_logged() -> BaseException | None:
    """Of the log record that is being handled; a hook for logs is not told."""
    frame: Any = sys._getframe(1)  # noqa: SLF001
    for _ in range(_DEEPEST):
        if frame is None:
            return None
        record = None
        if frame.f_code.co_name == "handle":
            record = frame.f_locals.get("record")
        if isinstance(record, logging.LogRecord):
            return (record.exc_info or (None, None))[1]
        frame = frame.f_back
    return None


def _task_that_raised(exc: BaseException) -> Any:
    """The task with this exception, for an event loop whose handler has no frame (uvloop).

    None if it is not found. It is about to be collected, and mostly young; the old generation,
    which takes some 20 ms, is looked through once a second at most.
    """
    global _looked  # noqa: PLW0603 - of the process
    for generation in range(3):
        if generation == _OLD:
            now = time.monotonic()
            if _looked is not None and now - _looked < 1:
                return None
            _looked = now
        for each in gc.get_objects(generation):
            if type(each) is asyncio.Task and each._exception is exc:  # noqa: SLF001
                return each
    return None


_OLD = 2  # the generation of whatever has survived two collections
_looked: float | None = None  # when it was looked through last, by the monotonic clock


def _forget_looked() -> None:
    global _looked  # noqa: PLW0603 - the same
    _looked = None


state.register("_request.lately: when all objects were looked through last", _forget_looked)


def _owner_within(task: Any) -> Any:
    if task is None:
        return None
    if hasattr(task, "get_context"):  # from Python 3.12 on
        return task.get_context().get(sdk.OWNER)
    found = (each for each in gc.get_referents(task) if isinstance(each, contextvars.Context))
    return next((context.get(sdk.OWNER) for context in found), None)


OF_A_REQUEST = ("user", "request", "breadcrumbs")  # the last are of all that a worker worked for


def of_worker(request: Alive, event: dict[str, Any], view: sdk.ClientView) -> dict[str, Any]:
    """An event of a worker that a request started.

    It may have worked for another's since.
    """
    for part in OF_A_REQUEST:
        event.pop(part, None)
    if sdk.sender(view).door is not None:
        event["event_id"] = Tag(event["event_id"], Bystander(request))
    return event
