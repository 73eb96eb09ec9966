"""`Budget`: so many in a calendar period of UTC, spent evenly, with room for bursts, never over.

Spending may follow the even line, the part of the budget that is as large as the part of the period
gone by, and run ahead of it by `ROOM` of the whole: three days' worth of a month. What was not
spent stays available, so a quiet week leaves more for the next. Quotas are billed by calendar
months, so the periods are those of the calendar, in UTC; a month here has as many days as it has.
The clock is that of the wall; if it is set back, the period stays.

The state is in memory and lost with the process. With Redis it is kept there (see `shared.py`).
"""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry._sampling.locks import Locked
from asgi_sentry._sampling.rate import PERIODS, Limit

if TYPE_CHECKING:
    from collections.abc import Callable

ROOM = 0.1
"""The part of a budget by which spending may run ahead of the even line; at least one."""
MARKS = (80, 100)
"""Percent spent at which a warning is due, once in each period."""

logger = logging.getLogger(__name__)


class Period(NamedTuple):
    """Seconds since the epoch, the end being the next one's start."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetStatus:
    """`remaining` of `count` in the period that ends at `resets_at`.

    `available` of these may be spent now.
    """

    count: int
    spent: int
    remaining: int
    available: int
    resets_at: datetime


def period_at(limit: Limit, now: float) -> Period:
    """The period of the UTC calendar that a moment is in."""
    if limit.seconds != PERIODS["month"]:
        start = now // limit.seconds * limit.seconds
        return Period(start, start + limit.seconds)
    moment = datetime.fromtimestamp(now, timezone.utc)
    start_of = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end_of = start_of.replace(
        year=start_of.year + start_of.month // 12, month=start_of.month % 12 + 1
    )
    return Period(start_of.timestamp(), end_of.timestamp())


def allowed(count: int, period: Period, now: float) -> int:
    """How many of `count` may have been spent by now."""
    gone = min(max((now - period.start) / (period.end - period.start), 0.0), 1.0)
    return min(count, math.floor(count * gone + max(1.0, count * ROOM)))


def kept_for_unseen(count: int, line: int) -> int:
    """How many of those that the line allows are kept for errors of an unseen kind.

    A twentieth of the budget, at least one, but no more than a fifth of what may be spent by now.
    """
    return min(line // 5, max(1, count // 20))


def parse_budget(text: str, *, what: str, workers: int = 1) -> Limit:
    """Read `"10000/month"`, as the equal share of one of `workers`; `what` names the argument.

    Raises:
        TypeError: It is not text.
        ValueError: It can't be read, or there are more workers than it counts.
    """
    whole = Limit.parse(text, what=what)
    if whole.count < workers:
        raise ValueError(
            f"{what}={text!r} can't be divided between {workers} workers; share it by Redis "
            "(ASGI_SENTRY_REDIS_URL)"
        )
    return Limit(count=whole.count // workers, seconds=whole.seconds)


class Marks:
    """Says once in each period that 80 and 100 percent of a budget are spent."""

    __slots__ = ("_count", "_name", "_passed", "_period")

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self._period = 0.0
        self._passed = 0

    def see(self, period: Period, spent: int) -> None:
        """Warn if a mark was passed that was not before."""
        if period.start > self._period:
            self._period, self._passed = period.start, 0
        passed = max((mark for mark in MARKS if spent * 100 >= mark * self._count), default=0)
        if passed > self._passed:
            self._passed = passed
            until = datetime.fromtimestamp(period.end, timezone.utc)
            consequence = ""
            if passed == 100:
                consequence = "; nothing more is sent of it"
            logger.warning(
                "%s: %d %% of %d are spent%s until %s UTC",
                self._name,
                passed,
                self._count,
                consequence,
                f"{until:%Y-%m-%d %H:%M}",
            )


class Budget(Locked):
    """One process's budget: `take()` says whether one more may be sent.

    The law: in each period at most `count` are granted, and at any moment of it at most
    `allowed(...)`.
    """

    __slots__ = ("_clock", "_marks", "_period", "_spent", "limit")

    def __init__(
        self,
        limit: Limit,
        *,
        name: str = "budget",
        clock: Callable[[], float] = time.time,
        spent: int = 0,
    ) -> None:
        super().__init__()
        self.limit = limit
        self._clock = clock
        self._marks = Marks(name, limit.count)
        self._period = period_at(limit, clock())
        self._spent = spent

    def take(self, *, ordinary: bool = False) -> bool:
        """Spend one, if the budget allows.

        Args:
            ordinary: not one of those that are kept for errors of an unseen kind.
        """
        with self._lock:
            now = self._clock()
            self._turn(now)
            line = allowed(self.limit.count, self._period, now)
            if ordinary:
                line -= kept_for_unseen(self.limit.count, line)
            if self._spent >= line:
                return False
            self._spent += 1
            spent, period = self._spent, self._period
        # Outside of the lock: a log handler may do what it likes, even ask this budget.
        if spent * 100 >= MARKS[0] * self.limit.count:
            self._marks.see(period, spent)
        return True

    def status(self) -> BudgetStatus:
        """What is left."""
        with self._lock:
            now = self._clock()
            self._turn(now)
            count, spent, period = self.limit.count, self._spent, self._period
        return status_of(count, spent, period, now)

    def _turn(self, now: float) -> None:
        if now >= self._period.end:
            self._period = period_at(self.limit, now)
            self._spent = 0


def status_of(count: int, spent: int, period: Period, now: float) -> BudgetStatus:
    """A status from what is known."""
    return BudgetStatus(
        count=count,
        spent=spent,
        remaining=max(0, count - spent),
        available=max(0, allowed(count, period, now) - spent),
        resets_at=datetime.fromtimestamp(period.end, timezone.utc),
    )
