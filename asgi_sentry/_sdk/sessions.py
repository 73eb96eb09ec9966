"""Sessions of release health, counted by the minute."""

from __future__ import annotations

import os
import time
import uuid
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry import _state as state
from asgi_sentry._sdk.names import Session

if TYPE_CHECKING:
    from asgi_sentry._sdk.client_view import ClientView


class RequestSession(Session):
    """A session that is counted with all others of its minute, as those of requests are.

    What all of them have alike is on the class, and what such a session never sends is not made: a
    random id and the readings of a clock.
    https://develop.sentry.dev/sdk/telemetry/sessions/#session-aggregates-payload
    """

    sid = uuid.UUID(int=0)
    status = "ok"
    session_mode = "request"
    errors = 0
    did = duration = user_agent = ip_address = None

    def __init__(self, view: ClientView, began: float | None = None) -> None:
        """Begin one.

        Args:
            view: the client's.
            began: by the monotonic clock; None: now.
        """
        self.began = time.time()
        if began is not None:
            self.began -= time.monotonic() - began
        options = view.client.options
        self.release, self.environment = options["release"], options["environment"]

    @cached_property
    def started(self) -> datetime:  # type: ignore[override]  # it can be set, too
        return datetime.fromtimestamp(self.began, timezone.utc)

    @cached_property
    def timestamp(self) -> datetime:  # type: ignore[override]
        return self.started


class _Bucket(NamedTuple):
    """Where the SDK counts the sessions that began in one minute."""

    flusher: Any
    lock: Any  # of its buckets
    pending: dict[Any, Any]  # all buckets since the last flush, which makes a new dictionary
    minute: float
    since: float  # that minute by the monotonic clock
    until: float
    counts: dict[str, Any]  # by how they ended; one has ended well before


_bucket: _Bucket | None = None


def count_session(view: ClientView, session: Any) -> None:
    """Count a session that ended.

    The first of a minute by the SDK, and those that ended well like it beside it.
    """
    global _bucket  # noqa: PLW0603 - a cache of one; a lost race costs one call of the SDK's
    flusher = view.client.session_flusher
    well = session.status == "ok" and session.errors == 0 and type(session) is RequestSession
    bucket = _bucket
    if well and bucket is not None and session.began // 60 == bucket.minute:
        with flusher._aggregate_lock:
            if flusher.pending_aggregates is bucket.pending:
                bucket.counts["exited"] += 1
                return
    if session.status == "ok":
        session.status = "exited"
    flusher.add_session(session)
    if well:
        pending = flusher.pending_aggregates
        same = pending.get(tuple(sorted(session.get_json_attrs(with_user_info=False).items())), {})
        counts = same.get(session.truncated_started)
        _bucket = None
        if counts is not None:
            minute = session.began // 60
            since = minute * 60 - time.time() + time.monotonic()
            lock = flusher._aggregate_lock
            _bucket = _Bucket(flusher, lock, pending, minute, since, since + 60, counts)


def count_well(view: ClientView, began: float) -> None:
    """Count a session that nobody asked for, so that it ended well, as most do.

    Args:
        view: the client's.
        began: by the monotonic clock.
    """
    bucket = _bucket
    if bucket is not None:
        flusher, lock, pending, _, since, until, counts = bucket
        # One client's flusher may be another's predecessor, with buckets of its own.
        if since <= began < until and flusher is view.client.session_flusher:
            with lock:
                if flusher.pending_aggregates is pending:
                    counts["exited"] += 1
                    return
    count_session(view, RequestSession(view, began))


def forget_bucket() -> None:
    global _bucket  # noqa: PLW0603
    _bucket = None


state.register("_sdk.sessions: where the sessions of this minute are counted", forget_bucket)
# The child's flusher has no thread until the SDK is called for a session.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_bucket)
