"""How the transaction of a request begins.

By hand, where the spans of the SDK hold what is known of them: most of what its constructors do is
for others who start one.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.direct_transaction import DirectTransaction, Recorder
from asgi_sentry._sdk.options import ORIGIN
from asgi_sentry._sdk.span_slots import are_known, thread_data

if TYPE_CHECKING:
    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.threads import Threads
    from asgi_sentry._sdk.trace_context import TraceContext


def transaction_of(
    view: ClientView,
    context: TraceContext,
    threads: Threads,
    *,
    op: str,
    name: str,
    sampled: bool,
) -> DirectTransaction:
    """A transaction that begins now, and records its spans.

    Args:
        view: of the client that sends it.
        context: the trace that it is of.
        threads: notes where its spans are started.
        op: such as `http.server`.
        name: until the route is known.
        sampled: whether it is to be sent.
    """
    if view.profiled or not are_known:
        return _by_the_sdk(view, context, threads, op=op, name=name, sampled=sampled)
    made: Any = object.__new__(DirectTransaction)
    made.view, made.threads = view, threads
    made._trace_id, made._span_id = context.trace_id, os.urandom(8).hex()
    made.parent_span_id, made.parent_sampled = context.parent_span_id, context.parent_sampled
    made.same_process_as_parent = False
    made.sampled, made.sample_rate, made._sample_rand = sampled, context.rate, context.rand()
    # Of low quality until the route is known: keeps the name out of the baggage.
    made.op, made.name, made.source, made.origin = op, name, "url", ORIGIN
    made.description = made.status = made.hub = made.scope = made.timestamp = None
    made._profile = made._continuous_profile = made._containing_transaction = None
    made._tags, made._contexts, made._measurements, made._flags = {}, {}, {}, {}
    made._flags_capacity = 10
    made._data = thread_data()
    made._baggage = context.baggage
    made.start_timestamp = datetime.now(timezone.utc)
    made._start_timestamp_monotonic_ns = time.perf_counter_ns()
    made._span_recorder = Recorder(view.max_spans, threads)
    return made  # type: ignore[no-any-return]


def _by_the_sdk(
    view: ClientView,
    context: TraceContext,
    threads: Threads,
    *,
    op: str,
    name: str,
    sampled: bool,
) -> DirectTransaction:
    made = DirectTransaction(
        op=op,
        name=name,
        source="url",
        origin=ORIGIN,
        baggage=context.baggage_for_root(),
        parent_sampled=context.parent_sampled,
        trace_id=context.trace_id,
        parent_span_id=context.parent_span_id,
        same_process_as_parent=False,
        sampled=sampled,
    )
    made.view, made.threads = view, threads
    made.init_span_recorder(maxlen=view.max_spans)
    made.sample_rate = context.rate
    return made
