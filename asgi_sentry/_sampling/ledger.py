"""`Ledger`: the weight of each kept request, so that Sentry's extrapolation adds up.

Sentry counts a transaction as 1 / sample rate of them. With dice alone the fraction is that rate.
Once a limit also has a say, no one number is the probability of being kept: it depends on the
traffic of the moment. A ledger keeps the account instead: every request offered is a debt of one,
every one kept pays some of it off and travels with a rate of 1 / what it paid.

The law: the weights of all that was kept, plus the open debt, equal the number offered, exactly
(but for rounding). So the extrapolated count has no bias, and its error at any time is the open
debt. Paying all of the debt at once would have the least error in the count, but the first request
after a burst would then weigh as much as all that were dropped in it, and drag percentiles with it.
So each pays a share of `1 / SPREAD`: in steady traffic of which a part p is kept, the weights
settle at 1 / p, and the open debt at `SPREAD` * (1 / p - 1) requests, that is, as much as stands
for `SPREAD` kept ones. The first few pay larger shares (all, a half, a third, ...), so that there
is no slow start.

Threads that decide at the very same time may lose a count; that is an error in the count and in
nothing else.
"""

from __future__ import annotations

SPREAD = 8
"""Kept requests over which a debt is spread.

The weights then vary by some 7 % of how the gaps vary.
"""


class Ledger:
    """One rule's account."""

    __slots__ = ("_shares", "debt")

    def __init__(self) -> None:
        self.debt: float = 0.0
        self._shares = 0

    def drop(self) -> None:
        """A request came and was not kept."""
        self.debt += 1

    def keep(self) -> float:
        """A request came and was kept: its weight, at least 1."""
        if self._shares < SPREAD:
            self._shares += 1
        debt = self.debt
        if debt <= 0:
            return 1.0
        paid = debt / self._shares
        self.debt = debt - paid
        return 1 + paid
