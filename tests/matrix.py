"""The versions that are supported, tried: `python -m tests.matrix` builds an environment a cell and prints a table.

    python -m tests.matrix            every Python that is installed, with every version of the SDK, and all tests
    python -m tests.matrix --core     the same cells, and the core of the tests (`CORE` says what is in it, and why)
    python -m tests.matrix --slice    that core in three cells, in which every axis varies; what CI runs
    python -m tests.matrix --list     the cells, and nothing else
    python -m tests.matrix CELL ...   these alone; `-- ARGUMENTS` behind them go to pytest

CI runs the slice: the oldest Python that is installed with the oldest SDK and the oldest frameworks that are declared,
the middle one with the newest SDK 2 and Starlette 0.52, and the newest one with the SDK's version 3 and the newest
frameworks; SDK 2 in both of its modes. A failure there fails the run.

Interpreters are looked for on the search path and where pyenv puts them; none is downloaded. Environments stand in
`.venv-matrix/` and are kept, so that a second run is quick.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOME = ROOT / ".venv-matrix"

PYTHONS = ("3.10", "3.11", "3.12", "3.13", "3.14")
SDKS = {"sdk-oldest": "sentry-sdk=={oldest}", "sdk-2": "sentry-sdk>=2,<3", "sdk-3": "sentry-sdk>=3.0.0a1,<4"}
# Starlette and FastAPI go together: each FastAPI allows a range of Starlettes.
FRAMEWORKS: dict[str, tuple[str, ...]] = {
    "frameworks-oldest": (),  # all that is declared, at its lower bound
    "starlette-0.52": ("starlette==0.52.*",),
    "starlette-1.0": ("starlette==1.0.*",),
    "starlette-1.6": ("starlette==1.6.*",),
    "frameworks-newest": (),
}
SHOWN = ("sentry-sdk", "starlette", "fastapi", "litestar")

TESTS = ("tests",)

_SETUPS = ("wrap", "inside", "one layer alone", "the SDK's within", "closures between")
CORE = (
    # The SDK's insides: each name, and that what is done in its place is what it does.
    "tests/sdk/test_names.py::test_no_name_is_missing",
    "tests/sdk/test_after_fork.py",
    "tests/sdk/test_collection.py",
    "tests/sdk/test_request_scopes.py",
    "tests/sdk/test_stack_frames.py",
    "tests/sdk/test_sdk.py",
    "tests/sdk/test_serialized.py",
    # Where a framework's version shows: names of routes, handled exceptions, bodies, users, mounts.
    "tests/request/test_app_routes.py",
    "tests/request/test_routes.py",
    "tests/laws/test_frameworks.py",
    "tests/laws/test_tracebacks.py",
    # Each law once, by the test that sees the most of it.
    *(
        f"tests/laws/test_one_each.py::test_one_transaction_and_one_error[{mode}-{framework}-{setup}]"
        for mode, framework, setup in itertools.product(
            ("classic", "stream"), ("fastapi", "starlette", "litestar"), _SETUPS
        )
    ),
    "tests/laws/test_one_each.py::test_the_same_exception_in_two_requests_is_two",
    "tests/exit/test_clients.py::test_one_exception_can_go_to_both",
    "tests/laws/test_order.py::test_there_are_120_orders_and_each_part_of_the_traffic_is_seen",
    "tests/laws/test_order.py::test_where_the_root_stands_is_all_the_same",
    "tests/laws/test_no_secret.py::test_no_secret_is_in_any_byte_that_is_sent",
    "tests/laws/test_no_secret.py::test_a_websocket",
    "tests/laws/test_websockets.py::test_a_conversation_is_one_transaction_or_none",
    "tests/laws/test_websockets.py::test_a_refusal_is_no_error",
    "tests/laws/test_websockets.py::test_an_error_is_reported_once_in_each_mode",
    "tests/laws/test_transparency.py::test_cancellation_passes_through",
    "tests/laws/test_transparency.py::test_messages_results_and_exceptions_are_the_same",
    "tests/laws/test_transparency.py::test_other_scopes_pass_untouched",
    "tests/laws/test_propagation.py::test_from_a_thread_a_child_task_and_async_code",
    "tests/laws/test_propagation.py::test_from_a_websocket",
    "tests/laws/test_propagation.py::test_the_trace_goes_on_with_the_decision",
)
"""What of them a slice runs: it fails where the SDK or a framework moved, and the three cells take four minutes at most
on two cores. What tests our own code alone, in dozens of variants or with servers, is not in it: another version of a
framework makes no difference there."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One environment."""

    python: str
    sdk: str
    frameworks: str

    @property
    def name(self) -> str:
        return f"py{self.python}-{self.sdk}-{self.frameworks}"

    @property
    def home(self) -> Path:
        return HOME / self.name


