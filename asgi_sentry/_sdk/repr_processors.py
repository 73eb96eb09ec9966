"""Functions that say how an object is shown, before the SDK's serializer does.

They are registered by `add_global_repr_processor`. Those of the SDK's own integrations describe a
framework's objects, such as Django's querysets, and pass over texts, numbers and plain containers.
One of anybody else's may have something to say of any value.
"""

from __future__ import annotations

from typing import Any

from asgi_sentry._sdk.names import AnnotatedValue, global_repr_processors

PLAIN = frozenset({str, bytes, int, float, bool, type(None), dict, list, tuple})
"""Classes of which none of those of the SDK's own has anything to say."""

_SDK = "sentry_sdk.integrations."


def pass_over_plain() -> bool:
    """Whether all of them pass over plain values."""
    return not global_repr_processors or all(
        getattr(processor, "__module__", "").startswith(_SDK)
        for processor in global_repr_processors
    )


def shown_by_processors(value: Any, depth: int) -> Any:
    """What the first of them that has something to say makes of an object.

    NotImplemented if none has.

    Args:
        value: the object.
        depth: how many levels of containers may be shown below it; at none, the SDK asks none of
            them.

    Raises:
        ValueError: it makes something that is the SDK's own to unfold.
    """
    if not global_repr_processors or depth <= 0 or type(value) in PLAIN:
        return NotImplemented
    hint = {"memo": None, "remaining_depth": depth}
    for processor in global_repr_processors:
        shown = processor(value, hint)
        if shown is not NotImplemented:
            if isinstance(shown, AnnotatedValue):
                raise ValueError("an annotated value is the SDK's own to unfold")
            return shown
    return NotImplemented
