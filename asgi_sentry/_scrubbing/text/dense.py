"""What is denser than in any text of people or programs is replaced as a whole.

Each secret that is found costs some microseconds, so that whoever writes thousands of them into one
text could make its search take long. Nobody else writes them so densely.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["is_dense", "until_dense"]

# Secrets of a text, and characters for each beyond. What stands before tells, which is the same
# the next time that the text is scrubbed.
_MOST, _DENSEST = 100, 120


def is_dense(number: int, place: int) -> bool:
    """Whether so many secrets in front of a place are more than anybody writes."""
    return number > _MOST + place // _DENSEST


def until_dense(spans: Iterable[tuple[Any, ...]], text: str) -> Iterator[tuple[Any, ...]]:
    """The spans of one finder, in the order of their places; at most one more for the rest.

    Args:
        spans: each begins with where it starts and ends in the text.
        text: which.
    """
    for number, span in enumerate(spans):
        if is_dense(number, span[0]):
            yield span[0], len(text), *span[2:]
            return
        yield span
