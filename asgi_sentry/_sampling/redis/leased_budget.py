"""`LeasedBudget`: a budget of several processes. Each leases a little of it (see `leases.py`)."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from asgi_sentry._sampling.budgets import (
    ROOM,
    BudgetStatus,
    Marks,
    Period,
    kept_for_unseen,
    period_at,
    status_of,
)
from asgi_sentry._sampling.redis.leases import Leased

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sampling.rate import Limit
    from asgi_sentry._sampling.redis.exchange import Answer


class LeasedBudget(Leased):
    """A shared `Budget`.

    The law: all processes together never spend more than the budget, nor run ahead of its line. It
    holds while Redis lives, hangs, dies, or comes back with nothing. A process that is killed takes
    with it what it held, which is a fiftieth of an equal share, or `LEAST`.
    """

    __slots__ = (
        "_alone",
        "_alone_since",
        "_heard_account",
        "_heard_spent",
        "_marks",
        "_offset",
        "_others",
        "_period",
        "_reserve",
        "_sent_account",
        "_tokens",
        "_used",
        "_wall",
    )

    kind = "budget"

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
        self._wall = wall
        self._marks = Marks(name.partition(":")[0], limit.count)
        self._drop()

    def _drop(self) -> None:
        self._offset = self._wall() - self._clock()  # until the server's time is known
        self._turn(period_at(self.limit, self._time()))

    def _turn(self, period: Period) -> None:
        self._period = period
        self._tokens = 0  # held
        self._used = 0  # by this process in this period
        self._alone = 0  # of these, beyond what was granted, since the lender was lost
        self._alone_since = self._time()  # that is, since it was last heard
        self._sent_account = 0  # what is used and what is held, in the last question,
        self._heard_account = 0  # and after the last answer;
        self._heard_spent = 0  # there, what was spent by all, or held,
        self._others = 0  # and what the others held
        self._reserve = 1  # tokens to be held, as far as they are there

    def status(self) -> BudgetStatus:
        """What is left, as far as is known here."""
        with self._lock:
            return status_of(self.limit.count, self._spent_by_all(), self._period, self._time())

    def answer(self, answer: Answer) -> None:
        """Take what a call returned, and warn of what is spent."""
        super().answer(answer)
        with self._lock:
            period, spent = self._period, self._spent_by_all()
        self._marks.see(period, spent)  # outside of the lock: a log handler may ask this budget

    def _spent_by_all(self) -> int:
        return max(self._used, self._heard_spent - self._others - self._heard_account + self._used)

    def _time(self) -> float:
        """The server's, by this process's own monotonic clock."""
        return self._clock() + self._offset

    def _spend(self, now: float, *, ordinary: bool) -> bool:
        now += self._offset
        if now >= self._period.end:
            self._turn(period_at(self.limit, now))
        # Of a kind that has been seen, an error leaves some for those of an unseen kind.
        if self._tokens > 0 and (not ordinary or self._tokens > self._kept_back()):
            self._tokens -= 1
        elif self._local and self._alone < self._part(now):
            self._alone += 1
        else:
            return False
        self._used += 1
        return True

    def _part(self, now: float) -> int:
        """This process's part of what time added to the line since the lender was last heard."""
        length = self._period.end - self._period.start
        since = max(self._alone_since, self._period.start)
        return math.floor(self.limit.count * max(0.0, now - since) / length / self._workers)

    def _kept_back(self) -> int:
        """Tokens that only errors of an unseen kind may have."""
        return kept_for_unseen(self.limit.count // self._workers, self._reserve)

    def _low(self) -> bool:
        return 2 * self._tokens < self._reserve and self._hungry == 0

    def _question(self, now: float) -> tuple[Any, ...]:
        if now + self._offset >= self._period.end:
            self._turn(period_at(self.limit, now + self._offset))
        if not self._asked and not self._spare:
            self._tokens = 0
        elif self._hungry and not self._asked:
            self._tokens = min(self._tokens, self._kept_back())
        want = 0
        if self._refused:
            want = self._refused
            if not self._hungry:
                want = max(want, self._reserve)
        elif self._asked and self._low():
            want = self._reserve
        self._sent_account = self._used + self._tokens
        return (
            f"{self._period.start:.0f}",
            self._sent_account,
            self._heard_account,
            self._heard_spent,
            self._tokens,
            want,
            self._refused,
            int(self._spare or self._asked > 0),
        )

    def _heard(self, answer: Answer, now: float) -> None:
        spent, others, self._reserve = (int(value) for value in answer.more[:3])
        server = Period(*(float(value) for value in answer.more[3:]))
        # By the moment before the call, so that a slow answer lets the period end early and not
        # late.
        self._offset = answer.now - self._asked_at
        if server.start > self._period.start:
            self._turn(server)
        elif server.start < self._period.start:
            # Either the new period has begun here a moment before it does there, and what is
            # granted is for the old one; or this machine's clock is wrong, and what was used counts
            # in the server's period.
            if self._time() >= self._period.start:
                return
            self._period = server
            self._sent_account = 0
        elif answer.pending:
            # Others have not told yet what they know.
            spent = max(spent, self._heard_spent + self._sent_account - self._heard_account)
        self._tokens += answer.granted
        self._heard_account = self._sent_account + answer.granted
        self._heard_spent, self._others = spent, others
        self._alone, self._alone_since = 0, now + self._offset

    def _fall_back(self, now: float) -> None:
        if not self._known:
            # What was spent before is not known: a part of the room, and of what time adds from now
            # on.
            self._tokens = math.floor(max(1.0, self.limit.count * ROOM) / self._workers)
            self._alone_since = now + self._offset
