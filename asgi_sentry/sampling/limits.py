"""`TokenBucket` (never more than) and `Reservoir` (never less than), for any arrival pattern.

Both remember when they last kept a request, as many times as the limit counts, in a ring. That is exact
where a classic token bucket is not: one of capacity N that refills at N per period lets 2N through in a
window of one period.

A ring of a million times would be 8 MB, so at most `SLOTS` times are held, each for a batch of requests.
For the bucket a batch has the time of its *last* request, for the reservoir that of its *first*, so that
each law holds exactly for any count, and the batches cost precision only on the side that no law speaks of.

Each has a lock, held for a few instructions and never across I/O. It is made anew in a forked child, where
the thread that held it may not exist; a child goes on with its copy of the times.
"""

from __future__ import annotations

import os
import threading
import time
import weakref
from array import array
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry.sampling.rate import Limit

SLOTS = 1_024
"""Times held by one bucket or reservoir: 8 KB, and a precision of a tenth of a percent."""


class _Ring:
    """The times of what was kept last, in seconds of `clock`, oldest at `_slot + 1`."""

    __slots__ = ("__weakref__", "_clock", "_lock", "_room", "_size", "_slot", "_times", "limit")

    def __init__(self, limit: Limit, *, clock: Callable[[], float] = time.monotonic, spare: int = 0) -> None:
        self.limit = limit
        self._clock = clock
        self._size = -(-limit.count // SLOTS)  # requests in a batch
        slots = -(-limit.count // self._size) + (spare if self._size > 1 else 0)
        self._times = array("d", [float("-inf")]) * slots
        self._slot = slots - 1
        self._room = 0
        self._lock = threading.Lock()
        _live.add(self)


class TokenBucket(_Ring):
    """Says yes at most `limit.count` times in any window of `limit.seconds`.

    The law: for every t, at most `count` calls of `take` in the half-open window [t, t + seconds) return
    True. For a count up to `SLOTS` it is also generous: a call is refused only if `count` others were
    granted in the period before it. Above, a refusal may come up to one batch (a thousandth of the count)
    early.
    """

    __slots__ = ()

    def take(self) -> bool:
        """Take a token if there is one."""
        with self._lock:
            now = self._clock()
            slot = self._slot
            if self._room == 0:
                slot = (slot + 1) % len(self._times)
                if now - self._times[slot] < self.limit.seconds:
                    return False
                self._slot = slot
                # The last batch is what the others leave over, so that all of them together are the count.
                self._room = min(self._size, self.limit.count - slot * self._size)
            self._times[slot] = now
            self._room -= 1
            return True


class Reservoir(_Ring):
    """Says yes while fewer than `limit.count` requests were kept in the last `limit.seconds`.

    The law: whenever `take` returns False, at least `count` requests were kept in the period that ends now.
    So of the requests in a period that ends with one of them, at least `count` are kept, or all if they are
    fewer. (No policy that ever drops a request can promise that for windows that end at will: no one knows
    whether another will come.)
    """

    __slots__ = ()

    def __init__(self, limit: Limit, *, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__(limit, clock=clock, spare=1)  # for the batch that is not full yet

    def due(self) -> bool:
        """Whether a request must be kept now to have the minimum."""
        with self._lock:
            return self._clock() - self._times[(self._slot + 1) % len(self._times)] >= self.limit.seconds

    def note(self) -> None:
        """Count a request that is kept, for whatever reason."""
        with self._lock:
            if self._room == 0:
                self._slot = (self._slot + 1) % len(self._times)
                self._times[self._slot] = self._clock()
                self._room = self._size
            self._room -= 1


_live: weakref.WeakSet[_Ring] = weakref.WeakSet()


def _renew_locks() -> None:
    for ring in list(_live):
        ring._lock = threading.Lock()  # noqa: SLF001  # this module's own class


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew_locks)
