"""Sentry's payloads, field by field: which are protocol, which are text, which are data.

Protocol fields (types, levels, ids, release, environment, platform, server, module, function and file names, source
lines) are never touched by taint: a client must not be able to blank out an event by sending a clever cookie. Value
rules still apply to those that hold text. A fingerprint is the team's own text, often an exception's, so it is data:
what it is replaced with groups events as well. So is a transaction's name, which may be a URL's path.
"""

from __future__ import annotations

import re
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.headers import query_redacted, url_redacted
from asgi_sentry._scrubbing.keys import DENIED
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD
from asgi_sentry._scrubbing.tree.plain import SCALARS, rename_keys
from asgi_sentry._scrubbing.tree.walk import IN_COOKIES, Redaction, Walk, place_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from asgi_sentry._scrubbing.scrubber import Scrubber
    from asgi_sentry._scrubbing.taint import Taint

    # A field's way: one of the constants, or a function of the walk, the value, its holder and key, and their place.
    Action = int | Callable[[Walk, Any, Any, Any, Any], None]
    Schema = Mapping[str, Action]
    Sections = Mapping[tuple[str, ...], Any]


class _Keep:
    """Left as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "KEEP"


KEEP = _Keep()
"""In `sections`: this part was decided elsewhere and is left as it is."""

DATA, TEXT, FIXED, ID = range(4)  # keys decide; taint and rules; rules; nothing
_LONGEST_ID = 64
_BATCHED = frozenset({"span", "log", "trace_metric"})


def _add(walk: Walk, action: Action, value: Any, holder: Any, key: Any, place: Any) -> None:
    if callable(action):
        action(walk, value, holder, key, place)
    elif action in (DATA, TEXT):
        walk.add(value, holder, key, place)
    elif action == FIXED or not _is_id(value):
        _fixed(walk, value, holder, key, place, 0)


def _is_id(value: Any) -> bool:
    return not isinstance(value, (str, bytes, dict, list, tuple)) or (
        isinstance(value, str) and len(value) <= _LONGEST_ID
    )


_DEEPEST = 16


def _fixed(walk: Walk, value: Any, holder: Any, key: Any, place: Any, depth: int) -> None:
    """Protocol: all its texts without taint, and no key decides."""
    if value.__class__ is str:
        walk.fixed(value, holder, key, place)
    elif isinstance(value, (dict, list)) and depth < _DEEPEST:
        if _all_known(walk, value):
            return
        here = (place, key)
        for inner, one in list(value.items() if isinstance(value, dict) else enumerate(value)):
            _fixed(walk, one, value, inner, here, depth + 1)
    elif value is not None and not isinstance(value, (bool, int, float)):
        walk.add(value, holder, key, place)


def _all_known(walk: Walk, value: dict[Any, Any] | list[Any]) -> bool:
    try:
        return walk.scrubber.texts.clean_lines.issuperset(value.values() if isinstance(value, dict) else value)
    except TypeError:  # a container within
        return False


def _add_fields(walk: Walk, schema: Schema, value: dict[Any, Any], here: Any) -> dict[Any, Any]:
    """Have each known field of an object go its way; the others are returned."""
    others = {}
    for field, inner in value.items():
        way = schema.get(field) if field.__class__ is str else None
        if way is None:
            others[field] = inner
        elif inner is None:
            continue
        elif way == ID:
            if inner.__class__ not in SCALARS and not _is_id(inner):
                _fixed(walk, inner, value, field, here, 0)
        elif inner.__class__ is str and way == TEXT:
            walk.add(inner, value, field, here)
        else:
            _add(walk, way, inner, value, field, here)
    return others


def _object(schema: Schema, rest: Action = DATA) -> Callable[[Walk, Any, Any, Any, Any], None]:
    """An object with known fields; the others go the way of `rest`."""

    def action(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
        if not isinstance(value, dict):
            walk.add(value, holder, key, place)
            return
        here = (place, key)
        others = _add_fields(walk, schema, value, here)
        if not others:
            return
        if rest == DATA:  # as one object, so that keys decide, and pairs of name and value are seen
            walk.members(others, value, here)
        else:
            for field, inner in others.items():
                _add(walk, rest, inner, value, field, here)

    return action


def _each(action: Action) -> Callable[[Walk, Any, Any, Any, Any], None]:
    """A list, plain or as `{"values": [...]}`."""

    def actions(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
        if isinstance(value, dict) and "values" in value:
            holder, key, place, value = value, "values", (place, key), value["values"]
        if hasattr(value, "metadata") and isinstance(getattr(value, "value", None), list):
            value = value.value  # the SDK's mark that some were dropped
        elif not isinstance(value, list):
            if value is not None:
                walk.add(value, holder, key, place)
            return
        here = (place, key)
        if callable(action):
            for index, one in enumerate(value):
                action(walk, one, value, index, here)
        else:
            for index, one in enumerate(value):
                _add(walk, action, one, value, index, here)

    return actions


# --- the schema: https://develop.sentry.dev/sdk/data-model/event-payloads/ -----------------------------------------


def _source(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """Names and lines of source, which are the program's own and the same each time."""
    known = walk.scrubber.texts.clean_lines
    if not (value in known if value.__class__ is str else value.__class__ is list and known.issuperset(value)):
        _fixed(walk, value, holder, key, place, 0)


