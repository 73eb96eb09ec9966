"""`LeasedWindow`: a limit in any window of time, shared by several processes (see `leases.py`)."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

from asgi_sentry._sampling.redis.leases import HEARTBEAT, NEVER, Leased
from asgi_sentry._sampling.redis.script import LEASE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sampling.rate import Limit
    from asgi_sentry._sampling.redis.exchange import Answer

PRECISION = 128
"""Parts of a period within which uses are counted as one.

A token may be free again that part of it late.
"""


class LeasedWindow(Leased):
    """A shared `TokenBucket`.

    The law: in any window of a period, all processes together take at most `count`. It holds while
    Redis lives, hangs, dies, or comes back with nothing, and if its clock is set. It needs that
    processes see the same of it: one that alone can't reach a Redis that the others do goes on with
    what it held, which after `LEASE_SECONDS` and a period the others may use as well.
    """

    __slots__ = (
        "_busy",
        "_cooling",
        "_ends",
        "_free",
        "_heard_clock",
        "_lacking",
        "_least_at",
        "_least_free",
        "_received",
        "_returned",
    )

    kind = "window"

    def __init__(
        self,
        name: str,
        limit: Limit,
        *,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name, limit, workers=workers, clock=clock)
        self._drop()

    def _drop(self) -> None:
        self._free = 0  # tokens that may be used now
        # Those that were used: the last use, how many, the first use.
        self._busy: deque[list[float]] = deque()
        # On their way back: when they are free again, and how many.
        self._returned: list[tuple[float, int]] = []
        # What the lender said last of tokens that nobody holds, likewise.
        self._cooling: list[tuple[float, int]] = []
        self._lacking = 0  # processes that have less than an equal part, and want it
        self._ends = NEVER  # of the lease
        self._heard_clock = ""  # the window's time in the last answer,
        self._received = 0.0  # and when that came
        self._least_free = 0  # since `_least_at`
        self._least_at = NEVER

    @property
    def held(self) -> int:
        """Tokens, used or not."""
        return self._free + sum(int(batch[1]) for batch in self._busy)

    def _mature(self, now: float) -> None:
        busy, seconds = self._busy, self.limit.seconds
        while busy and now - busy[0][0] >= seconds:
            self._free += int(busy.popleft()[1])

    def _spend(self, now: float, *, ordinary: bool) -> bool:
        if self._busy:
            self._mature(now)
        # A process that was stopped for long has lost its lease, and has not yet heard of it.
        if self._free <= 0 or (now >= self._ends and not self._local):
            self._least_free = 0
            return False
        self._free -= 1
        self._least_free = min(self._least_free, self._free)
        busy = self._busy
        if busy and now - busy[-1][2] < self.limit.seconds / PRECISION:
            busy[-1][0] = now
            busy[-1][1] += 1
        else:
            busy.append([now, 1, now])
        return True

    def _low(self) -> bool:
        held = self._free + len(self._busy)  # near enough: batches, not tokens
        return 4 * self._free < held and self._hungry == 0 and held < self.limit.count

    def _question(self, now: float) -> tuple[Any, ...]:
        self._mature(now)
        held, fair = self.held, self.limit.count // self._workers
        if not self._local:
            self._give(now, held, fair)
            held = self.held
        want = 0
        if self._hungry == 0 and self._spare:
            want = (3 * fair + 3) // 4 - held  # the reserve
            if 4 * self._free < held and self._asked:
                want = max(want, held)
        if self._refused:
            want = max(want, self._refused)
            if not self._hungry:
                want = max(want, held)
        want = max(0, min(want, self.limit.count - held))
        return (
            self._heard_clock,
            f"{max(0.0, now - self._received):.6f}",
            f"{max(0.0, now - self._asked_at):.6f}",
            held,
            want,
            self._refused,
            _times(self._returned, now),
            _times([(last + self.limit.seconds, int(n)) for last, n, _ in self._busy], now),
            _times(self._cooling, now),
        )

    def _give(self, now: float, held: int, fair: int) -> None:
        """Put on their way back the tokens that others need more."""
        give = 0
        if self._lacking:
            # An equal part for each that wants one; where they are fewer than processes, they go
            # round.
            give = held - (fair or self._free)
        if now - self._least_at >= HEARTBEAT:
            if self._hungry and not self._refused:
                give = max(give, self._least_free)  # all that was not needed
            self._least_free, self._least_at = self._free, now
        if not self._spare and not self._asked:
            give = held
        if give <= 0:
            return
        free = min(give, self._free)
        self._free -= free
        give -= free
        self._least_free = min(self._least_free, self._free)
        while give > 0 and self._busy:
            last, n, _ = self._busy[0]
            part = min(give, int(n))
            self._returned.append((last + self.limit.seconds, part))
            give -= part
            self._busy[0][1] -= part
            if self._busy[0][1] == 0:
                self._busy.popleft()

    def _heard(self, answer: Answer, now: float) -> None:
        lacking, cooling = answer.more
        self._lacking = int(lacking)
        self._returned = []
        if answer.lost:
            self._free = 0
            self._busy.clear()
        self._free += answer.granted
        self._ends = self._asked_at + LEASE_SECONDS
        self._heard_clock, self._received = f"{answer.now:.6f}", now
        # By the moment before the call, for what it says was so after that: never too early.
        self._cooling = [
            (now + float(remaining), int(n))
            for remaining, _, n in (each.partition(":") for each in cooling.split(",") if each)
        ]

    def _fall_back(self, now: float) -> None:
        self._mature(now)
        part = self.limit.count // self._told_workers
        if not self._known:
            self._free = part
            return
        # A process that starts now takes this part for its own, so that nobody may keep more.
        more = self.held - part
        if more > 0:
            free = min(more, self._free)
            self._free -= free
            more -= free
        while more > 0 and self._busy:
            self._busy[0][1] -= 1
            more -= 1
            if self._busy[0][1] == 0:
                self._busy.popleft()


def _times(tokens: list[tuple[float, int]], now: float) -> str:
    """Those that are not free yet, as the script reads them.

    Seconds until they are, and how many.
    """
    return ",".join(f"{at - now:.6f}:{n}" for at, n in tokens if at > now)