@dataclass(kw_only=True)
class Result:
    """What came of a cell."""

    cell: Cell
    versions: dict[str, str] = field(default_factory=dict)
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By mode of the SDK (`classic`, `stream`, or `-` where a test has none) and outcome."""
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    @property
    def good(self) -> bool:
        passed = sum(count for (_, outcome), count in self.counts.items() if outcome == "passed")
        return not self.error and not self.failures and passed > 0


def oldest(package: str) -> str:
    """The lower bound that pyproject.toml declares."""
    found = re.search(rf'"{re.escape(package)}>=([0-9.]+)', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise LookupError(f"pyproject.toml declares no lower bound of {package}")
    return found[1]


def all_cells() -> list[Cell]:
    """Each Python with each SDK; the frameworks go round, so that each SDK meets each of them."""
    sets = list(FRAMEWORKS)
    return [
        Cell(python=python, sdk=sdk, frameworks=sets[(row + 2 * column) % len(sets)])
        for (row, python), (column, sdk) in itertools.product(enumerate(PYTHONS), enumerate(SDKS))
    ]


def sliced(installed: list[str]) -> list[Cell]:
    """The oldest of everything, something between, and the newest of everything."""
    if not installed:
        return []
    return [
        Cell(python=installed[0], sdk="sdk-oldest", frameworks="frameworks-oldest"),
        Cell(python=installed[len(installed) // 2], sdk="sdk-2", frameworks="starlette-0.52"),
        Cell(python=installed[-1], sdk="sdk-3", frameworks="frameworks-newest"),
    ]


def interpreter(version: str) -> Path | None:
    """An installed Python of this minor version."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    candidates = sorted(pyenv.glob(f"versions/{version}.*/bin/python"), reverse=True)
    if (on_path := shutil.which(f"python{version}")) is not None:
        candidates.append(Path(on_path))
    if sys.version_info[:2] == tuple(map(int, version.split("."))):
        candidates.insert(0, Path(sys.executable))
    for candidate in candidates:
        asked = [candidate, "-c", "import sys, venv; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return candidate
    return None


def build(cell: Cell, python: Path) -> str:
    """Make the cell's environment; what went wrong, if anything did."""
    uv = [sys.executable, "-m", "uv", "--quiet", "--no-python-downloads"]
    if not cell.home.exists():
        run([*uv, "venv", "--python", str(python), str(cell.home)])
    resolution = "lowest-direct" if cell.frameworks == "frameworks-oldest" else "highest"
    install = [*uv, "pip", "install", "--python", str(cell.home / "bin" / "python"), "--upgrade"]
    wanted = ["--resolution", resolution, "-e", ".[test]", *FRAMEWORKS[cell.frameworks]]
    # The SDK by itself: its newest beside the oldest of all else is a cell too.
    for command in ([*install, *wanted], [*install, SDKS[cell.sdk].format(oldest=oldest("sentry-sdk"))]):
        done = run(command)
        if done.returncode:
            return done.stderr.strip()
    return ""


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, **options)  # type: ignore[call-overload]


