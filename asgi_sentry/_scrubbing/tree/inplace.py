"""Texts that are replaced where they stand, and what is said of it."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, Any

from asgi_sentry._counters import count_cut
from asgi_sentry._scrubbing.tree.gather import TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._scrubbing.text.texts import Hits
    from asgi_sentry._scrubbing.tree.gather import Tree
    from asgi_sentry._scrubbing.tree.notes import Notes, Place

LENGTH = "@length"  # the id for what is too long to be looked at


def describe_long(tree: Tree, longest: int, notes: Notes) -> None:
    """Show the length of texts that are too long to be looked at."""
    for number, at in (
        (bisect_right(tree.ends, at), at)
        for at, text in enumerate(tree.texts)
        if len(text) > longest
    ):
        source = tree.containers[number]
        for key, value in list(source.items() if source.__class__ is dict else enumerate(source)):
            if value.__class__ in TEXTS and len(value) > longest:
                count_cut("length")
                left = f"<{len(value)} characters>"
                source[key] = left if value.__class__ is str else left.encode()
                notes.add(tree.place(number), key, LENGTH)
        tree.texts[at] = ""


def replace_in(source: Any, place: Place | None, hits: Hits, notes: Notes) -> None:
    """Put what is left of each text of a container in its place."""
    find = hits.get
    # What stands under a key is replaced meanwhile, but no key comes or goes.
    for key, value in source.items() if source.__class__ is dict else enumerate(source):
        if value.__class__ is str:
            hit = find(value)
        elif value.__class__ is bytes:
            hit = find(value.decode("latin-1"))
        else:
            continue
        if hit is not None:
            put(hit, source, place, key, notes)


def put(
    hit: tuple[str, Iterable[str]], holder: Any, place: Place | None, key: Any, notes: Notes
) -> None:
    """Put what is left of a text at `holder[key]`."""
    text, rules = hit
    held = holder[key]
    holder[key] = text.encode("latin-1", "replace") if held.__class__ is bytes else text
    for rule in rules:
        notes.add(place, key, rule)
