"""How the cost of a request grows: with requests in flight, rules, headers, and spans in the event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import TITLES
from benchmarks.harness import Result, Spread, processes, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.harness import Process

IN_FLIGHT = (1, 10, 100, 1_000)
RULES = (0, 50, 500, 5_000)
HEADERS = (4, 12, 40, 100)
SPANS = (0, 10, 100, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What grows, and how it is measured."""

    title: str
    case: str
    points: Sequence[int]
    argument: str  # of the command
    do: str = "block"
    trace: bool = False

    def tell(self, process: Process, point: int) -> tuple[float, float]:
        """Have a contender measure one point."""
        command: dict[str, Any] = {self.argument: point}
        if self.do == "block":
            command["trace"] = self.trace
        bare, spent = process.tell(self.do, case=self.case, **command)
        return bare, spent


QUANTITIES = (
    Quantity(
        title="requests in flight, unsampled", case="unsampled", points=IN_FLIGHT, argument="requests", do="crowd"
    ),
    Quantity(title="headers, excluded, trace", case="excluded", points=HEADERS, argument="number", trace=True),
    Quantity(title="headers, sampled", case="sampled", points=HEADERS, argument="number"),
    Quantity(title="spans that are not sent, unsampled", case="unsampled", points=SPANS, argument="spans"),
    Quantity(title="spans in the transaction, sampled", case="sampled", points=SPANS, argument="spans"),
)


def _series(say: Callable[[str], None], rounds: int) -> dict[str, dict[str, dict[int, Spread]]]:
    found: dict[tuple[str, str, int], list[float]] = {}
    with processes(("ours", "sdk"), "raw", say) as running:
        for quantity in QUANTITIES:
            for process in running.values():
                process.tell("guard", case=quantity.case, trace=quantity.trace)
        for _ in range(rounds):
            for quantity in QUANTITIES:
                for point in quantity.points:
                    for name, process in running.items():
                        bare, spent = quantity.tell(process, point)
                        found.setdefault((quantity.title, name, point), []).append(spent - bare)
    series: dict[str, dict[str, dict[int, Spread]]] = {}
    for (title, name, point), values in found.items():
        series.setdefault(title, {}).setdefault(name, {})[point] = Spread.of(values)
    return series


def _rules(say: Callable[[str], None], rounds: int) -> dict[str, dict[int, Spread]]:
    found: dict[str, dict[int, list[float]]] = {"excluded": {}, "unsampled": {}}
    with processes([f"ours:fsuhb{number or ''}" for number in RULES], "raw", say) as running:
        for process in running.values():
            for case in found:
                process.tell("guard", case=case, trace=False)
        for _ in range(rounds):
            for case, series in found.items():
                for number, process in zip(RULES, running.values(), strict=True):
                    bare, spent = process.tell("block", case=case, trace=False)
                    series.setdefault(number, []).append(spent - bare)
    return {case: {p: Spread.of(values) for p, values in series.items()} for case, series in found.items()}


def run(say: Callable[[str], None], *, quick: bool) -> Result:
    """A table for each quantity."""
    rounds = 2 if quick else 10
    series = {
        **_series(say, rounds),
        "path rules of the filter, and as many of the sampling": _rules(say, rounds),
    }
    tables = []
    for title, lines in series.items():
        points = list(next(iter(lines.values())))
        rows = [[TITLES.get(name, name), *(line[point].show() for point in points)] for name, line in lines.items()]
        tables.append(table(f"µs over the bare app by the number of {title}", ["", *map(str, points)], rows))
    return Result(tables=tables, data=series)
