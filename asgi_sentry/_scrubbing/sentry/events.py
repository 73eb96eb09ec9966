"""Events, transactions, check-ins, sessions and profiles: one object each, with known fields.

Source: https://develop.sentry.dev/sdk/data-model/event-payloads/. A fingerprint is the team's own text, often an
exception's, so it is data: what it is replaced with groups events as well. So is a transaction's name, which may be a
URL's path.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.sentry.frames import EXCEPTION, STACKTRACE, THREAD, frame
from asgi_sentry._scrubbing.sentry.logentry import logentry
from asgi_sentry._scrubbing.sentry.request import REQUEST, REQUEST_FIELDS
from asgi_sentry._scrubbing.sentry.schema import DATA, FIXED, ID, TEXT, WORDS, add, add_fields, an_object, each
from asgi_sentry._scrubbing.text.pairs import FILTERED
from asgi_sentry._scrubbing.tree.notes import Notes, Redaction, place_of
from asgi_sentry._scrubbing.tree.plain import SCALARS, Copier, NotPlainError, quick_copy, rename_keys
from asgi_sentry._scrubbing.tree.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.sentry.schema import Action, Schema
    from asgi_sentry._scrubbing.taint import Taint

    Sections = Mapping[tuple[str, ...], Any]


_AS_IT_IS, _QUICK, _EXACT = range(3)  # how fields are copied; each way takes more than the one before
_REQUEST = ("request",)
_UNCHANGING = frozenset({str, *SCALARS})  # needs no copy
_LONGEST = 65_536  # characters of a text in variables and other data: Sentry shows far fewer

# Where a transaction's name comes from, if the app named it: https://develop.sentry.dev/sdk/telemetry/traces/#transaction-annotations
_NAMED_BY_THE_APP = frozenset({"route", "component", "view", "task"})


def _transaction(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """A transaction's name: the app's own word, unless it may be a URL's path."""
    info = holder.get("transaction_info")
    source = info.get("source") if isinstance(info, dict) else None
    if value.__class__ is not str or source == "url":
        walk.add(value, holder, key, place)
    elif source in _NAMED_BY_THE_APP:
        walk.fixed(value, holder, key, place)
    else:
        walk.words(value, holder, key, place)


