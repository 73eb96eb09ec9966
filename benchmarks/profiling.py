"""Where the time of one contender's requests goes, function by function."""

from __future__ import annotations

import asyncio
import cProfile
import gc
import os
import pstats
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import make
from benchmarks.harness import ROOT, table
from benchmarks.traffic import CASES, drive, several

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 32


def _short(path: str) -> str:
    for base in (ROOT, Path(os.__file__).parent / "site-packages", Path(os.__file__).parent):
        if Path(path).is_relative_to(base):
            return str(Path(path).relative_to(base))
    return path


def profile(case: str, contender: str = "ours", *, trace: bool = False, framework: str = "raw") -> str:
    """A table by function: calls and own time of one request, and what it called included.

    The profiler makes each call dearer, so the shares are for finding what to look at, not for adding up; the time of
    a request without the profiler stands above them.
    """
    app = make(contender, framework)
    number = 300 if case in {"sampled", "error"} else 5_000
    asyncio.run(drive(app, several(CASES[case], number // 3, trace=trace)))
    gc.freeze()
    plain = asyncio.run(drive(app, several(CASES[case], number, trace=trace))) * 1e6
    scopes = several(CASES[case], number, trace=trace)
    profiler = cProfile.Profile()
    profiler.enable()
    asyncio.run(drive(app, scopes))
    profiler.disable()
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    total = sum(entry[2] for entry in stats.values())
    rows = list(_rows(stats.items(), number, total))[:_SHOWN]
    came = "trace comes in" if trace else "no trace"
    title = (
        f"{contender}: {case}, {came}: {plain:.1f} µs a request with the bare app, {total / number * 1e6:.1f} profiled"
    )
    shares: dict[str, float] = {}
    for (path, _, _), entry in stats.items():
        where = "builtins" if path == "~" else _part(_short(path))
        shares[where] = shares.get(where, 0.0) + entry[2]
    parts = [
        [where, f"{own / number * 1e6:.1f}", f"{own / total:.1%}"]
        for where, own in sorted(shares.items(), key=lambda entry: -entry[1])
        if own > total / 200
    ]
    by_function = table(title, ["calls", "own µs", "own %", "with callees µs", "function"], rows)
    return by_function + "\n" + table("The same by part", ["part", "own µs", "own %"], parts)


def _part(path: str) -> str:
    """The package that a file belongs to; of ours, the folder or module."""
    names = Path(path).with_suffix("").parts
    if "site-packages" in names:
        names = names[names.index("site-packages") + 1 :]
    return "/".join(names[:2]) if names[0] in {"asgi_sentry", "sentry_sdk"} else names[0]


def _rows(entries: Iterable[Any], number: int, total: float) -> Iterable[list[str]]:
    for (path, line, name), (_, calls, own, cumulative, _callers) in sorted(entries, key=lambda e: -e[1][2]):
        if calls < number / 2:
            continue
        where = name if path == "~" else f"{_short(path)}:{line} {name}"
        yield [
            f"{calls / number:.1f}",
            f"{own / number * 1e6:.2f}",
            f"{own / total:.1%}",
            f"{cumulative / number * 1e6:.2f}",
            where,
        ]
