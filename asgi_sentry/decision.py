"""The head decision: whether a request becomes a transaction, before anything is started."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry import sdk
    from asgi_sentry.plan import Plan

logger = logging.getLogger("asgi_sentry")


class Decision(NamedTuple):
    """What was decided for a request."""

    sampled: bool
    rate: float | None  # the effective rate, in [0, 1]; None: the incoming one stays
    reason: str  # of the client report, where it is not sampled
    excluded: bool = False  # never to be a transaction, so no session either
    by_path: bool = False  # a rate for its path was found


EXCLUDED = Decision(sampled=False, rate=0.0, reason="sample_rate", excluded=True)


def decide(
    plan: Plan, view: sdk.ClientView, context: sdk.TraceContext, scope: Mapping[str, Any], *, name: str, op: str
) -> Decision:
    """Ask the filters, then the rates by path, then the SDK's own sampler or rate.

    Args:
        plan: what the layers of this request want.
        view: of the SDK's client.
        context: the trace, with the parent's decision and the dice.
        scope: of the request.
        name: of the request until it is routed, for the user's `traces_sampler`.
        op: such as `http.server`.
    """
    if plan.excludes(scope):
        return EXCLUDED
    for sampler in plan.samplers:
        state = sampler.match(scope)
        if state is not None:
            choice = sampler.choose(
                state,
                sample_rand=context.rand(),
                parent_sampled=context.parent_sampled,
                parent_rate=context.parent_rate() if context.parent_sampled else None,
                downsample=view.downsample(),
                scope=scope,
            )
            excluded = choice.reason == "excluded"
            return Decision(choice.sampled, choice.rate, "sample_rate", excluded, by_path=True)
    return _decide_like_the_sdk(view, context, scope, name=name, op=op)


def _decide_like_the_sdk(
    view: sdk.ClientView, context: sdk.TraceContext, scope: Mapping[str, Any], *, name: str, op: str
) -> Decision:
    """The SDK's precedence: `traces_sampler`, else the parent, else `traces_sample_rate`; then backpressure."""
    inherited = False
    if view.sampler is not None:
        try:
            rate = view.sampler(_sampling_context(context, scope, name=name, op=op))
        except Exception:
            logger.warning("traces_sampler raised; the request is not sampled", exc_info=True)
            return Decision(sampled=False, rate=None, reason="sample_rate")
    elif context.parent_sampled is not None:
        rate, inherited = float(context.parent_sampled), True
    else:
        rate = view.rate
    if isinstance(rate, bool):
        rate = float(rate)
    if not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        logger.warning("the sample rate must be within [0, 1], got %r; the request is not sampled", rate)
        return Decision(sampled=False, rate=None, reason="sample_rate")
    halvings = view.downsample()
    effective = rate / 2**halvings
    sampled = effective > 0 and context.rand() < effective
    reason = "backpressure" if halvings and not sampled and rate > 0 else "sample_rate"
    return Decision(sampled, None if inherited and not halvings else effective, reason)


def _sampling_context(context: sdk.TraceContext, scope: Mapping[str, Any], *, name: str, op: str) -> dict[str, Any]:
    """What the SDK's own middleware gives a `traces_sampler`: here too the route is not known yet, the path is."""
    return {
        "transaction_context": {
            "trace_id": context.trace_id,
            "parent_span_id": context.parent_span_id,
            "op": op,
            "name": scope.get("path") or name,
            "description": scope.get("path") or name,
            "source": "url",
            "sampled": None,
        },
        "parent_sampled": context.parent_sampled,
        "asgi_scope": scope,
    }
