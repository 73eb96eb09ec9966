"""Where the time of one contender's requests goes, function by function."""

from __future__ import annotations

import asyncio
import cProfile
import gc
import os
import pstats
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.contenders import make
from benchmarks.harness import ROOT, table
from benchmarks.traffic import CASES, User, scope_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN = 32


async def _requests(app: Any, template: dict[str, Any], number: int) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        pass

    for _ in range(number):
        try:
            await app({**template, "state": {}}, receive, send)
        except ValueError:
            continue


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
    template = scope_of(CASES[case], trace=trace, user=User("alice"))
    number = 300 if case in {"sampled", "error"} else 10_000
    asyncio.run(_requests(app, template, number // 3))
    gc.freeze()
    before = time.process_time()
    asyncio.run(_requests(app, template, number))
    plain = (time.process_time() - before) / number * 1e6
    profiler = cProfile.Profile()
    profiler.enable()
    asyncio.run(_requests(app, template, number))
    profiler.disable()
    stats = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    total = sum(entry[2] for entry in stats.values())
    rows = list(_rows(stats.items(), number, total))[:_SHOWN]
    came = "trace comes in" if trace else "no trace"
    title = (
        f"{contender}: {case}, {came}: {plain:.1f} µs a request with the bare app, {total / number * 1e6:.1f} profiled"
    )
    return table(title, ["calls", "own µs", "own %", "with callees µs", "function"], rows)


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
