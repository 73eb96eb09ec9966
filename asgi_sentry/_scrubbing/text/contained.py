"""Containers of JSON in a text under a denied name: whether they are left, as in the tree they are.

A card by its members, a session that is described, a schema, a date that is not given. What is no
JSON, or long, is redacted as a whole.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.keys import MEMBERS
from asgi_sentry._scrubbing.look import looks_random

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.keys import Keys

__all__ = ["is_left"]

_LONGEST = 2000  # characters of a container that is read


def is_left(text: str, start: int, end: int, name: str, keys: Keys) -> bool:
    """Whether a container stays, since its members have names of their own, or hold nothing.

    Args:
        text: in which it stands.
        start: where it begins.
        end: where it ends.
        name: the denied name in front of it.
        keys: what names mean.
    """
    value = _loaded(text, start, end)
    if value is None:
        return False
    if keys.spares(name, value):
        return True
    return isinstance(value, dict) and keys.describes(name, value) and not _hides(value)


def _loaded(text: str, start: int, end: int) -> Any:
    """What stands between two places, maybe with its quotes escaped; None if it is no JSON."""
    if end - start > _LONGEST or '"' not in text[start : start + 20]:
        return None
    shown = text[start:end]
    if shown.count('\\"') == shown.count('"'):
        shown = shown.replace('\\"', '"')
    try:
        return json.loads(shown)
    except (ValueError, RecursionError):
        return None


def _hides(value: dict[Any, Any]) -> bool:
    """Whether a container that describes a secret has it among its members."""
    is_resource = "object" in value
    return any(
        isinstance(told, str) and (key in MEMBERS or (not is_resource and looks_random(told)))
        for key, told in value.items()
    )
