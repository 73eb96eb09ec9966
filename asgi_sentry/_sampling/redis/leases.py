"""What one process holds of a shared limit: tokens that it leased, and what it does when the lender is gone.

These are plain objects: `ask` makes the arguments of one call of the script, `answer` takes what it returned, `lost`
says that it failed. Who calls it, and when, is `shared.py`; the gates of budgets are in `leased_budget.py`. A
request's `take` never waits for any of it.

A gate is *shared* while the lender answers, and takes leased tokens. When the lender fails it is *local*: it goes on
with an equal share of what was left when it last heard, counted as if its share of all that was used had been used at
that moment, so that the change itself lets nothing through twice. What it uses so is told to the lender when that is
back. A process that has just started is closed for the moment that the first answer takes (two seconds more where the
lender itself has just started): it can't know yet what the others have used.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from asgi_sentry._sampling.limits import TokenBucket
from asgi_sentry._sampling.locks import Locked
from asgi_sentry._sampling.rate import PERIODS, Limit
from asgi_sentry._sampling.redis.script import GRACE, SLOTS, arguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sampling.adaptive import Adaptive
    from asgi_sentry._sampling.budgets import Budget
    from asgi_sentry._sampling.redis.script import Answer

HEARTBEAT = 2.0
"""Seconds after which a gate that needs nothing is heard of all the same."""
NEVER = float("-inf")


class Leased(Locked):
    """What the two kinds of gates have in common."""

    __slots__ = (
        "_asked",
        "_asked_at",
        "_clock",
        "_generation",
        "_known",
        "_local",
        "_next",
        "_retry",
        "_since",
        "_tokens",
        "_told",
        "_workers",
        "limit",
        "name",
        "wake",
    )

    kind = ""
    parts = 1

    def __init__(self, name: str, limit: Limit, *, workers: int, clock: Callable[[], float]) -> None:
        super().__init__()
        self.name = name
        self.limit = limit
        self.wake: Callable[[], object] = _nothing
        self._clock = clock
        self._workers = workers
        self._tokens = 0
        self._asked = 0  # by requests, since the last call
        self._asked_at = 0.0  # when that call was made
        self._since = 0  # used locally and not told yet
        self._told = 0  # by the call that is under way
        self._generation = ""
        self._known = False  # whether the lender ever lent
        self._next = NEVER
        self._retry = NEVER  # no use in calling before
        self._local: TokenBucket | Budget | None = None

    def take(self) -> bool:
        """Take a token if there is one."""
        with self._lock:
            now = self._clock()
            self._asked += 1
            granted = self._spend(now)
            due = now >= self._next or (self._tokens == 0 and self._due(now))
        if due:
            self.wake()
        return granted

    @property
    def shared(self) -> bool:
        """Whether the lender answers."""
        return self._local is None

    def due(self, now: float) -> bool:
        """Whether it is time for a call: by the heartbeat, or since a request found nothing."""
        return self._due(now)

    def ask(self, worker: str) -> list[Any]:
        """The arguments of a call."""
        with self._lock:
            now = self._clock()
            used, start = self._history(now)
            want = 0 if self._local is not None else max(0, max(1, 2 * self._asked) - self._tokens)
            told, self._told, self._since = self._since, self._since, 0
            self._asked, self._asked_at, self._next = 0, now, now + HEARTBEAT
            period = 0 if self.limit.seconds == PERIODS["month"] and self.kind == "budget" else self.limit.seconds
            return arguments(
                self.kind,
                self.limit.count,
                period,
                worker,
                generation=self._generation,
                want=want,
                since=told,
                used=used,
                start=start,
                parts=self.parts,
            )

    def answer(self, answer: Answer) -> None:
        """Take what a call returned."""
        with self._lock:
            now = self._clock()
            self._generation = answer.generation
            granted = self._heard(answer)
            self._told = 0
            if answer.pending:
                # The lender has lost its memory, or never had one: it does not know all workers yet.
                self._workers = max(self._workers, answer.workers)
                if self._local is None and self._known:
                    self._fall_back()
                self._next = now + GRACE / 4
                return
            self._known = True
            self._workers = answer.workers
            if self._local is not None:
                self._local, self._next = None, now  # the next call leases
            self._tokens += granted
            if granted == 0 and self._tokens == 0:
                self._retry = now + min(max(self.limit.seconds / SLOTS / 2, 0.02), 1.0)

    def lost(self) -> None:
        """A call failed."""
        with self._lock:
            self._since += self._told
            self._told = 0
            self._next = NEVER
            if self._local is None:
                self._fall_back()

    def forget(self) -> None:
        """In a forked child: what the parent leased is the parent's, and so is what it has to tell."""
        self._tokens = self._since = self._told = self._asked = 0
        self._generation = ""
        self._known = False
        self._next = NEVER

    def _due(self, now: float) -> bool:
        if now >= self._next:
            return True
        return self._local is None and self._tokens == 0 and self._asked > 0 and now >= self._retry

    def _spend(self, now: float) -> bool:
        raise NotImplementedError

    def _history(self, now: float) -> tuple[int, float]:
        """All that this process used in a period, and the period's start if that matters."""
        raise NotImplementedError

    def _heard(self, answer: Answer) -> int:
        """Note what all used, and say how many of the granted tokens are good."""
        raise NotImplementedError

    def _fall_back(self) -> None:
        """Go on alone, with a share of what was left when it was last heard, or of all if it never was."""
        raise NotImplementedError


