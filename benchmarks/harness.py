"""Contenders' processes, interleaved rounds, and what is made of them."""

from __future__ import annotations

import json
import os
import select
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PATIENCE = 180  # seconds for one answer
ROOT = Path(__file__).resolve().parent.parent


class BenchmarkError(Exception):
    """A contender failed, or its guards did: there is no figure."""


class Process:
    """A contender, waiting for what it is told."""

    def __init__(self, contender: str, framework: str, *further: str, module: str = "benchmarks.worker") -> None:
        self.contender = contender
        self.label = f"{contender} on {framework}"
        # The same hashes, hence the same layout of dicts and sets, in every process and run.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - as long as the process; a pipe would fill up unread
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, contender, framework, *further],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.skipped: str | None = None  # why it can't be measured here

    def await_start(self) -> None:
        """Wait until it is ready, or says why it will not be."""
        self.skipped = self._answer().get("skipped")

    def _answer(self) -> dict[str, Any]:
        ready, _, _ = select.select([self._process.stdout], [], [], PATIENCE)
        line = self._process.stdout.readline() if ready else ""
        if not line:
            self._errors.seek(0)
            what = "ended" if ready else f"did not answer in {PATIENCE} s"
            raise BenchmarkError(f"{self.label} {what}: {self._errors.read()[-3000:]}")
        answer: dict[str, Any] = json.loads(line)
        if "error" in answer:
            raise BenchmarkError(f"{self.label}: {answer['error']}")
        return answer

    def tell(self, do: str, **command: Any) -> Any:
        """Have it do something, and wait for the answer."""
        self._process.stdin.write(json.dumps({"do": do, **command}) + "\n")
        self._process.stdin.flush()
        return self._answer().get("ok")

    def close(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


class Log:
    """Tells on stderr how far a run is, and remembers what could not be measured in it."""

    def __init__(self) -> None:
        self.absent: dict[str, str] = {}  # and why

    def say(self, line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    def skip(self, what: str, why: str) -> None:
        """Once for each: a part may ask for it again."""
        if what not in self.absent:
            self.say(f"skipped {what}: {why}")
        self.absent[what] = why


@contextmanager
def processes(contenders: Iterable[str], framework: str, log: Log) -> Iterator[dict[str, Process]]:
    """The contenders that can be measured here; the others are named with the reason."""
    with ExitStack() as stack:
        started = [Process(contender, framework) for contender in contenders]
        for process in started:
            stack.callback(process.close)
        running: dict[str, Process] = {}
        for process in started:
            process.await_start()
            if process.skipped is not None:
                log.skip(process.contender, process.skipped)
            else:
                running[process.contender] = process
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A median, and how far the rounds were from it."""

    median: float
    low: float  # the 10th percentile of the rounds
    high: float  # the 90th

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of one value for each round."""
        ordered = sorted(values)
        last = len(ordered) - 1
        return cls(median=statistics.median(ordered), low=ordered[round(last * 0.1)], high=ordered[round(last * 0.9)])

    def show(self, digits: int = 1) -> str:
        """As in a table."""
        if abs(self.median) >= 100:
            digits = 0
        return f"{self.median:.{digits}f} ({self.low:.{digits}f}..{self.high:.{digits}f})"


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Round by round; a round in which the denominator drowned in noise counts as its smallest credible value."""
    return [a / max(b, 0.05) for a, b in zip(over, under, strict=True)]


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table under its title, aligned for reading as text also."""
    widths = [max(len(column), *(len(row[i]) for row in rows)) for i, column in enumerate(columns)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in (columns, ["-" * width for width in widths], *rows)
    ]
    return "\n".join([f"### {title}", "", *lines, ""])


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one part of the suite found: how it was measured, tables to print, and the same as data."""

    method: str
    tables: list[str]
    data: dict[str, Any]
