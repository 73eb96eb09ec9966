"""The head decision: filters, then rates by path, then what the SDK would decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._paths import PathRules
from asgi_sentry._request.decided import Decision
from asgi_sentry._request.decision import decide, own_dice, revise
from asgi_sentry._request.plan import Allowance, FilterPolicy, Plan
from asgi_sentry._sampling.sampler import PathSampler
from asgi_sentry._sdk import TraceContext

SCOPE = {"type": "http", "method": "GET", "path": "/p", "headers": []}


@dataclass
class View:
    """What a decision reads of the client."""

    sampler: Any = None
    rate: Any = 0.5
    halvings: int = 0
    made: dict[str, Any] = field(default_factory=dict)

    def downsample(self) -> int:
        return self.halvings


def trace(rand: float, parent: bool | None = None) -> TraceContext:
    context = TraceContext()
    context._rand, context.parent_sampled = rand, parent
    return context


def decided(plan: Plan, view: View, context: TraceContext) -> Decision:
    return decide(plan, view, context, SCOPE)  # type: ignore[arg-type]


rands = st.floats(0, 1, exclude_max=True)
fractions = st.floats(0, 1)


@given(rand=rands, rate=fractions, parent=st.sampled_from([None, True, False]), halvings=st.integers(0, 4))
def test_without_layers_it_is_the_sdks(rand: float, rate: float, parent: bool | None, halvings: int) -> None:
    found = decided(Plan(), View(rate=rate, halvings=halvings), trace(rand, parent))
    wanted = rate if parent is None else float(parent)
    effective = wanted / 2**halvings
    assert found.sampled == (rand < effective)
    assert found.rate == (None if parent is not None and not halvings else effective)
    assert not found.excluded
    if not found.sampled:
        assert found.reason == ("backpressure" if halvings and wanted > 0 else "sample_rate")


@given(rand=rands, rate=fractions, parent=st.sampled_from([None, True, False]))
def test_a_sampler_of_the_users_decides_whatever_the_parent_did(rand: float, rate: float, parent: bool | None) -> None:
    asked: list[Any] = []

    def sampler(context: Any) -> float:
        asked.append(context)
        return rate

    found = decided(Plan(), View(sampler=sampler), trace(rand, parent))
    assert (found.sampled, found.rate) == (rand < rate, rate)
    (context,) = asked
    assert context["asgi_scope"] is SCOPE
    assert context["parent_sampled"] is parent
    assert context["transaction_context"]["op"] == "http.server"
    assert context["transaction_context"]["name"] == "/p"


@given(rand=rands, rate=fractions, parent=st.sampled_from([None, True, False]))
def test_an_excluded_path_asks_nobody(rand: float, rate: float, parent: bool | None) -> None:
    def never(*_: Any) -> Any:
        raise AssertionError("asked")

    excluding = Plan(filters=(FilterPolicy(paths=PathRules([("/p", True)])),))
    assert decided(excluding, View(sampler=never), trace(rand, parent)).excluded
    nothing = Plan(samplers=(PathSampler({"/p": 0.0}),))
    found = decided(nothing, View(sampler=never), trace(rand, parent))
    assert found.excluded
    assert not found.sampled


@given(rand=rands, rate=st.floats(0.001, 1), parent=st.sampled_from([None, True, False]))
def test_a_rate_by_path_inherits_or_ignores_the_parent(rand: float, rate: float, parent: bool | None) -> None:
    for how in ("inherit", "ignore"):
        plan = Plan(samplers=(PathSampler({"/p": rate}, parent=how),))
        found = decided(plan, View(rate=None), trace(rand, parent))
        rolled = parent is None or how == "ignore"
        assert found.sampled == ((rand < rate) if rolled else parent)
        assert found.rate == (rate if rolled else None)


@given(rand=rands)
def test_the_outermost_rate_that_matches_decides(rand: float) -> None:
    plan = Plan(samplers=(PathSampler({"/other": 1.0}), PathSampler({"/p": 0.25}), PathSampler({"/p": 1.0})))
    assert decided(plan, View(), trace(rand)).sampled == (rand < 0.25)


@given(low=st.floats(0, 1), high=st.floats(0, 1), rand=rands)
def test_a_higher_rate_samples_what_a_lower_one_does(low: float, high: float, rand: float) -> None:
    """So that all processes of a trace agree as far as their rates let them."""
    low, high = sorted((low, high))
    if decided(Plan(), View(rate=low), trace(rand)).sampled:
        assert decided(Plan(), View(rate=high), trace(rand)).sampled


@pytest.mark.parametrize("rate", [None, "0.5", float("nan"), float("inf"), -0.1, 1.1, object(), [1]])
def test_a_rate_that_is_none_samples_nothing(rate: Any) -> None:
    assert not decided(Plan(), View(rate=rate), trace(0.0)).sampled
    assert not decided(Plan(), View(sampler=lambda _: rate), trace(0.0)).sampled


class Tokens:
    """A budget with so many left."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def budgeted(left: int, **parts: Any) -> Plan:
    return Plan(budgets=(Allowance(gate=Tokens(left)),), **parts)


