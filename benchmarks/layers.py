"""Each layer alone, and all together, on a request that is not sampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.harness import Result, Spread, processes, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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
CASE = "unsampled"
FURTHER = 4  # layers of the stack beyond the first


def measure(
    rounds: int, say: Callable[[str], None], stacks: Iterable[str] = tuple(STACKS)
) -> dict[tuple[str, bool], list[float]]:
    """Overhead in microseconds by stack and whether a trace comes in."""
    found: dict[tuple[str, bool], list[float]] = {}
    with processes([f"ours:{names}" for names in stacks], "raw", say) as running:
        for turn in range(rounds):
            for trace in (False, True):
                for contender, process in running.items():
                    if turn == 0:
                        process.tell("guard", case=CASE, trace=trace)
                    bare, spent = process.tell("block", case=CASE, trace=trace)
                    found.setdefault((contender.partition(":")[2], trace), []).append(spent - bare)
    return found


def each_further(found: dict[tuple[str, bool], list[float]], *, trace: bool) -> list[float]:
    """What a layer adds to those that stand already, round by round: all five less the mean of one alone, by four."""
    alone = list(zip(*(found[name, trace] for name in "fsuhb"), strict=True))
    return [
        (together - sum(singles) / len(singles)) / FURTHER
        for together, singles in zip(found["fsuhb", trace], alone, strict=True)
    ]


def run(say: Callable[[str], None], *, quick: bool) -> Result:
    """A row for each stack."""
    found = measure(8 if quick else 30, say)
    rows = [
        [title, *(Spread.of(found[names, trace]).show(2) for trace in (False, True))] for names, title in STACKS.items()
    ]
    further = {trace: Spread.of(each_further(found, trace=trace)) for trace in (False, True)}
    rows.append(["each further layer", *(further[trace].show(2) for trace in (False, True))])
    data = {
        title: {"no trace": Spread.of(found[names, False]), "trace": Spread.of(found[names, True])}
        for names, title in STACKS.items()
    }
    data["each further layer"] = {"no trace": further[False], "trace": further[True]}
    title = "Layers: overhead over the bare app, µs of processor time an unsampled request, raw ASGI"
    return Result(tables=[table(title, ["stack", "no trace", "trace"], rows)], data=data)
