"""The secrets in a body as most are: objects whose names say nothing, and texts that are just that.

It is told of all texts together. What is less usual (a denied name, a pair of a name and a value,
JSON in a text) is read member by member (`in_data.of_body`), which comes to the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.taint.in_data import (
    MOST_NODES,
    PAIRED,
    TOLD_BY_LOOK,
    TooManyError,
    of_body,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._scrubbing.ruleset import Ruleset


def secrets_of_body(body: object, keys: Ruleset) -> list[str]:
    """What is secret in a body.

    Most objects have names that say nothing, and texts that are no more than that, which is told of
    all their texts together.

    Raises:
        TooManyError: it has too many members.
    """
    pending: list[Any] = [body]
    others: list[Any] = []
    texts: list[str] = []
    plain, visited = keys.keys.plain, 0
    for value in pending:  # which grows meanwhile
        visited += 1
        if visited > MOST_NODES:
            raise TooManyError
        if value.__class__ is str:
            texts.append(value)
            continue
        if value.__class__ is list and not _is_pair(value):
            members: Iterable[Any] = value
        elif value.__class__ is dict and _say_nothing(value, plain):
            members = value.values()
        elif value is None or value.__class__ in _NUMBERS:
            continue
        else:
            others.append(value)
            continue
        for inner in members:
            if inner.__class__ is str:
                texts.append(inner)
            elif inner is not None and inner.__class__ not in _NUMBERS:
                pending.append(inner)
    joined = "\0" + "\0".join(texts)
    if "\0{" in joined or "\0[" in joined or PAIRED.search(joined):
        others += [text for text in texts if text[:1] in _JSON or PAIRED.search(text)]
    found: list[str] = []
    for value in others:
        found += of_body(value, keys)
    return found


def _is_pair(value: list[Any]) -> bool:
    """Whether a list may be a name with its value."""
    return len(value) == 2 and value[0].__class__ is str


def _say_nothing(value: dict[Any, Any], plain: set[object]) -> bool:
    """Whether the names in an object say nothing, of whatever it holds."""
    return (
        plain.issuperset(value)
        and "query" not in value
        and TOLD_BY_LOOK.isdisjoint(map(str.lower, value))
    )


_NUMBERS = frozenset({int, float, bool})
_JSON = frozenset("{[")
