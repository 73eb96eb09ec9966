"""What becomes of texts and keys by the request's secrets, by rules and by discovery together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.taint.taint import REQUEST, UNKNOWN, Taint
from asgi_sentry._scrubbing.tree.plain import (
    rename_keys,
    unused,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from asgi_sentry._scrubbing.text.texts import Hits

DISCOVERED = "@discovered"  # the id for what was redacted in another place by its key or by a rule

_STRINGS = frozenset({str})


def with_discovered(
    taint: Taint, texts: dict[int, set[str]], hits: dict[int, Hits]
) -> dict[int, Hits]:
    """What becomes of texts if what was redacted in other places is redacted in them, too."""
    joined = {}
    for least, some in texts.items():
        joined[least] = own = dict(hits[least])
        changed = {text: hit[0] for text, hit in own.items() if text in some}
        # What rules left of a text seldom holds a secret still, so that is asked first.
        found = taint.found_in({*(some - changed.keys()), *changed.values()}, least=least)
        if not found:
            continue
        for text, left in found.items():
            if text in some and text not in changed:
                own[text] = (left, [DISCOVERED])
        for text, before in changed.items():
            if before in found and taint.replace(text, least=least)[1]:
                own[text] = (found[before], [*own[text][1], DISCOVERED])
    return joined


def with_taint(tainted: dict[str, str], known: set[str], hits: Hits) -> Hits:
    """What becomes of texts: first the request's own secrets are replaced, then what rules find.

    Args:
        tainted: what is left of the texts that hold one.
        known: those in which one stands that is known by value.
        hits: of rules.
    """
    if not tainted:
        return hits
    joined = dict(hits)
    for text, left in tainted.items():
        after, rules = hits.get(left, (left, []))
        joined[text] = (after, [REQUEST if text in known else UNKNOWN, *rules])
    return joined


def new_names(names: set[Any], hits: Hits) -> dict[Any, str]:
    """Keys that hold a secret, with what is left of each."""
    if not _STRINGS.issuperset(map(type, names)):
        texts = {name: text_of(name) for name in names}
        return {name: hits[text][0] for name, text in texts.items() if text in hits}
    return {name: hits[name][0] for name in names.intersection(hits)}


def texts_of(names: set[Any]) -> Collection[str]:
    if _STRINGS.issuperset(map(type, names)):
        return names
    return [text_of(name) for name in names]


def text_of(value: Any) -> str:
    """A key or a value as a text; nothing of one that is none."""
    if value.__class__ is str:
        text: str = value
        return text
    return value.decode("latin-1") if value.__class__ is bytes else ""


def put_back(source: dict[Any, Any], holder: dict[Any, Any], renamed: dict[Any, str]) -> None:
    """Put the members of an object back; the order of keys stays unless one has to change."""
    if not renamed:
        holder.update(source)
        return
    for value in source.values():
        rename_keys(value, renamed)
    taken: dict[str, int] = {}
    for old, value in source.items():
        name = renamed.get(old, old)
        if name != old:
            del holder[old]
            name = unused(name, holder, taken)
        holder[name] = value
