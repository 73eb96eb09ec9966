"""The joined rules of filters and samplers: what asking one after the other finds."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry import Rate
from asgi_sentry._paths import PathRules
from asgi_sentry._request.decided import EXCLUDED
from asgi_sentry._request.head_rules import PathRate
from asgi_sentry._request.plan import FilterPolicy, Plan
from asgi_sentry._sampling.sampler import PathSampler


def starts_with_a(scope: Any) -> bool:
    return str(scope["path"]).startswith("/a")


RULES = ["/a", "/a/*", "/a/**", "/{x}", "/b/{rest:path}", "GET /a/b", "POST /b", re.compile(r"/[ab]/c"), starts_with_a]
RULES += [f"/many/{number}/*" for number in range(14)]
PATHS = ["/", "/a", "/a/", "/a/b", "/b", "/b/c", "/c", "/a/b/c", "/many/3/x", "/many/3"]
rules = st.lists(st.sampled_from(RULES), max_size=16, unique_by=str)
rates = st.sampled_from([0.0, 0.25, 1.0, Rate(0.5, at_most="5/second")])
filters = st.builds(
    lambda given, methods, agents: FilterPolicy(
        paths=PathRules((rule, True) for rule in given), methods=frozenset(methods), user_agents=tuple(agents)
    ),
    rules,
    st.sets(st.sampled_from(["HEAD", "OPTIONS"])),
    st.sets(st.sampled_from([b"probe", b"bot"])),
)
samplers = st.builds(
    lambda given, rate, default: PathSampler(dict.fromkeys(given, rate), default=default),
    rules,
    rates,
    st.none() | rates,
)
scopes = st.builds(
    lambda path, method, agent: {"type": "http", "path": path, "headers": [(b"user-agent", agent)], **method},
    st.sampled_from(PATHS),
    st.sampled_from([{}, {"method": "GET"}, {"method": "POST"}, {"method": "HEAD"}]),
    st.sampled_from([b"", b"a probe", b"a robot"]),
)


@given(st.lists(filters, max_size=3), st.lists(samplers, max_size=3), scopes)
def test_it_finds_what_asking_one_after_the_other_finds(
    excluding: list[FilterPolicy], sampling: list[PathSampler], scope: dict[str, Any]
) -> None:
    found = Plan(filters=tuple(excluding), samplers=tuple(sampling)).head_rules().find(scope)
    if any(policy.excludes(scope) for policy in excluding):
        assert found is EXCLUDED
        return
    wanted = next(((each, state) for each in sampling if (state := each.match(scope)) is not None), None)
    if wanted is None:
        assert found is None
    elif wanted[1].excludes:
        assert found is EXCLUDED
    else:
        assert isinstance(found, PathRate)
        assert (found.sampler, found.state) == wanted
        assert (found.dice is None) == (found.state.ledger is not None)


def test_they_are_joined_when_a_request_asks() -> None:
    plan = Plan().joined(Plan())
    assert plan.head is None
    assert plan.head_rules() is plan.head_rules() is plan.head


@pytest.mark.parametrize(("agent", "excluded"), [(b"kube-probe/1.29", True), (b"Mozilla/5.0", False)])
def test_an_agent_is_looked_for_where_no_path_excludes(agent: bytes, excluded: bool) -> None:
    plan = Plan(filters=(FilterPolicy(paths=PathRules([("/x", True)]), user_agents=(b"kube-probe",)),))
    scope = {"type": "http", "method": "GET", "path": "/", "headers": [(b"user-agent", agent)]}
    assert (plan.head_rules().find(scope) is EXCLUDED) == excluded
