"""The demo's tables."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from rich.table import Table

if TYPE_CHECKING:
    from rich.console import Console

    from asgi_sentry.tools.demo.tally import Result, Row

_SHOWN_LEAKS = 5


def show(console: Console, result: Result, *, took: str) -> None:
    """Print everything, the verdict last."""
    console.print(_routes(result.rows))
    for what in ("transactions", "errors"):
        reasons = {
            name.removeprefix(f"{what}: "): n
            for name, n in result.decisions.items()
            if name.startswith(what)
        }
        console.print(_counts(f"What became of {what}", ("reason", "times"), Counter(reasons)))
    console.print(_counts("What was redacted", ("rule", "redactions"), result.redactions))
    console.print(_places(result))
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in result.kinds.most_common())
    console.print(f"items arrived: {kinds or 'none'}", highlight=False)
    console.print(took, highlight=False)
    for around in (*result.findings.secrets.values(), *result.findings.fragments)[:_SHOWN_LEAKS]:
        console.print(f"LEAKED: {around!r}", style="red", highlight=False, markup=False)
    for problem in result.problems:
        console.print(f"FAILED: {problem}", style="bold red", highlight=False, markup=False)
    style = "bold green"
    if result.findings.count:
        style = "bold red"
    verdict = (
        f"secrets planted {result.planted.total():,}, found in what was sent "
        f"{result.findings.count:,}"
    )
    console.print(verdict, style=style, highlight=False)


def _routes(rows: tuple[Row, ...]) -> Table:
    table = Table(title="What was asked and what was sent", title_justify="left", show_footer=True)
    # So that nothing is cut off within 80 columns.
    table.pad_edge, table.collapse_padding = False, True
    table.add_column("app", footer="all")
    table.add_column("route", footer="", no_wrap=True)
    for position, name in enumerate(
        ("requests", "trans-\nactions", "excluded", "sampled\nout", "errors"), start=2
    ):
        total = sum(int(row[position]) for row in rows)
        table.add_column(name, footer=f"{total:,}", justify="right")
    for app, group in groupby(rows, key=lambda row: row.app):
        for number, row in enumerate(group):
            table.add_row(
                app if number == 0 else "",
                row.route,
                *(f"{count:,}" if count else "·" for count in row[2:]),
            )
        table.add_section()
    return table


def _counts(title: str, names: tuple[str, str], counts: Counter[str]) -> Table:
    table = Table(title=title, title_justify="left", show_footer=True, min_width=len(title) + 2)
    table.add_column(names[0], footer="all")
    table.add_column(names[1], footer=f"{counts.total():,}", justify="right")
    for name, count in counts.most_common():
        table.add_row(name, f"{count:,}")
    return table


def _places(result: Result) -> Table:
    table = Table(title="Where secrets were planted", title_justify="left", show_footer=True)
    table.add_column("place", footer="all")
    table.add_column("planted", footer=f"{result.planted.total():,}", justify="right")
    table.add_column("found in what was sent", footer=f"{result.found.total():,}", justify="right")
    for place, count in result.planted.most_common():
        table.add_row(place, f"{count:,}", f"{result.found[place]:,}")
    return table
