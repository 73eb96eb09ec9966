"""Whatever name of sentry-sdk is missing, the app starts and serves, and its errors are sent, scrubbed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
import sentry_sdk

from asgi_sentry._sdk import names

NAMES = [f"{module}.{name}" for _, module, name in names.sought]
GROUPS = {f"{module}.{name}": group for group, module, name in names.sought}
V3 = sentry_sdk.VERSION.startswith("3")
MODES = ["stream"] if V3 else ["classic", "stream"]
UNTRACED = {"scopes", "traces"}
BY_MODE = UNTRACED | {"owner", "spans", "options"}  # whose loss differs where spans are streamed


def wanted(mode: str) -> list[str]:
    return ["nothing", *(name for name in NAMES if mode == MODES[0] or GROUPS[name] in BY_MODE)]


@cache
def results(mode: str) -> dict[str, Any]:
    """What came of the requests, by the name that was hidden."""
    # Each fork ends without a word to a measurement of coverage, which would only make it slow.
    unmeasured = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    run = subprocess.run(
        [sys.executable, "-m", "tests.sdk.hiding", mode, *wanted(mode)],
        capture_output=True,
        text=True,
        timeout=600,
        check=True,
        env=unmeasured,
    )
    return {result["name"]: result for result in map(json.loads, run.stdout.splitlines())}


def named(line: str) -> list[str]:
    """The names that a line says are missing."""
    return line.partition(" has no ")[2].partition(": ")[0].split(", ")


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def test_no_name_is_missing() -> None:
    """A release of the SDK that moves one fails here: see what is lost, and mend it."""
    assert names.missing == {}
    assert len(set(NAMES)) == len(NAMES) >= 35
    assert set(GROUPS.values()) <= names.LOST.keys()


@needs_fork
@pytest.mark.parametrize(("mode", "name"), [(mode, name) for mode in MODES for name in wanted(mode)])
def test_without_a_name_of_the_sdks(mode: str, name: str) -> None:
    result = results(mode)[name]
    assert "failed" not in result, result["trace"]
    assert (result["body"], result["raised"]) == ("fine", "ValueError")
    assert result["errors"] == ["ValueError"]
    assert not result["leaks"]
    said = [line for line in result["lines"] if name in named(line)]
    assert len(said) == (name != "nothing"), result["lines"]
    group = GROUPS.get(name)
    lost = group in UNTRACED | {"spans" if mode == "stream" else "transactions"}
    assert result["transactions"] == (0 if lost else 2)
