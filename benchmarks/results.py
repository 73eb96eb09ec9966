"""Writing what was found: tables under their method, JSON, and a chart of the main figures."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import machine
from benchmarks.contenders import TITLES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from benchmarks.harness import Log, Result

FOLDER = Path(__file__).resolve().parent / "results"
_MARKS = ("<!-- results -->", "<!-- end of results -->")
_COLOURS = {
    "ours": "#2a78d6",
    "ours_off": "#9cc3ee",
    "sdk": "#e34948",
    "noop": "#898781",
    "otel": "#eda100",
    "elastic": "#1baf7a",
    "datadog": "#774aa4",
}


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"no JSON for a {type(value).__qualname__}")


def shown(result: Result, absent: Mapping[str, str]) -> Iterator[str]:
    """One part as text: its tables, how they were measured, and who is missing in them."""
    yield from result.tables
    if result.method:
        yield f"*{result.method}*\n"
    if absent:
        yield "Not measured: " + "; ".join(f"{TITLES.get(who, who)} ({why})" for who, why in absent.items()) + ".\n"


def write(found: dict[str, Any], facts: dict[str, Any], log: Log, *, quick: bool) -> list[Path]:
    """Write `results.json` and, where matplotlib is installed, `costs.png`; the paths written.

    Args:
        found: by part; `figures` of each are its data.
        facts: of the machine.
        log: told where there is no chart.
        quick: whether the figures are of few rounds.
    """
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / "results.json"
    path.write_text(json.dumps({"machine": facts, "quick": quick, "parts": found}, indent=1, default=_plain) + "\n")
    written = [path]
    if "costs" in found:
        try:
            written.append(_chart(found["costs"]["figures"], facts))
        except ImportError as exc:
            log.skip("the chart", f"not installed ({exc})")
    return written


def write_page(text: str) -> Path:
    """Put these tables between the two marks of the README."""
    page = FOLDER.parent / "README.md"
    before, first, rest = page.read_text().partition(_MARKS[0])
    _, second, after = rest.partition(_MARKS[1])
    if not first or not second:
        raise ValueError(f"{page} has no {' and '.join(_MARKS)} to put the results between")
    page.write_text(f"{before}{first}\n{text.strip()}\n{second}{after}")
    return page


def _chart(costs: dict[str, Any], facts: dict[str, Any]) -> Path:
    """Overhead by case and contender on a logarithmic scale, the spread as whiskers."""
    import matplotlib as mpl  # noqa: PLC0415 - the suite runs without it

    mpl.use("Agg")
    import matplotlib.pyplot as plt  # noqa: PLC0415

    contenders = [name for name in _COLOURS if any(name in entry for entry in costs.values())]
    figure, axes = plt.subplots(figsize=(10, 5.5), layout="constrained")
    width = 0.8 / len(contenders)
    for place, name in enumerate(contenders):
        points = [(i, entry[name]) for i, entry in enumerate(costs.values()) if name in entry]
        medians = [spread.median for _, spread in points]
        spreads = [
            [spread.median - spread.low for _, spread in points],
            [spread.high - spread.median for _, spread in points],
        ]
        axes.bar(
            [i + (place - len(contenders) / 2 + 0.5) * width for i, _ in points],
            medians,
            width * 0.92,
            yerr=spreads,
            label=TITLES[name],
            color=_COLOURS[name],
            error_kw={"elinewidth": 1, "ecolor": "#52514e"},
        )
    axes.set_yscale("log")
    axes.set_xticks(range(len(costs)), list(costs), rotation=20, ha="right")
    axes.set_ylabel("µs over the bare app, a request")
    axes.set_title("What a request costs, raw ASGI (median, whiskers from the 10th to the 90th percentile of rounds)")
    axes.grid(axis="y", color="#e1e0d9", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.supxlabel(textwrap.fill(machine.describe(facts), 150), fontsize=7, color="#52514e")
    path = FOLDER / "costs.png"
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path
