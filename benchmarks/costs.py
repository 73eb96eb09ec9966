"""The cost of a request, by what becomes of it: excluded, unsampled, sampled, failed, or with Sentry off."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.contenders import OTHERS, TITLES
from benchmarks.harness import Result, Spread, processes, ratios, table
from benchmarks.traffic import CASES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Log, Process

    Key = tuple[str, str, bool]  # contender, case, whether a trace comes in
    Found = dict[Key, list[float]]  # a value for each round

METHOD = (
    "A process for each contender, blocks of some milliseconds in turn, round by round: medians of the rounds, in "
    "parentheses their 10th and 90th percentile; ratios taken within each round. Guards held before and after."
)
ALL = ("ours", "ours_plain", "sdk", "noop", "ours_off", "sdk_off", *OTHERS)
QUICK = ("ours", "sdk", "noop", "ours_off", *OTHERS)
ON_FRAMEWORKS = ("ours", "sdk", "noop", "ours_off")


def applies(contender: str, case: str, *, trace: bool) -> bool:
    """Whether a contender does this job at all.

    Off is off: one path that works and one that fails will do. What others record and export is not comparable, and
    they read other trace headers; ddtrace excludes no paths.
    """
    if contender.endswith("_off"):
        return case in {"excluded", "error"}
    if contender == "ours_plain":
        return case in {"sampled", "error"}  # where nothing is sent no hook is called
    if contender in OTHERS:
        return not trace and case in ({"unsampled"} if contender == "datadog" else {"excluded", "unsampled"})
    return True


def measure(
    contenders: Sequence[str],
    framework: str,
    rounds: int,
    log: Log,
    *,
    cases: Sequence[str] = tuple(CASES),
) -> Found:
    """Overhead over the bare app in microseconds."""
    wanted = [(case, trace) for case in cases for trace in (False, True)]
    found: Found = {}
    with processes(contenders, framework, log) as running:
        check(running, wanted)
        for _ in range(rounds):
            for case, trace in wanted:
                blocks = {
                    name: process.tell("block", case=case, trace=trace)
                    for name, process in running.items()
                    if applies(name, case, trace=trace)
                }
                for name, (bare, spent) in blocks.items():
                    # Where the SDK patched the framework, its process has no bare app of it any more: ours has.
                    base = blocks["ours"][0] if bare is None else bare
                    found.setdefault((name, case, trace), []).append(spent - base)
                found.setdefault(("bare", case, trace), []).append(blocks["ours"][0])
        check(running, wanted)
    return found


def check(running: dict[str, Process], wanted: Sequence[tuple[str, bool]]) -> None:
    """Have every contender's guards look at every case; BenchmarkError where one does not do its job."""
    for name, process in running.items():
        for case, trace in wanted:
            if applies(name, case, trace=trace):
                process.tell("guard", case=case, trace=trace)


def report(found: Found, framework: str) -> Result:
    """A row for each case."""
    names = [name for name in ALL if any(key[0] == name for key in found)]
    rows, data = [], {}
    for case, trace in dict.fromkeys((case, trace) for _, case, trace in found):
        title = f"{case}, {'trace' if trace else 'no trace'}"
        spreads = {name: Spread.of(found[name, case, trace]) for name in names if (name, case, trace) in found}
        bare = Spread.of(found["bare", case, trace])
        factor = Spread.of(ratios(found["sdk", case, trace], found["ours", case, trace]))
        cells = [spreads[name].show() if name in spreads else "-" for name in names]
        rows.append([title, f"{bare.median:.1f}", *cells, factor.show()])
        data[title] = {"bare": bare, **spreads, "sdk / ours": factor}
    columns = ["request", "bare app", *(TITLES[name] for name in names), "sentry-sdk ÷ asgi-sentry"]
    title = f"Overhead over the bare app, µs of processor time a request: {framework}"
    return Result(method=METHOD, tables=[table(title, columns, rows)], data=data)


def run(log: Log, *, quick: bool) -> Result:
    """Without a framework."""
    if quick:
        return report(measure(QUICK, "raw", 4, log), "raw ASGI")
    return report(measure(ALL, "raw", 16, log), "raw ASGI")


def run_frameworks(log: Log, *, quick: bool) -> Result:
    """On each framework."""
    tables, data = [], {}
    for framework in ("fastapi",) if quick else ("starlette", "fastapi", "litestar"):
        cases = tuple(CASES)[: 3 if quick else None]  # an error costs ten milliseconds there, with anybody
        contenders = ON_FRAMEWORKS[: 2 if quick else None]
        one = report(measure(contenders, framework, 3 if quick else 6, log, cases=cases), framework)
        tables += one.tables
        data[framework] = one.data
    return Result(method=METHOD, tables=tables, data=data)
