"""Late decisions: requests that turned out failed or slow are kept although the dice said no.

What it costs: the request's spans have to be recorded until its end is known, so every request that
a `keep` layer watches is recorded as if it were sampled, and most are thrown away. Serialization,
scrubbing and sending, which are most of a transaction's cost, are paid only for what is kept. What
other services did for the request is lost where they followed the head's "no".

What Sentry's extrapolation makes of it: an outcome that a rule names would be counted once by the
dice, at their rate, and once more here. So all requests with such an outcome, kept by whom they may
be, travel with the rate at which they are kept *here*: 1 as long as the limit is not reached, and
less when it is (see `ledger.py`). All other requests keep the rate of their dice. Both parts
extrapolate to their own number, and so does the whole.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry import _faults as faults
from asgi_sentry._sampling.ledger import Ledger
from asgi_sentry._sampling.limits import TokenBucket
from asgi_sentry._sampling.rate import Limit
from asgi_sentry._sampling.request_outcome import Outcome, statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asgi_sentry._sampling.sampler import Gate, Sharing


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRule:
    """A question about an outcome; `name` is told in counters and tags."""

    name: str
    holds: Callable[[Outcome], bool]


class Late(NamedTuple):
    """A late decision on a request whose outcome a rule names; `rate` is None if it is not kept."""

    kept: bool
    rate: float | None
    rule: str


def errors() -> KeepRule:
    """Requests that raised, reported an exception, or were answered with a 5xx."""
    return KeepRule(name="errors", holds=_failed)


def slower_than(seconds: float) -> KeepRule:
    """Requests that took longer.

    Raises:
        ValueError: `seconds` is not a positive number.
    """
    if (
        isinstance(seconds, bool)
        or not isinstance(seconds, (int, float))
        or not 0 < seconds < float("inf")
    ):
        raise ValueError(
            f"slower_than takes a positive number of seconds, such as 1.5, got {seconds!r}"
        )
    return KeepRule(
        name=f"slower_than({seconds:g})", holds=lambda outcome: outcome.seconds > seconds
    )


def status(*codes: int | str | range) -> KeepRule:
    """Requests answered with one of these: `status(429)`, `status("4xx", 503)`.

    Raises:
        ValueError: There is no code, or one can't be read.
    """
    if not codes:
        raise ValueError("status() takes at least one code, such as 429 or '5xx'")
    wanted = statuses(codes, what="status")
    name = f"status({', '.join(str(code) for code in codes)})"
    return KeepRule(name=name, holds=lambda outcome: outcome.status in wanted)


class LateDecisions:
    """Rules and their limit for a whole process.

    Raises:
        ValueError: `limit` can't be read.
        TypeError: A rule is not one.
    """

    __slots__ = ("_gate", "_ledger", "rules")

    def __init__(
        self,
        rules: Iterable[KeepRule],
        limit: str = "10/second",
        *,
        clock: Callable[[], float] = time.monotonic,
        workers: int = 1,
        sharing: Sharing | None = None,
    ) -> None:
        self.rules: tuple[KeepRule, ...] = tuple(rules)
        for rule in self.rules:
            if not isinstance(rule, KeepRule):
                raise TypeError(
                    f"keep takes errors(), slower_than(seconds) and status(code, ...), got {rule!r}"
                )
        read = Limit.parse(limit, what="the limit of keep")
        self._gate: Gate = TokenBucket(read.share(workers), clock=clock)
        if sharing is not None and self.rules:
            self._gate = sharing.gate("keep_at_most", read)
        self._ledger = Ledger()

    def __bool__(self) -> bool:
        return bool(self.rules)

    def settle(self, outcome: Outcome, *, sampled: bool) -> Late | None:
        """Decide on a request that has ended, once; None leaves the head's decision and rate.

        What the dice kept (`sampled`) stays kept and takes no token.
        """
        rule = next((rule for rule in self.rules if _holds(rule, outcome)), None)
        if rule is None:
            return None
        if not sampled and not self._gate.take():
            self._ledger.drop()
            return Late(kept=False, rate=None, rule=rule.name)
        return Late(kept=True, rate=1 / self._ledger.keep(), rule=rule.name)


def _holds(rule: KeepRule, outcome: Outcome) -> bool:
    try:
        return bool(rule.holds(outcome))
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note(f"the keep rule {rule.name}", exc, "it holds for no such request")
        return False


def _failed(outcome: Outcome) -> bool:
    return outcome.failed or (outcome.status is not None and outcome.status >= 500)
