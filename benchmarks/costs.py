"""The cost of a request, by what becomes of it: excluded, unsampled, sampled, failed, or with Sentry off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.contenders import TITLES
from benchmarks.harness import Spread, processes, ratios, table
from benchmarks.traffic import CASES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.harness import Process

NAMES = ("ours", "sdk", "noop", "ours_off", "sdk_off", "otel")


def measure(
    contenders: Sequence[str],
    framework: str,
    rounds: int,
    say: Callable[[str], None],
    *,
    cases: Sequence[str] = tuple(CASES),
    traces: Sequence[bool] = (False, True),
) -> dict[tuple[str, str, bool], list[float]]:
    """Overhead over the bare app in microseconds, a value for each round, by contender, case and incoming trace."""
    with processes(contenders, framework, say) as running:
        wanted = [(case, trace) for case in cases for trace in traces]
        check(running, wanted)
        found: dict[tuple[str, str, bool], list[float]] = {}
        for _ in range(rounds):
            for case, trace in wanted:
                for contender, process in running.items():
                    if contender.endswith("_off") and case not in {"excluded", "error"}:
                        continue  # off is off: one path that works and one that fails will do
                    bare, spent = process.tell("block", case=case, trace=trace)
                    found.setdefault((contender, case, trace), []).append(spent - bare)
                    found.setdefault(("bare " + contender, case, trace), []).append(bare)
        check(running, wanted)
    return found


def check(running: dict[str, Process], wanted: Sequence[tuple[str, bool]]) -> None:
    """Have every contender's guards look at every case; BenchmarkError where one does not do its job."""
    for process in running.values():
        for case, trace in wanted:
            process.tell("guard", case=case, trace=trace)


def report(found: dict[tuple[str, str, bool], list[float]], framework: str) -> tuple[list[str], dict[str, Any]]:
    """Tables and the same as data."""
    contenders = [name for name in NAMES if any(key[0] == name for key in found)]
    rows, data = [], {}
    for case in CASES:
        for trace in (False, True):
            if ("ours", case, trace) not in found:
                continue
            title = f"{case}, {'trace comes in' if trace else 'no trace'}"
            overheads = {v: found[v, case, trace] for v in contenders if (v, case, trace) in found}
            spreads = {v: Spread.of(values) for v, values in overheads.items()}
            row = [title]
            row += [spreads[v].show() if v in spreads else "" for v in contenders]
            entry: dict[str, Any] = dict(spreads)
            entry["bare"] = Spread.of(found["bare ours", case, trace])
            if "sdk" in overheads:
                entry["sdk / ours"] = Spread.of(ratios(overheads["sdk"], overheads["ours"]))
                row.append(entry["sdk / ours"].show())
            rows.append(row)
            data[title] = entry
    columns = ["request", *(TITLES[v] for v in contenders), "sentry-sdk ÷ asgi-sentry"][: len(rows[0])]
    text = table(f"Overhead over the bare app, µs a request, {framework}", columns, rows)
    return [text], data
