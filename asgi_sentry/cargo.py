"""Events that travel light: what is heavy goes around the SDK's serializer, from the event processor to the door.

The serializer is half of what a sampled request costs and a good part of an error: it walks every value of an event
through four calls each, for databags to trim and objects to describe, of which most events hold none. So where nobody
else is to see the event before that (no scrubber, no profile that reads it), our processor, the last one, hands the SDK
an event that holds only what the SDK itself needs or trims. The rest, the cargo, hangs on the tag of its event id; the
door puts both together, or before it the wrapper around the user's own hook. Values that are plain JSON already are
copied; if any is not, the SDK's serializer does the whole of the cargo after all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry import sdk

if TYPE_CHECKING:
    from collections.abc import Mapping

# What stays with the SDK: what it asks for itself, or adds to or trims by rules of its own.
_STAYS = frozenset({"event_id", "type", "timestamp", "breadcrumbs", "level", "platform"})
# What says that there is a stack already, or `attach_stacktrace` would attach the one of this very moment.
_STACKS = ("exception", "threads", "stacktrace")
_EMPTY: dict[str, Any] = {}
_BREADTH = 10  # of databags, above which the SDK trims them


class _Count(list[Any]):
    """Says how many spans there are, and holds none: the SDK counts those that processors took away."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def __len__(self) -> int:
        return self._count


def unload(event: Mapping[str, Any], *, hooked: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """The event that the SDK is to see, and the cargo.

    Args:
        event: as it left the processors.
        hooked: whether a hook of the user's is to see it whole. The SDK counts its spans before and after the hook,
            so it must find as many.
    """
    light: dict[str, Any] = {}
    cargo: dict[str, Any] = {}
    for key, value in event.items():
        if key in _STAYS or key.startswith("_") or (key == "extra" and not _is_flat(value)):
            light[key] = value
        else:
            cargo[key] = value
    light["sdk"] = _EMPTY  # or it would be filled in, to be serialized once more for every event
    for key in _STACKS:
        if key in cargo:
            light[key] = {"values": []}
    if "spans" in cargo:
        light["spans"] = [None] * len(cargo["spans"]) if hooked else _Count(len(cargo["spans"]))
    return light, cargo


def _is_flat(extra: Any) -> bool:
    """Whether the SDK would trim nothing of it: of an app that adds no extra, the command line is all there is."""
    return (
        isinstance(extra, dict)
        and len(extra) <= _BREADTH
        and all(
            isinstance(value, str)
            or (isinstance(value, list) and len(value) <= _BREADTH and set(map(type, value)) <= {str})
            for value in extra.values()
        )
    )


def load(light: dict[str, Any], cargo: dict[str, Any]) -> dict[str, Any]:
    """The whole event, serialized; the event that went through the SDK is not used again."""
    light = {key: value for key, value in light.items() if key not in cargo and key != "sdk"}
    sdk.mark_in_app(cargo)
    event = sdk.serialized(cargo)
    event.setdefault("sdk", sdk.description())
    meta, more = event.pop("_meta", None), light.pop("_meta", None)
    event.update(light)
    if meta or more:
        event["_meta"] = {**(meta or {}), **(more or {})}
    return event