class LeasedWindow(Leased):
    """A shared `TokenBucket`.

    The law, while Redis lives: in any window of a period, all processes together take at most `count`, and one lease
    each more (what they held when the window began). A lease is an eighth of an equal share, at least one.
    """

    __slots__ = ("_in_slot", "_slot", "_slot_seconds", "_slots", "_used")

    kind = "window"
    parts = 8

    def __init__(
        self, name: str, limit: Limit, *, workers: int = 1, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(name, limit, workers=workers, clock=clock)
        self._used = 0  # by all, as last heard
        self._slot_seconds = limit.seconds / SLOTS
        self._slot, self._in_slot = NEVER, 0  # this process's uses in the latest slot of time, by its number,
        self._slots: dict[float, int] = {}  # and in those before it

    def forget(self) -> None:
        """In a forked child: what the parent used is the parent's to tell."""
        super().forget()
        self._slot, self._in_slot = NEVER, 0
        self._slots = {}

    def _spend(self, now: float) -> bool:
        if self._tokens > 0:  # only while it is shared
            self._tokens -= 1
        elif self._local is not None and self._local.take():
            self._since += 1
        else:
            return False
        slot = now // self._slot_seconds
        if slot == self._slot:
            self._in_slot += 1
            return True
        self._slots = {each: n for each, n in self._slots.items() if each >= slot - SLOTS}
        self._slots[self._slot] = self._in_slot
        self._slot, self._in_slot = slot, 1
        return True

    def _history(self, now: float) -> tuple[int, float]:
        first = now // self._slot_seconds - SLOTS
        used = sum(n for slot, n in self._slots.items() if slot >= first)
        return used + (self._in_slot if self._slot >= first else 0), 0

    def _heard(self, answer: Answer) -> int:
        self._used = max(self._used, answer.used) if answer.pending else answer.used
        return answer.granted

    def _fall_back(self) -> None:
        self._tokens = 0
        local = TokenBucket(self.limit.share(self._workers), clock=self._clock)
        for _ in range(min(local.limit.count, math.ceil(self._used / self._workers))):
            local.take()
        self._local = local


class SharedTarget:
    """Keeps an adaptive rate's target at this process's part of it: in proportion to its part of the traffic."""

    __slots__ = ("_adaptive", "_clock", "_next", "_workers", "limit", "name")

    def __init__(
        self,
        name: str,
        limit: Limit,
        adaptive: Adaptive,
        *,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self.limit = limit
        self._adaptive = adaptive
        self._clock = clock
        self._workers = workers
        self._next = NEVER
        adaptive.target = limit.per_second / workers

    def due(self, now: float) -> bool:
        """Whether it is time for a call."""
        return now >= self._next

    def ask(self, worker: str) -> list[Any]:
        """The arguments of a call."""
        self._next = self._clock() + 1.0
        return arguments("target", self.limit.count, self.limit.seconds, worker, demand=self._adaptive.traffic)

    def answer(self, answer: Answer) -> None:
        """Take what a call returned."""
        self._workers = answer.workers
        equal = 1 / answer.workers
        part = self._adaptive.traffic / answer.demand if answer.demand > 0 else equal
        # A tenth of an equal part stays with one that has no traffic yet, for when it comes.
        self._adaptive.target = self.limit.per_second * max(min(part, 1.0), equal / 10)

    def lost(self) -> None:
        """A call failed: an equal part it is."""
        self._adaptive.target = self.limit.per_second / self._workers

    def forget(self) -> None:
        """In a forked child: call at once."""
        self._next = NEVER


def _nothing() -> None:
    """Nobody to wake."""
