"""How the cost of a request grows: with requests in flight, rules, headers, body, and size of what is sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks import costs
from benchmarks.contenders import TITLES
from benchmarks.harness import Result, Spread, processes, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Log, Process

IN_FLIGHT = (1, 10, 100, 1_000)
RULES = (5, 50, 500, 5_000)
HEADERS = (4, 12, 40, 100)
SPANS = (0, 10, 100, 300)
FRAMES = (1, 10, 40, 80)  # beyond those of the app and the layers; the SDK keeps a hundred
BODIES = (100, 1_000, 10_000, 100_000)
METHOD = "Measured as the costs of a request are. Of a body asgi-sentry keeps 16 KB, the layer's default."


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
    Quantity(title="frames with variables in the event, error", case="error", points=FRAMES, argument="frames"),
    Quantity(
        title="bytes in a JSON body, error (on a raw app the SDK attaches none)",
        case="error",
        points=BODIES,
        argument="size",
        do="document",
    ),
)


def _some(points: Sequence[int], *, quick: bool) -> Sequence[int]:
    return (points[0], points[-1]) if quick else points


def _series(log: Log, rounds: int, *, quick: bool) -> dict[str, dict[str, dict[int, Spread]]]:
    found: dict[tuple[str, str, int], list[float]] = {}
    quantities = QUANTITIES[::3] if quick else QUANTITIES
    with processes(("ours", "sdk"), "raw", log) as running:
        wanted = list(dict.fromkeys((quantity.case, quantity.trace) for quantity in quantities))
        costs.check(running, wanted)
        for _ in range(rounds):
            for quantity in quantities:
                for point in _some(quantity.points, quick=quick):
                    for name, process in running.items():
                        bare, spent = quantity.tell(process, point)
                        found.setdefault((quantity.title, name, point), []).append(spent - bare)
        costs.check(running, wanted)
    series: dict[str, dict[str, dict[int, Spread]]] = {}
    for (title, name, point), values in found.items():
        series.setdefault(title, {}).setdefault(name, {})[point] = Spread.of(values)
    return series


def _rules(log: Log, rounds: int) -> dict[str, dict[int, Spread]]:
    found: dict[str, dict[int, list[float]]] = {"excluded": {}, "unsampled": {}}
    wanted = [(case, False) for case in found]
    with processes([f"ours:fsuhb{number}" for number in RULES], "raw", log) as running:
        costs.check(running, wanted)
        for _ in range(rounds):
            for case, series in found.items():
                for number, process in zip(RULES, running.values(), strict=True):
                    bare, spent = process.tell("block", case=case, trace=False)
                    series.setdefault(number, []).append(spent - bare)
        costs.check(running, wanted)
    return {case: {p: Spread.of(values) for p, values in series.items()} for case, series in found.items()}


def run(log: Log, *, quick: bool) -> Result:
    """A table for each quantity."""
    rounds = 2 if quick else 6
    series = _series(log, rounds, quick=quick)
    if not quick:  # a decision alone is measured by `sampling`, for as many rules
        series["path rules of the filter, and as many of the sampling"] = _rules(log, rounds)
    tables = []
    for title, lines in series.items():
        points = list(next(iter(lines.values())))
        rows = [[TITLES.get(name, name), *(line[point].show() for point in points)] for name, line in lines.items()]
        tables.append(table(f"µs over the bare app by the number of {title}", ["", *map(str, points)], rows))
    return Result(method=METHOD, tables=tables, data=series)
