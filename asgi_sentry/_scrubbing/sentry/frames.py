"""Stack traces.

What a frame shows of the program is protocol, what it shows of variables is data.
"""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.sentry.schema import FIXED, ID, TEXT, add, add_fixed, an_object, each

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.sentry.schema import Action
    from asgi_sentry._scrubbing.tree.walk import Walk

_TEXTS = (
    "filename",
    "abs_path",
    "function",
    "module",
    "context_line",
    "pre_context",
    "post_context",
)
_OTHERS: dict[str, Action] = {
    **dict.fromkeys(("raw_function", "package", "symbol", "source_link"), FIXED),
    **dict.fromkeys(
        ("lineno", "colno", "in_app", "platform", "instruction_addr", "addr_mode", "lang"), ID
    ),
}
_FIELDS = frozenset({*_TEXTS, "lineno", "in_app", "vars"})
_LINES = ("pre_context", "post_context")
_static = itemgetter("filename", "lineno", *_TEXTS)


def _source(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """Names and lines of source, which are the program's own and the same each time."""
    known = walk.ruleset.lines
    if value.__class__ is str:
        if value not in known:
            walk.fixed(value, holder, key, place)
    else:
        add_fixed(walk, value, holder, key, place)


def frame(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """One frame.

    What it shows of the program is the same each time, and is compared with what was seen last
    time.
    """
    if value.__class__ is not dict:
        walk.add(value, holder, key, place)
        return
    if walk.copies:
        value = walk.own(value, holder, key)
        for field in _LINES:
            if value.get(field).__class__ is list:
                value[field] = value[field].copy()
    here = (place, key)
    known = walk.ruleset.frames
    try:
        shown = _static(value)
        line = shown[:2]
        harmless = known.get(line) == shown
    except (KeyError, TypeError):
        shown = line = None
        harmless = False
    if not harmless:
        before = walk.pending
        for field in _TEXTS:
            if value.get(field) is not None:
                _source(walk, value[field], value, field, here)
        if shown is not None and walk.pending == before:
            known.keep(line, shown)
    variables = value.get("vars")
    if variables:
        walk.variables(variables, value, "vars", here)
    if not _FIELDS.issuperset(value):
        _rarer_fields(walk, value, here)


def _rarer_fields(walk: Walk, value: dict[Any, Any], here: Any) -> None:
    others = {}
    for field in [field for field in value if field not in _FIELDS]:
        way = _OTHERS.get(field)
        if way is None:
            others[field] = value[field]
        elif value[field] is not None:
            add(walk, way, value[field], value, field, here)
    if others:
        walk.members(others, value, here)


STACKTRACE = an_object({"frames": each(frame), "registers": FIXED})
_MECHANISM = an_object(
    {
        "type": ID,
        "handled": ID,
        "source": FIXED,
        "exception_id": ID,
        "parent_id": ID,
        "is_exception_group": ID,
    }
)
EXCEPTION = an_object(
    {
        "type": FIXED,
        "module": FIXED,
        "value": TEXT,
        "thread_id": ID,
        "mechanism": _MECHANISM,
        "stacktrace": STACKTRACE,
        "raw_stacktrace": STACKTRACE,
    }
)
THREAD = an_object(
    {"id": ID, "name": FIXED, "crashed": ID, "current": ID, "stacktrace": STACKTRACE}
)
