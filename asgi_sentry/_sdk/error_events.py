"""Errors of requests, as events."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry._sdk.chains import hides_members
from asgi_sentry._sdk.names import (
    VERSION_3,
    event_from_exception,
    exceptions_from_error,
    has,
    sdk_utils,
)
from asgi_sentry._sdk.stand_ins import stand_in

if TYPE_CHECKING:
    from types import TracebackType

    from asgi_sentry._sdk.client_view import ClientView

    ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None]


_STACKS = ("exception", "stacktrace", "threads")
_OF_STACKS = ("include_local_variables", "include_source_context")
# Version 3 looks them up itself.
_TAKES_OPTIONS = (
    has("errors") and "client_options" in inspect.signature(event_from_exception).parameters
)


def capture_error(view: ClientView, exc: BaseException | ExcInfo, *, handled: bool) -> None:
    """Report an exception of a request, with its traceback, through every processor and hook.

    Args:
        view: the client's.
        exc: the exception, or what `sys.exc_info()` said of it while it still had its traceback.
        handled: whether somebody meant to answer it.
    """
    if not has("errors"):
        sentry_sdk.capture_exception(exc)
        return
    options: dict[str, Any] = {"mechanism": {"type": "asgi", "handled": handled}}
    if _TAKES_OPTIONS:
        options["client_options"] = view.client.options
    event, hint = _told(exc, options)
    sentry_sdk.capture_event(event, hint=hint)


def _told(exc: BaseException | ExcInfo, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """An exception as an event, with its hint; what the SDK can't cope with is left out."""
    try:
        return _event_of(exc, options)
    except Exception:
        if _TAKES_OPTIONS:
            # The SDK's own, where `add_full_stack` meets lines of source that are cut or missing.
            simple = {**options["client_options"], "add_full_stack": False}
            options = {**options, "client_options": simple}
    try:
        return _event_of(exc, options)
    except Exception:
        value = exc if isinstance(exc, BaseException) else exc[1]
        traceback = value.__traceback__ if isinstance(exc, BaseException) else exc[2]
        standing = stand_in(value)
        event, hint = _event_of((type(standing), standing, traceback), options)
        # By the exception itself it is told from others.
        return event, {**hint, "exc_info": (type(value), value, traceback)}


def _event_of(exc: BaseException | ExcInfo, options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """An exception as the SDK tells it, with the members of each group."""
    event, hint = event_from_exception(exc, **options)
    kind, value, traceback = hint["exc_info"]
    # A framework's own exception around what a group of tasks raised (Litestar's streams), say.
    if not VERSION_3 and has("groups") and hides_members(value):
        _, values = exceptions_from_error(kind, value, traceback, **options)
        event["exception"]["values"] = values[::-1]
    return event, hint


def capture_response(view: ClientView, name: str, status: int) -> None:
    """Report a failed response, behind which no error is known.

    Args:
        view: the client's.
        name: of the request.
        status: of the response.
    """
    message = f"{name} answered {status}"
    sentry_sdk.capture_event({"level": "error", "logentry": {"message": message}})


def attach_stack(event: dict[str, Any], client: Any) -> None:
    """Attach what the SDK would after all processors, so that it is scrubbed with the rest.

    Args:
        event: that a client without a door is to send.
        client: that sends it.
    """
    options = client.options
    if not options.get("attach_stacktrace") or not event.keys().isdisjoint(_STACKS):
        return
    values = []
    make = getattr(sdk_utils, "current_stacktrace", None)
    if make is not None:
        taken = inspect.signature(make).parameters
        given = {name: options.get(name, True) for name in _OF_STACKS if name in taken}
        values = [{"stacktrace": make(**given), "crashed": False, "current": True}]
    event["threads"] = {"values": values}