_FRAME_TEXTS = ("filename", "abs_path", "function", "module", "context_line", "pre_context", "post_context")
_FRAME_OTHERS: dict[str, Action] = {
    **dict.fromkeys(("raw_function", "package", "symbol", "source_link"), FIXED),
    **dict.fromkeys(("lineno", "colno", "in_app", "platform", "instruction_addr", "addr_mode", "lang"), ID),
}
_FRAME_FIELDS = frozenset({*_FRAME_TEXTS, "lineno", "in_app", "vars"})
_static = itemgetter("filename", "lineno", *_FRAME_TEXTS)
_KNOWN_FRAMES = 512


def _frame(walk: Walk, frame: Any, holder: Any, key: Any, place: Any) -> None:
    """One frame. What it shows of the program is the same each time, and is compared with what was seen last time."""
    if frame.__class__ is not dict:
        walk.add(frame, holder, key, place)
        return
    here = (place, key)
    known = walk.scrubber.texts.clean_frames
    try:
        shown = _static(frame)
        line = shown[:2]
        harmless = known.get(line) == shown
    except (KeyError, TypeError):
        shown = line = None
        harmless = False
    if not harmless:
        before = walk.pending
        for field in _FRAME_TEXTS:
            if frame.get(field) is not None:
                _source(walk, frame[field], frame, field, here)
        if shown is not None and walk.pending == before and len(known) < _KNOWN_FRAMES:
            known[line] = shown
    variables = frame.get("vars")
    if variables:
        walk.add(variables, frame, "vars", here)
    if not _FRAME_FIELDS.issuperset(frame):
        _rarer_fields(walk, frame, here)


def _rarer_fields(walk: Walk, frame: dict[Any, Any], here: Any) -> None:
    others = {}
    for field in [field for field in frame if field not in _FRAME_FIELDS]:
        way = _FRAME_OTHERS.get(field)
        if way is None:
            others[field] = frame[field]
        elif frame[field] is not None:
            _add(walk, way, frame[field], frame, field, here)
    if others:
        walk.members(others, frame, here)


_STACKTRACE = _object({"frames": _each(_frame), "registers": FIXED})
_MECHANISM = _object(
    {"type": ID, "handled": ID, "source": FIXED, "exception_id": ID, "parent_id": ID, "is_exception_group": ID}
)
_EXCEPTION = _object(
    {
        "type": FIXED,
        "module": FIXED,
        "value": TEXT,
        "thread_id": ID,
        "mechanism": _MECHANISM,
        "stacktrace": _STACKTRACE,
        "raw_stacktrace": _STACKTRACE,
    }
)
_THREAD = _object({"id": ID, "name": FIXED, "crashed": ID, "current": ID, "stacktrace": _STACKTRACE})
_BREADCRUMB = _object({"type": ID, "level": ID, "timestamp": ID, "message": TEXT, "category": TEXT, "data": DATA})
_SPAN = _object(
    {
        **dict.fromkeys(("trace_id", "span_id", "parent_span_id", "segment_id", "profile_id", "hash"), ID),
        **dict.fromkeys(("start_timestamp", "timestamp", "exclusive_time", "status", "same_process_as_parent"), ID),
        **dict.fromkeys(("op", "origin", "type"), FIXED),
        "description": TEXT,
        "data": DATA,
        "tags": DATA,
    }
)
_IDS: dict[str, Action] = dict.fromkeys(("profile_id", "profiler_id", "replay_id", "trace_id"), ID)
_CONTEXT = _object({"type": FIXED, **_IDS})
_CONTEXTS = _object({"trace": _SPAN}, rest=_CONTEXT)


