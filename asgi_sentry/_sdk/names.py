"""Every name that we take out of sentry-sdk beyond what it documents, by group.

Nothing else imports one. A release of the SDK may take any of them away. What then is lost is the
part that needs the name's group, never the app and never its errors: `LOST` says what that is,
`has` is asked by whoever needs a group, and `view` says once what is missing.
`tests/sdk/test_names.py` hides each of the names in turn.
"""

from __future__ import annotations

from contextvars import ContextVar
from importlib import import_module
from typing import TYPE_CHECKING, Any

import sentry_sdk

# Which knows spans that are streamed, and nothing else.
VERSION_3 = int(sentry_sdk.VERSION.partition(".")[0]) >= 3
_CLIENT, _INTEGRATIONS, _SCOPE = "sentry_sdk.client", "sentry_sdk.integrations", "sentry_sdk.scope"
_SERIALIZER, _TRACING = "sentry_sdk.serializer", "sentry_sdk.tracing_utils"
_TRACES, _TRANSPORT, _UTILS = "sentry_sdk.traces", "sentry_sdk.transport", "sentry_sdk.utils"

# Of a scope, what we read and write of each request's.
_SLOTS = (
    *(
        "_breadcrumbs",
        "_event_processors",
        "_force_auto_session_tracking",
        "_n_breadcrumbs_truncated",
    ),
    *("_propagation_context", "_session", "_span", "client"),
)

LOST: dict[str, str] = {
    "owner": "the SDK's own ASGI middleware, where it stands too, is not told that we look after "
    "the request",
    "scopes": "requests are isolated by public calls, and there are no transactions and no "
    "sessions",
    "traces": "there are no transactions, and incoming traces are not continued",
    "transactions": "there are no transactions",
    "spans": "there are no streamed spans of requests",
    "serializer": "events are serialized by the SDK, which takes longer",
    "sessions": "there are no sessions of release health",
    "errors": "errors are reported by public calls, without `mechanism`",
    "groups": "of a group of exceptions behind another exception the members are not told",
    "lane": "transactions are prepared by the SDK, which takes longer",
    "frames": "stack frames are made by the SDK, which takes longer",
    "options": "options are read by rules of our own",
    "clients": "a second client is told by the scopes alone, or not noticed",
    "packing": "what is sent is encoded and compressed by the SDK, which takes longer",
    "pools": "the lean transport is not to be had",
    "workers": "what is sent is sent by the SDK's own thread, which takes longer",
    "transports": "the transport is made by the SDK and set behind the door afterwards",
}
"""What is lost with each group."""

sought: list[tuple[str, str, str]] = []  # each name: its group, its module, itself
missing: dict[str, list[str]] = {}  # by group


class Absent:
    """In the place of a class that the SDK does not have: nothing is an instance of it."""


def _find(group: str, module: str, name: str, otherwise: Any = Absent) -> Any:
    """A name of the SDK's, or what stands in its place."""
    sought.append((group, module, name))
    try:
        return getattr(import_module(module), name)
    except (ImportError, AttributeError):
        missing.setdefault(group, []).append(f"{module}.{name}")
        return otherwise


def has(*groups: str) -> bool:
    """Whether each name of these groups was found."""
    return missing.keys().isdisjoint(groups)


def losses() -> list[str]:
    """What is lost with the installed SDK, a sentence for each group that is not whole."""
    return [
        f"sentry-sdk {sentry_sdk.VERSION} has no {', '.join(names)}: {LOST[group]}."
        for group, names in missing.items()
    ]


def _has_tracing_enabled(options: dict[str, Any] | None) -> bool:
    """The SDK's own rule, in short."""
    given = options or {}
    return given.get("traces_sample_rate") is not None or given.get("traces_sampler") is not None


def _has_span_streaming_enabled(options: dict[str, Any] | None) -> bool:
    """The same. Version 3 knows no other mode."""
    return options is not None and (VERSION_3 or options.get("trace_lifecycle") == "stream")


def _options_of_a_client() -> dict[str, Any]:
    """What a client takes for every option that is not given."""
    client = sentry_sdk.Client(dsn="", default_integrations=False, auto_enabling_integrations=False)
    return dict(client.options)


