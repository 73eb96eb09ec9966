"""Which fields events, transactions, check-ins, sessions and profiles have, and how each is read.

Source: https://develop.sentry.dev/sdk/data-model/event-payloads/. A fingerprint is the team's own
text, often an exception's, so it is data: what it is replaced with groups events as well. So is a
transaction's name, which may be a URL's path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.sentry import statements
from asgi_sentry._scrubbing.sentry.frames import EXCEPTION, STACKTRACE, THREAD, frame
from asgi_sentry._scrubbing.sentry.logentry import logentry
from asgi_sentry._scrubbing.sentry.request import REQUEST
from asgi_sentry._scrubbing.sentry.schema import DATA, FIXED, ID, TEXT, WORDS, an_object, each
from asgi_sentry._scrubbing.tree.plain import quick_copy

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.sentry.schema import Action
    from asgi_sentry._scrubbing.tree.walk import Walk

# Where a transaction's name comes from, if the app named it:
# https://develop.sentry.dev/sdk/telemetry/traces/#transaction-annotations
NAMED_BY_THE_APP = frozenset({"route", "component", "view", "task"})


def _transaction(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """A transaction's name: the app's own word, unless it may be a URL's path."""
    info = holder.get("transaction_info")
    source = info.get("source") if isinstance(info, dict) else None
    if value.__class__ is not str or source == "url":
        walk.add(value, holder, key, place)
    elif source in NAMED_BY_THE_APP:
        walk.fixed(value, holder, key, place)
    else:
        walk.words(value, holder, key, place)


def _tags(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """Tags, by which a team looks for its events."""
    walk.tags(value, holder, key, place)


_BREADCRUMB = an_object(
    {
        "type": ID,
        "level": ID,
        "timestamp": ID,
        "message": TEXT,
        "category": WORDS,
        "data": statements.data,
    }
)
SPAN: dict[str, Action] = {
    **dict.fromkeys(
        ("trace_id", "span_id", "parent_span_id", "segment_id", "profile_id", "hash"), ID
    ),
    **dict.fromkeys(
        ("start_timestamp", "timestamp", "exclusive_time", "status", "same_process_as_parent"), ID
    ),
    **dict.fromkeys(("op", "origin", "type"), FIXED),
    "description": TEXT,
    "data": statements.data,
    "tags": _tags,
}
_IDS: dict[str, Action] = dict.fromkeys(("profile_id", "profiler_id", "replay_id", "trace_id"), ID)
CONTEXT: dict[str, Action] = {"type": FIXED, **_IDS}
_CONTEXTS = an_object({"trace": an_object(SPAN)}, rest=an_object(CONTEXT))
EVENT: dict[str, Action] = {
    **dict.fromkeys(
        ("event_id", "type", "level", "platform", "timestamp", "start_timestamp", "received"), ID
    ),
    **dict.fromkeys(
        ("check_in_id", "status", "duration", "version", "_meta", "client_sample_rate"), ID
    ),
    **dict.fromkeys(
        ("release", "dist", "environment", "server_name", "logger", "sdk", "modules", "debug_meta"),
        FIXED,
    ),
    **dict.fromkeys(
        ("monitor_slug", "transaction_info", "measurements", "errors", "project"), FIXED
    ),
    "transaction": _transaction,
    "culprit": WORDS,
    "fingerprint": each(WORDS),
    "message": logentry,
    "logentry": logentry,
    "exception": each(EXCEPTION),
    "threads": each(THREAD),
    "stacktrace": STACKTRACE,
    "breadcrumbs": each(_BREADCRUMB),
    "request": REQUEST,
    "user": DATA,
    "contexts": _CONTEXTS,
    "spans": each(an_object(SPAN)),
    "monitor_config": DATA,
    "tags": _tags,
    "extra": DATA,
}
_SESSION: dict[str, Action] = {
    **dict.fromkeys(
        ("sid", "seq", "timestamp", "started", "init", "status", "errors", "duration"), ID
    ),
    "attrs": an_object({"release": FIXED, "environment": FIXED}),
    "aggregates": each(
        an_object(dict.fromkeys(("started", "exited", "errored", "abnormal", "crashed"), ID))
    ),
}
_PROFILE_IDS = (
    "event_id",
    "profile_id",
    "profiler_id",
    "chunk_id",
    "platform",
    "version",
    "timestamp",
    "id",
    "trace_id",
)


def _nothing(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """Numbers by the thousand."""
    if walk.copies:
        holder[key] = quick_copy(value)


_PROFILE: dict[str, Action] = {
    **dict.fromkeys(_PROFILE_IDS, ID),
    **dict.fromkeys(
        ("release", "dist", "environment", "device", "os", "runtime", "client_sdk", "debug_meta"),
        FIXED,
    ),
    "profile": an_object(
        {"frames": each(frame), "samples": _nothing, "stacks": _nothing, "thread_metadata": FIXED}
    ),
    "transactions": each(an_object({**dict.fromkeys(_PROFILE_IDS, ID), "name": TEXT})),
    "transaction": an_object({**dict.fromkeys(_PROFILE_IDS, ID), "name": TEXT}),
}
SCHEMAS: dict[str, dict[str, Action]] = {
    "session": _SESSION,
    "sessions": _SESSION,
    "profile": _PROFILE,
    "profile_chunk": _PROFILE,
    **dict.fromkeys(("event", "transaction", "check_in", "feedback"), EVENT),
}
