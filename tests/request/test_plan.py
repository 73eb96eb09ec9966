"""Plans: joined in any order of unlike layers, they want the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._paths import PathRules
from asgi_sentry._request.error_policy import ErrorPolicy
from asgi_sentry._request.plan import (
    DEFAULT_ROOT,
    Allowance,
    BodyPolicy,
    ErrorRules,
    FilterPolicy,
    Plan,
    RootPolicy,
    afford,
)
from asgi_sentry._request.user_policy import UserPolicy
from asgi_sentry._sampling.sampler import PathSampler
from asgi_sentry._scrubbing import Scrubber


def filter_of(*rules: str, **options: Any) -> FilterPolicy:
    return FilterPolicy(paths=PathRules((rule, True) for rule in rules), **options)


PARTS = [
    Plan(root=RootPolicy(websockets="off")),
    Plan(filters=(filter_of("/a"),)),
    Plan(samplers=(PathSampler({}),)),
    Plan(user=UserPolicy()),
    Plan(headers=(Scrubber(),)),
    Plan(bodies=(BodyPolicy(max_bytes=1, attach="never", scrubber=None),)),
]
FIELDS = ("root", "filters", "samplers", "user", "headers", "bodies")


def join(plans: Any) -> Plan:
    joined, *others = plans
    for plan in others:
        joined = joined.joined(plan)
    return joined


def test_unlike_layers_join_to_the_same_in_every_order() -> None:
    expected = [getattr(join(PARTS), field) for field in FIELDS]
    for order in itertools.permutations(PARTS):
        joined = join(order)
        assert [getattr(joined, field) for field in FIELDS] == expected
        assert all(joined.covers(part) for part in PARTS)


@given(layers=st.lists(st.sampled_from(PARTS), min_size=3, max_size=5), cut=st.integers(1, 2))
def test_joining_is_associative(layers: list[Plan], cut: int) -> None:
    left = join(layers)
    right = join(layers[:cut]).joined(join(layers[cut:]))
    assert [getattr(left, field) for field in FIELDS] == [getattr(right, field) for field in FIELDS]
    assert left.members == right.members


def test_of_two_alike_the_outer_ones_holds_and_filters_add_up() -> None:
    outer = Plan(root=RootPolicy(websockets="off"), user=UserPolicy(fields=("a",)), filters=(filter_of("/a"),))
    inner = Plan(root=RootPolicy(), user=UserPolicy(), filters=(filter_of("/b"),))
    joined = outer.joined(inner)
    assert joined.root is outer.root
    assert joined.user is outer.user
    assert joined.excludes({"path": "/a"})
    assert joined.excludes({"path": "/b"})
    assert not joined.excludes({"path": "/c"})


def test_a_plan_covers_itself_and_what_was_joined_into_it_and_nothing_else() -> None:
    one, other, third = Plan(user=UserPolicy()), Plan(user=UserPolicy()), Plan()
    assert one.covers(one)
    assert not one.covers(other)
    joined = one.joined(other)
    assert joined.covers(one)
    assert joined.covers(other)
    assert not joined.covers(third)
    assert joined.joined(third).covers(third)


@pytest.mark.parametrize(
    ("scope", "excluded"),
    [
        ({"path": "/x", "method": "HEAD"}, True),
        ({"path": "/x", "method": "head"}, False),
        ({"path": "/x"}, False),
        ({"path": "/x", "headers": [(b"user-agent", b"a kube-probe/1.0")]}, True),
        ({"path": "/x", "headers": [(b"user-agent", b"Kube-Probe")]}, False),
        ({"path": "/x", "headers": [(b"x-agent", b"kube-probe")]}, False),
        ({"path": "/x", "headers": None}, False),
        ({"path": "/health/"}, True),
    ],
)
def test_what_a_filter_excludes(scope: dict[str, Any], excluded: bool) -> None:
    policy = filter_of("/health", methods=frozenset({"HEAD"}), user_agents=(b"kube-probe",))
    assert policy.excludes(scope) == excluded
    assert Plan(filters=(policy,)).excludes(scope) == excluded


def test_the_default_root() -> None:
    assert 500 in DEFAULT_ROOT.failed_request_status_codes
    assert 499 not in DEFAULT_ROOT.failed_request_status_codes
    assert DEFAULT_ROOT.websockets == "handshake"


def test_parts_that_add_up_stand_in_the_order_of_the_layers() -> None:
    """The outer layer's first: of two rules for one error the outer one's fingerprint is taken, and so on."""
    outer_rules, inner_rules = (ErrorRules(policy=ErrorPolicy()) for _ in range(2))
    outer_scrubber, inner_scrubber = Scrubber(), Scrubber()
    outer = Plan(errors=(outer_rules,), headers=(outer_scrubber,), filters=PARTS[1].filters, budgets=(allowance(0),))
    inner = Plan(errors=(inner_rules,), headers=(None, inner_scrubber), samplers=PARTS[2].samplers)
    joined = outer.joined(inner)
    assert joined.errors == (outer_rules, inner_rules)
    assert joined.headers == (outer_scrubber, None, inner_scrubber)
    assert inner.joined(outer).errors == (inner_rules, outer_rules)
    assert inner.joined(outer).headers == (None, inner_scrubber, outer_scrubber)
    assert joined.budgets == outer.budgets


class Tokens:
    """A budget with so many left."""

    def __init__(self, left: int) -> None:
        self.left = left

    def take(self) -> bool:
        self.left -= 1
        return self.left >= 0


def allowance(left: int) -> Allowance:
    return Allowance(gate=Tokens(left))


def test_each_budget_is_asked_until_one_is_used_up_and_accounts_add_up() -> None:
    first, second = allowance(9), allowance(1)
    assert afford((first, second)) == 1
    assert afford((first, second)) is None
    assert afford((first, second)) is None
    assert (first.gate.left, second.gate.left) == (6, -2)  # type: ignore[attr-defined]
    assert second.ledger.debt == 2
    second.gate.left = 1  # type: ignore[attr-defined]
    weight = afford((first, second))
    assert weight is not None
    assert weight > 1
    assert weight - 1 + second.ledger.debt == 2
    assert afford(()) == 1


def test_what_is_decided_late_has_an_account_of_its_own() -> None:
    only = allowance(1)
    plan = Plan(budgets=(only,))
    assert plan.afford_late(spent=False) == 1
    assert plan.afford_late(spent=False) is None
    assert (only.late.debt, only.ledger.debt) == (1, 0)
    assert plan.afford_late(spent=True) == 1 + 1 / 2  # what is spent already costs nothing more, but is accounted for
    assert only.gate.left == -1  # type: ignore[attr-defined]
    assert Plan().afford_late(spent=False) == 1


@pytest.mark.parametrize(("weight", "debt"), [(None, -1.0), (1.0, 0.0), (3.5, 2.5)])
def test_what_its_end_decides_leaves_the_account_of_the_head(weight: float | None, debt: float) -> None:
    """One that stood for 3.5 has paid a debt of 2.5, which is owed again; one that was refused has made a debt of 1."""
    only = allowance(1)
    Plan(budgets=(only,)).disown(weight)
    assert (only.ledger.debt, only.late.debt) == (debt, 0)
    two = (allowance(1), allowance(1))
    Plan(budgets=two).disown(weight)
    assert [each.ledger.debt for each in two] == [0, 0]
    Plan().disown(weight)


def test_a_status_is_dropped_by_any_filter_that_names_it() -> None:
    plan = Plan(filters=(filter_of(statuses=frozenset({404})), filter_of(statuses=frozenset({503}))))
    assert [plan.drops(status) for status in (404, 503, 200, None)] == [True, True, False, False]


def test_what_a_root_does_where_nobody_says_otherwise() -> None:
    root = RootPolicy()
    assert (root.websockets, root.name) == (DEFAULT_ROOT.websockets, DEFAULT_ROOT.name)
    assert not root.report_failed_responses
    assert root.websockets == "handshake"
    assert root.name == "route"
    assert [status in root.failed_request_status_codes for status in (499, 500, 599, 600)] == [False, True, True, False]
