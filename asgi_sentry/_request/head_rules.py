"""What the filters and samplers of a plan say of a request's head, as one table.

Each of them has rules by path, and to ask one after the other compares the path with each of their
tables. Joined, they are one list of rules of which the first that matches counts: those of the
filters come first, since what a filter excludes no sampler is asked about.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgi_sentry._paths import PathRules
from asgi_sentry._request.decided import EXCLUDED, Decision, Dice

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asgi_sentry._paths import PathRule
    from asgi_sentry._sampling.sampler import PathSampler, RuleState


@dataclass(frozen=True, slots=True)
class PathRate:
    """The rate that holds for a path."""

    sampler: PathSampler
    state: RuleState
    dice: Dice | None  # None: more than the dice decides, such as a limit


class HeadRules:
    """The rules of a plan's filters and samplers, joined.

    Args:
        methods: that the filters exclude on every path.
        agents: that they exclude, as parts of a `User-Agent`.
        paths: that they exclude.
        samplers: in the order of their layers, the outermost first.
    """

    __slots__ = ("_agents", "_default", "_methods", "_paths")

    def __init__(
        self,
        methods: Iterable[str],
        agents: Iterable[bytes],
        paths: Iterable[PathRule],
        samplers: Iterable[PathSampler],
    ) -> None:
        rules: list[tuple[PathRule, PathRate | Decision]] = [(rule, EXCLUDED) for rule in paths]
        self._default: PathRate | Decision | None = None
        for sampler in samplers:
            rules += ((rule, _rate(sampler, state)) for rule, state in sampler.rules)
            if sampler.default is not None:  # no sampler further in is asked
                self._default = _rate(sampler, sampler.default)
                break
        self._methods: frozenset[Any] = frozenset(methods)
        self._agents = tuple(agents)
        self._paths: PathRules[PathRate | Decision] = PathRules(rules)

    def find(self, scope: Mapping[str, Any]) -> PathRate | Decision | None:
        """What holds for a request.

        Returns:
            `EXCLUDED`, the rate for its path, or None where the layers leave it to the SDK.
        """
        if scope.get("method") in self._methods:
            return EXCLUDED
        found = self._paths.match(scope)
        if found is EXCLUDED:
            return found
        if self._agents and names_agent(scope, self._agents):
            return EXCLUDED
        if found is None:
            return self._default
        return found


def names_agent(scope: Mapping[str, Any], agents: tuple[bytes, ...]) -> bool:
    """Whether the `User-Agent` of a request has one of these in it."""
    for name, value in scope.get("headers") or ():
        if name == b"user-agent" and any(agent in value for agent in agents):
            return True
    return False


def _rate(sampler: PathSampler, state: RuleState) -> PathRate | Decision:
    if state.excludes:
        return EXCLUDED
    if state.ledger is not None:
        return PathRate(sampler, state, None)
    no = Decision(sampled=False, rate=state.fraction, reason="sample_rate", by="dice", rule=state)
    return PathRate(sampler, state, Dice(state.fraction, no._replace(sampled=True), no))
