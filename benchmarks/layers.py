"""Each layer alone, and all together, on a request that is not sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import costs
from benchmarks.harness import Result, Spread, processes, ratios, table

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.harness import Log

STACKS = {
    "r": "the root alone",
    "f": "filter alone",
    "s": "sampling alone",
    "u": "user alone",
    "h": "headers alone",
    "b": "body alone",
    "fsuhb": "all five",
    "bhusf": "all five, the other way round",
}
METHOD = "Measured as the costs of a request are. A further layer: all five less the mean of one alone, by four."
CASE = "unsampled"
NEEDED = ("f", "s", "u", "h", "b", "fsuhb")  # for what a further layer costs
FURTHER = 4  # layers of the stack beyond the first


def measure(rounds: int, log: Log, stacks: Iterable[str] = tuple(STACKS)) -> dict[tuple[str, bool], list[float]]:
    """Overhead in microseconds by stack and whether a trace comes in."""
    found: dict[tuple[str, bool], list[float]] = {}
    wanted = [(CASE, trace) for trace in (False, True)]
    with processes([f"ours:{names}" for names in stacks], "raw", log) as running:
        costs.check(running, wanted)
        for _ in range(rounds):
            for _, trace in wanted:
                for contender, process in running.items():
                    bare, spent = process.tell("block", case=CASE, trace=trace)
                    found.setdefault((contender.partition(":")[2], trace), []).append(spent - bare)
        costs.check(running, wanted)
    return found


def each_further(found: dict[tuple[str, bool], list[float]], *, trace: bool) -> list[float]:
    """What a layer adds to those that stand already, round by round: all five less the mean of one alone, by four."""
    alone = list(zip(*(found[name, trace] for name in "fsuhb"), strict=True))
    return [
        (together - sum(singles) / len(singles)) / FURTHER
        for together, singles in zip(found["fsuhb", trace], alone, strict=True)
    ]


def over_one_alone(found: dict[tuple[str, bool], list[float]], *, trace: bool) -> list[float]:
    """All five by the mean of one alone, round by round."""
    alone = zip(*(found[name, trace] for name in "fsuhb"), strict=True)
    return ratios(found["fsuhb", trace], [sum(singles) / len(singles) for singles in alone])


def run(log: Log, *, quick: bool) -> Result:
    """A row for each stack."""
    stacks = {names: title for names, title in STACKS.items() if not quick or names in NEEDED}
    found = measure(2 if quick else 18, log, stacks)
    rows = [
        [title, *(Spread.of(found[names, trace]).show(2) for trace in (False, True))] for names, title in stacks.items()
    ]
    further = {trace: Spread.of(each_further(found, trace=trace)) for trace in (False, True)}
    rows.append(["each further layer", *(further[trace].show(2) for trace in (False, True))])
    data = {
        title: {"no trace": Spread.of(found[names, False]), "trace": Spread.of(found[names, True])}
        for names, title in stacks.items()
    }
    data["each further layer"] = {"no trace": further[False], "trace": further[True]}
    title = "Layers: overhead over the bare app, µs of processor time an unsampled request, raw ASGI"
    return Result(method=METHOD, tables=[table(title, ["stack", "no trace", "trace"], rows)], data=data)
