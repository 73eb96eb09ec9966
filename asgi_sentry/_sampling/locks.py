"""`Locked`: objects whose lock survives a fork.

A lock that another thread holds at the moment of a fork stays held in the child for ever, since
that thread does not exist there. So the child makes all of them anew; it costs nothing where no one
forks. What the lock guards may have been half written then, which the users of this class allow
for: they write what is on the safe side first.
"""

from __future__ import annotations

import os
import threading
import weakref


class Locked:
    """Has a lock, `_lock`, that is new in a forked child."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        _live.add(self)


_live: weakref.WeakSet[Locked] = weakref.WeakSet()


def live_locks() -> int:
    """How many there are."""
    return len(_live)


def _renew() -> None:
    for each in list(_live):
        each._lock = threading.Lock()  # noqa: SLF001  # this module's own class


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_renew)
