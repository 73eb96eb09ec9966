"""`Outcome`: what is known of a request once it has ended, and sets of statuses to ask about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_CLASS = re.compile(r"([1-5])xx", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a request ended.

    `status` is the response's, None if none was sent; `seconds` from the request to the end of the
    response; `failed` whether an exception was raised or reported.
    """

    status: int | None
    seconds: float
    failed: bool = False


def statuses(codes: Iterable[Any], *, what: str) -> frozenset[int]:
    """A set of HTTP statuses from numbers, ranges and classes such as `"5xx"`.

    `what` names the argument.

    Raises:
        ValueError: A code is not within 100 to 599, or can't be read.
        TypeError: `codes` is one text, not several.
    """
    if isinstance(codes, str):
        raise TypeError(f"{what} must be several codes, such as ({codes!r},), got {codes!r}")
    found: set[int] = set()
    for code in codes:
        hundreds = None
        if isinstance(code, str):
            hundreds = _CLASS.fullmatch(code)
        if hundreds is not None:
            first = int(hundreds[1]) * 100
            found.update(range(first, first + 100))
        elif isinstance(code, range) and len(code) and min(code) >= 100 and max(code) <= 599:
            found.update(code)
        elif isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 599:
            found.add(int(code))
        else:
            raise ValueError(
                f"{what} must be numbers within [100, 599], ranges of them, or '5xx', got {code!r}"
            )
    return frozenset(found)
