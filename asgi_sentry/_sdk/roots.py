"""Starting the root span that a decision asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.classic import TransactionRoot, UnsampledRoot
from asgi_sentry._sdk.request_scopes import CurrentScope
from asgi_sentry._sdk.streamed import StreamedRoot
from asgi_sentry._sdk.unsent import UnsampledSpan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.root_span import Root
    from asgi_sentry._sdk.scopes import Scopes
    from asgi_sentry._sdk.trace_context import TraceContext


def start_root(
    view: ClientView,
    scopes: Scopes,
    context: TraceContext,
    *,
    sampled: bool,
    rate: float | None,
    reason: str,
    op: str,
    name: str,
    asgi_scope: Mapping[str, Any],
    undecided: bool = False,
) -> Root:
    """Start the root span that the decision asks for, and let the request's scopes propagate it.

    Args:
        view: the client's.
        scopes: the request's.
        context: the trace to continue.
        sampled: the decision.
        rate: the effective sample rate, in [0, 1]; None: keep the one that came in.
        reason: what the client report says where it is not sampled.
        op: such as `http.server`.
        name: the name until the route is known.
        asgi_scope: for the user's `profiles_sampler`.
        undecided: record it even if it is not sampled: how the request ends decides. Not in
            streaming mode, which sends a span as soon as it ends.
    """
    context.sampled, context.rate = sampled, rate
    context.note_rate()
    scopes.propagate(context)
    if view.streaming:
        return StreamedRoot(
            view, scopes, context, sampled=sampled, rate=rate, reason=reason, op=op, name=name
        )
    if sampled or undecided:
        return TransactionRoot(
            view,
            scopes,
            context,
            sampled=sampled,
            reason=reason,
            op=op,
            name=name,
            asgi_scope=asgi_scope,
        )
    return start_unsampled(view, scopes, context, rate, reason)


def start_unsampled(
    view: ClientView, scopes: Scopes, context: TraceContext, rate: float | None, reason: str
) -> Root:
    """The same for a request that is not sampled, in classic mode."""
    context.sampled, context.rate = False, rate
    if context._known is not None:
        context.note_rate()
    current = scopes.current
    current._propagation_context = scopes.isolation._propagation_context = context
    if current.__class__ is not CurrentScope:  # which makes it when it is asked for
        current._span = UnsampledSpan(context)
    return unsampled_root(view, reason)


def unsampled_root(view: ClientView, reason: str) -> Root:
    """The root of all requests that a client does not sample for this reason."""
    root = view.unsampled.get(reason)
    if root is None:
        root = view.unsampled[reason] = UnsampledRoot(view, reason)
    return root
