"""`Rate`: what a user says about how many requests become transactions, checked when it is said."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

PERIODS = {
    "second": 1.0,
    "minute": 60.0,
    "hour": 3_600.0,
    "day": 86_400.0,
    "month": 31 * 86_400.0,  # the longest, so that no calendar month ever holds more than the limit
}
"""Seconds in each period that a limit may name."""

_LIMIT = re.compile(rf"\s*([0-9][0-9_]*)\s*/\s*({'|'.join(PERIODS)})\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """So many in so many seconds."""

    count: int
    seconds: float

    def share(self, workers: int) -> Limit:
        """An equal part for one of several processes that don't know of each other.

        Rounded down. Where there are more workers than the count, each may one in a period that is
        longer in proportion, which keeps the mean but not the window: use Redis to share such a
        limit exactly.
        """
        if self.count >= workers:
            return Limit(count=self.count // workers, seconds=self.seconds)
        return Limit(count=1, seconds=self.seconds * workers / self.count)

    def share_of_minimum(self, workers: int) -> Limit:
        """An equal part of what is to be reached at least: rounded up."""
        return Limit(count=-(-self.count // workers), seconds=self.seconds)

    @classmethod
    def parse(cls, text: str, *, what: str) -> Limit:
        """Read `"5/second"`; `what` names the argument in the message.

        Raises:
            TypeError: It is not text.
            ValueError: It is not a positive whole number, a slash and a period.
        """
        if not isinstance(text, str):
            raise TypeError(f"{what} must be text such as '5/second', got {text!r}")
        found = _LIMIT.fullmatch(text)
        count = 0
        if found:
            count = int(found[1].replace("_", ""))
        if found is None or count < 1:
            raise ValueError(
                f"{what} must be a whole number of at least 1 and a period ({', '.join(PERIODS)}), "
                f"such as '5/second' or '10000/month', got {text!r}"
            )
        return cls(count=count, seconds=PERIODS[found[2]])

    @property
    def per_second(self) -> float:
        """The mean it allows."""
        return self.count / self.seconds


def checked_fraction(value: Any, *, what: str) -> float:
    """A probability as a float; `what` begins the message.

    Raises:
        TypeError: It is not a number.
        ValueError: It is not within [0, 1], not a number at all (NaN), or a bool, which is a slip
            of the pen.
    """
    if not isinstance(value, (int, float)):
        raise TypeError(f"{what} must be a number within [0, 1], got {value!r}")
    if isinstance(value, bool) or not 0 <= value <= 1:  # the latter holds for NaN as well
        remedy = ""
        if 1 < value <= 100:
            remedy = f"; write {value / 100:g} for {value:g} %"
        raise ValueError(f"{what} must be within [0, 1], got {value!r}{remedy}")
    return float(value)


@dataclass(frozen=True, slots=True)
class Rate:
    """How many of the requests that match a rule become transactions.

    `fraction` is the probability for each, rolled with the trace's own `sample_rand`. `at_most` is
    never exceeded in any window of its period, whoever asked for the trace. `at_least` keeps
    requests that the dice would drop while fewer than that were kept in its period, so that rare
    routes are seen at all; with it, a fraction of 0 means "only these". Limits are texts such as
    `"5/second"`, `"100/minute"` or `"10000/month"` (a month has 31 days here), and hold per rule:
    in each process, or in all together where they are shared.

    Raises:
        ValueError: The fraction is not within [0, 1], a limit can't be read, or `at_least` is above
            `at_most`.
        TypeError: A value has a wrong type.
    """

    fraction: float = 1.0
    at_most: str | None = field(default=None, kw_only=True)
    at_least: str | None = field(default=None, kw_only=True)
    target: str | None = field(default=None, kw_only=True)

    @classmethod
    def adaptive(cls, target: str, *, at_most: str | None = None) -> Rate:
        """A rate that finds its fractions itself, one for each route: they make `target` in all.

        What a parent decided is followed as with other rates, and not part of the target; `at_most`
        bounds both.
        """
        return cls(target=target, at_most=at_most)

    def __post_init__(self) -> None:
        # The frozen way to normalise: 1 and 1.0 are one rate.
        object.__setattr__(
            self, "fraction", checked_fraction(self.fraction, what="the fraction of a Rate")
        )
        if self.goal and (self.at_least is not None or self.fraction != 1):
            raise ValueError(
                f"a Rate with target={self.target!r} finds its fractions itself and sees to rare "
                "routes; "
                "write Rate.adaptive(target=...) with no more than at_most"
            )
        most, least = self.most, self.least
        if most and least and least.per_second > most.per_second:
            raise ValueError(
                f"at_least={self.at_least!r} is above at_most={self.at_most!r}, so both can't be "
                "kept; lower at_least"
            )

    @property
    def most(self) -> Limit | None:
        """`at_most`, read."""
        if self.at_most is None:
            return None
        return Limit.parse(self.at_most, what="at_most")

    @property
    def least(self) -> Limit | None:
        """`at_least`, read."""
        if self.at_least is None:
            return None
        return Limit.parse(self.at_least, what="at_least")

    @property
    def goal(self) -> Limit | None:
        """`target`, read."""
        if self.target is None:
            return None
        return Limit.parse(self.target, what="target")

    @property
    def excludes(self) -> bool:
        """Whether nothing can ever be kept."""
        return self.fraction == 0 and self.at_least is None