# What is imported for types here is found by name below, where it can be missing.
if TYPE_CHECKING:
    from sentry_sdk import scope as sdk_scope
    from sentry_sdk import traces, transport
    from sentry_sdk import utils as sdk_utils
    from sentry_sdk._types import AnnotatedValue
    from sentry_sdk.client import SDK_INFO, Client, NonRecordingClient
    from sentry_sdk.consts import DEFAULT_OPTIONS, EndpointType
    from sentry_sdk.integrations import DidNotEnable
    from sentry_sdk.integrations.asgi import _asgi_middleware_applied
    from sentry_sdk.scope import (
        Scope,
        _current_scope,
        _isolation_scope,
        add_global_event_processor,
        global_event_processors,
    )
    from sentry_sdk.serializer import (
        CYCLE_MARKER,
        MAX_DATABAG_BREADTH,
        MAX_DATABAG_DEPTH,
        global_repr_processors,
        sequence_types,
        serialize,
    )
    from sentry_sdk.session import Session
    from sentry_sdk.traces import NoOpStreamedSpan, StreamedSpan
    from sentry_sdk.tracing import NoOpSpan, Span, Transaction, _SpanRecorder
    from sentry_sdk.tracing_utils import (
        SENTRY_TRACE_REGEX,
        Baggage,
        PropagationContext,
        _generate_sample_rand,
        _should_continue_trace,
        has_span_streaming_enabled,
        has_tracing_enabled,
    )
    from sentry_sdk.utils import (
        disable_capture_event,
        event_from_exception,
        exceptions_from_error,
        format_timestamp,
        handle_in_app,
        safe_repr,
    )
    from sentry_sdk.worker import Worker
else:
    _asgi_middleware_applied = _find(
        "owner",
        "sentry_sdk.integrations.asgi",
        "_asgi_middleware_applied",
        ContextVar("asgi_sentry_owner"),
    )

    sdk_scope = _find("scopes", "sentry_sdk", "scope", None)
    Scope = _find("scopes", _SCOPE, "Scope")
    for _slot in _SLOTS:
        if _slot not in getattr(Scope, "__slots__", ()):
            missing.setdefault("scopes", []).append(f"{_SCOPE}.Scope.{_slot}")
    _current_scope = _find("scopes", _SCOPE, "_current_scope", None)
    _isolation_scope = _find("scopes", _SCOPE, "_isolation_scope", None)
    _find("scopes", _SCOPE, "_global_scope", None)

    SENTRY_TRACE_REGEX = _find("traces", _TRACING, "SENTRY_TRACE_REGEX", None)
    Baggage = _find("traces", _TRACING, "Baggage")
    PropagationContext = _find("traces", _TRACING, "PropagationContext")
    _generate_sample_rand = _find("traces", _TRACING, "_generate_sample_rand", None)
    _should_continue_trace = _find("traces", _TRACING, "_should_continue_trace", None)

    if VERSION_3:
        NoOpSpan = Transaction = _SpanRecorder = Absent
        StreamedSpan = _find("spans", _TRACES, "Span")
        NoOpStreamedSpan = _find("spans", _TRACES, "NoOpSpan")
        has_span_streaming_enabled = _has_span_streaming_enabled
    else:
        NoOpSpan = _find("transactions", "sentry_sdk.tracing", "NoOpSpan")
        Transaction = _find("transactions", "sentry_sdk.tracing", "Transaction")
        _SpanRecorder = _find("transactions", "sentry_sdk.tracing", "_SpanRecorder")
        StreamedSpan = _find("spans", _TRACES, "StreamedSpan")
        NoOpStreamedSpan = _find("spans", _TRACES, "NoOpStreamedSpan")
        has_span_streaming_enabled = _find(
            "options", _TRACING, "has_span_streaming_enabled", _has_span_streaming_enabled
        )
    traces = _find("spans", "sentry_sdk", "traces", None)
    _find("spans", _TRACES, "start_span", None)

    CYCLE_MARKER = _find("serializer", _SERIALIZER, "CYCLE_MARKER", "<cyclic>")
    MAX_DATABAG_BREADTH = _find("serializer", _SERIALIZER, "MAX_DATABAG_BREADTH", 10)
    MAX_DATABAG_DEPTH = _find("serializer", _SERIALIZER, "MAX_DATABAG_DEPTH", 5)
    global_repr_processors = _find("serializer", _SERIALIZER, "global_repr_processors", [])
    serialize = _find("serializer", _SERIALIZER, "serialize", None)
    format_timestamp = _find("serializer", _UTILS, "format_timestamp", None)
    safe_repr = _find("serializer", _UTILS, "safe_repr", None)

    sdk_utils = _find("frames", "sentry_sdk", "utils", None)
    AnnotatedValue = _find("frames", _UTILS, "AnnotatedValue")
    disable_capture_event = _find("frames", _UTILS, "disable_capture_event", None)
    sequence_types = _find("frames", _SERIALIZER, "sequence_types", [])
    _find("frames", _UTILS, "serialize_frame", None)
    _find("frames", _UTILS, "exceptions_from_error_tuple", None)
    _find("frames", _UTILS, "get_source_context", None)
    _find("frames", _UTILS, "filename_for_module", None)
    # Whose `data_collection` is always in force, and which makes its frames itself.
    if not VERSION_3:
        _find("frames", _UTILS, "has_data_collection_enabled", None)

    SDK_INFO = _find("lane", _CLIENT, "SDK_INFO", {})
    Span = Absent
    if not VERSION_3:
        Span = _find("lane", "sentry_sdk.tracing", "Span")
    global_event_processors = _find("lane", _SCOPE, "global_event_processors", [])
    handle_in_app = _find("lane", _UTILS, "handle_in_app", None)

    Session = _find("sessions", "sentry_sdk.session", "Session")

    event_from_exception = _find("errors", _UTILS, "event_from_exception", None)
    exceptions_from_error = _find("groups", _UTILS, "exceptions_from_error", None)

    DEFAULT_OPTIONS = (
        _find("options", "sentry_sdk.consts", "DEFAULT_OPTIONS", None) or _options_of_a_client()
    )
    NonRecordingClient = _find("options", _CLIENT, "NonRecordingClient")
    DidNotEnable = _find("options", _INTEGRATIONS, "DidNotEnable", Exception)
    has_tracing_enabled = _find("options", _TRACING, "has_tracing_enabled", _has_tracing_enabled)

    add_global_event_processor = _find("clients", _SCOPE, "add_global_event_processor", None)

    EndpointType = _find("pools", "sentry_sdk.consts", "EndpointType")
    transport = _find("transports", "sentry_sdk", "transport", None)
    _find("transports", _TRANSPORT, "HttpTransport", None)
    _find("transports", _TRANSPORT, "Http2Transport", None)
    for _group, _methods in (
        ("packing", ("_serialize_envelope",)),
        (
            "pools",
            (
                "_fetch_pending_client_report",
                "_get_pool_options",
                "_is_rate_limited",
                "_make_pool",
                "_request",
                "_send_envelope",
                "_send_request",
                "_serialize_envelope",
            ),
        ),
        ("workers", ("_create_worker",)),
    ):
        for _method in _methods:
            if not hasattr(getattr(transport, "HttpTransport", None), _method):
                missing.setdefault(_group, []).append(f"{_TRANSPORT}.HttpTransport.{_method}")
    Worker = _find("workers", "sentry_sdk.worker", "Worker")

