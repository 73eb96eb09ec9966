"""`PathSampler`: the head decision, made once per request before anything is started."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, Protocol

from asgi_sentry._paths import PathRule, PathRules
from asgi_sentry._sampling.adaptive import Adaptive
from asgi_sentry._sampling.ledger import Ledger
from asgi_sentry._sampling.limits import Reservoir, TokenBucket
from asgi_sentry._sampling.rate import Limit, Rate, checked_fraction


class Choice(NamedTuple):
    """A head decision.

    `rate` is the effective sample rate, which travels with the transaction for Sentry's
    extrapolation; None leaves the rate that came with the trace. `reason` says who decided:
    `excluded` (a rate of 0), `parent`, `dice`, `adaptive`, `at_least` or `at_most`.
    """

    sampled: bool
    rate: float | None
    reason: str


EXCLUDED = Choice(sampled=False, rate=0.0, reason="excluded")
_NOT_ADAPTED = Choice(sampled=False, rate=0.0, reason="adaptive")
_PARENT_YES = Choice(sampled=True, rate=None, reason="parent")
_CAPPED = Choice(sampled=False, rate=None, reason="at_most")
PARENT_NO = Choice(sampled=False, rate=None, reason="parent")


class Gate(Protocol):
    """Says yes as long as a limit allows.

    A `TokenBucket`, or one that is shared between processes.
    """

    def take(self) -> bool:
        """Take a token if there is one; never waits."""


class Purse(Protocol):
    """A budget of errors, of which a part is kept for those of an unseen kind."""

    def take(self, *, ordinary: bool = False) -> bool:
        """Spend one, if the budget allows; an ordinary one is not of an unseen kind.

        Never waits.
        """


class Minimum(Protocol):
    """Says when one more must be kept: a `Reservoir`, or one that is shared between processes."""

    def lacks(self) -> bool:
        """Whether a request must be kept now to have the minimum; never waits."""

    def note(self) -> None:
        """Count a request that is kept, for whatever reason."""


class Sharing(Protocol):
    """Makes the limits and targets of rules those of all processes together (see `shared.py`)."""

    def gate(self, name: str, limit: Limit) -> Gate:
        """The gate of a limit; processes that give the same name share it."""

    def reservoir(self, name: str, limit: Limit) -> Minimum:
        """The minimum of all processes that give the same name."""

    def target(self, name: str, limit: Limit, adaptive: Adaptive) -> None:
        """Keep an adaptive rate's target at this process's part of it."""


class RuleState:
    """One rule's rate and all that it remembers."""

    __slots__ = (
        "adaptive",
        "bucket",
        "capped",
        "excludes",
        "forced",
        "fraction",
        "ledger",
        "no",
        "rate",
        "reservoir",
        "yes",
    )

    def __init__(
        self,
        rate: Rate,
        *,
        bucket: Gate | None,
        reservoir: Minimum | None,
        clock: Callable[[], float],
        workers: int,
    ) -> None:
        self.rate: Rate = rate
        self.fraction: float = rate.fraction
        self.excludes: bool = rate.excludes
        # Answers that many requests get are made once, since making one is much of what a decision
        # costs.
        self.yes: Choice = Choice(sampled=True, rate=rate.fraction, reason="dice")
        self.no: Choice = Choice(sampled=False, rate=rate.fraction, reason="dice")
        self.capped: Choice = Choice(sampled=False, rate=rate.fraction, reason="at_most")
        self.bucket: Gate | None = bucket
        self.reservoir: Minimum | None = reservoir
        self.adaptive: Adaptive | None = None
        if rate.goal:
            self.adaptive = Adaptive(rate.goal.share(workers), clock=clock)
        self.ledger: Ledger | None = Ledger() if bucket or rate.least or rate.goal else None
        # The account of requests that a parent sampled: one stands for as many as its rate says.
        self.forced: Ledger | None = Ledger() if bucket else None

    def learn(self, template: str) -> None:
        """Tell an adaptive rate which route template the router found; nothing for others."""
        if self.adaptive is not None:
            self.adaptive.learn(template)


