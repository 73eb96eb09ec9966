"""Whose something is that is sent, or that is started.

The request that is found for it, wherever it was made.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._request.lately import Bystander, lately, owner_of_orphan
from asgi_sentry._request.record import RequestRecord, current, current_or_former

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._request.report import Report


def reporter_of(item: Mapping[str, Any], hint: Mapping[str, Any]) -> Report | Bystander | None:
    """Who scrubs a log, a metric or a span that is just made.

    None where no request can have to do with it.
    """
    record, former = current_or_former()
    name = (item.get("attributes") or {}).get("logger.name")
    if name == "asyncio":
        owner = owner_of_orphan({"logger": name}, hint)
        if type(owner) is RequestRecord:
            record = owner
    if record is not None:
        return record.report()
    if former is None:
        return lately.bystander()
    return lately.bystander(former)


def find_request(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
    """An event processor for all events of the process.

    Those that asyncio complains by find their request.
    """
    try:
        if event.get("type") is None and sdk.OWNER.get(False) is False:
            owner = owner_of_orphan(event, hint)
            if type(owner) is RequestRecord:
                return owner.claim(event, hint)
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("looking for an event's request", exc, "it goes without it")
    return event


def look_at_captured(client: Any, event: dict[str, Any]) -> dict[str, Any] | None:
    """An event that a client is handed by hand, without a scope.

    Nothing of a request leaves by it as it is.

    Args:
        client: that sends it.
        event: as it was handed over; the caller's.

    Returns:
        The event, scrubbed where no door does it later; None if that was not possible.
    """
    try:
        record = current()
        if record is None:
            sdk.warn_of(client)
            return event
        if record.view.door is not None:
            sdk.guard(client, record.view.door)
        if (
            client.transport is None
            or getattr(client.transport, "asgi_sentry_door", None) is not None
        ):
            return event
        event = sdk.PlainEvent(event)
        sdk.attach_stack(event, client)
        event = sdk.serialized(event, client)
        record.report().scrub_event(event, owned=True)
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("scrubbing", exc, "the event is not sent")
        return None
    return event


def _trace_being_served() -> sdk.TraceContext | None:
    record = current()
    if record is None or record.closed:
        return None
    context: sdk.TraceContext = record.context
    return context


sdk.watch_events(find_request)
sdk.on_capture.append(look_at_captured)
sdk.trace_being_served.append(_trace_being_served)
