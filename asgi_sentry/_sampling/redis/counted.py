"""What is not leased but added up: the minimum of a rule, and the target of an adaptive rate.

Both err on one side, and need no lease for it: a minimum is kept once too often rather than once
too rarely.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from asgi_sentry._sampling.redis.exchange import Answer, Question

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sampling.adaptive import Adaptive
    from asgi_sentry._sampling.rate import Limit

EVERY = 1.0
"""Seconds between two calls."""
NEVER = float("-inf")


class SharedTarget:
    """Keeps an adaptive rate's target at this process's part of it.

    In proportion to its part of the traffic.
    """

    __slots__ = (
        "_adaptive",
        "_clock",
        "_next",
        "_seq",
        "_told_workers",
        "_workers",
        "conflict",
        "limit",
        "name",
    )

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
        self.conflict: bool = False
        self._adaptive = adaptive
        self._clock = clock
        self._workers = self._told_workers = workers
        self._next = NEVER
        self._seq = 0
        adaptive.target = limit.per_second / workers

    def due(self, now: float) -> bool:
        """Whether it is time for a call."""
        return now >= self._next

    def ask(self) -> Question:
        """The question for a call."""
        self._next = self._clock() + EVERY
        self._seq += 1
        demand = f"{self._adaptive.traffic:.6f}"
        return Question(
            "target", self.name, "", self._seq, self.limit.count, self.limit.seconds, (demand,)
        )

    def answer(self, answer: Answer) -> None:
        """Take what a call returned."""
        self.conflict = self.conflict or answer.conflict
        self._workers = answer.workers
        demand = float(answer.more[0])
        equal = 1 / answer.workers
        part = equal
        if demand > 0:
            part = self._adaptive.traffic / demand
        # A tenth of an equal part stays with one that has no traffic yet, for when it comes.
        self._adaptive.target = self.limit.per_second * max(min(part, 1.0), equal / 10)

    def lost(self) -> None:
        """A call failed: an equal part it is."""
        self._adaptive.target = self.limit.per_second / self._workers

    def forget(self) -> None:
        """In a forked child: call at once."""
        self._next = NEVER

    def forked(self) -> None:
        """In a parent after a fork: nothing is held."""

    def close(self) -> None:
        """Nothing is held."""


class SharedReservoir:
    """A `Reservoir` whose minimum may be met by any of the processes.

    The law: in every period of the server's clock at least `count` of the requests of all processes
    are kept, or all if they are fewer. A process hears of the others once a second, so that more
    may be kept: in a period at most `count` for each process. Without the lender each process sees
    to the whole minimum by itself.
    """

    __slots__ = (
        "_clock",
        "_next",
        "_offset",
        "_others",
        "_own",
        "_sent",
        "_seq",
        "conflict",
        "limit",
        "name",
    )

    def __init__(
        self, name: str, limit: Limit, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name: str = name
        self.limit: Limit = limit
        self.conflict: bool = False
        self._clock = clock
        self._offset = 0.0
        # The number of the period, and the requests that this process kept in it,.
        self._own = (0.0, 0)
        self._others = (0.0, 0)  # and that the others did: each is read and written as one
        self._next = NEVER
        self._seq = 0
        self._sent = 0.0

    def _turn(self) -> float:
        return (self._clock() + self._offset) // self.limit.seconds

    def lacks(self) -> bool:
        """Whether a request must be kept now to have the minimum."""
        turn = self._turn()
        return sum(kept for at, kept in (self._own, self._others) if at == turn) < self.limit.count

    def note(self) -> None:
        """Count a request that is kept, for whatever reason."""
        turn = self._turn()
        at, kept = self._own
        self._own = (turn, kept + 1 if at == turn else 1)

    def due(self, now: float) -> bool:
        """Whether it is time for a call."""
        return now >= self._next

    def ask(self) -> Question:
        """The question for a call."""
        self._sent = self._clock()
        self._next = self._sent + EVERY
        self._seq += 1
        turn, kept = self._own
        return Question(
            "reservoir",
            self.name,
            "",
            self._seq,
            self.limit.count,
            self.limit.seconds,
            (f"{turn:.0f}", kept),
        )

    def answer(self, answer: Answer) -> None:
        """Take what a call returned."""
        self.conflict = self.conflict or answer.conflict
        self._offset = answer.now - self._sent
        turn, others = answer.more
        self._others = (float(turn), int(others))

    def lost(self) -> None:
        """A call failed: the others are not known to have kept any."""
        self._others = (0.0, 0)

    def forget(self) -> None:
        """In a forked child: what the parent kept is the parent's."""
        self._own = self._others = (0.0, 0)
        self._next = NEVER

    def forked(self) -> None:
        """In a parent after a fork: nothing is held."""

    def close(self) -> None:
        """Nothing is held."""