# The transport's own, which adds to a dictionary. Without it, it is called for each loss.
records_lost: Any = getattr(getattr(transport, "HttpTransport", None), "record_lost_event", None)

# By its code the frame of a client that sends an event is recognised. Without it, the client of the
# scopes is taken.
if not TYPE_CHECKING:
    Client = _find("clients", _CLIENT, "Client")
prepares_event = getattr(Client, "_prepare_event", None)
prepares_event = getattr(prepares_event, "__code__", None)
if prepares_event is None:
    missing.setdefault("clients", []).append(f"{_CLIENT}.Client._prepare_event")

# Our own log lines are for the log: as events, breadcrumbs or logs they would come back to the
# hooks that wrote them.
# By version.
for _ignore in ("ignore_logger", "ignore_logger_for_events", "ignore_logger_for_sentry_logs"):
    for _pattern in ("asgi_sentry", "asgi_sentry.*"):
        try:
            getattr(import_module(f"{_INTEGRATIONS}.logging"), _ignore)(_pattern)
        except (ImportError, AttributeError):
            continue

__all__ = [
    "CYCLE_MARKER",
    "DEFAULT_OPTIONS",
    "LOST",
    "MAX_DATABAG_BREADTH",
    "MAX_DATABAG_DEPTH",
    "SDK_INFO",
    "SENTRY_TRACE_REGEX",
    "VERSION_3",
    "Absent",
    "AnnotatedValue",
    "Baggage",
    "Client",
    "DidNotEnable",
    "EndpointType",
    "NoOpSpan",
    "NoOpStreamedSpan",
    "NonRecordingClient",
    "PropagationContext",
    "Scope",
    "Session",
    "Span",
    "StreamedSpan",
    "Transaction",
    "Worker",
    "_SpanRecorder",
    "_asgi_middleware_applied",
    "_current_scope",
    "_generate_sample_rand",
    "_isolation_scope",
    "_should_continue_trace",
    "add_global_event_processor",
    "disable_capture_event",
    "event_from_exception",
    "exceptions_from_error",
    "format_timestamp",
    "global_event_processors",
    "global_repr_processors",
    "handle_in_app",
    "has",
    "has_span_streaming_enabled",
    "has_tracing_enabled",
    "losses",
    "missing",
    "prepares_event",
    "records_lost",
    "safe_repr",
    "sdk_scope",
    "sdk_utils",
    "sequence_types",
    "serialize",
    "sought",
    "traces",
    "transport",
]
