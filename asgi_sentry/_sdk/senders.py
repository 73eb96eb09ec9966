"""Which client sends an event. An app may have several: one for each project, or for each tenant.

Mostly it is the client of the scopes around. But a client can be called by hand, with those same
scopes, and an event processor is not told by whom it is called. So the frame of the client's own
method is looked for.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry._sdk.client_view import ClientView, forget_view, view, view_of
from asgi_sentry._sdk.fork import on_client, watch_clients
from asgi_sentry._sdk.names import add_global_event_processor, prepares_event
from asgi_sentry._sdk.scopes import OWNER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_FRAMES = 12  # between an event processor and the client are three to five

_set_door: Callable[[Any, Any], None] | None = None
_watching: set[Callable[..., Any]] = set()


def sending_client() -> Any:
    """The client on whose behalf an event processor runs."""
    frame = sys._getframe(1)
    for _ in range(_FRAMES):
        above = frame.f_back
        if above is None or prepares_event is None:
            break
        frame = above
        if frame.f_code is prepares_event:
            return frame.f_locals["self"]
    return sentry_sdk.get_client()


def sender(around: ClientView) -> ClientView:
    """The view of the client that sends the event at hand.

    It is behind a door if the request's own is.

    Args:
        around: of the client that was there when the request was opened.
    """
    client = sending_client()
    if client is around.client:
        return around
    if around.door is not None:
        guard(client, around.door)
    return view_of(client)


def guard_by(set_door: Callable[[Any, Any], None]) -> None:
    """Say how a door is set before a client that was made without one.

    From then on such clients are looked out for.

    Args:
        set_door: takes the client, and the door of the one that was made with it.
    """
    global _set_door  # noqa: PLW0603 - one SDK a process
    _set_door = set_door
    watch_events(_watch)
    watch_clients()


def watch_events(
    look: Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any] | None],
) -> None:
    """Have an event processor see each event of the process.

    It comes before all others, for every client, and is added once.
    """
    if look not in _watching:
        _watching.add(look)
        if add_global_event_processor is not None:
            add_global_event_processor(look)  # type: ignore[arg-type]  # its events are TypedDicts


def guard(client: Any, door: Any) -> None:
    """Set a door before a second client that a request sends by, if it has none."""
    if (
        _set_door is None
        or client.transport is None
        or getattr(client.transport, "asgi_sentry_door", None) is not None
    ):
        return
    _warn()
    try:
        _set_door(client, door)
        forget_view()
    except Exception as exc:
        faults.note(
            "setting a door before a second client",
            exc,
            "only events of requests are scrubbed for it",
        )


def _sighted(client: Any) -> None:
    """Set a door before a client that is set on a scope of a request."""
    around = view()
    if (
        client is not None
        and around is not None
        and around.door is not None
        and client is not around.client
    ):
        guard(client, around.door)


on_client.append(_sighted)


def _watch(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any]:
    """An event processor for all clients of the process.

    Whether one without a door sends outside of requests.
    """
    if not OWNER.get(False):  # a request's is looked at by its own processor
        try:
            warn_of(sending_client())
        except Exception as exc:
            faults.note("looking at a client", exc, "it is sent as it is")
    return event


def warn_of(client: Any) -> None:
    """Say once that a client without a door sends something outside of requests.

    Where the SDK was started without us, none has one.
    """
    without = (
        client.transport is not None and getattr(client.transport, "asgi_sentry_door", None) is None
    )
    if _set_door is not None and without:
        _warn()


def _warn() -> None:
    faults.once(
        "A client that asgi_sentry did not make sends something: outside of requests it is not "
        "scrubbed. "
        "Make it by asgi_sentry.make_client instead."
    )