def _query(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    if value.__class__ is str:
        value, hit = query_redacted(value, walk.scrubber)
        holder[key] = value
        if hit:
            walk.note(place, key, PASSWORD)
    walk.add(value, holder, key, place)


def _url(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    if value.__class__ is str:
        value, hit = url_redacted(value, walk.scrubber)
        holder[key] = value
        if hit:
            walk.note(place, key, PASSWORD)
    walk.add(value, holder, key, place)


def _cookies(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    if isinstance(value, (str, bytes)) and value != FILTERED:
        holder[key] = FILTERED
        walk.note(place, key, PASSWORD)
    else:
        walk.add(value, holder, key, place, IN_COOKIES)


def _headers(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """Headers by name; those that hold URLs are read as URLs."""
    if isinstance(value, dict):
        for name in [
            name for name in value if isinstance(name, str) and name.lower() in {"referer", "location", "origin"}
        ]:
            if value[name].__class__ is str:
                redacted, hit = url_redacted(value[name], walk.scrubber)
                if hit:
                    value[name] = redacted
                    walk.note((place, key), name, PASSWORD)
    walk.add(value, holder, key, place)


_REQUEST_FIELDS: dict[str, Action] = {
    "method": ID,
    "url": _url,
    "query_string": _query,
    "fragment": _query,
    "cookies": _cookies,
    "headers": _headers,
    "data": DATA,
    "env": DATA,
}
_REQUEST = _object(_REQUEST_FIELDS)

_PLACEHOLDER = re.compile(
    r"%(?:\((\w+)\))?[-#0 +]{0,5}\d{0,5}(?:\.\d{0,5})?([diouxXeEfFgGcrsa%])|\{(\w*)(?:![rsa])?(?::[^{}]{0,40})?\}"
)
_KEY_BEFORE = re.compile(r"([\w.\-]{1,80})\\{0,3}[\"']?\]?\s{0,4}(?:=>|[:=])\s{0,4}b?\\{0,3}[\"']?\Z")


def secret_parameters(template: str, scrubber: Scrubber) -> set[int | str]:
    """Which parameters of a log message fill in the value of a sensitive key, by number or by name."""
    found: set[int | str] = set()
    count = 0
    for match in _PLACEHOLDER.finditer(template):
        if match[2] == "%":
            continue
        name = match[1] or match[3]
        place: int | str = count if not name else int(name) if name.isdecimal() else name
        count += 1
        before = _KEY_BEFORE.search(template[max(0, match.start() - 100) : match.start()])
        if before is not None and scrubber.keys[before[1]] == DENIED:
            found.add(place)
    return found


def _logentry(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    if not isinstance(value, dict):
        walk.add(value, holder, key, place)
        return
    here = (place, key)
    message, params = value.get("message"), value.get("params")
    secret = secret_parameters(message, walk.scrubber) if isinstance(message, str) and params else set()
    if secret and isinstance(params, (list, tuple, dict)):
        kept: Any = dict(params) if isinstance(params, dict) else list(params)
        for which in secret:
            try:
                if kept[which] is not None and not isinstance(kept[which], bool) and kept[which] != FILTERED:
                    kept[which] = FILTERED
                    walk.note((here, "params"), which, PASSWORD)
            except (LookupError, TypeError):
                continue
        value["params"] = kept
    for field, inner in list(value.items()):
        _add(walk, TEXT if field in {"message", "formatted"} else DATA, inner, value, field, here)


_EVENT: dict[str, Action] = {
    **dict.fromkeys(("event_id", "type", "level", "platform", "timestamp", "start_timestamp", "received"), ID),
    **dict.fromkeys(("check_in_id", "status", "duration", "version", "_meta", "client_sample_rate"), ID),
    **dict.fromkeys(("release", "dist", "environment", "server_name", "logger", "sdk", "modules", "debug_meta"), FIXED),
    **dict.fromkeys(("monitor_slug", "monitor_config", "transaction_info", "measurements", "errors", "project"), FIXED),
    "transaction": TEXT,
    "culprit": TEXT,
    "fingerprint": _each(TEXT),
    "message": _logentry,
    "logentry": _logentry,
    "exception": _each(_EXCEPTION),
    "threads": _each(_THREAD),
    "stacktrace": _STACKTRACE,
    "breadcrumbs": _each(_BREADCRUMB),
    "request": _REQUEST,
    "user": DATA,
    "contexts": _CONTEXTS,
    "spans": _each(_SPAN),
    "tags": DATA,
    "extra": DATA,
}
_SESSION: dict[str, Action] = {
    **dict.fromkeys(("sid", "seq", "timestamp", "started", "init", "status", "errors", "duration"), ID),
    "attrs": _object({"release": FIXED, "environment": FIXED}),
    "aggregates": _each(_object(dict.fromkeys(("started", "exited", "errored", "abnormal", "crashed"), ID))),
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
    "profile": _object({"frames": _each(_frame), "samples": _nothing, "stacks": _nothing, "thread_metadata": FIXED}),
    "transactions": _each(_object({**dict.fromkeys(_PROFILE_IDS, ID), "name": TEXT})),
    "transaction": _object({**dict.fromkeys(_PROFILE_IDS, ID), "name": TEXT}),
}
_ENTRY: dict[str, Action] = {
    **dict.fromkeys(("timestamp", "start_timestamp", "end_timestamp", "trace_id", "span_id", "parent_span_id"), ID),
    **dict.fromkeys(("level", "severity_number", "status", "is_segment", "type", "is_remote", "kind"), ID),
    "unit": FIXED,
    "body": TEXT,
    "name": TEXT,
}
_SCHEMAS: dict[str, dict[str, Action]] = {
    "session": _SESSION,
    "sessions": _SESSION,
    "profile": _PROFILE,
    "profile_chunk": _PROFILE,
    **dict.fromkeys(("event", "transaction", "check_in", "feedback"), _EVENT),
}
# Attributes that the SDK writes of itself and of the program: https://develop.sentry.dev/sdk/telemetry/attributes/
_FIXED_ATTRIBUTES = re.compile(
    r"sentry\.(?:release|environment|sdk\.|origin|op\Z|trace\.|severity_|dsc\.|profiler_id|segment\.id|span\.source|category|platform)"
    r"|server\.address|code\.|thread\.|process\.(?:pid|runtime|executable)|os\.|telemetry\.|http\.request\.method|http\.response\.status"
)


# Ids that the SDK draws: one in some is all digits, and one in ten of these passes for a card.
_ID_ATTRIBUTES = frozenset({"sentry.segment.id", "sentry.profiler_id", "sentry.trace.parent_span_id", "thread.id"})
_DRAWN = re.compile(r"[0-9a-f]{16}|[0-9a-f]{32}|[0-9]{1,20}")


def clean_event(
    scrubber: Scrubber, event: dict[str, Any], taint: Taint | None, sections: Sections, found: list[Redaction] | None
) -> None:
    """Scrub an event in place, with remarks in its `_meta`; `found`, where wanted, takes what was redacted."""
    _clean_fields(scrubber, event, _EVENT, taint, sections, found).remark(event)


def _clean_fields(
    scrubber: Scrubber,
    payload: dict[str, Any],
    schema: Schema,
    taint: Taint | None,
    sections: Sections,
    found: list[Redaction] | None,
) -> Walk:
    """Scrub an object in place; the walk knows what was redacted."""
    held: list[tuple[tuple[str, ...], Any]] = []
    walk = Walk(scrubber, lenient=True)
    try:
        for path, other in sections.items():
            _hold(walk, payload, path, other, taint, held)
        rest = _add_fields(walk, schema, payload, None)
        if rest:
            walk.members(rest, payload, None)
        walk.finish(taint)
    except Exception:
        walk, held = Walk(scrubber), []
        for field in payload:
            if schema.get(field) != ID:
                payload[field] = FILTERED
                walk.note(None, field, "@error")
    _put_back(payload, held)
    if walk.renamed and isinstance(payload.get("_meta"), dict):
        rename_keys(payload["_meta"], walk.renamed)
    if found is not None:
        found.extend(walk.redactions())
    return walk


def _put_back(payload: dict[str, Any], held: list[tuple[tuple[str, ...], Any]]) -> None:
    for path, value in held:
        holder = payload
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = value


def _hold(
    walk: Walk, payload: dict[str, Any], path: tuple[str, ...], other: Any, taint: Taint | None, held: list[Any]
) -> None:
    """Take a part out that another scrubber decides about, and have it decide."""
    holder = payload
    for step in path[:-1]:
        inner = holder.get(step)
        if not isinstance(inner, dict):
            return
        holder[step] = inner = dict(inner)
        holder = inner
    last = path[-1]
    if holder.get(last) is None:
        return
    value, holder[last] = holder[last], None
    if other is not KEEP:
        found: list[Redaction] = []
        value = other.clean_part(value, taint=taint, path=path, found=found)
        for where, rule in found:
            walk.note(place_of(where[:-1]), where[-1], rule)
    held.append((path, value))


def clean_part(
    scrubber: Scrubber, value: Any, taint: Taint | None, path: tuple[Any, ...], found: list[Redaction] | None
) -> Any:
    """A part of an event, read as what it is by its path: URL, query string, cookies, headers or data."""
    action = _REQUEST_FIELDS.get(path[-1], DATA) if path[0] == "request" else DATA
    result = {path[-1]: value}
    try:
        walk = Walk(scrubber, lenient=True)
        _add(walk, action, value, result, path[-1], place_of(path[:-1]))
        walk.finish(taint)
    except Exception:
        if found is not None:
            found.append(Redaction(path, "@error"))
        return FILTERED
    if found is not None:
        found.extend(walk.redactions())
    return result[path[-1]]


# --- attributes and other items ------------------------------------------------------------------------------------


def _add_attributes(walk: Walk, attributes: dict[str, Any], place: Any) -> Callable[[], None]:
    """Put attributes on a walk; the result writes the finished values back, each with its true type."""
    values: dict[Any, Any] = {}
    template = attributes.get("sentry.message.template")
    text = template.get("value") if isinstance(template, dict) else None
    for which in secret_parameters(text, walk.scrubber) if isinstance(text, str) else ():
        parameter = f"sentry.message.parameter.{which}"
        held = attributes.get(parameter)
        if isinstance(held, dict) and held.get("value") not in (None, FILTERED):
            held.update(value=FILTERED, type="string")
            walk.note((place, parameter), "value", PASSWORD)
    for key, held in attributes.items():
        if not isinstance(held, dict) or "value" not in held:
            values[key] = held
        elif key in _ID_ATTRIBUTES and isinstance(held["value"], str) and _DRAWN.fullmatch(held["value"]):
            continue
        elif isinstance(key, str) and _FIXED_ATTRIBUTES.match(key):
            _fixed(walk, held["value"], held, "value", (place, key), 0)
        else:
            values[key] = held["value"]
    cleaned = dict(values)
    walk.members(values, cleaned, place)

    def write_back() -> None:
        for key in list(attributes):  # taken out and put back, so that the order stays
            held = attributes.pop(key)
            if key not in values:
                attributes[key] = held
            elif isinstance(held, dict) and "value" in held:
                held["value"] = value = cleaned.get(key, FILTERED)
                if isinstance(value, str):
                    held["type"] = "string"
                attributes[key] = held
            else:
                attributes[key] = cleaned.get(key, FILTERED)

    return write_back


def clean_attributes(
    scrubber: Scrubber,
    attributes: dict[str, Any],
    taint: Taint | None,
    path: tuple[Any, ...],
    found: list[Redaction] | None,
) -> None:
    """Scrub the attributes of one span, log or metric in place."""
    try:
        walk = Walk(scrubber, lenient=True)
        write_back = _add_attributes(walk, attributes, place_of(path))
        walk.finish(taint)
        write_back()
    except Exception:
        attributes.clear()
        if found is not None:
            found.append(Redaction(path, "@error"))
        return
    if found is not None:
        found.extend(walk.redactions())


def clean_item(
    scrubber: Scrubber, kind: str, payload: Any, taint: Any, sections: Sections, found: list[Redaction] | None
) -> Any:
    """The payload of an envelope item without secrets."""
    if kind == "client_report":
        return payload
    if kind in _BATCHED and isinstance(payload, dict) and isinstance(payload.get("items"), list):
        return _clean_batch(scrubber, payload, taint, found)
    if callable(taint):
        taint = None
    schema = _SCHEMAS.get(kind)
    if schema is not None and isinstance(payload, dict):
        walk = _clean_fields(scrubber, payload, schema, taint, sections, found)
        if schema is _EVENT:
            walk.remark(payload)
        return payload
    if isinstance(payload, (bytes, bytearray)) and b"\0" in payload[:8192]:
        return payload  # an image or an archive: no text to read
    return clean_value(scrubber, payload, taint, (), found)


def clean_value(
    scrubber: Scrubber, value: Any, taint: Taint | None, path: tuple[Any, ...], found: list[Redaction] | None
) -> Any:
    """A new value without secrets."""
    step = path[-1] if path else ""
    holder = {step: value}
    try:
        if value.__class__ is str:
            look = scrubber.texts.look({value}, taint)
            scrubber.texts.remember(look, set())
            left, rules = look.hits.get(value, (value, ()))
            if found is not None:
                found.extend(Redaction(path, rule) for rule in rules)
            return left
        walk = Walk(scrubber)
        walk.add(value, holder, step, place_of(path[:-1]))
        walk.finish(taint)
    except Exception:  # RecursionError and MemoryError among them: it can't be told what is in it
        if found is not None:
            found.append(Redaction(path, "@error"))
        return FILTERED
    if found is not None:
        found.extend(one if path else Redaction(one.path[1:], one.rule) for one in walk.redactions())
    return holder[step]


def _clean_batch(scrubber: Scrubber, payload: dict[str, Any], taint: Any, found: list[Redaction] | None) -> Any:
    """Entries of one taint are scrubbed together, which is what makes a batch cheap."""
    walks: dict[int, tuple[Walk, Taint | None, list[Callable[[], None]], list[int]]] = {}
    items: list[Any] = list(payload["items"])
    for index, item in enumerate(items):
        of = taint(item) if callable(taint) else taint
        walk, _, endings, members = walks.setdefault(id(of), (Walk(scrubber, lenient=True), of, [], []))
        members.append(index)
        if not isinstance(item, dict):
            walk.add(item, items, index, (None, "items"))
            continue
        own_item = items[index] = dict(item)
        here = ((None, "items"), index)
        for field, value in item.items():
            if field == "attributes" and isinstance(value, dict):
                own = own_item[field] = {
                    key: dict(held) if isinstance(held, dict) else held for key, held in value.items()
                }
                endings.append(_add_attributes(walk, own, (here, field)))
            elif value is not None:
                _add(walk, _ENTRY.get(field, DATA), value, own_item, field, here)
    redactions: Iterable[Redaction]
    for walk, of, endings, members in walks.values():
        try:
            walk.finish(of)
            for write_back in endings:
                write_back()
            redactions = walk.redactions() if found is not None else ()
        except Exception:
            for index in members:
                items[index] = {key: value for key, value in items[index].items() if _ENTRY.get(key) == ID}
            redactions = [Redaction(("items", index), "@error") for index in members]
        if found is not None:
            found.extend(redactions)
    return {**payload, "items": items}
