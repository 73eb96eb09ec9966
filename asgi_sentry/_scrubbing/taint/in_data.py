"""Where secrets are in data: in a body, and in JSON that stands in a text.

The names within a denied object speak for themselves; a list has none, so its members go by its
name.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing import terms
from asgi_sentry._scrubbing.keys import DENIED, LOOKED, MAYBE
from asgi_sentry._scrubbing.taint.strength import STRONG, WEAK, strength
from asgi_sentry._scrubbing.text.pairs import PASSWORD, pair_spans

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._scrubbing.ruleset import Ruleset

MOST_NODES = 50_000  # of a body
_DEEPEST_JSON, LONGEST_JSON = 3, 262_144  # of JSON in texts
# RFC 6749: a code can be exchanged for a token, and the state ties it to a session.
TOLD_BY_LOOK = frozenset({"code", "state", "nonce", "samlresponse", "relaystate"})
_SHORTEST_OAUTH = 16
_BESIDE = frozenset(terms.VALUES)
# Of GraphQL: a variable.
_ARGUMENT = re.compile(r"([A-Za-z_]\w{0,100})\s{0,10}:\s{0,10}\$([A-Za-z_]\w{0,100})")
PAIRED = re.compile("[=:>]")  # in each text with a name and a value in it


class TooManyError(Exception):
    """There are more headers, fields of a query or members of a body than are looked at."""


def texts_of(raw: bytes) -> list[str]:
    """Bytes of a request as text, in both ways that frameworks decode them."""
    text = raw.decode("latin-1")
    if text.isascii():
        return [text]
    try:
        return [text, raw.decode("utf-8")]
    except UnicodeDecodeError:
        return [text]


def is_secret(name: str, text: str, keys: Ruleset) -> bool:
    """Whether a text is secret by its name, or by both."""
    meaning = keys.keys.meaning(name)
    if meaning == DENIED:
        return True
    if meaning in (LOOKED, MAYBE):
        return strength(text) == STRONG
    return name.lower() in TOLD_BY_LOOK and len(text) >= _SHORTEST_OAUTH and strength(text) != WEAK


def of_json(text: str, keys: Ruleset, depth: int = _DEEPEST_JSON) -> Iterator[str]:
    """The secrets in JSON that stands in a text."""
    if depth <= 0 or len(text) > LONGEST_JSON:
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from (
            text[start:end] for start, end, rule in pair_spans(text, keys.keys) if rule == PASSWORD
        )
        return
    yield from of_body(value, keys, depth - 1)


def of_body(body: object, keys: Ruleset, depth: int = _DEEPEST_JSON) -> Iterator[str]:
    stack: list[tuple[Any, int]] = [(body, _PLAIN)]
    visited = 0
    while stack:
        value, how = stack.pop()
        visited += 1
        if visited > MOST_NODES:
            raise TooManyError
        if isinstance(value, dict):
            stack += reversed(_of_members(value, how, keys))
        elif isinstance(value, (list, tuple)):
            # Maybe a pair of a name and a value.
            if how != _SECRET and len(value) == 2 and isinstance(value[0], str):
                stack += [(value[1], _how(value[0], value[1], how, keys)), (value[0], how)]
            else:
                stack.extend((inner, how) for inner in reversed(value))
        elif isinstance(value, bytes):
            stack.extend((text, how) for text in texts_of(value))
        elif isinstance(value, str):
            yield from _of_text(value, how, keys, depth)
        elif how == _SECRET and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield str(value)


def _of_members(value: dict[Any, Any], how: int, keys: Ruleset) -> list[tuple[Any, int]]:
    """The members of an object, each with how it stands."""
    members: list[tuple[Any, int]] = []
    if not _BESIDE.isdisjoint(value):
        named = (value[key] for key in terms.NAMES if isinstance(value.get(key), str))
        if any(keys.keys[name] == DENIED for name in named):
            members += ((value[key], _SECRET) for key in terms.VALUES if key in value)
    graphql = _denied_variables(value, keys)
    within = _WITHIN if how else _PLAIN
    for key, inner in value.items():
        if graphql and key == "variables":
            members.append((_as_named(inner, graphql), within))
        else:
            members.append((inner, _how(key, inner, within, keys)))
    return members


def _how(key: Any, value: Any, otherwise: int, keys: Ruleset) -> int:
    """How a value stands by its own name."""
    if keys.keys[key] == DENIED:
        return otherwise if keys.keys.spares(key, value) else _SECRET
    named = isinstance(key, str) and isinstance(value, str) and is_secret(key, value, keys)
    return _SECRET if named else otherwise


# How a value stands: under a name of its own that says nothing, under one that is denied, or within
# what such a name holds, where it has a name of its own again.
_PLAIN, _SECRET, _WITHIN = range(3)


def _of_text(value: str, how: int, keys: Ruleset, depth: int) -> Iterator[str]:
    if how == _SECRET or (how == _WITHIN and strength(value) == STRONG):
        yield value
    if value[:1] in {"{", "["}:
        yield from of_json(value, keys, depth)
    elif how == _PLAIN and PAIRED.search(value):  # XML, GraphQL, or JSON that was cut off
        yield from (
            value[start:end]
            for start, end, rule in pair_spans(value, keys.keys)
            if rule == PASSWORD
        )


def _denied_variables(value: dict[Any, Any], keys: Ruleset) -> set[str]:
    """The variables of a GraphQL request that fill in an argument whose name is denied."""
    query = value.get("query")
    if not isinstance(query, str) or "$" not in query:
        return set()
    return {
        match[2] for match in _ARGUMENT.finditer(query) if keys.keys.meaning(match[1]) == DENIED
    }


def _as_named(variables: Any, denied: set[str]) -> Any:
    """Variables of GraphQL under names that tell which of them are secret."""
    if isinstance(variables, str):
        try:
            variables = json.loads(variables[:LONGEST_JSON])
        except (ValueError, RecursionError):
            return variables
    if not isinstance(variables, dict):
        return variables
    return {
        f"{name}_password" if name in denied else name: inner for name, inner in variables.items()
    }
