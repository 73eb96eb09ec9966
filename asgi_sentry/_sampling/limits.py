"""`TokenBucket` (never more than) and `Reservoir` (never less than), for any arrival pattern.

The bucket remembers when it last said yes, as many times as the limit counts, in a ring. That is
exact where a classic token bucket is not: one of capacity N that refills at N per period lets 2N
through in a window of one period. A ring of a million times would be 8 MB, so at most `SLOTS` times
are held, each for a batch of requests and being that of its last one, so that the law holds exactly
for any count.

The reservoir counts in periods that follow each other. A sliding window, as for the bucket, can't
be had: to have kept the minimum in every window wherever it begins, one would have to keep every
request, as no one knows whether another will come.

The bucket has a lock, held for a few instructions and never across I/O. A forked child goes on with
its copy.
"""

from __future__ import annotations

import time
from array import array
from typing import TYPE_CHECKING

from asgi_sentry._sampling.locks import Locked

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sampling.rate import Limit

SLOTS = 1_024
"""Times held by one bucket or reservoir: 8 KB, and a precision of a tenth of a percent."""


class TokenBucket(Locked):
    """Says yes at most `limit.count` times in any window of `limit.seconds`.

    The law: for every t, at most `count` calls of `take` in the half-open window [t, t + seconds)
    return True. For a count up to `slots` it is also generous: a call is refused only if `count`
    others were granted in the period before it. Above, a refusal may come up to one batch (a
    thousandth of the count) early.
    """

    __slots__ = ("_clock", "_room", "_seconds", "_size", "_slot", "_times", "limit")

    def __init__(
        self, limit: Limit, *, clock: Callable[[], float] = time.monotonic, slots: int = SLOTS
    ) -> None:
        super().__init__()
        self.limit = limit
        self._clock = clock
        self._seconds = limit.seconds
        self._size = -(-limit.count // slots)  # requests in a batch
        self._times = array("d", [float("-inf")]) * -(-limit.count // self._size)
        self._slot = len(self._times) - 1
        self._room = 0  # in the batch at `_slot`

    def take(self) -> bool:
        """Take a token if there is one."""
        with self._lock:
            now = self._clock()
            slot = self._slot
            if self._room == 0:
                slot = (slot + 1) % len(self._times)
                if now - self._times[slot] < self._seconds:
                    return False
                self._slot = slot
                # The last batch is what the others leave over, so that all of them together are the
                # count.
                self._room = min(self._size, self.limit.count - slot * self._size)
            self._times[slot] = now
            self._room -= 1
            return True


class Reservoir:
    """Says that a request is due while fewer than `limit.count` were kept in this period.

    The law: in every period [k * seconds, (k + 1) * seconds) of the clock, as long as what is due
    is kept and noted, at least `count` of the requests are kept, or all if they are fewer. It has
    no lock: of two threads that ask at once both may be told to keep theirs, and of two that note
    at once one may be lost, which is more than the minimum and never less.
    """

    __slots__ = ("_clock", "_count", "_kept", "_seconds", "limit")

    def __init__(self, limit: Limit, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self._count = limit.count
        self._seconds = limit.seconds
        self._clock = clock
        # The number of the period, and the requests kept in it: read and written as one.
        self._kept = (0.0, 0)

    def lacks(self) -> bool:
        """Whether a request must be kept now to have the minimum."""
        period, kept = self._kept
        return kept < self._count or self._clock() // self._seconds != period

    def note(self) -> None:
        """Count a request that is kept, for whatever reason."""
        now = self._clock() // self._seconds
        period, kept = self._kept
        self._kept = (now, kept + 1 if period == now else 1)