def _tags(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """Tags, by which a team looks for its events."""
    walk.tags(value, holder, key, place)


_BREADCRUMB = an_object({"type": ID, "level": ID, "timestamp": ID, "message": TEXT, "category": WORDS, "data": DATA})
_SPAN = an_object(
    {
        **dict.fromkeys(("trace_id", "span_id", "parent_span_id", "segment_id", "profile_id", "hash"), ID),
        **dict.fromkeys(("start_timestamp", "timestamp", "exclusive_time", "status", "same_process_as_parent"), ID),
        **dict.fromkeys(("op", "origin", "type"), FIXED),
        "description": TEXT,
        "data": DATA,
        "tags": _tags,
    }
)
_IDS: dict[str, Action] = dict.fromkeys(("profile_id", "profiler_id", "replay_id", "trace_id"), ID)
_CONTEXT = an_object({"type": FIXED, **_IDS})
_CONTEXTS = an_object({"trace": _SPAN}, rest=_CONTEXT)
EVENT: dict[str, Action] = {
    **dict.fromkeys(("event_id", "type", "level", "platform", "timestamp", "start_timestamp", "received"), ID),
    **dict.fromkeys(("check_in_id", "status", "duration", "version", "_meta", "client_sample_rate"), ID),
    **dict.fromkeys(("release", "dist", "environment", "server_name", "logger", "sdk", "modules", "debug_meta"), FIXED),
    **dict.fromkeys(("monitor_slug", "transaction_info", "measurements", "errors", "project"), FIXED),
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
    "spans": each(_SPAN),
    "monitor_config": DATA,
    "tags": _tags,
    "extra": DATA,
}
_SESSION: dict[str, Action] = {
    **dict.fromkeys(("sid", "seq", "timestamp", "started", "init", "status", "errors", "duration"), ID),
    "attrs": an_object({"release": FIXED, "environment": FIXED}),
    "aggregates": each(an_object(dict.fromkeys(("started", "exited", "errored", "abnormal", "crashed"), ID))),
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


_PROFILE: dict[str, Action] = {
    **dict.fromkeys(_PROFILE_IDS, ID),
    **dict.fromkeys(("release", "dist", "environment", "device", "os", "runtime", "client_sdk", "debug_meta"), FIXED),
    "profile": an_object({"frames": each(frame), "samples": _nothing, "stacks": _nothing, "thread_metadata": FIXED}),
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


def scrub_fields(
    ruleset: Ruleset,
    payload: dict[str, Any],
    schema: Schema,
    taint: Taint | None,
    sections: Sections,
    found: list[Redaction] | None,
    secrets: list[str] | None = None,
    *,
    owned: bool = False,
) -> Notes:
    """Scrub an object in place: its fields are replaced, and what they held is not changed.

    Args:
        ruleset: which decides.
        payload: the object.
        schema: its fields.
        taint: what else is secret.
        sections: what others decide about.
        found: takes what was redacted.
        secrets: takes the credentials that were redacted.
        owned: whether what is in the fields may be changed, since nobody else has it.

    Returns:
        What was redacted.
    """
    # Parts that others decide about are taken out of what is in a field, and put back.
    first = _AS_IT_IS if owned and all(len(path) == 1 for path in sections) else _QUICK
    try:
        try:
            fields, walk = _scrubbed(ruleset, payload, schema, taint, sections, first)
        except NotPlainError:
            fields, walk = _scrubbed(ruleset, payload, schema, taint, sections, _EXACT)
        notes = walk.notes
        if secrets is not None:
            secrets.extend(walk.secrets)
    except Exception:  # RecursionError and MemoryError among them: it can't be told what is in it
        notes = Notes()
        fields = dict(payload)
        for field in payload:
            if schema.get(field) != ID:
                fields[field] = {} if field == "contexts" else FILTERED  # in which the SDK looks for the trace
                notes.add(None, field, "@error")
    if fields.keys() != payload.keys():
        payload.clear()
    payload.update(fields)
    if found is not None:
        found.extend(notes.redactions())
    return notes


def _scrubbed(
    ruleset: Ruleset, payload: dict[str, Any], schema: Schema, taint: Taint | None, sections: Sections, copied: int
) -> tuple[dict[str, Any], Walk]:
    copier = Copier(lenient=True)
    fields: dict[str, Any] = {}
    for field, value in payload.items():
        if copied == _AS_IT_IS or value.__class__ in _UNCHANGING:
            fields[field] = value
        else:
            _put_copy(value, fields, field, copier, exact=copied == _EXACT)
    walk = Walk(ruleset, longest=_LONGEST)
    held: list[tuple[tuple[str, ...], Any]] = []
    for path, other in sections.items():
        _hold(walk, fields, path, other, taint, held)
    section = fields.get("request")
    if isinstance(section, dict) and ((taint is not None and taint.unknown) or _is_long(section.get("data"))):
        # What is shown of the request itself was looked at: all that is secret in it is known, and it may be long.
        known = None if taint is None else taint.known
        part, notes = _part(ruleset, section, known, _REQUEST, REQUEST, exact=copied == _EXACT)
        walk.notes.extend(notes)
        held.append((_REQUEST, part))
        fields["request"] = None
    rest = add_fields(walk, schema, fields, None)
    if rest:
        walk.members(rest, fields, None)
    walk.finish(taint)
    copier.restore()
    for path, value in reversed(held):
        holder = fields
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value
    if walk.renamed and isinstance(fields.get("_meta"), dict):
        rename_keys(fields["_meta"], walk.renamed)
    return fields, walk


def _is_long(data: Any) -> bool:
    """Whether a request's data is or holds a text that is longer than others may be."""
    texts = data.values() if isinstance(data, dict) else (data,)
    return any(isinstance(text, (str, bytes)) and len(text) > _LONGEST for text in texts)


def _put_copy(value: Any, holder: Any, key: Any, copier: Copier, *, exact: bool) -> None:
    """Put a plain copy of a value at `holder[key]`; a quick one may turn out not to be plain."""
    if not exact:
        try:
            holder[key] = quick_copy(value)
            return
        except NotPlainError:
            pass
    copier.put(value, holder, key)


def _hold(
    walk: Walk, payload: dict[str, Any], path: tuple[str, ...], other: Any, taint: Taint | None, held: list[Any]
) -> None:
    """Take a part out that another scrubber decides about, and have it decide."""
    holder = payload
    for step in path[:-1]:
        inner = holder.get(step)
        if not isinstance(inner, dict):
            return
        holder = inner
    last = path[-1]
    if holder.get(last) is None:
        return
    value, holder[last] = holder[last], None
    found: list[Redaction] = []
    try:
        value = other.scrub_part(value, taint=taint, path=path, found=found)
    except Exception:
        value = FILTERED
        found.append(Redaction(path, "@error"))
    for where, rule in found:
        walk.notes.add(place_of(where[:-1]), where[-1], rule)
    held.append((path, value))


def scrub_part(
    ruleset: Ruleset, value: Any, taint: Taint | None, path: tuple[Any, ...], found: list[Redaction] | None
) -> Any:
    """A part of an event, read as what it is by its path: URL, query string, cookies, headers or data."""
    action = REQUEST_FIELDS.get(path[-1], DATA) if path[0] == "request" else DATA
    try:
        try:
            part, notes = _part(ruleset, value, taint, path, action, exact=False)
        except NotPlainError:
            part, notes = _part(ruleset, value, taint, path, action, exact=True)
    except Exception:
        if found is not None:
            found.append(Redaction(path, "@error"))
        return FILTERED
    if found is not None:
        found.extend(notes.redactions())
    return part


def _part(
    ruleset: Ruleset,
    value: Any,
    taint: Taint | None,
    path: tuple[Any, ...],
    action: Action,
    *,
    exact: bool,
) -> tuple[Any, Notes]:
    copier = Copier(lenient=True)
    result: dict[Any, Any] = {}
    _put_copy(value, result, path[-1], copier, exact=exact)
    walk = Walk(ruleset)
    add(walk, action, result[path[-1]], result, path[-1], place_of(path[:-1]))
    walk.finish(taint)
    copier.restore()
    return result[path[-1]], walk.notes
