"""The event of a transaction that takes the direct lane.

It is composed in its plain form, without what is the same in each of a client's. Where processors
of the team's look at it, they see it as the SDK has it; and where they change no more than its
tags, what was composed is still what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.serializer import PlainEvent, is_flat

if TYPE_CHECKING:
    from datetime import datetime

    from asgi_sentry._sdk.constant_parts import ConstantParts


class DirectEvent(PlainEvent):
    """An event that takes the direct lane: nobody but the processors has seen it.

    Attributes:
        same: what it has in common with each other one of its client, and lacks yet. Then it is
            plain. None: it is whole, and as the SDK has it.
        composed: what was composed of it, where it is as the SDK has it.
        times: when it ended and began, and each of its spans.
    """

    __slots__ = ("composed", "same", "times")
    composed: DirectEvent | None
    same: ConstantParts | None
    times: list[datetime | None]

    @property
    def is_seen_by_nobody(self) -> bool:
        """Whether no processor of the process is to see it but the SDK's own."""
        return self.same is not None and self.same.alone


def shown(composed: DirectEvent, times: list[datetime | None]) -> DirectEvent:
    """An event as the SDK has it, for processors to see.

    Args:
        composed: in its plain form.
        times: when it ended and began, and each of its spans.
    """
    event = DirectEvent(composed)
    event.same, event.composed, event.times = None, composed, times
    event["timestamp"], event["start_timestamp"] = times[:2]
    event["tags"] = composed["tags"].copy()
    event["contexts"] = contexts = composed["contexts"].copy()
    contexts["trace"] = _copied(contexts["trace"])
    event["spans"] = spans = []
    for at, span in enumerate(composed["spans"], start=1):
        spans.append(_copied(span))
        spans[-1]["timestamp"], spans[-1]["start_timestamp"] = times[2 * at : 2 * at + 2]
    return event


def _copied(span: dict[str, Any]) -> dict[str, Any]:
    return {
        field: value.copy() if value.__class__ is dict else value for field, value in span.items()
    }


def after_processors(event: DirectEvent) -> DirectEvent | None:
    """What was composed of an event that processors have seen; None where they changed more.

    Its tags are what they left.
    """
    composed = event.composed
    if composed is None or composed.same is None:
        return None
    same, tags, spans = composed.same, event.get("tags"), event.get("spans")
    contexts = composed["contexts"]
    if same.runtime is not None:
        contexts = {**contexts, "runtime": same.runtime}
    if (
        tags.__class__ is not dict
        or not is_flat(tags)
        or event.get("extra") != same.extra
        or event.get("contexts") != contexts
        or spans.__class__ is not list
        or len(spans) != len(composed["spans"])
        or _times_of([event, *spans]) != event.times
        or [_without_times(span) for span in spans] != list(map(_without_times, composed["spans"]))
    ):
        return None
    looked_at = _LOOKED_AT if same.extra is None else _LOOKED_AT_WITH_EXTRA
    if composed.keys() - event.keys() or any(
        composed.get(field, event) != event[field] for field in event.keys() - looked_at
    ):
        return None
    composed["tags"] = tags.copy()
    return composed


_TIMES = ("timestamp", "start_timestamp")
_LOOKED_AT = frozenset({*_TIMES, "tags", "contexts", "spans", "event_id"})
_LOOKED_AT_WITH_EXTRA = _LOOKED_AT | {"extra"}


def _times_of(spans: list[Any]) -> list[Any]:
    return [span.get(field) for span in spans for field in _TIMES]


def _without_times(span: dict[str, Any]) -> dict[str, Any]:
    return {field: value for field, value in span.items() if field not in _TIMES}
