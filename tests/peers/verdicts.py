"""The list of those of their tests that fail within our stack and pass with the SDK alone, each with its verdict."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parent / "verdicts.txt"


class Verdict(NamedTuple):
    """Of one test."""

    wanted: bool  # else a bug, to be mended
    reason: str  # a key of the reasons


class Verdicts(NamedTuple):
    """The list."""

    version: str  # of the SDK whose tests it is about
    reasons: dict[str, str]
    of: dict[str, Verdict]


def read(text: str) -> Verdicts:
    """The list as it is written.

    Raises:
        ValueError: a line is none.
    """
    version, reasons, verdicts = "", {}, {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word == "version":
            version = rest
        elif word == "reason":
            key, _, told = rest.partition(": ")
            reasons[key] = told
        elif word in {"wanted", "bug"}:
            reason, _, test = rest.partition(" ")
            if reason not in reasons or not test or test in verdicts:
                raise ValueError(f"line {number}: no such reason, no test, or one that is there already: {line}")
            verdicts[test] = Verdict(word == "wanted", reason)
        else:
            raise ValueError(f"line {number} is neither version, reason, wanted nor bug: {line}")
    return Verdicts(version, reasons, verdicts)


def current() -> Verdicts:
    return read(PAGE.read_text(encoding="utf-8"))
