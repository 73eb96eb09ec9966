"""Transactions that integrations of the SDK start for a request which is ours already.

Sanic's does so, and each one of a WSGI framework where the app is mounted within ours by an
adapter. Their transaction would stand beside ours, past every filter, rate and budget. It can't be
forbidden; but it is started on a scope of the request, which gives a span in its place that does
nothing. What runs below it hangs on the request's own root span, as before. Transactions that the
app starts itself are its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.fork import on_segment, on_transaction
from asgi_sentry._sdk.names import NoOpStreamedSpan, _isolation_scope
from asgi_sentry._sdk.options import ORIGIN
from asgi_sentry._sdk.unsent import UnsampledSpan

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sdk.trace_context import TraceContext

_OPS = frozenset({"http.server", "websocket.server"})

trace_being_served: list[Callable[[], TraceContext | None]] = []
"""How the trace is found of the request that is being served on the caller's behalf."""


def _in_place_of_transaction(scope: Any, op: Any, origin: Any) -> Any:
    """What an integration gets that starts a transaction in a request of ours.

    None: it is to have its own.

    Args:
        scope: on which it is started.
        op: of the transaction.
        origin: of the transaction, which says that no app starts it.
    """
    context = _trace_of_another(scope, op, origin)
    if context is None:
        return None
    return UnsampledSpan(context)


def _in_place_of_segment(scope: Any, op: Any, origin: Any) -> Any:
    """The same where spans are streamed."""
    context = _trace_of_another(scope, op, origin)
    if context is None:
        return None
    span: Any = NoOpStreamedSpan(
        trace_id=context.trace_id,
        parent_span_id=context.parent_span_id,
        baggage=context.baggage,
        sampled=context.sampled,
    )
    return span


def _trace_of_another(scope: Any, op: Any, origin: Any) -> TraceContext | None:
    if op not in _OPS or origin == ORIGIN or not str(origin).startswith("auto."):
        return None
    context = next(
        (context for find in trace_being_served if (context := find()) is not None), None
    )
    if context is None:
        return None
    # Whoever starts one has continued the trace of the headers before, and where there was none
    # begun a new one.
    scope._propagation_context = context
    isolation = _isolation_scope.get()
    if isolation is not None:
        isolation._propagation_context = context
    return context


on_transaction.append(_in_place_of_transaction)
on_segment.append(_in_place_of_segment)
