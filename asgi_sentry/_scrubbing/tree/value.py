"""Any value, as a new one without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.text.pairs import FILTERED
from asgi_sentry._scrubbing.tree.notes import Redaction, place_of
from asgi_sentry._scrubbing.tree.plain import Copier, NotPlainError
from asgi_sentry._scrubbing.tree.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.taint import Taint


def scrub_value(
    ruleset: Ruleset,
    value: Any,
    taint: Taint | None,
    path: tuple[Any, ...],
    found: list[Redaction] | None,
) -> Any:
    """A new value without secrets; FILTERED where it can't be told what is in it."""
    try:
        try:
            left, redactions = _scrubbed(ruleset, value, taint, path, exact=False)
        except NotPlainError:
            left, redactions = _scrubbed(ruleset, value, taint, path, exact=True)
    except Exception:  # RecursionError and MemoryError among them
        left, redactions = FILTERED, (Redaction(path, "@error"),)
    if found is not None:
        found.extend(redactions)
    return left


def _scrubbed(
    ruleset: Ruleset, value: Any, taint: Taint | None, path: tuple[Any, ...], *, exact: bool
) -> tuple[Any, Iterable[Redaction]]:
    step = path[-1] if path else ""
    holder: dict[Any, Any] = {}
    copier = Copier(lenient=False)
    if exact:
        copier.put(value, holder, step)
    else:
        holder[step] = value
    walk = Walk(ruleset, copies=not exact, only_json=not exact)
    walk.add(holder[step], holder, step, place_of(path[:-1]))
    walk.finish(taint)
    copier.restore()
    redactions = walk.notes.redactions()
    if not path:
        redactions = (Redaction(one.path[1:], one.rule) for one in redactions)
    return holder[step], redactions
