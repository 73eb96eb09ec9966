"""`SharedLimits`: limits, targets and budgets of several processes as one, by way of Redis.

One daemon thread per process calls the scripts of `script.py` when a gate runs low, and once a
second otherwise. A request only ever takes what its process holds; it never waits for Redis, for
the thread or for a socket. When Redis is slow or gone, this is said once, each gate goes on by
itself (see `leases.py`), and the thread tries again every second; when Redis is back, that is said
as well.

Needs redis-py, the extra `redis`, which is imported when an object is made and not before.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
import weakref
from typing import TYPE_CHECKING, Protocol

from asgi_sentry._sampling.redis.connection import TIMEOUT, Call, Connection
from asgi_sentry._sampling.redis.counted import SharedReservoir, SharedTarget
from asgi_sentry._sampling.redis.exchange import Answer, Question
from asgi_sentry._sampling.redis.leased_budget import LeasedBudget
from asgi_sentry._sampling.redis.leased_window import LeasedWindow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asgi_sentry._sampling.adaptive import Adaptive
    from asgi_sentry._sampling.rate import Limit

RETRY = 1.0
SPACING = 0.02
"""Seconds between two calls at least, however hungry the gates are."""
BATCH = 100
"""Gates asked for in one round trip."""

logger = logging.getLogger(__name__)


class _Asker(Protocol):
    """What has something to ask of a script."""

    name: str
    conflict: bool

    def due(self, now: float) -> bool: ...
    def ask(self) -> Question: ...
    def answer(self, answer: Answer) -> None: ...
    def lost(self) -> None: ...
    def forget(self) -> None: ...
    def forked(self) -> None: ...
    def close(self) -> None: ...


class SharedLimits:
    """The limits of all processes that were given the same `url` and `namespace`.

    Args:
        url: of Redis: `redis://`, `rediss://`, `unix://`, `redis+sentinel://`, `redis+cluster://`
            (see the README).
        namespace: what the processes have in common that share, such as a service and its
            environment.
        workers: how many processes there are at least, by which a process divides what it can't
            share.

    `close` gives back what is held; a process that is killed takes it with it, for a while (see
    `leases.py`).

    Raises:
        ValueError: The URL is not one of Redis. It is not in the message, since it may hold a
            password.
        RuntimeError: redis-py is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        namespace: str = "default",
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._url = url
        self._connection = Connection(url)
        self._workers = workers
        self._clock = clock
        self._wall = wall
        self._namespace = namespace
        # One hash tag, so that a cluster keeps the keys of a call together; a brace would end it
        # early.
        self._prefix = f"{{asgi-sentry:{namespace.replace('}', ')')}}}"
        self._askers: list[_Asker] = []
        self._budgets: dict[str, LeasedBudget] = {}
        self._down = False
        self._known = False  # whether Redis ever answered this process
        # Names of limits of which was said that another process has another.
        self._said: set[str] = set()
        self._thread: threading.Thread | None = None
        self._begin()
        _live.add(self)

    def gate(self, name: str, limit: Limit) -> LeasedWindow:
        """The gate of an `at_most`; processes that give the same name share it."""
        made = LeasedWindow(name, limit, workers=self._workers, clock=self._clock)
        made.wake = self._wake
        self._askers.append(made)
        return made

    def budget(self, name: str, limit: Limit) -> LeasedBudget:
        """A budget of all processes; `limit` is the whole."""
        made = LeasedBudget(name, limit, workers=self._workers, clock=self._clock, wall=self._wall)
        made.wake = self._wake
        self._askers.append(made)
        self._budgets[name] = made
        return made

    def reservoir(self, name: str, limit: Limit) -> SharedReservoir:
        """The minimum of an `at_least`, that any of the processes may meet."""
        made = SharedReservoir(name, limit, clock=self._clock)
        self._askers.append(made)
        return made

    def target(self, name: str, limit: Limit, adaptive: Adaptive) -> None:
        """Keep an adaptive rate's target at this process's part of it."""
        self._askers.append(
            SharedTarget(name, limit, adaptive, workers=self._workers, clock=self._clock)
        )

    @property
    def budgets(self) -> dict[str, LeasedBudget]:
        """By name."""
        return dict(self._budgets)

    @property
    def workers(self) -> int:
        """How many processes share, as far as is known."""
        return max(
            (
                each.workers
                for each in self._askers
                if isinstance(each, (LeasedWindow, LeasedBudget))
            ),
            default=self._workers,
        )

    @property
    def connected(self) -> bool:
        """Whether the last call succeeded; True before the first."""
        return not self._down

    def start(self) -> None:
        """Start the thread, which otherwise starts with the first request that needs it."""
        with self._starting:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(
                    target=self._run, name="asgi-sentry-limits", daemon=True
                )
                self._thread.start()

    def close(self) -> None:
        """Stop the thread and give back what is held.

        Takes no longer than `TIMEOUT`, a few times.
        """
        self._stop.set()
        if self._pause():
            self._quietly(self._connection.close)

    def rest(self) -> None:
        """Do as `close`, until the next request."""
        if not self._stop.is_set() and self._pause():
            self._stop.clear()

    def _pause(self) -> bool:
        """Stop the thread and give back what is held; False if the thread hangs in a call."""
        with self._starting:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._stop.set()
            self._event.set()
            thread.join(4 * TIMEOUT)
            if thread.is_alive():  # and no other call would fare better
                return False
        if self._known and not self._down:
            for asker in self._askers:
                asker.close()
            if self._call(self._askers):
                self._quietly(
                    lambda: self._connection.remove(f"{self._prefix}:workers", self._worker)
                )
        self._known = False
        return True

    def refresh(self) -> bool:
        """Ask for all that is due, now and in this thread; False if Redis failed."""
        now = self._clock()
        return self._call([asker for asker in self._askers if asker.due(now)])

    def _begin(self) -> None:
        """A process's own: its name, its thread, and locks that no other thread holds."""
        self._worker = uuid.uuid4().hex
        self._starting = threading.Lock()
        self._event = threading.Event()
        self._stop = threading.Event()
        self._thread = None
        self._known = False

    def _begin_child(self) -> None:
        self._begin()
        # The parent's sockets, and the locks of its pool, are the parent's.
        self._connection = Connection(self._url)
        for asker in self._askers:
            asker.forget()

    def _go_on_as_parent(self) -> None:
        for asker in self._askers:
            asker.forked()

    def _wake(self) -> None:
        """Called by a request that finds nothing to take, or little."""
        if not self._event.is_set():
            self._event.set()
        if self._thread is None:
            try:
                self.start()
            except RuntimeError as error:  # no more threads, or none at the interpreter's end
                self._failed(error, self._askers)

    def _run(self) -> None:
        while not self._stop.is_set():
            # Cleared before the call: who runs out during it is served by the next.
            self._event.clear()
            if self.refresh():
                self._stop.wait(SPACING)
                self._event.wait(self._rest())
            else:
                self._stop.wait(RETRY)

    def _rest(self) -> float:
        """Seconds until the next call that nobody has to wake the thread for."""
        if any(asker.due(self._clock() + RETRY / 2) for asker in self._askers):
            return RETRY / 4
        return RETRY

    def _call(self, askers: Sequence[_Asker]) -> bool:
        """Ask in as many round trips as it takes; who gets no answer is told of it."""
        failure: Exception | None = None
        for first in range(0, len(askers), BATCH):
            batch = askers[first : first + BATCH]
            try:
                found = self._connection.run([self._question(asker) for asker in batch])
            except Exception as error:
                self._failed(error, askers[first:])
                return False
            for asker, raw in zip(batch, found, strict=True):
                if isinstance(raw, Exception):
                    failure = raw
                    self._failed(raw, [asker])
                    continue
                asker.answer(Answer.read(raw))
                self._known = True
                if asker.conflict and asker.name not in self._said:
                    self._said.add(asker.name)
                    logger.warning(
                        "another process gives another limit under the name %s in the namespace "
                        "%s; each keeps to its "
                        "own, and what both use counts for both. Give services that share nothing "
                        "namespaces of "
                        "their own (ASGI_SENTRY_REDIS_NAMESPACE)",
                        asker.name,
                        self._namespace,
                    )
        if failure is None and askers and self._down:
            self._down = False
            logger.info("Redis is back, and limits are shared again")
        return failure is None

    def _question(self, asker: _Asker) -> Call:
        asked = asker.ask()
        key = f"{self._prefix}:{asked.name}:{asked.period:g}"
        keys = (key, f"{self._prefix}:workers", f"{self._prefix}:limits")
        return Call(asked.kind, keys, asked.arguments(self._worker, self._workers))

    def _failed(self, error: Exception, askers: Sequence[_Asker]) -> None:
        if not self._down:
            self._down = True
            logger.warning(
                "limits are not shared, since calling Redis failed (%s); each process goes on "
                "with its own share, "
                "and tries again every second",
                type(error).__name__,  # its text may hold the URL
            )
        for asker in askers:
            asker.lost()

    @staticmethod
    def _quietly(action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            logger.debug("while closing: %s", type(error).__name__)


_live: weakref.WeakSet[SharedLimits] = weakref.WeakSet()


def rest_all() -> None:
    """Give back what this process holds, until its next request."""
    for each in list(_live):
        each.rest()


def _begin_children() -> None:
    for each in list(_live):
        each._begin_child()  # noqa: SLF001  # this module's own class


def _go_on_as_parents() -> None:
    for each in list(_live):
        each._go_on_as_parent()  # noqa: SLF001  # this module's own class


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_begin_children, after_in_parent=_go_on_as_parents)
