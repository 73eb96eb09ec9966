"""The direct lane: a transaction's way from its end to the transport, without the SDK's detour.

`Transaction.finish` merges three scopes into a fourth, applies that to the event, and has the
client prepare and serialize it. All of this is done here for a transaction as most are: nothing
attached, no profile, no scrubber of the user's, no Spotlight. Processors and hooks are called in
the SDK's own order, with an event that looks as the SDK's does: first those of the process, then of
the global, the isolation and the current scope; then the event is made plain; then comes
`before_send_transaction`. What the lane can't do, and whatever fails in it before a processor was
called, goes the general way; `counters()` says how many took which.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

from sentry_sdk.envelope import Envelope

from asgi_sentry import _faults as faults
from asgi_sentry._sdk.constant_parts import complete
from asgi_sentry._sdk.direct_event import DirectEvent, after_processors
from asgi_sentry._sdk.names import (
    AnnotatedValue,
    _isolation_scope,
    global_event_processors,
    handle_in_app,
    sdk_scope,
)
from asgi_sentry._sdk.scopes import OWNER
from asgi_sentry._sdk.serializer import serialized
from asgi_sentry._sdk.sessions import RequestSession
from asgi_sentry._sdk.times import now

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.constant_parts import ConstantParts

_WITH_STACKS = ("stacktrace", "threads", "exception")


class Merged(NamedTuple):
    """The scopes of a transaction, from the outermost in."""

    scopes: tuple[Any, ...]
    with_data: tuple[Any, ...]  # those of them that something was set on

    def last(self, name: str) -> Any:
        """What the innermost scope says that says anything."""
        for scope in reversed(self.with_data):
            value = getattr(scope, name)
            if value is not None:
                return value
        return None

    def all(self, name: str) -> dict[str, Any]:
        """What all of them say together."""
        joined: dict[str, Any] = {}
        for scope in self.with_data:
            joined.update(getattr(scope, name))
        return joined


def sent(view: ClientView, event: DirectEvent, merged: Merged) -> str | None:
    """Apply, process, serialize and send an event: `Scope.capture_event`, from there on."""
    client = view.client
    made = os.urandom(16).hex()
    # A random UUID (RFC 9562, 5.4), which costs a fifth of what `uuid4` does.
    event["event_id"] = event_id = f"{made[:12]}4{made[13:16]}8{made[17:]}"
    hint: dict[str, Any] = {"attachments": []}
    spans_before = len(event["spans"])
    if event.same is None and event.composed is None:
        _apply(event, merged)
    plain = _through_processors(event, hint, merged.scopes[-1]._event_processors)
    if plain is None:
        _lose(client, "event_processor", spans_before)
        return None
    _count_spans(client, plain, spans_before)
    same = plain.same if type(plain) is DirectEvent else None
    if same is None or getattr(plain["event_id"], "owed", None) is None:
        plain = _whole(client, plain, same)
    session = _foreign_session(merged.scopes)
    hook = client.options["before_send_transaction"]
    if hook is not None and plain.get("type") == "transaction":
        plain = _hooked(client, hook, plain, hint)
        if plain is None:
            return None
    if session is not None:
        client._update_session_from_event(session, event)
    trace_context = plain.get("contexts", {}).get("trace") or {}
    sampling = trace_context.pop("dynamic_sampling_context", None) or {}
    attachments = hint.get("attachments") or ()
    transport, envelope = client.transport, None
    if attachments or plain.get("type") != "transaction":
        envelope = _unsealed(plain, sampling, attachments)
    else:
        envelope = view.door.sealed(plain, sampling, transport.record_lost_event)
    if envelope is not None:
        transport.capture_envelope(envelope)
    return event_id


def _unsealed(event: dict[str, Any], sampling: dict[str, Any], attachments: Any) -> Envelope:
    """An envelope for the door to look at, as the SDK makes one."""
    headers: dict[str, Any] = {"event_id": event["event_id"], "sent_at": now()}
    if sampling:
        headers["trace"] = sampling
    envelope = Envelope(headers=headers)
    envelope.add_transaction(event)  # type: ignore[arg-type]  # its events are TypedDicts
    for attachment in attachments:
        envelope.add_item(attachment.to_envelope_item())
    return envelope


def _foreign_session(scopes: tuple[Any, ...]) -> Any:
    """The session that goes by what is sent, if it is none of ours, which are counted by us."""
    for scope in reversed(scopes):
        if getattr(scope, "tracks", False):  # ours, and not made yet
            return None
        session = scope._session
        if session is not None:
            return None if type(session) is RequestSession else session
    return None


def _whole(client: Any, event: dict[str, Any], same: ConstantParts | None) -> dict[str, Any]:
    """An event with all that belongs to it, in its plain form."""
    if same is not None:
        same.add_to(event)
    complete(client, event)
    if any(part in event for part in _WITH_STACKS):  # of a processor's
        options = client.options
        exclude, include = options["in_app_exclude"], options["in_app_include"]
        handle_in_app(event, exclude, include, options["project_root"])  # type: ignore[arg-type]
    return serialized(event, client)


def _apply(event: dict[str, Any], merged: Merged) -> None:
    """`Scope.apply_to_event`, for a transaction."""
    if not merged.with_data:
        return
    contexts = merged.all("_contexts")
    if contexts:
        trace = event["contexts"]["trace"]
        event["contexts"].update(contexts)
        if event["contexts"].get("trace") is None:
            event["contexts"]["trace"] = trace
    level, fingerprint, user = (
        merged.last("_level"),
        merged.last("_fingerprint"),
        merged.last("_user"),
    )
    if level is not None:
        event["level"] = level
    if fingerprint is not None:
        event["fingerprint"] = fingerprint
    if user is not None:
        event["user"] = user
    event["tags"].update(merged.all("_tags"))
    extras = merged.all("_extras")
    if extras:
        event["extra"] = extras


def _through_processors(
    event: DirectEvent, hint: dict[str, Any], own: list[Any]
) -> dict[str, Any] | None:
    """What all event processors leave of an event, in the SDK's order.

    Args:
        event: composed, where nobody but the SDK's own and ours has a say in it: what the SDK's own
            would do is known.
        hint: for the processors.
        own: the processors of the current scope, which come last; and the last of these is the
            request's, unless somebody has set another behind it.
    """
    if event.same is not None:
        return _processed(event, hint, own)
    composed = event.composed
    same = None if composed is None else composed.same
    # What the SDK's own would do is done, where they are the first.
    others = [
        *(same.others if same is not None and same.own_come_first else global_event_processors)
    ]
    for scope in (sdk_scope._global_scope, _isolation_scope.get()):
        if scope is not None:
            others += scope._event_processors
    left = _processed(event, hint, [*others, *own[:-1]])
    if left is event and getattr(own[-1], "__self__", None) is OWNER.get(None):
        composed = None
        try:
            composed = after_processors(event)
        except Exception as exc:  # an object of the app's that can't be compared
            faults.note("the direct lane", exc, "the transaction is looked at as a whole")
        if composed is not None:
            composed["event_id"] = event["event_id"]
            left = composed
    if left is None:
        return None
    return _processed(left, hint, own[-1:])


def _processed(
    event: dict[str, Any], hint: dict[str, Any], processors: Iterable[Any]
) -> dict[str, Any] | None:
    """What event processors leave of an event.

    One that raises is passed over, as the SDK does it.
    """
    for processor in processors:
        made: dict[str, Any] | None = event
        try:
            made = processor(event, hint)
        except Exception as exc:
            faults.note("an event processor", exc, "the event goes on as it was")
        if made is None:
            return None
        event = made
    return event


def _count_spans(client: Any, event: dict[str, Any], before: int) -> None:
    """Count the spans that the recorder or a processor dropped.

    The event says how many there were.
    """
    lose = client.transport.record_lost_event
    left = before - len(event.get("spans") or ())
    dropped = event.pop("_dropped_spans", 0)
    if left > 0:
        lose("event_processor", data_category="span", quantity=left)
    if dropped > 0:
        lose("buffer_overflow", data_category="span", quantity=dropped)
    if dropped + left > 0:
        event["spans"] = AnnotatedValue(event.get("spans", []), {"len": before + dropped + left})


def _lose(client: Any, reason: str, spans: int) -> None:
    """Count a transaction that is not sent, with its spans."""
    lose = client.transport.record_lost_event
    lose(reason, data_category="transaction")
    lose(reason, data_category="span", quantity=spans + 1)


def _hooked(
    client: Any, hook: Any, event: dict[str, Any], hint: dict[str, Any]
) -> dict[str, Any] | None:
    """What `before_send_transaction` leaves of an event. It fails closed, as with the SDK."""
    before, reason = len(event.get("spans") or ()), "before_send"
    made = None
    try:
        made = hook(event, hint)
    except Exception as exc:
        reason = "callback_error"
        faults.note("before_send_transaction", exc, "the transaction is not sent")
    if made is None:
        _lose(client, reason, before)
        return None
    left = before - len(made.get("spans") or ())
    if left > 0:
        client.transport.record_lost_event("before_send", data_category="span", quantity=left)
    return made  # type: ignore[no-any-return]