def rated(rate: float) -> Plan:
    return Plan(samplers=(PathSampler({"/p": rate}),))


def revised(before: Decision, layer: Plan, outer: Plan) -> Decision:
    return revise(before, layer, outer.joined(layer), View(rate=1.0), trace(0.5), SCOPE)  # type: ignore[arg-type]


def test_what_a_spent_budget_refused_a_layer_further_in_does_not_allow() -> None:
    outer = budgeted(0)
    refused = decided(outer, View(rate=1.0), trace(0.5))
    assert (refused.sampled, refused.by) == (False, "budget")
    for layer, by in ((rated(1.0), "budget"), (rated(0.0), "excluded"), (budgeted(5), "budget"), (Plan(), "budget")):
        anew = revised(refused, layer, outer)
        assert (anew.sampled, anew.by) == (False, by)
    assert outer.budgets[0].gate.left == -1  # type: ignore[attr-defined] # it is not asked twice
    assert revised(refused, rated(0.1), outer).by != "budget"  # then its dice say no


def test_a_budget_further_in_is_asked_once_for_what_is_sampled() -> None:
    sampled = decided(Plan(), View(rate=1.0), trace(0.5))
    layer = budgeted(1)
    assert revised(sampled, layer, Plan()).sampled
    assert (revised(sampled, layer, Plan()).sampled, revised(sampled, layer, Plan()).by) == (False, "budget")
    assert layer.budgets[0].gate.left == -2  # type: ignore[attr-defined]


def test_a_budget_further_out_is_asked_for_what_a_layer_further_in_samples() -> None:
    outer = budgeted(1)
    unsampled = decided(outer, View(rate=0.1), trace(0.5))
    assert (unsampled.sampled, outer.budgets[0].gate.left) == (False, 1)  # type: ignore[attr-defined]
    assert revised(unsampled, rated(1.0), outer).sampled
    anew = revised(unsampled, rated(1.0), outer)
    assert (anew.sampled, anew.by) == (False, "budget")


def test_a_rate_found_further_out_stands() -> None:
    outer = rated(1.0)
    sampled = decided(outer, View(), trace(0.5))
    assert revised(sampled, rated(0.1), outer) == sampled


class Limited:
    """A budget that refuses so many first."""

    def __init__(self, refuses: int) -> None:
        self.refuses = refuses

    def take(self) -> bool:
        self.refuses -= 1
        return self.refuses < 0


@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_what_a_budget_lets_through_stands_for_what_it_did_not(rate: float) -> None:
    plan = Plan(budgets=(Allowance(gate=Limited(3)),))
    found = [decided(plan, View(rate=rate), trace(0.25)) for _ in range(12)]
    assert [each.by for each in found[:3]] == ["budget"] * 3
    assert all(each.weight == 1.0 for each in found[:3])
    assert found[3].weight == 4.0
    assert found[3].rate == rate / 4.0
    assert found[-1].weight == 1.0
    assert found[-1].rate == rate


