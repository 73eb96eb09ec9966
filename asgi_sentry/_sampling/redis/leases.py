"""What one process holds of a shared limit.

Tokens that it leased, and what it does when the lender is gone. These are plain objects: `ask`
makes the question for one call of a script, `answer` takes what it returned, `lost` says that it
failed. Who calls it, and when, is `shared.py`; the kinds are in `leased_window.py` and
`leased_budget.py`. A request's `take` never waits for any of it.

**A standing reserve.** A process holds tokens before it needs them, so that a burst after a quiet
time finds some; and it asks for more when few are left, before a request finds none. Where another
process is hungry, that is, finds nothing and gets nothing, the idle give back what they hold.

**When the lender is gone**, windows and budgets have one rule: a process goes on with what it
holds, and of what time adds with its equal part. (To a window time adds nothing but that its own
tokens may be used again.) What is held is a partition of the limit, so all of them together never
exceed it. A process that never reached the lender has its equal part of the whole, by the number of
`workers` it was told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._sampling.locks import Locked
from asgi_sentry._sampling.rate import PERIODS, Limit
from asgi_sentry._sampling.redis.exchange import Answer, Question
from asgi_sentry._sampling.redis.script import SLOTS

if TYPE_CHECKING:
    from collections.abc import Callable

HEARTBEAT = 1.0
"""Seconds after which a gate that needs nothing is heard of all the same."""
NEVER = float("-inf")


class Leased(Locked):
    """What the two kinds of gates have in common."""

    __slots__ = (
        "_asked",
        "_asked_at",
        "_clock",
        "_generation",
        "_hungry",
        "_known",
        "_local",
        "_next",
        "_refused",
        "_retry",
        "_seq",
        "_spare",
        "_told_workers",
        "_workers",
        "conflict",
        "limit",
        "name",
        "wake",
    )

    kind = ""

    def __init__(
        self, name: str, limit: Limit, *, workers: int, clock: Callable[[], float]
    ) -> None:
        super().__init__()
        self.name: str = name
        self.limit: Limit = limit
        self.wake: Callable[[], object] = _nothing
        self.conflict: bool = False  # whether another process gave another limit under this name
        self._clock = clock
        self._told_workers = workers  # by the user
        self._begin()

    def _begin(self) -> None:
        self._workers = self._told_workers
        self._asked = 0  # by requests, since the last call
        self._refused = 0  # of these
        self._asked_at = 0.0  # when that call was made
        self._seq = 0
        self._generation = ""
        self._hungry = 0  # other processes that find nothing
        self._spare = True  # whether a reserve is held
        self._known = False  # whether the lender ever answered
        self._local = False  # whether it has failed since
        self._next = NEVER
        self._retry = NEVER  # no use in calling before

    def take(self, *, ordinary: bool = False) -> bool:
        """Take a token if there is one.

        Args:
            ordinary: not one of those that are kept for errors of an unseen kind.
        """
        with self._lock:
            now = self._clock()
            self._asked += 1
            granted = self._spend(now, ordinary=ordinary)
            if not granted:
                self._refused += 1
            due = self._due(now)
        if due:
            self.wake()
        return granted

    @property
    def shared(self) -> bool:
        """Whether the lender answers."""
        return not self._local

    @property
    def workers(self) -> int:
        """The number of processes, as last heard."""
        return self._workers

    def due(self, now: float) -> bool:
        """Whether it is time for a call.

        By the heartbeat, or since a request found nothing or little.
        """
        with self._lock:
            return self._due(now)

    def ask(self) -> Question:
        """The question for a call."""
        with self._lock:
            now = self._clock()
            more = self._question(now)
            if self._asked:
                self._spare = True
            self._asked = self._refused = 0
            self._asked_at, self._next = now, now + HEARTBEAT
            self._seq += 1
            period: float = self.limit.seconds
            if self.kind == "budget" and period == PERIODS["month"]:
                period = 0
            return Question(
                self.kind, self.name, self._generation, self._seq, self.limit.count, period, more
            )

    def answer(self, answer: Answer) -> None:
        """Take what a call returned."""
        with self._lock:
            now = self._clock()
            self.conflict = self.conflict or answer.conflict
            self._heard(answer, now)
            self._generation = answer.generation
            self._workers, self._hungry = answer.workers, answer.hungry
            self._known, self._local = True, False
            if answer.pending:
                self._next = min(self._next, now + HEARTBEAT / 4)
            if answer.granted == 0:
                self._retry = now + min(max(self.limit.seconds / SLOTS, 0.05), 1.0)
            else:
                self._retry = NEVER

    def lost(self) -> None:
        """A call failed."""
        with self._lock:
            self._next = NEVER
            if not self._local:
                self._local = True
                self._fall_back(self._clock())

    def forget(self) -> None:
        """In a forked child.

        What the parent holds is the parent's, and so is what it has to tell.
        """
        self._begin()
        self._drop()

    def forked(self) -> None:
        """In a parent after a fork.

        It serves nothing, as a rule, and needs no reserve until it is asked.
        """
        self._spare = False

    def close(self) -> None:
        """Give everything back by the next call."""
        with self._lock:
            self._asked = self._refused = 0
            self._spare = False
            self._next = NEVER

    def _due(self, now: float) -> bool:
        if now >= self._next:
            return True
        return not self._local and now >= self._retry and (self._refused > 0 or self._low())

    def _spend(self, now: float, *, ordinary: bool) -> bool:
        """Use a token, if one is held."""
        raise NotImplementedError

    def _low(self) -> bool:
        """Whether a request may soon find nothing."""
        raise NotImplementedError

    def _question(self, now: float) -> tuple[Any, ...]:
        """What the script of this kind is asked, beside what all are."""
        raise NotImplementedError

    def _heard(self, answer: Answer, now: float) -> None:
        """Note what the script of this kind says, beside what all say."""
        raise NotImplementedError

    def _fall_back(self, now: float) -> None:
        """Go on alone."""
        raise NotImplementedError

    def _drop(self) -> None:
        """Hold nothing, and know nothing."""
        raise NotImplementedError


def _nothing() -> None:
    """Nobody to wake."""
