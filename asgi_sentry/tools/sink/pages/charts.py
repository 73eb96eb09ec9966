"""Geometry of the charts: numbers to the coordinates of an inline SVG, without a word of markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WIDTH, HEIGHT = 960, 120


class Bar(NamedTuple):
    """One part of a stacked bar."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    label: str


class Row(NamedTuple):
    """One line of a bar chart that lies down."""

    name: str
    value: float
    percent: float


def stacked(
    columns: Sequence[tuple[str, Mapping[str, float]]], kinds: Sequence[str]
) -> tuple[list[Bar], float]:
    """Stacked columns of a time line, and the height of the tallest.

    Args:
        columns: a label and the counts by kind, from left to right.
        kinds: from the bottom to the top.
    """
    tallest = max((sum(counts.values()) for _, counts in columns), default=0.0)
    if not tallest:
        return [], 0.0
    step = WIDTH / len(columns)
    gap = min(2.0, step / 4)
    bars = []
    for number, (label, counts) in enumerate(columns):
        top = float(HEIGHT)
        for kind in kinds:
            if not (n := counts.get(kind, 0)):
                continue
            height = max(1.0, n / tallest * HEIGHT)
            top -= height
            said = f"{label}: {n:,.0f} {kind}"
            bars.append(Bar(number * step, max(top, 0), step - gap, height, kind, said))
    return bars, tallest


def rows(counts: Mapping[str, float], most: int = 12) -> list[Row]:
    """The largest counts, each with its share of the largest."""
    ordered = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    largest = max((value for _, value in ordered), default=0) or 1
    return [Row(name, value, round(100 * value / largest, 2)) for name, value in ordered]


def share(part: float, whole: float) -> float:
    """Percent, at most 100."""
    if whole > 0:
        return round(min(100.0, 100 * part / whole), 2)
    return 0.0