def test_a_decision_of_the_parents_keeps_its_rate_with_a_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(budgets=(Allowance(gate=Limited(1)),))
    for _ in range(2):
        found = decided(plan, View(), trace(0.5, True))
    assert (found.sampled, found.rate, found.weight) == (True, None, 2.0)
    monkeypatch.setattr(TraceContext, "parent_rate", lambda _: 0.5)
    plan = Plan(budgets=(Allowance(gate=Limited(1)),))
    for _ in range(2):
        found = decided(plan, View(), trace(0.5, True))
    assert (found.sampled, found.rate, found.weight) == (True, 0.25, 2.0)


def test_a_budget_further_in_takes_the_weight_on() -> None:
    outer, layer = Plan(budgets=(Allowance(gate=Limited(1)),)), Plan(budgets=(Allowance(gate=Limited(1)),))
    for _ in range(2):
        before = decided(outer, View(rate=1.0), trace(0.5))
    assert (before.weight, before.rate) == (2.0, 0.5)
    anew = [revised(before, layer, outer) for _ in range(2)]
    assert (anew[0].sampled, anew[0].by) == (False, "budget")
    assert (anew[1].weight, anew[1].rate) == (4.0, 0.25)


def test_a_rate_found_further_in_keeps_the_weight() -> None:
    outer = Plan(budgets=(Allowance(gate=Limited(1)),))
    for _ in range(2):
        before = decided(outer, View(rate=1.0), trace(0.5))
    anew = revised(before, rated(0.8), outer)
    assert (anew.sampled, anew.weight, anew.rate) == (True, 2.0, 0.4)


@pytest.mark.parametrize(
    ("rand", "halvings", "sampled", "reason"),
    [(0.5, 0, True, "sample_rate"), (0.5, 1, False, "backpressure"), (0.3, 1, True, "sample_rate"),
     (0.9, 1, False, "sample_rate"), (0.9, 0, False, "sample_rate"), (0.1, 4, False, "backpressure")],
)  # fmt: skip
def test_under_pressure_it_is_said_what_was_in_the_way(rand: float, halvings: int, sampled: bool, reason: str) -> None:
    found = decided(rated(0.8), View(halvings=halvings), trace(rand))
    assert (found.sampled, found.reason) == (sampled, reason)
    assert found.rule is not None


@given(rand=rands, rate=fractions.filter(bool))
def test_the_answers_of_dice_are_what_is_decided_without_them(rand: float, rate: float) -> None:
    """Of a rule's fraction and of the SDK's own rate, where no trace comes in and nothing is limited."""
    plan, view = rated(rate), View(rate=rate)
    found: Any = plan.head_rules().find(SCOPE)
    for dice, general in ((found.dice, plan), (own_dice(view), Plan())):  # type: ignore[arg-type]
        assert dice is not None
        answer = dice.yes if rand < dice.fraction else dice.no
        assert answer == decided(general, view, trace(rand))
    assert own_dice(view) is own_dice(view)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "view", [View(rate=None), View(rate="x"), View(rate=float("nan")), View(sampler=lambda _: 1.0)]
)
def test_who_has_more_to_say_than_dice_has_none(view: View) -> None:
    assert own_dice(view) is None  # type: ignore[arg-type]


@given(rand=rands, rate=fractions.filter(bool), parent=st.sampled_from([None, True, False]))
def test_a_rule_decides_by_the_dice_as_its_sampler_does(rand: float, rate: float, parent: bool | None) -> None:
    plan = rated(rate)
    (sampler,) = plan.samplers
    state = sampler.match(SCOPE)
    assert state is not None
    choice = sampler.choose(state, sample_rand=rand, parent_sampled=parent)
    for _ in range(2):
        found = decided(plan, View(), trace(rand, parent))
        assert (found.sampled, found.rate, found.by) == choice
        assert (found.reason, found.rule, found.weight) == ("sample_rate", state, 1.0)


@pytest.mark.parametrize("by", ["rule", "filter"])
def test_an_exclusion_further_in_stands(by: str) -> None:
    sampled = decided(Plan(), View(rate=1.0), trace(0.5))
    if by == "rule":
        assert revised(sampled, rated(0.0), Plan()).excluded
    assert revised(sampled, Plan(), Plan()) == sampled
