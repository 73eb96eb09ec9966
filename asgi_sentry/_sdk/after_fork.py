"""What the SDK keeps of its own is made anew in a forked child.

A lock that another thread holds at the moment of a fork is held in the child for ever, for that
thread does not exist there. The SDK renews those of its batchers; those of sessions, of
backpressure and of its worker's queue it does not, and a child that inherits one that is held hangs
in its first request.

What the parent had pending is the parent's to send: in the queue, in session counts, in client
reports. A child that inherits it would send it twice. A connection of the parent's pool is the
parent's as well.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections import defaultdict
from contextlib import suppress
from typing import Any

import sentry_sdk

clients: weakref.WeakSet[Any] = weakref.WeakSet()
"""Those that requests were sent by, beside the global one."""

_renewed: weakref.WeakSet[Any] = weakref.WeakSet()


def renew_in_child(part: Any) -> None:
    """Have the method `renew` of a part of ours called in each child."""
    _renewed.add(part)


def renew(client: Any) -> None:
    """Make anew what a child must not share.

    Nothing that this release of the SDK does not have is missed.
    """
    flusher = getattr(client, "session_flusher", None)
    for name in ("_thread_lock", "_aggregate_lock"):
        _renew_lock(flusher, name)
    if flusher is not None:
        flusher.pending_sessions, flusher.pending_aggregates = [], {}
        _begin_unstarted(flusher)
    monitor = getattr(client, "monitor", None)
    _renew_lock(monitor, "_thread_lock")
    transport = getattr(client, "transport", None)
    for each in (transport, getattr(transport, "inner", None)):
        if each is not None:
            _renew_transport(each)


def _renew_transport(transport: Any) -> None:
    if "_discarded_events" in vars(transport):
        transport._discarded_events = defaultdict(int)
    worker = vars(transport).get("_worker")
    queue: Any = getattr(worker, "_queue", None)
    if hasattr(queue, "mutex"):
        worker._queue = type(queue)(queue.maxsize)
        _renew_lock(worker, "_lock")
    elif worker not in _renewed:
        return
    if "_pool" in vars(transport):
        with suppress(Exception):  # with another signature the parent's pool stays
            transport._pool = transport._make_pool()


def _renew_lock(owner: Any, name: str) -> None:
    if getattr(owner, name, None) is not None:
        setattr(owner, name, threading.Lock())


def _begin_unstarted(flusher: Any) -> None:
    """A new event and a new condition.

    A thread of the parent's may wait for the old ones, and hold their lock.
    """
    for name, value in list(vars(flusher).items()):
        if isinstance(value, threading.Event):
            event = threading.Event()
            if value._flag:  # type: ignore[attr-defined]  # without its lock
                event.set()
            setattr(flusher, name, event)


def _in_child() -> None:
    for part in list(_renewed):
        part.renew()
    with suppress(Exception):
        for client in {
            id(each): each for each in (sentry_sdk.get_client(), *list(clients))
        }.values():
            with suppress(Exception):
                renew(client)


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(after_in_child=_in_child)
