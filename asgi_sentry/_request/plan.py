"""What the layers of a stack want, joined into one plan that the outermost of them carries out.

Each layer is a plan with one part filled in. Joining plans is associative, and the parts that can
meet (two filters, two samplers) are joined so that the order of unlike layers never matters.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asgi_sentry._request.head_rules import HeadRules, names_agent
from asgi_sentry._sampling.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from asgi_sentry._paths import PathRules
    from asgi_sentry._request.error_policy import ErrorPolicy
    from asgi_sentry._request.routes import NameStyle
    from asgi_sentry._request.user_policy import UserPolicy
    from asgi_sentry._sampling.late import LateDecisions
    from asgi_sentry._sampling.sampler import Gate, PathSampler, Purse
    from asgi_sentry._scrubbing import Scrubber


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RootPolicy:
    """Which responses are failures, when a websocket's transaction is sent, what names are."""

    failed_request_status_codes: Container[int] = range(500, 600)
    websockets: str = "handshake"
    name: NameStyle = "route"
    report_failed_responses: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilterPolicy:
    """Which requests never become transactions."""

    paths: PathRules[bool]
    methods: frozenset[str] = frozenset()
    user_agents: tuple[bytes, ...] = ()
    statuses: frozenset[int] = frozenset()  # of responses whose transactions are dropped at the end

    def excludes(self, scope: Mapping[str, Any]) -> bool:
        """Whether this request is to be no transaction."""
        if scope.get("method") in self.methods or self.paths.match(scope):
            return True
        return bool(self.user_agents) and names_agent(scope, self.user_agents)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BodyPolicy:
    """How much of a body is kept, when it is attached, and who scrubs it."""

    max_bytes: int
    attach: str
    scrubber: Scrubber | None  # None: the one that scrubs everything else


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Allowance:
    """A budget of transactions, and the account by which sent ones stand for refused ones."""

    gate: Gate
    # Of requests that are decided on at their head.
    ledger: Ledger = field(default_factory=Ledger)
    # Of those that are decided on at their end. Each stands for itself, and not for what the head
    # refused.
    late: Ledger = field(default_factory=Ledger)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ErrorRules:
    """Which errors are sent, and how many."""

    policy: ErrorPolicy
    budget: Purse | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """The joined wishes of the layers; the outermost layer's stand first."""

    root: RootPolicy | None = None
    filters: tuple[FilterPolicy, ...] = ()
    samplers: tuple[PathSampler, ...] = ()
    budgets: tuple[Allowance, ...] = ()  # of transactions
    late: LateDecisions | None = None
    errors: tuple[ErrorRules, ...] = ()
    user: UserPolicy | None = None
    # One a layer; None: the one that scrubs everything else.
    headers: tuple[Scrubber | None, ...] = ()
    bodies: tuple[BodyPolicy, ...] = ()
    # Ids of the layers' plans joined here; none: a layer's own.
    members: frozenset[int] = field(default=frozenset())
    # Of the root: the statuses of failed responses, which each response is compared with.
    failures: Container[int] = field(init=False)
    # Whether a layer has a scrubber of its own.
    scrubs_itself: bool = field(init=False)
    # Whether the head alone decides: no budget, and nothing about how a request ends.
    by_head: bool = field(init=False)
    head: HeadRules | None = field(default=None, init=False)  # once something asked

    def __post_init__(self) -> None:
        root = self.root or DEFAULT_ROOT
        object.__setattr__(self, "failures", root.failed_request_status_codes)
        own = any(self.headers) or any(policy.scrubber for policy in self.bodies)
        object.__setattr__(self, "scrubs_itself", own)
        object.__setattr__(self, "by_head", not self.budgets and self.late is None)

    def head_rules(self) -> HeadRules:
        """The rules of its filters and samplers, joined once a request asks.

        Most plans are joined into others before one does.
        """
        head = self.head
        if head is None:
            head = HeadRules(
                methods=(method for policy in self.filters for method in policy.methods),
                agents=(agent for policy in self.filters for agent in policy.user_agents),
                paths=(rule for policy in self.filters for rule, _ in policy.paths.rules),
                samplers=self.samplers,
            )
            object.__setattr__(self, "head", head)
        return head

    def joined(self, inner: Plan) -> Plan:
        """This plan and that of a layer further in.

        Where only one can hold, it is the outer one's.
        """
        return Plan(
            root=self.root or inner.root,
            filters=self.filters + inner.filters,
            samplers=self.samplers + inner.samplers,
            budgets=self.budgets + inner.budgets,
            late=self.late or inner.late,
            errors=self.errors + inner.errors,
            user=self.user or inner.user,
            headers=self.headers + inner.headers,
            bodies=self.bodies + inner.bodies,
            members=self._layers() | inner._layers(),
        )

    def _layers(self) -> frozenset[int]:
        # Layers live as long as the stack, so their plans' ids are theirs; a joined plan may be
        # gone the next moment.
        return self.members or frozenset({id(self)})

    def covers(self, layer: Plan) -> bool:
        """Whether the plan of this layer is this one, or was joined into it."""
        return layer is self or id(layer) in self.members

    def excludes(self, scope: Mapping[str, Any]) -> bool:
        """Whether any filter excludes the request."""
        for policy in self.filters:  # noqa: SIM110 - `any` of a generator costs half as much again
            if policy.excludes(scope):
                return True
        return False

    def drops(self, status: int | None) -> bool:
        """Whether a filter drops the transaction of a response with this status."""
        return any(status in policy.statuses for policy in self.filters)

    def afford_late(self, *, spent: bool) -> float | None:
        """For how many requests one stands that its end decides to send; None: a budget is used up.

        Args:
            spent: whether the head has taken a token for it already; then none is taken here.
        """
        weight = 1.0
        for allowance in self.budgets:
            if not spent and not allowance.gate.take():
                allowance.late.drop()
                return None
            weight *= allowance.late.keep()
        return weight

    def disown(self, weight: float | None) -> None:
        """Undo what the head wrote into its account about a request that its end decides on.

        The account of late decisions has that request too, and it would be counted twice.

        Args:
            weight: for how many requests it stood; None where the budget had refused it.
        """
        # Of several budgets nobody knows which one refused, or what weight each gave. What is left
        # of an error is small.
        if len(self.budgets) == 1:
            self.budgets[0].ledger.debt += -1.0 if weight is None else weight - 1.0


def afford(budgets: tuple[Allowance, ...]) -> float | None:
    """Spend one transaction of each budget: for how many it stands, so that counts add up.

    None: one is used up.
    """
    weight = 1.0
    for allowance in budgets:
        if not allowance.gate.take():
            allowance.ledger.drop()
            return None
        weight *= allowance.ledger.keep()
    return weight


DEFAULT_ROOT = RootPolicy()
