"""The head decision: whether a request becomes a transaction, before anything is started."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from numbers import Real
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry import _state as state
from asgi_sentry._request.decided import Decision, Dice
from asgi_sentry._request.plan import Allowance, Plan, afford

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry import _sdk as sdk
    from asgi_sentry._request.head_rules import PathRate
    from asgi_sentry._sampling.sampler import Choice, RuleState

OPS = ("http.server", "websocket.server")  # of the root span, by whether it is a websocket's
_DICE = "the dice of the SDK's own rate"  # in what is made once for a client


def decide(
    plan: Plan,
    view: sdk.ClientView,
    context: sdk.TraceContext,
    scope: Mapping[str, Any],
) -> Decision:
    """Ask the filters, then the rates by path, then the SDK's own sampler or rate.

    Args:
        plan: what the layers of this request want.
        view: of the SDK's client.
        context: the trace, with the parent's decision and the dice.
        scope: of the request.
    """
    found = plan.head_rules().find(scope)
    if isinstance(found, Decision):
        return found
    if found is None:
        decided = _decide_like_the_sdk(view, context, scope)
    else:
        decided = _decide_by_rate(found, view, context, scope)
    if plan.budgets:
        return _within(plan.budgets, decided, context)
    return decided


def revise(
    decided: Decision,
    layer: Plan,
    plan: Plan,
    view: sdk.ClientView,
    context: sdk.TraceContext,
    scope: Mapping[str, Any],
) -> Decision:
    """The decision of a request that meets a layer further in.

    No limit and no budget is asked twice.

    Args:
        decided: by the layers further out.
        layer: what it wants.
        plan: joined from all of them.
        view: of the SDK's client.
        context: the trace.
        scope: the layer's own, whose paths may be those of a mount.
    """
    # A rate found further out stands, as it would if both layers could see each other, and so does
    # the SDK's where the layer has none.
    anew = decided
    if decided.rule is None and layer.samplers:
        found = layer.head_rules().find(scope)
        if isinstance(found, Decision):
            return found
        if found is not None:
            anew = _decide_by_rate(found, view, context, scope)
    if anew.excluded:
        return anew
    if decided.by == "budget":
        if anew.sampled:
            return anew._replace(sampled=False, by="budget")
        return anew
    if not decided.sampled:
        return _within(plan.budgets, anew, context)
    if anew is not decided and anew.sampled:
        anew = _weighed(anew, decided.weight, context)
    return _within(layer.budgets, anew, context)


def _within(
    budgets: tuple[Allowance, ...], decided: Decision, context: sdk.TraceContext
) -> Decision:
    """What the budgets leave of a decision."""
    if not decided.sampled:
        return decided
    weight = afford(budgets)
    if weight is None:
        return decided._replace(sampled=False, by="budget")
    return _weighed(decided, weight, context)


def _weighed(decided: Decision, weight: float, context: sdk.TraceContext) -> Decision:
    if weight == 1:
        return decided
    rate = context.parent_rate() if decided.rate is None else decided.rate
    return decided._replace(
        rate=None if rate is None else rate / weight, weight=decided.weight * weight
    )


def _decide_by_rate(
    found: PathRate, view: sdk.ClientView, context: sdk.TraceContext, scope: Mapping[str, Any]
) -> Decision:
    """What a rate makes of the trace, its limits and the SDK's backpressure."""
    sampler, state = found.sampler, found.state
    halvings = view.downsample()
    parent = context.parent_sampled
    follows = parent is False and sampler.inherits  # then nobody rolls the dice
    choice = sampler.choose(
        state,
        sample_rand=1.0 if follows else context.rand(),
        parent_sampled=parent,
        parent_rate=context.parent_rate() if parent else None,
        downsample=halvings,
        scope=scope,
    )
    if not halvings:
        return _decided(state, choice)
    return _under_pressure(state, choice, context)


def _under_pressure(state: RuleState, choice: Choice, context: sdk.TraceContext) -> Decision:
    """A decision at halved rates, which may be what was in the way."""
    pressed = not choice.sampled and choice.reason == "dice" and context.rand() < state.fraction
    decided = _decided(state, choice)
    if pressed:
        return decided._replace(reason="backpressure")
    return decided


def _decided(state: RuleState, choice: Choice) -> Decision:
    """What a rule's choice means."""
    return Decision(
        sampled=choice.sampled, rate=choice.rate, reason="sample_rate", by=choice.reason, rule=state
    )


def _decide_like_the_sdk(
    view: sdk.ClientView, context: sdk.TraceContext, scope: Mapping[str, Any]
) -> Decision:
    """The SDK's precedence: `traces_sampler`, else the parent, else `traces_sample_rate`.

    Then backpressure.
    """
    inherited = False
    if view.sampler is not None:
        try:
            rate = view.sampler(_sampling_context(context, scope))
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("traces_sampler", exc, "the request is not sampled")
            return Decision(sampled=False, rate=None, reason=view.sampler_failed, by="sdk")
    elif context.parent_sampled is not None:
        rate, inherited = float(context.parent_sampled), True
    else:
        rate = view.rate
    given, rate = rate, _fraction(rate)
    if rate is None:
        # Not its value: a sampler can return anything that it found in the request.
        what = type(given).__name__
        faults.seldom(f"no sample rate within [0, 1], but a {what}; the request is not sampled")
        return Decision(sampled=False, rate=None, reason="sample_rate", by="sdk")
    halvings = view.downsample()
    effective = rate / 2**halvings
    sampled = effective > 0 and context.rand() < effective
    if not halvings:
        return _answers(None if inherited else effective)[sampled]
    reason = "backpressure" if not sampled and rate > 0 else "sample_rate"
    return Decision(
        sampled=sampled,
        rate=effective,
        reason=reason,
        by="parent" if inherited else "sdk",
    )


def _fraction(rate: Any) -> float | None:
    """A sample rate from whatever the SDK takes for a number; None if it is none within [0, 1]."""
    if not isinstance(rate, (Real, Decimal)):
        return None
    try:
        value = float(rate)
    except (ValueError, OverflowError):
        return None
    if 0 <= value <= 1:
        return value
    return None


def own_dice(view: sdk.ClientView) -> Dice | None:
    """The dice of the SDK's own rate; None where a sampler is asked, or the rate is none."""
    try:
        dice: Dice | None = view.made[_DICE]
    except KeyError:
        dice = None
        rate = _fraction(view.rate)
        if view.sampler is None and rate is not None:
            no, yes = _answers(rate)
            dice = Dice(rate, yes, no)
        view.made[_DICE] = dice
    return dice


@lru_cache(maxsize=64)
def _answers(rate: float | None) -> tuple[Decision, Decision]:
    """No and yes of the SDK's own rate, None for a parent's.

    Made once, since they are the same at most requests.
    """
    no = Decision(
        sampled=False, rate=rate, reason="sample_rate", by="parent" if rate is None else "sdk"
    )
    return no, no._replace(sampled=True)


state.register("_request.decision: the answers of the SDK's own rates", _answers.cache_clear)


def _sampling_context(context: sdk.TraceContext, scope: Mapping[str, Any]) -> dict[str, Any]:
    """What the SDK's own middleware gives a `traces_sampler`.

    Here too the route is not known yet, the path is.
    """
    return {
        "transaction_context": {
            "trace_id": context.trace_id,
            "parent_span_id": context.parent_span_id,
            "op": OPS[scope.get("type") == "websocket"],
            "name": scope.get("path"),
            "description": scope.get("path"),
            "source": "url",
            "sampled": None,
        },
        "parent_sampled": context.parent_sampled,
        "asgi_scope": scope,
    }
