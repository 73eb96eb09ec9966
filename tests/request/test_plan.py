"""Plans: joined in any order of unlike layers, they want the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._paths import PathRules
from asgi_sentry._request.plan import DEFAULT_ROOT, BodyPolicy, FilterPolicy, Plan, RootPolicy
from asgi_sentry._request.user import UserPolicy
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