def versions(cell: Cell) -> dict[str, str]:
    code = f"from importlib.metadata import version\nfor name in {SHOWN!r}: print(version(name))"
    done = run([str(cell.home / "bin" / "python"), "-c", code])
    return dict(zip(SHOWN, done.stdout.split(), strict=False))


def tried(cell: Cell, python: Path, arguments: list[str]) -> Result:
    """Build the cell, run the tests in it, and count."""
    result, began = Result(cell=cell), time.monotonic()
    if error := build(cell, python):
        result.error = f"can't be installed: {error[-1500:]}"
        return result
    result.versions = versions(cell)
    # Bytecode is kept in the cell: each start of the SDK imports its integrations anew where their libraries are
    # missing, and would compile them each time, which is most of what a start costs.
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": str(cell.home / "bytecode")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    environment.pop("CI", None)  # services have tests of their own, outside of the matrix
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        command = [str(cell.home / "bin" / "python"), "-m", "pytest", "-q", f"--junit-xml={report}", *arguments]
        try:
            done = run(command, env=environment, timeout=3600)
        except subprocess.TimeoutExpired:
            result.error = "the tests take more than an hour"
            return result
        if report.exists():
            count(result, ET.parse(report))
        else:
            result.error = (done.stdout + done.stderr)[-1500:]
    result.seconds = time.monotonic() - began
    return result


def count(result: Result, report: ET.ElementTree) -> None:
    """Each test case of the report, by the SDK's mode and how it ended."""
    for case in report.iter("testcase"):
        name = case.get("name", "")
        mode = next((mode for mode in ("classic", "stream") if re.search(rf"[\[-]{mode}[\]-]", name)), "-")
        ends = {child.tag for child in case}
        outcome = "failed" if ends & {"failure", "error"} else "skipped" if "skipped" in ends else "passed"
        result.counts[mode, outcome] += 1
        if outcome == "failed":
            result.failures.append(f"{case.get('classname', '')}::{name}")


def table(results: list[Result]) -> str:
    """Markdown, a cell a row."""
    rows = [["Python", "SDK", "Starlette", "FastAPI", "Litestar", "classic", "streaming", "other", "failed", "s"]]
    for result in results:
        shown = [result.versions.get(name, "-") for name in SHOWN]
        by_mode = [f"{result.counts[mode, 'passed']}" for mode in ("classic", "stream", "-")]
        failed = "not built" if result.error else str(len(result.failures))
        rows.append([result.cell.python, *shown, *by_mode, failed, f"{result.seconds:.0f}"])
    rows.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.matrix", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("cells", nargs="*", metavar="CELL", help="a cell's name, or a part of it")
    parser.add_argument("--slice", action="store_true", help="what CI runs: three cells, and the core of the tests")
    parser.add_argument("--core", action="store_true", help="the core of the tests, in all cells")
    parser.add_argument("--list", action="store_true", help="name the cells, and run none")
    own, _, behind = " ".join(sys.argv[1:]).partition(" -- ")
    options = parser.parse_args(own.split())

    pythons = {version: interpreter(version) for version in PYTHONS}
    installed = [version for version, path in pythons.items() if path is not None]
    cells = sliced(installed) if options.slice else all_cells()
    if options.cells:
        cells = [cell for cell in cells if any(part in cell.name for part in options.cells)]
    if options.list:
        print(*(f"{cell.name}{'' if cell.python in installed else '  (not installed)'}" for cell in cells), sep="\n")
        return 0

    results = []
    for cell in cells:
        if (python := pythons[cell.python]) is None:
            continue
        tests = CORE if options.slice or options.core else TESTS
        result = tried(cell, python, behind.split() or ["-n", "auto", *tests])
        results.append(result)
        ends = "good" if result.good else result.error or "\n  ".join(["failed:", *result.failures[:30]])
        print(f"{cell.name}: {ends}", flush=True)
    print("", table(results), "", sep="\n")
    if missing := [version for version in PYTHONS if version not in installed]:
        print(f"Not installed here, so not tried: Python {', '.join(missing)}.")
    return 0 if results and all(result.good for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
