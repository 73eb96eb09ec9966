"""What the commands print: tables, data and complaints, fit for a terminal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def print_table(rows: Iterable[tuple[str, ...]], *, to_stderr: bool = False) -> None:
    """Rows of equal length, in columns."""
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"  {line}".rstrip(), file=sys.stderr if to_stderr else sys.stdout)


def printable(text: str) -> str:
    """Without what a terminal would obey: what is shown comes from anybody."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def print_data(text: str) -> None:
    """With escapes for what the output can't show, such as half of a pair of surrogates."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def complain(text: str) -> None:
    """Say on standard error what went wrong."""
    print(f"asgi-sentry: {text}", file=sys.stderr)
