"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.harness import ROOT

_PACKAGES = (
    *("asgi-sentry", "sentry-sdk", "starlette", "fastapi", "litestar", "uvicorn", "uvloop", "httptools", "granian"),
    *("opentelemetry-instrumentation-asgi", "opentelemetry-sdk", "elastic-apm", "ddtrace", "sentry-relay"),
)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.strip()


def facts() -> dict[str, Any]:
    """As data."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return {
        "python": platform.python_version(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(load, 1) for load in os.getloadavg()],
        "commit": _commit(),
        "versions": versions,
    }


def describe(found: dict[str, Any]) -> str:
    """As a paragraph."""
    versions = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    return (
        f"Python {found['python']} on {found['system']}, {found['cores']} cores of {found['processor']}, load "
        f"{', '.join(map(str, found['load']))}, commit {found['commit']}; {versions}.\n"
    )
