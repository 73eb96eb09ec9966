"""A body that was parsed, as the SDK's serializer trims it.

https://develop.sentry.dev/sdk/expected-features/data-handling/#variable-size.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import MAX_DATABAG_BREADTH, MAX_DATABAG_DEPTH
from asgi_sentry._sdk.serializer import FLAT, UNLIMITED, NotPlainError, is_flat, plain_copy

if TYPE_CHECKING:
    from collections.abc import Mapping


def trimmed_body(value: Any, options: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What the SDK's serializer leaves of a body that was parsed, and what `_meta` says of it.

    Args:
        value: plain.
        options: of the client.

    Raises:
        ValueError: that is the serializer's own to tell.
    """
    meta: dict[str, Any] = {}
    if options.get("max_value_length") is not None or options.get("custom_repr") is not None:
        raise NotPlainError
    if options.get("max_request_body_size") == "always":
        return plain_copy(value, UNLIMITED), meta
    return _trimmed(value, MAX_DATABAG_DEPTH, meta), meta


def _trimmed(value: Any, depth: int, meta: dict[str, Any]) -> Any:
    if not isinstance(value, (dict, list)):
        return plain_copy(value, UNLIMITED)
    if depth <= 1:  # where even its members are shown in another way
        raise NotPlainError
    if len(value) > MAX_DATABAG_BREADTH:
        meta[""] = {"len": len(value)}
    if isinstance(value, list):
        return [
            _member(each, depth, str(at), meta)
            for at, each in enumerate(value[:MAX_DATABAG_BREADTH])
        ]
    if len(value) <= MAX_DATABAG_BREADTH and is_flat(value):
        return value.copy()
    made: dict[str, Any] = {}
    for key, each in islice(value.items(), MAX_DATABAG_BREADTH):
        made[str(key)] = _member(each, depth, str(key), meta)
    return made


def _member(value: Any, depth: int, key: str, meta: dict[str, Any]) -> Any:
    if value.__class__ in FLAT:
        return value
    inner: dict[str, Any] = {}
    made = _trimmed(value, depth - 1, inner)
    if inner:
        meta[key] = inner
    return made
