"""What the SDK's spans hold, as far as they are made by hand."""

from __future__ import annotations

import threading

from asgi_sentry._sdk.names import Span, Transaction

_SLOTS = frozenset(
    {
        *("_trace_id", "_span_id", "parent_span_id", "same_process_as_parent", "sampled", "op"),
        *("description", "_measurements", "start_timestamp", "_start_timestamp_monotonic_ns"),
        *("status", "timestamp", "_tags", "_data", "_span_recorder", "hub", "scope", "origin"),
        *("_context_manager_state", "_containing_transaction", "name", "_flags"),
        *("_flags_capacity", "source", "parent_sampled", "sample_rate", "_contexts", "_profile"),
        *("_continuous_profile", "_baggage", "_sample_rand"),
    }
)
# A release of the SDK whose spans hold anything else makes them itself.
are_known = {
    *getattr(Span, "__slots__", ()),
    *getattr(Transaction, "__slots__", ()),
} == _SLOTS


def thread_data() -> dict[str, str]:
    """What a span says of the thread that it begins in."""
    thread = threading.current_thread()
    return {"thread.id": str(thread.ident), "thread.name": thread.name}
