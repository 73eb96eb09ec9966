"""`SharedLimits`: limits, targets and budgets of several processes as one, by way of Redis.

One daemon thread per process calls the script of `script.py` when a gate runs out of tokens, and every few seconds
otherwise. A request only ever takes what its process holds; it never waits for Redis, for the thread or for a socket.
When Redis is slow or gone, this is said once, each gate goes on with its own share (see `leases.py`), and the thread
tries again every second; when Redis is back, that is said as well.

Needs redis-py, the extra `redis`, which is imported when an object is made and not before.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
import uuid
import weakref
from typing import TYPE_CHECKING, Any, Protocol

from asgi_sentry._sampling.redis.leased_budget import LeasedBudget
from asgi_sentry._sampling.redis.leases import LeasedWindow, SharedTarget
from asgi_sentry._sampling.redis.script import LEASE, Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asgi_sentry._sampling.adaptive import Adaptive
    from asgi_sentry._sampling.rate import Limit

TIMEOUT = 0.5
"""Seconds after which a call counts as failed."""
RETRY = 1.0
SPACING = 0.02
"""Seconds between two calls at least, however hungry the gates are."""
BATCH = 100
"""Gates asked for in one round trip."""

_SHA = hashlib.sha1(LEASE.encode(), usedforsecurity=False).hexdigest()  # the name Redis knows the script by

logger = logging.getLogger(__name__)


class _Asker(Protocol):
    """What has something to ask of the script."""

    name: str

    def due(self, now: float) -> bool: ...
    def ask(self, worker: str) -> list[Any]: ...
    def answer(self, answer: Answer) -> None: ...
    def lost(self) -> None: ...
    def forget(self) -> None: ...


class SharedLimits:
    """The limits of all processes that were given the same `url` and `namespace`.

    `workers` is how many processes there are at least, until Redis has told how many there really are. `close` gives
    back what is left of the leases; a process that ends without it loses them to no one but the budget.

    Raises:
        ValueError: The URL is not one of Redis. It is not in the message, since it may hold a password.
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
        if not isinstance(url, str) or not url.startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("the URL of Redis must start with redis://, rediss:// or unix://")
        self._client = _client(url)
        self._workers = workers
        self._clock = clock
        self._wall = wall
        # One hash tag, so that a cluster keeps the two keys of a call together.
        self._prefix = f"{{asgi-sentry:{namespace}}}"
        self._askers: list[_Asker] = []
        self._budgets: dict[str, LeasedBudget] = {}
        self._down = False
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

    def target(self, name: str, limit: Limit, adaptive: Adaptive) -> None:
        """Keep an adaptive rate's target at this process's part of it."""
        self._askers.append(SharedTarget(name, limit, adaptive, workers=self._workers, clock=self._clock))

    @property
    def budgets(self) -> dict[str, LeasedBudget]:
        """By name."""
        return dict(self._budgets)

    @property
    def connected(self) -> bool:
        """Whether the last call succeeded; True before the first."""
        return not self._down

    def start(self) -> None:
        """Start the thread, which otherwise starts with the first request that needs it."""
        with self._starting:
            if self._thread is None and not self._stop.is_set():
                self._thread = threading.Thread(target=self._run, name="asgi-sentry-limits", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Stop the thread and give back what is left of the leases."""
        self._stop.set()
        self._event.set()
        if self._thread is not None:
            self._thread.join(4 * TIMEOUT)
        if self._down:
            return
        for budget in self._budgets.values():
            budget.give_back()
        if self._call(list(self._budgets.values())):
            self._quietly(lambda: self._client.zrem(f"{self._prefix}:workers", self._worker))
        self._quietly(self._client.close)

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

    def _begin_child(self) -> None:
        self._begin()
        for asker in self._askers:
            asker.forget()

    def _wake(self) -> None:
        """Called by a request that finds nothing to take."""
        if not self._event.is_set():
            self._event.set()
        if self._thread is None:
            try:
                self.start()
            except RuntimeError as error:  # no more threads, or none at the interpreter's end
                self._failed(error)

    def _run(self) -> None:
        while not self._stop.is_set():
            # Cleared before the call: who runs out during it is served by the next.
            self._event.clear()
            if self.refresh():
                self._stop.wait(SPACING)
                self._event.wait(RETRY)
            else:
                self._stop.wait(RETRY)

    def _call(self, askers: Sequence[_Asker]) -> bool:
        """Ask in as many round trips as it takes; after a failure, all are told of it."""
        for first in range(0, len(askers), BATCH):
            batch = askers[first : first + BATCH]
            try:
                answers = self._evaluate(batch)
            except Exception as error:
                self._failed(error)
                return False
            for asker, answer in zip(batch, answers, strict=True):
                asker.answer(answer)
        if askers and self._down:
            self._down = False
            logger.info("Redis is back, and limits are shared again")
        return True

    def _evaluate(self, batch: Sequence[_Asker]) -> list[Answer]:
        asked = [(f"{self._prefix}:{asker.name}", asker.ask(self._worker)) for asker in batch]
        with self._client.pipeline(transaction=False) as pipeline:
            pipeline.script_load(LEASE)  # a restarted server has forgotten it; asking first would cost a round trip
            for key, arguments in asked:
                pipeline.evalsha(_SHA, 2, key, f"{self._prefix}:workers", *arguments)
            return [Answer.read(raw) for raw in pipeline.execute()[1:]]

    def _failed(self, error: Exception) -> None:
        if not self._down:
            self._down = True
            logger.warning(
                "limits are not shared, since calling Redis failed (%s); each process goes on with its own share, "
                "and tries again every second",
                type(error).__name__,  # its text may hold the URL
            )
        for asker in self._askers:
            asker.lost()

    @staticmethod
    def _quietly(action: Callable[[], object]) -> None:
        try:
            action()
        except Exception as error:
            logger.debug("while closing: %s", type(error).__name__)


def _client(url: str) -> Any:
    try:
        import redis  # noqa: PLC0415  # an extra, and only for those who use it
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415
    except ImportError as error:
        raise RuntimeError("sharing limits by Redis needs redis-py: pip install 'asgi-sentry[redis]'") from error
    try:
        return redis.Redis.from_url(
            url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            retry=Retry(NoBackoff(), 0),  # trying again is this module's own business
        )
    except ValueError:
        # Without its cause, whose text may hold the URL.
        raise ValueError("the URL of Redis can't be read; write redis://host:port/database") from None


_live: weakref.WeakSet[SharedLimits] = weakref.WeakSet()


def _begin_children() -> None:
    for each in list(_live):
        each._begin_child()  # noqa: SLF001  # this module's own class


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_begin_children)
