"""`LeasedBudget`: a budget of several processes, of which each leases a little (see `leases.py`)."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from asgi_sentry._sampling.budgets import Budget, BudgetStatus, Marks, Period, period_at, status_of
from asgi_sentry._sampling.rate import Limit
from asgi_sentry._sampling.redis.leases import Leased

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sampling.redis.script import Answer


class LeasedBudget(Leased):
    """A shared `Budget`. A lease is a hundredth of an equal share, at least one.

    The law, while Redis lives: all processes together never spend more than the budget, nor run ahead of its line.
    """

    __slots__ = ("_marks", "_offset", "_period", "_spent", "_title", "_used")

    kind = "budget"
    parts = 100

    def __init__(
        self,
        name: str,
        limit: Limit,
        *,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(name, limit, workers=workers, clock=clock)
        self._offset = wall() - clock()  # until the server's time is known
        self._period = period_at(limit, self._time())
        self._spent = 0  # by this process in this period
        self._used = 0  # by all, as last heard
        self._title = name.partition(":")[0]
        self._marks = Marks(self._title, limit.count)

    def status(self) -> BudgetStatus:
        """What is left, as far as is known here; what other processes hold counts as spent."""
        with self._lock:
            spent = self._used + self._since + self._told - self._tokens
            return status_of(self.limit.count, spent, self._period, self._time())

    def give_back(self) -> None:
        """Tell the lender at the next call that what is held will not be spent."""
        with self._lock:
            self._since -= self._tokens
            self._tokens = 0

    def forget(self) -> None:
        """In a forked child: what the parent spent is the parent's to tell."""
        super().forget()
        self._spent = 0

    def _time(self) -> float:
        """The server's, by this process's own monotonic clock."""
        return self._clock() + self._offset

    def _spend(self, now: float) -> bool:
        if now + self._offset >= self._period.end:
            self._turn(period_at(self.limit, now + self._offset))
        if self._local is not None:
            if not self._local.take():
                return False
            self._since += 1
        elif self._tokens > 0:
            self._tokens -= 1
        else:
            return False
        self._spent += 1
        return True

    def _turn(self, period: Period) -> None:
        self._period = period
        self._spent = self._since = self._told = self._tokens = self._used = 0

    def _history(self, now: float) -> tuple[int, float]:
        if now + self._offset >= self._period.end:
            self._turn(period_at(self.limit, now + self._offset))
        return self._spent, self._period.start

    def _heard(self, answer: Answer) -> int:
        # By the moment before the call, so that a slow answer lets the period end early and not late.
        self._offset = answer.now - self._asked_at
        server = Period(answer.start, answer.end)
        if server.start > self._period.start:
            self._turn(server)
        elif server.start < self._period.start:
            # What was told was for another period, and not taken. Either the new one has begun here a moment before
            # it does there, or this machine's clock is wrong, and the period as well.
            self._since += self._told
            if self._time() < self._period.start:
                self._period = server
            return 0
        self._used = answer.used
        self._marks.see(self._period, answer.used)
        return answer.granted

    def _fall_back(self) -> None:
        self._tokens = 0
        share = Limit(count=max(1, self.limit.count // self._workers), seconds=self.limit.seconds)
        spent = min(share.count, math.ceil(self._used / self._workers))
        self._local = Budget(share, name=self._title, clock=self._time, spent=spent)
