"""How a payload is read field by field: which are protocol, which are text, which are data.

Protocol fields (types, levels, ids, release, environment, platform, server, module, function and
file names, source lines) are never touched by taint: a client must not be able to blank out an
event by sending a clever cookie. Value rules still apply to those that hold text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.tree.plain import KEPT_MODULES, SCALARS, Rebuilt

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping

    from asgi_sentry._scrubbing.tree.walk import Walk

    # A field's way: one of the constants, or a function of the walk, the value, its holder and key,
    # and their place.
    Action = int | Callable[[Walk, Any, Any, Any, Any], None]
    Schema = Mapping[str, Action]

# Keys decide; taint and rules; the same, but no word of a client's touches what the app says;
# rules; nothing.
DATA, TEXT, WORDS, FIXED, ID = range(5)
_NUMBERS = (int, float, type(None))
LONGEST_ID = 64
_DEEPEST = 16


def add(walk: Walk, action: Action, value: Any, holder: Any, key: Any, place: Any) -> None:
    """Have a field go its way."""
    if callable(action):
        action(walk, value, holder, key, place)
    elif action in (DATA, TEXT):
        walk.add(value, holder, key, place)
    elif action == WORDS:
        walk.words(value, holder, key, place)
    elif action == FIXED or not is_id(value):
        add_fixed(walk, value, holder, key, place)


def is_id(value: Any) -> bool:
    """Whether a value is as short as ids are, or a number, or a date."""
    if isinstance(value, str):
        return len(value) <= LONGEST_ID
    return isinstance(value, _NUMBERS) or value.__class__.__module__ in KEPT_MODULES


def add_fixed(walk: Walk, value: Any, holder: Any, key: Any, place: Any, depth: int = 0) -> None:
    """Protocol: all its texts without taint, and no key decides."""
    if value.__class__ is str:
        walk.fixed(value, holder, key, place)
    elif isinstance(value, (dict, list)) and depth < _DEEPEST:
        value = walk.own(value, holder, key)
        if _all_known(walk, value):
            return
        here = (place, key)
        for inner, one in list(value.items() if isinstance(value, dict) else enumerate(value)):
            add_fixed(walk, one, value, inner, here, depth + 1)
    elif value is not None and not isinstance(value, (bool, int, float)):
        walk.add(value, holder, key, place)


def is_known(value: Any, lines: Container[str], depth: int = 0) -> bool:
    """Whether all that the protocol has in a value was found harmless before."""
    if value.__class__ is str:
        return value in lines
    if value.__class__ is dict or value.__class__ is list:
        inner = value.values() if value.__class__ is dict else value
        return depth < _DEEPEST and all(is_known(one, lines, depth + 1) for one in inner)
    return value.__class__ in SCALARS


def _all_known(walk: Walk, value: dict[Any, Any] | list[Any]) -> bool:
    known = walk.ruleset.lines
    try:
        return all(map(known.__contains__, value.values() if isinstance(value, dict) else value))
    except TypeError:  # a container within
        return False


def add_fields(walk: Walk, schema: Schema, value: dict[Any, Any], here: Any) -> dict[Any, Any]:
    """Have each known field of an object go its way; the others are returned."""
    others = {}
    find = schema.get
    for field, inner in value.items():
        way = find(field)
        if way is None:
            others[field] = inner
        elif inner is None:
            continue
        elif way == ID:
            if inner.__class__ not in SCALARS and not is_id(inner):
                add_fixed(walk, inner, value, field, here)
        elif way in (TEXT, DATA):
            walk.add(inner, value, field, here)
        else:
            add(walk, way, inner, value, field, here)
    return others


def an_object(schema: Schema, rest: Action = DATA) -> Callable[[Walk, Any, Any, Any, Any], None]:
    """An object with known fields; the others go the way of `rest`."""

    def action(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
        if value.__class__ is not dict:
            walk.add(value, holder, key, place)
            return
        if walk.copies:
            value = walk.own(value, holder, key)
        here = (place, key)
        others = add_fields(walk, schema, value, here)
        if not others:
            return
        if rest == DATA:  # as one object, so that keys decide, and pairs of name and value are seen
            walk.members(others, value, here)
            return
        odd = {field: inner for field, inner in others.items() if is_odd(field)}
        if odd:
            walk.members(odd, value, here)
        for field, inner in others.items():
            if field not in odd:
                add(walk, rest, inner, value, field, here)

    return action


def is_odd(name: Any) -> bool:
    """Whether the name of a context may hold a secret itself, and so is read as a key of data."""
    return (
        name.__class__ is not str
        or len(name) > _LONGEST_NAME
        or (len(name) >= _SHORTEST_ODD and not _PLAIN_NAME.fullmatch(name))
    )


_LONGEST_NAME, _SHORTEST_ODD = 80, 12  # characters
_PLAIN_NAME = re.compile(r"[A-Za-z_. -]{1,80}")


def each(action: Action) -> Callable[[Walk, Any, Any, Any, Any], None]:
    """A list, plain or as `{"values": [...]}`."""

    def actions(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
        if isinstance(value, Rebuilt) and value.wrapper is not None:
            value = value[0]  # in the SDK's mark that some were dropped
        if isinstance(value, dict) and "values" in value:
            value = walk.own(value, holder, key)
            holder, key, place, value = value, "values", (place, key), value["values"]
            if len(holder) > 1:  # nobody knows what stands there besides
                others = {name: one for name, one in holder.items() if name != "values"}
                walk.members(others, holder, place)
        if isinstance(value, Rebuilt) and value.wrapper is not None:
            value = value[0]
        if not isinstance(value, list):
            if value is not None:
                walk.add(value, holder, key, place)
            return
        if walk.copies:
            value = walk.own(value, holder, key)
        here = (place, key)
        if callable(action):
            for index, one in enumerate(value):
                action(walk, one, value, index, here)
        else:
            for index, one in enumerate(value):
                add(walk, action, one, value, index, here)

    return actions
