"""What is decided for a request at its head."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from asgi_sentry._sampling.sampler import RuleState


class Decision(NamedTuple):
    """What was decided for a request."""

    sampled: bool
    rate: float | None  # the effective rate, in [0, 1]; None: the incoming one stays
    reason: str  # of the client report, where it is not sampled
    by: str  # who decided, as `counters` tells it
    rule: RuleState | None = None  # the rate that was found for the path
    # For how many of what the rate let through it stands: those that a budget did not.
    weight: float = 1.0

    @property
    def excluded(self) -> bool:
        """Never to be a transaction, so no session either."""
        return self.by == "excluded"


EXCLUDED = Decision(sampled=False, rate=0.0, reason="sample_rate", by="excluded")


@dataclass(frozen=True, slots=True)
class Dice:
    """A rate that the dice alone decide about, where no trace comes in: both answers, made once."""

    fraction: float
    yes: Decision
    no: Decision
