"""What a process pays at its start: the import, and `init`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from benchmarks.harness import ROOT, Result, Spread, table

if TYPE_CHECKING:
    from benchmarks.harness import Log

_TIMED = """
import json, sys, time, warnings
warnings.simplefilter("ignore")
began = time.process_time()
{statement}
print(json.dumps([(time.process_time() - began) * 1e3, len(sys.modules)]))
"""
_DSN = "http://49d0f7386ad645858ae85020e393bef3@localhost/1"
STATEMENTS = {
    "import sentry_sdk": "import sentry_sdk",
    "import asgi_sentry": "import asgi_sentry",
    "sentry_sdk.init": f"import sentry_sdk; began = time.process_time(); sentry_sdk.init({_DSN!r})",
    "asgi_sentry.init": (
        f"import asgi_sentry; began = time.process_time(); asgi_sentry.init(asgi_sentry.Settings(dsn={_DSN!r}))"
    ),
}
METHOD = (
    "Each statement in an interpreter of its own, in turn; median of the runs. `init` is without the import. Our own "
    "modules by `-X importtime`, which reads the wall clock: the least of the runs."
)
_LINE = re.compile(r"import time:\s+(\d+) \|\s+(\d+) \|\s*(\S+)")


def _python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)


def own_modules(runs: int) -> list[tuple[str, float]]:
    """Our own modules and the milliseconds that each takes itself, by `-X importtime`."""
    least: dict[str, float] = {}
    for _ in range(runs):  # it reads the wall clock, so the least counts
        for own, _, name in _LINE.findall(_python("-X", "importtime", "-c", "import asgi_sentry").stderr):
            if name.partition(".")[0] == "asgi_sentry":
                least[name] = min(int(own) / 1e3, least.get(name, float("inf")))
    return sorted(least.items(), key=lambda entry: -entry[1])


def run(log: Log, *, quick: bool) -> Result:
    """A row for each statement, in an interpreter of its own each time."""
    times: dict[str, list[float]] = {title: [] for title in STATEMENTS}
    modules: dict[str, int] = {}
    for _ in range(1 if quick else 4):
        for title, statement in STATEMENTS.items():
            spent, modules[title] = json.loads(_python("-c", _TIMED.format(statement=statement)).stdout)
            times[title].append(spent)
    spreads = {title: Spread.of(values) for title, values in times.items()}
    rows = [[title, spreads[title].show(), str(modules[title])] for title in STATEMENTS]
    own = own_modules(1 if quick else 3)
    rows.append(["of import asgi_sentry, our own modules", f"{sum(spent for _, spent in own):.1f}", str(len(own))])
    slowest = [[name, f"{spent:.2f}"] for name, spent in own[:6]]
    tables = [
        table("Start of a process, ms of processor time", ["", "ms", "modules loaded"], rows),
        table("Our own modules that take longest, by -X importtime, wall clock", ["module", "ms itself"], slowest),
    ]
    return Result(method=METHOD, tables=tables, data={"times": spreads, "modules": modules, "own modules": dict(own)})
