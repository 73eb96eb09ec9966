"""`python -m benchmarks`: see README.md beside this file."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks import bodies, costs, gate, growth, layers, machine, profiling, results, servers, start
from benchmarks.contenders import TITLES
from benchmarks.harness import BenchmarkError, Result, table
from benchmarks.traffic import CASES

if TYPE_CHECKING:
    from collections.abc import Callable


def _elsewhere(name: str) -> Callable[..., Result]:
    """A part of the suite that can be run on its own too: its `run(quick)` gives rows of figures."""

    def run(say: Callable[[str], None], *, quick: bool) -> Result:
        rows = importlib.import_module(f"benchmarks.{name}").run(quick)
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [[_cell(row.get(column, "-")) for column in columns] for row in rows]
        return Result(tables=[table(TITLES_ELSEWHERE[name], columns, cells)], data={"rows": rows})

    return run


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


TITLES_ELSEWHERE = {
    "sampling": "Path rules and rates: one decision, in µs and as a ratio to a call of nothing",
    "adaptive": "Adaptive rates, simulated",
    "scrubbing": "Scrubbing",
}
PARTS: dict[str, Callable[..., Result]] = {
    "costs": costs.run,
    "frameworks": costs.run_frameworks,
    "layers": layers.run,
    "servers": servers.run,
    "growth": growth.run,
    "bodies": bodies.run,
    "start": start.run,
    **{
        name: _elsewhere(name)
        for name in TITLES_ELSEWHERE
        if importlib.util.find_spec(f"benchmarks.{name}") is not None
    },
}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What asgi-sentry costs, beside others.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a minute")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; can be given again")
    parser.add_argument("--page", action="store_true", help="also put the tables into benchmarks/README.md")
    parser.add_argument("--gate", action="store_true", help="instead: hold the targets, exit 1 where one is missed")
    parser.add_argument("--profile", choices=CASES, help="instead: where the time of such a request goes")
    parser.add_argument("--trace", action="store_true", help="with --profile: a trace comes in")
    parser.add_argument("--framework", default="raw", help="with --profile")
    parser.add_argument("--contender", default="ours", help=f"with --profile: {', '.join(TITLES)}; ours:fs, ...")
    arguments = parser.parse_args()
    if arguments.profile:
        options: dict[str, Any] = {"trace": arguments.trace, "framework": arguments.framework}
        print(profiling.profile(arguments.profile, arguments.contender, **options))
        return 0
    try:
        if arguments.gate:
            return gate.main(_say)
        return _measure(arguments.only or list(PARTS), quick=arguments.quick, page=arguments.page)
    except BenchmarkError as exc:
        _say(f"no figures: {exc}")
        return 1


def _measure(parts: list[str], *, quick: bool, page: bool) -> int:
    began = time.monotonic()
    printed = [machine.describe()]
    print(printed[0], flush=True)
    found: dict[str, Any] = {}
    for name in parts:
        started = time.monotonic()
        result = PARTS[name](_say, quick=quick)
        for text in result.tables:
            print(text, flush=True)
            printed.append(text)
        found[name] = result.data
        _say(f"{name}: {time.monotonic() - started:.0f} s")
    written = results.write(found, quick=quick, say=_say)
    if page:
        written.append(results.write_page("\n".join(printed)))
    for path in written:
        print(f"written: {path}")
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
