"""Objects with known fields, scrubbed in place.

Events, transactions, check-ins, sessions and profiles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.sentry.request import REQUEST, REQUEST_FIELDS
from asgi_sentry._scrubbing.sentry.schema import DATA, ID, add, add_fields, is_id
from asgi_sentry._scrubbing.sentry.shortcut import USUAL_FIELDS, scrub_usual
from asgi_sentry._scrubbing.text.pairs import FILTERED
from asgi_sentry._scrubbing.tree.alike import Alike
from asgi_sentry._scrubbing.tree.notes import Notes, Redaction, place_of
from asgi_sentry._scrubbing.tree.plain import (
    SCALARS,
    Copier,
    NotPlainError,
    quick_copy,
    rename_keys,
)
from asgi_sentry._scrubbing.tree.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.sentry.schema import Action, Schema
    from asgi_sentry._scrubbing.taint import Taint

    Sections = Mapping[tuple[str, ...], Any]


# How fields are copied: not at all, by the walk as it meets what is plain, or before whatever they
# are. Each way takes more than the one before.
_AS_IT_IS, _QUICK, _EXACT = range(3)
_REQUEST = ("request",)
_UNCHANGING = frozenset({str, *SCALARS})  # needs no copy
_LONGEST = 65_536  # characters of a text in variables and other data: Sentry shows far fewer


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
    if not sections and USUAL_FIELDS.issuperset(payload):
        try:
            notes = scrub_usual(ruleset, payload, taint, secrets, owned=owned)
        except Exception:  # noqa: S110 - it is unusual, or a fault of ours: the walk has it
            pass
        else:
            if found is not None:
                found.extend(notes.redactions())
            return notes
    # Parts that others decide about are taken out of what is in a field, and put back.
    first = _AS_IT_IS if owned and all(len(path) == 1 for path in sections) else _QUICK
    try:
        try:
            fields, walk = _scrubbed(
                ruleset, payload, schema, taint, sections, first, joins=found is None, owned=owned
            )
        except NotPlainError:
            fields, walk = _scrubbed(ruleset, payload, schema, taint, sections, _EXACT)
        notes = walk.notes
        if secrets is not None:
            secrets.extend(walk.secrets)
    except Exception:  # RecursionError and MemoryError among them: it can't be told what is in it
        notes = Notes()
        fields = dict(payload)
        for field, value in payload.items():
            if schema.get(field) != ID or not is_id(value):
                # In which the SDK looks for the trace.
                fields[field] = {} if field == "contexts" else FILTERED
                notes.add(None, field, "@error")
    if fields.keys() != payload.keys():
        payload.clear()
    payload.update(fields)
    if found is not None:
        found.extend(notes.redactions())
    return notes


def _scrubbed(
    ruleset: Ruleset,
    payload: dict[str, Any],
    schema: Schema,
    taint: Taint | None,
    sections: Sections,
    copied: int,
    *,
    joins: bool = False,
    owned: bool = False,
) -> tuple[dict[str, Any], Walk]:
    """The fields of an object without secrets, and the walk that made them so.

    Args:
        ruleset: which decides.
        payload: the object.
        schema: its fields.
        taint: what else is secret.
        sections: what others decide about.
        copied: how the fields are copied.
        joins: whether what is alike in several frames is scrubbed once, since nobody asks where
            something was redacted.
        owned: whether it may stay one object then.
    """
    copier = Copier(lenient=True)
    fields: dict[str, Any] = {}
    for field, value in payload.items():
        if copied != _EXACT or value.__class__ in _UNCHANGING:
            fields[field] = value
        else:
            copier.put(value, fields, field)
    alike = None
    if joins:
        alike = Alike(ruleset.keys.plain)
    walk = Walk(ruleset, longest=_LONGEST, copies=copied == _QUICK, alike=alike)
    held: list[tuple[tuple[str, ...], Any]] = []
    for path, other in sections.items():
        _hold(walk, fields, path, other, taint, held)
    section = fields.get("request")
    if isinstance(section, dict) and (
        (taint is not None and taint.unknown) or _is_long(section.get("data"))
    ):
        # What is shown of the request itself was looked at: all that is secret in it is known, and
        # it may be long.
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
    if alike is not None and not owned:
        alike.part()
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
    walk: Walk,
    payload: dict[str, Any],
    path: tuple[str, ...],
    other: Any,
    taint: Taint | None,
    held: list[Any],
) -> None:
    """Take a part out that another scrubber decides about, and have it decide."""
    holder = payload
    for step in path[:-1]:
        inner = holder.get(step)
        if not isinstance(inner, dict):
            return
        holder = walk.own(inner, holder, step)
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
    ruleset: Ruleset,
    value: Any,
    taint: Taint | None,
    path: tuple[Any, ...],
    found: list[Redaction] | None,
) -> Any:
    """A part of an event, read as what it is by its path.

    URL, query string, cookies, headers or data.
    """
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
