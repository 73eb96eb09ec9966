"""How long the event loop is blocked by one request that is sent to Sentry, at most."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from benchmarks import costs
from benchmarks.contenders import TITLES
from benchmarks.harness import Result, Spread, processes, ratios, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Log

CASES = ("unsampled", "sampled", "error")
CONTENDERS = ("ours", "sdk")
METHOD = (
    "The longest step of the event loop in each of 30 requests a round, the SDK's worker in its thread as in "
    "production, where envelopes are also serialised and compressed: the median request of a round and the worst one, "
    "medians of the rounds. In processor time of the loop's thread; by the wall clock it also waits for the "
    "interpreter's lock while the worker holds it, and for other work on the machine."
)
MEASURES = {
    "typical": "typical request",
    "worst": "worst of a round",
    "wall": "typical, wall clock",
}
Found = dict[tuple[str, str, str], list[float]]  # by contender, case and measure: a value for each round


def measure(rounds: int, log: Log, *, cases: Sequence[str] = CASES) -> Found:
    """Microseconds of the longest step."""
    found: Found = {}
    wanted = [(case, False) for case in cases]
    with processes(CONTENDERS, "raw", log) as running:
        costs.check(running, wanted)
        for turn in range(rounds + 1):
            for case in cases:
                for name, process in running.items():
                    processor, wall = process.tell("steps", case=case)
                    if turn == 0:
                        continue  # to warm up
                    values = {
                        "typical": statistics.median(processor),
                        "worst": max(processor),
                        "wall": statistics.median(wall),
                    }
                    for what, value in values.items():
                        found.setdefault((name, case, what), []).append(value)
    return found


def run(log: Log, *, quick: bool) -> Result:
    """A row for each case."""
    found = measure(2 if quick else 10, log)
    rows, data = [], {}
    for case in CASES:
        entry = {TITLES[name]: {what: Spread.of(found[name, case, what]) for what in MEASURES} for name in CONTENDERS}
        factor = Spread.of(ratios(found["sdk", case, "typical"], found["ours", case, "typical"]))
        data[case] = {**entry, "sdk / ours": factor}
        cells = [entry[TITLES[name]][what].show(0) for what in MEASURES for name in CONTENDERS]
        rows.append([case, *cells, factor.show()])
    columns = ["request", *(f"{TITLES[name]}, {title}" for title in MEASURES.values() for name in CONTENDERS)]
    columns.append("sentry-sdk ÷ asgi-sentry, typical")
    title = "µs that the event loop is blocked for at a stretch, raw ASGI"
    return Result(method=METHOD, tables=[table(title, columns, rows)], data=data)