class PathSampler:
    """Rates by path rule.

    Raises:
        ValueError: A rule, a rate or `parent` can't be used; the message names it.
        TypeError: One of them has a wrong type.
    """

    __slots__ = ("_rules", "default", "inherits")

    def __init__(
        self,
        rates: Mapping[PathRule, float | Rate],
        default: float | Rate | None = None,
        parent: str = "inherit",
        *,
        clock: Callable[[], float] = time.monotonic,
        workers: int = 1,
        sharing: Sharing | None = None,
    ) -> None:
        if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
            raise ValueError(
                f"workers must be the number of processes, at least 1, got {workers!r}"
            )
        if parent not in ("inherit", "ignore"):
            raise ValueError(f"parent must be 'inherit' or 'ignore', got {parent!r}")
        if not isinstance(rates, Mapping):
            raise TypeError(f"rates must be a mapping such as {{'/api/**': 0.1}}, got {rates!r}")
        self.inherits: bool = parent == "inherit"

        def state(name: str, rate: Rate) -> RuleState:
            bucket: Gate | None = None
            if rate.most:
                if sharing:
                    bucket = sharing.gate(f"at_most:{name}", rate.most)
                else:
                    bucket = TokenBucket(rate.most.share(workers), clock=clock)
            reservoir: Minimum | None = None
            if rate.least:
                if sharing:
                    reservoir = sharing.reservoir(f"at_least:{name}", rate.least)
                else:
                    reservoir = Reservoir(rate.least.share_of_minimum(workers), clock=clock)
            made = RuleState(rate, bucket=bucket, reservoir=reservoir, clock=clock, workers=workers)
            if sharing and made.adaptive and rate.goal:
                sharing.target(f"target:{name}", rate.goal, made.adaptive)
            return made

        self._rules: PathRules[RuleState] = PathRules(
            (rule, state(_name(place, rule), _rate(rate, what=f"rate for {rule!r}")))
            for place, (rule, rate) in enumerate(rates.items())
        )
        self.default: RuleState | None = None
        if default is not None:
            self.default = state("default", _rate(default, what="default"))

    @property
    def rules(self) -> tuple[tuple[PathRule, RuleState], ...]:
        """Its path rules in their order, each with its rate."""
        return self._rules.rules

    def match(self, scope: Mapping[str, Any]) -> RuleState | None:
        """The rate that holds for a request; None leaves it to the SDK."""
        return self._rules.match(scope) or self.default

    def choose(
        self,
        state: RuleState,
        *,
        sample_rand: float,
        parent_sampled: bool | None,
        parent_rate: float | None = None,
        downsample: int = 0,
        scope: Mapping[str, Any] | None = None,
    ) -> Choice:
        """Decide on a request, once: limits count every call.

        Args:
            state: What `match` found.
            sample_rand: The trace's own dice, within [0, 1), by which all processes decide alike.
            parent_sampled: The decision that came with the request, if any.
            parent_rate: The rate that came with it, if any. Where `at_most` drops some of what
                parents want, the rest travels with this rate times the part that is kept; without
                it, with the parent's rate.
            downsample: The SDK's backpressure: the fraction is halved that many times.
            scope: The request's, by which an adaptive rate finds the route template it has learned.
        """
        if state.excludes:
            return EXCLUDED
        if parent_sampled is not None and self.inherits:
            if parent_sampled:
                return _follow(state, parent_rate)
            return PARENT_NO
        ledger = state.ledger
        if ledger is None and not downsample:
            if sample_rand < state.fraction:
                return state.yes
            return state.no
        if state.adaptive is not None:
            return _adapted(state, state.adaptive, sample_rand * (1 << downsample), scope)
        fraction = state.fraction / (1 << downsample)
        kept = sample_rand < fraction
        if ledger is None:
            return Choice(kept, fraction, "dice")
        return _limited(state, ledger, fraction, kept)


def _follow(state: RuleState, parent_rate: float | None) -> Choice:
    """A parent wants this request: it is kept, unless `at_most` forbids."""
    weight = 1.0
    if state.bucket is not None and state.forced is not None:
        if not state.bucket.take():
            state.forced.drop()
            return _CAPPED
        weight = state.forced.keep()
    if state.reservoir is not None:
        state.reservoir.note()
    if parent_rate is None or weight == 1:
        return _PARENT_YES
    return Choice(sampled=True, rate=parent_rate / weight, reason="parent")


# By position: a keyword costs here.
def _limited(
    state: RuleState,
    ledger: Ledger,
    fraction: float,
    kept: bool,  # noqa: FBT001
) -> Choice:
    """The dice are rolled; now the limits.

    The account is kept in what the dice let through, each of which stands for 1 / fraction, so that
    the rate is the fraction as long as no limit bites. What a reservoir adds would be counted twice
    that way, so with one the account is kept in requests.
    """
    reservoir = state.reservoir
    reason = "dice"
    unit = fraction
    if reservoir is not None:
        unit = 1.0
        if not kept and reservoir.lacks():
            kept = True
            reason = "at_least"
        if not kept:
            ledger.drop()
    if not kept:
        if fraction == state.fraction:
            return state.no
        return Choice(sampled=False, rate=fraction, reason="dice")
    if state.bucket is not None and not state.bucket.take():
        ledger.drop()
        return state.capped
    if reservoir is not None:
        reservoir.note()
    rate = unit / ledger.keep()
    if rate == state.fraction and reason == "dice":
        return state.yes
    return Choice(True, rate, reason)  # noqa: FBT003


def _adapted(
    state: RuleState, adaptive: Adaptive, dice: float, scope: Mapping[str, Any] | None
) -> Choice:
    """An adaptive rate decides by itself, and has its own accounts.

    `at_most` comes after it, with another.
    """
    rate = adaptive.choose(scope, dice)
    if rate is None:
        return _NOT_ADAPTED
    if state.bucket is not None and state.ledger is not None:
        if not state.bucket.take():
            state.ledger.drop()
            return state.capped
        rate /= state.ledger.keep()
    return Choice(sampled=True, rate=rate, reason="adaptive")


def _name(place: int, rule: PathRule) -> str:
    """The same in every process that has the same rules."""
    if isinstance(rule, str):
        return f"{place}:{rule}"
    if isinstance(rule, re.Pattern):
        return f"{place}:{rule.pattern}"
    return f"{place}:callable"


def _rate(value: Any, *, what: str) -> Rate:
    if isinstance(value, Rate):
        return value
    return Rate(checked_fraction(value, what=what))
