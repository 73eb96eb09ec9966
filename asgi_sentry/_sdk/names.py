"""Every name that we take out of sentry-sdk beyond what it documents; nothing else imports one.

`tests/sdk/test_names.py` states what is relied on, so that a release of the SDK that moves any of it fails there.
"""

from __future__ import annotations

from typing import Any

from sentry_sdk import scope as sdk_scope
from sentry_sdk import traces, transport
from sentry_sdk.client import Client, NonRecordingClient
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.integrations import DidNotEnable
from sentry_sdk.integrations import logging as sdk_logging
from sentry_sdk.integrations.asgi import _asgi_middleware_applied
from sentry_sdk.scope import Scope, _current_scope, _isolation_scope
from sentry_sdk.serializer import (
    CYCLE_MARKER,
    MAX_DATABAG_BREADTH,
    MAX_DATABAG_DEPTH,
    global_repr_processors,
    serialize,
)
from sentry_sdk.session import Session
from sentry_sdk.tracing_utils import (
    SENTRY_TRACE_REGEX,
    Baggage,
    PropagationContext,
    _generate_sample_rand,
    _should_continue_trace,
    has_tracing_enabled,
)
from sentry_sdk.utils import event_from_exception, format_timestamp, safe_repr

try:  # version 2: transactions beside streamed spans
    from sentry_sdk.traces import NoOpStreamedSpan, StreamedSpan
    from sentry_sdk.tracing import NoOpSpan, Transaction, _SpanRecorder
    from sentry_sdk.tracing_utils import has_span_streaming_enabled
except ImportError:  # version 3: streamed spans alone, under the shorter names
    StreamedSpan, NoOpStreamedSpan = traces.Span, traces.NoOpSpan  # type: ignore[misc,attr-defined]
    NoOpSpan = Transaction = None  # type: ignore[assignment,misc]

    def has_span_streaming_enabled(options: dict[str, Any] | None) -> bool:
        """Version 3 knows no other mode."""
        return options is not None


# By its code the frame of a client that sends an event is recognised. Without it, the client of the scopes is taken.
prepares_event = getattr(getattr(Client, "_prepare_event", None), "__code__", None)

__all__ = [
    "CYCLE_MARKER",
    "DEFAULT_OPTIONS",
    "MAX_DATABAG_BREADTH",
    "MAX_DATABAG_DEPTH",
    "SENTRY_TRACE_REGEX",
    "Baggage",
    "DidNotEnable",
    "NoOpSpan",
    "NoOpStreamedSpan",
    "NonRecordingClient",
    "PropagationContext",
    "Scope",
    "Session",
    "StreamedSpan",
    "Transaction",
    "_SpanRecorder",
    "_asgi_middleware_applied",
    "_current_scope",
    "_generate_sample_rand",
    "_isolation_scope",
    "_should_continue_trace",
    "event_from_exception",
    "format_timestamp",
    "global_repr_processors",
    "has_span_streaming_enabled",
    "has_tracing_enabled",
    "prepares_event",
    "safe_repr",
    "sdk_logging",
    "sdk_scope",
    "serialize",
    "traces",
    "transport",
]
