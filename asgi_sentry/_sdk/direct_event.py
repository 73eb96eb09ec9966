"""The event of a transaction that takes the direct lane.

It is composed in its plain form, without what is the same in each of a client's. Where processors
of the team's look at it, they see it as the SDK has it; and where they change no more than its
tags, what was composed is still what it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.serializer import PlainEvent, is_flat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asgi_sentry._sdk.constant_parts import ConstantParts
    from asgi_sentry._sdk.names import Span


class DirectEvent(PlainEvent):
    """An event that takes the direct lane: nobody but the processors has seen it.

    Attributes:
        same: what it has in common with each other one of its client, and lacks yet. Then it is
            plain. None: it is whole, and as the SDK has it.
        composed: what was composed of it, where it is as the SDK has it.
        before: what it looks like then, once the SDK's own processors have seen it.
    """

    __slots__ = ("before", "composed", "same")
    before: dict[str, Any]
    composed: DirectEvent | None
    same: ConstantParts | None

    @property
    def is_seen_by_nobody(self) -> bool:
        """Whether no processor of the process is to see it but the SDK's own."""
        return self.same is not None and self.same.alone


def shown(composed: DirectEvent, root: Span, spans: Sequence[Span]) -> DirectEvent:
    """An event as the SDK has it, for processors to see.

    Args:
        composed: in its plain form.
        root: the transaction.
        spans: of which it is.
    """
    before: dict[str, Any] = {
        **composed,
        "timestamp": root.timestamp,
        "start_timestamp": root.start_timestamp,
    }
    # What a processor changes in these is told by what they look like before.
    event = DirectEvent(before)
    event.same, event.composed, event.before = None, composed, before
    event["transaction_info"] = composed["transaction_info"].copy()
    event["tags"], event["measurements"] = composed["tags"].copy(), composed["measurements"].copy()
    user = composed.get("user")
    if user is not None:
        event["user"] = user.copy()
    contexts = event["contexts"] = composed["contexts"].copy()
    contexts["trace"] = _copied(contexts["trace"])
    response = contexts.get("response")
    if response is not None:
        contexts["response"] = response.copy()
    event["spans"] = []
    if spans:
        before["spans"] = [
            {**made, "timestamp": span.timestamp, "start_timestamp": span.start_timestamp}
            for span, made in zip(spans, composed["spans"], strict=True)
        ]
        event["spans"] = list(map(_copied, before["spans"]))
    if composed.same is not None:
        composed.same.expect(before)
        if composed.same.own_come_first:
            composed.same.process(event)
    return event


def _copied(span: dict[str, Any]) -> dict[str, Any]:
    made = span.copy()
    for field in _INNER:
        if field in made:
            made[field] = made[field].copy()
    return made


# The containers of a span, of the root's also, as far as they are composed.
_INNER = ("data", "tags", "dynamic_sampling_context")


def after_processors(event: DirectEvent) -> DirectEvent | None:
    """What was composed of an event that processors have seen; None where they changed more.

    Its tags are what they left.
    """
    composed, tags = event.composed, event.get("tags")
    if composed is None or tags.__class__ is not dict or not is_flat(tags):
        return None
    before = event.before
    before["tags"], before["event_id"] = tags, event.get("event_id")
    if event != before:
        return None
    composed["tags"] = tags.copy()
    return composed
