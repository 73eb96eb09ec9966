"""The copy of the body: time and memory for uploads that the app reads as they come, in chunks of 64 KiB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import costs
from benchmarks.contenders import TITLES
from benchmarks.harness import Result, Spread, processes, table

if TYPE_CHECKING:
    from benchmarks.harness import Log

SIZES = {"1 KB": (1_000, 200), "1 MB": (1_000_000, 10), "100 MB": (100_000_000, 1)}  # bytes, and requests a block
CASE = "unsampled"
METHOD = (
    "In chunks of 64 KiB that the app reads and drops, in turn, round by round; the peak is that of one request, over "
    "the bare app's. The SDK's ASGI middleware keeps no body; its framework integrations do."
)


def run(log: Log, *, quick: bool) -> Result:
    """A row for each size."""
    rows, data = [], {}
    with processes(("ours", "sdk", "noop"), "raw", log) as running:
        costs.check(running, [(CASE, False)])
        for size, (number, repeat) in SIZES.items():
            times: dict[str, list[float]] = {name: [] for name in ("bare", *running)}
            for _ in range(2 if quick else 6):
                for name, process in running.items():
                    bare, spent = process.tell("body", case=CASE, size=number, repeat=repeat)
                    times[name].append(spent - bare)
                    if name == "ours":
                        times["bare"].append(bare)
            peaks = {name: process.tell("memory", case=CASE, size=number) for name, process in running.items()}
            spreads = {name: Spread.of(values) for name, values in times.items()}
            kept = {name: (peak - bare) / 1e3 for name, (bare, peak) in peaks.items()}
            rows.append(
                [
                    size,
                    spreads["bare"].show(),
                    *(spreads[name].show() for name in running),
                    *(f"{kept[name]:.1f}" for name in running),
                ]
            )
            data[size] = {"time": spreads, "peak over the bare app, KB": kept}
        costs.check(running, [(CASE, False)])
        columns = ["body", "bare app, µs", *(f"{TITLES[name]}, µs more" for name in running)]
        columns += [f"{TITLES[name]}, KB more at the peak" for name in running]
    title = "Uploads: processor time and peak memory (tracemalloc) over the bare app, an unsampled request, raw ASGI"
    return Result(method=METHOD, tables=[table(title, columns, rows)], data=data)
