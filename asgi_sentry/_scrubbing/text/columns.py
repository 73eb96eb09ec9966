"""Tables in a text: a column whose head is a sensitive name.

Files with commas, semicolons or tabs between their cells, and tables as `psql` prints them. A row
counts that has as many cells as the head, and of it what looks like a value. The head is the first
line of the text, and each row is gone through once.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.keys import DENIED
from asgi_sentry._scrubbing.text.values import is_harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.meanings import Meanings

__all__ = ["column_spans"]

_NAME = r"\"?[A-Za-z_][\w.-]{0,60}(?: [\w.-]{1,40}){0,2}\"?"
_SPACED = rf"[ \t]{{0,40}}{_NAME}[ \t]{{0,40}}"
# What has spaces around commas is prose, or code.
_HEAD = re.compile(
    rf"\ufeff?(?:(?={_NAME}([,;\t])){_NAME}(?:\1{_NAME}){{1,60}}"
    rf"|\|?{_SPACED}(?:\|{_SPACED}){{1,60}}\|?)\r?\n"
)
_QUOTED_CELL = re.compile(r"\"(?:[^\"]|\"\")*\"|[^\",;\t]+|(?<=[,;\t])(?=[,;\t])|(?<=[,;\t])\Z")
_MOST_ROWS = 2_000  # beyond which the rest goes as a whole
_SHORTEST = 6  # characters of a value


def column_spans(text: str, keys: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Where the values of sensitive columns stand."""
    head = _HEAD.match(text)
    if head is None:
        return
    mark = head[1] or "|"
    names = [name.strip(' \t\r\n"\ufeff') for name in head[0].split(mark)]
    columns = [number for number, name in enumerate(names) if keys.meaning(name) == DENIED]
    if not columns:
        return
    start = head.end()
    for _ in range(_MOST_ROWS):
        end = text.find("\n", start)
        end = end if end >= 0 else len(text)
        cells = _cells(text[start:end], mark)
        if len(cells) == len(names):
            for number in columns:
                at, cell = cells[number]
                value = cell.strip(' \t\r"')
                if _is_value(value):
                    first = start + at + cell.index(value)
                    yield first, first + len(value)
        start = end + 1
        if start >= len(text):
            return
    yield start, len(text)


def _cells(line: str, mark: str) -> list[tuple[int, str]]:
    """The cells of a line, each with where it begins there."""
    if '"' in line and mark != "|":
        return [(match.start(), match[0]) for match in _QUOTED_CELL.finditer(line.rstrip("\r"))]
    cells: list[tuple[int, str]] = []
    at = 0
    for cell in line.split(mark):
        cells.append((at, cell))
        at += len(cell) + 1
    return cells


def _is_value(value: str) -> bool:
    if len(value) < _SHORTEST or is_harmless(value) or any(map(str.isspace, value)):
        return False
    return any(map(str.isdigit, value)) or _WORDS.fullmatch(value) is None


_WORDS = re.compile(r"[\w.-]+")
