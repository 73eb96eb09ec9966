"""`python -m benchmarks`: see README.md beside this file."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from typing import TYPE_CHECKING, Any

from benchmarks import (
    blocking,
    bodies,
    costs,
    gate,
    growth,
    layers,
    machine,
    profiling,
    results,
    sent,
    servers,
    start,
    wire,
)
from benchmarks.contenders import TITLES
from benchmarks.harness import BenchmarkError, Log, Result, table
from benchmarks.traffic import CASES

if TYPE_CHECKING:
    from collections.abc import Callable


def _elsewhere(name: str, title: str) -> Callable[..., Result]:
    """A part of the suite that can be run on its own too: its `run(quick)` gives rows of figures."""

    def run(log: Log, *, quick: bool) -> Result:
        try:
            module = importlib.import_module(f"benchmarks.{name}")
        except ImportError as exc:
            log.skip(name, f"not installed ({exc})")
            return Result(method="", tables=[], data={})
        rows = module.run(quick)
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [[_cell(row.get(column, "-")) for column in columns] for row in rows]
        return Result(method=module.METHOD, tables=[table(title, columns, cells)], data={"rows": rows})

    return run


def _cell(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


PARTS: dict[str, Callable[..., Result]] = {
    "costs": costs.run,
    "frameworks": costs.run_frameworks,
    "sent": sent.run,
    "wire": wire.run,
    "layers": layers.run,
    "blocking": blocking.run,
    "servers": servers.run,
    "growth": growth.run,
    "bodies": bodies.run,
    "start": start.run,
    "sampling": _elsewhere("sampling", "Path rules and rates: one decision, in µs and as a ratio to a call of nothing"),
    "adaptive": _elsewhere("adaptive", "Adaptive rates, simulated"),
    "scrubbing": _elsewhere("scrubbing", "Scrubbing"),
}


def main() -> int:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What asgi-sentry costs, beside others.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a minute")
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; can be given again")
    parser.add_argument("--page", action="store_true", help="put the tables, and the gate's, into benchmarks/README.md")
    parser.add_argument("--gate", action="store_true", help="instead: hold the thresholds, exit 1 where one is not met")
    parser.add_argument("--profile", choices=CASES, help="instead: where the time of such a request goes")
    parser.add_argument("--trace", action="store_true", help="with --profile: a trace comes in")
    parser.add_argument("--framework", default="raw", help="with --profile")
    parser.add_argument("--contender", default="ours", help=f"with --profile: {', '.join(TITLES)}; ours:fs, ...")
    arguments = parser.parse_args()
    if arguments.profile:
        options: dict[str, Any] = {"trace": arguments.trace, "framework": arguments.framework}
        print(profiling.profile(arguments.profile, arguments.contender, **options))
        return 0
    log = Log()
    try:
        if arguments.gate:
            return gate.main(log)
        return _measure(arguments.only or list(PARTS), log, quick=arguments.quick, page=arguments.page)
    except BenchmarkError as exc:
        log.say(f"no figures: {exc}")
        return 1


def _measure(parts: list[str], log: Log, *, quick: bool, page: bool) -> int:
    began = time.monotonic()
    facts = machine.facts()
    printed = [machine.describe(facts)]
    print(printed[0], flush=True)
    found: dict[str, Any] = {}
    for name in parts:
        started = time.monotonic()
        log.absent.clear()
        result = PARTS[name](log, quick=quick)
        seconds = round(time.monotonic() - started)
        for text in results.shown(result, log.absent):
            print(text, flush=True)
            printed.append(text)
        found[name] = {
            "method": result.method,
            "not measured": dict(log.absent),
            "seconds": seconds,
            "figures": result.data,
        }
        log.say(f"{name}: {seconds} s")
    written = results.write(found, facts, log, quick=quick)
    if page:
        gated, _ = gate.held(log)
        print(gated)
        written.append(results.write_page("\n".join([*printed, gated])))
    for path in written:
        print(f"written: {path}")
    print(f"{time.monotonic() - began:.0f} s in all")
    return 0


if __name__ == "__main__":
    sys.exit(main())
