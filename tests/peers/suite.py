"""sentry-python's own tests: where they come from, and a run of them with the plain SDK or within our stack.

The source distribution of a release brings its tests, so that nothing but the package index is needed. What they need
besides our own tests' environment is put beside it, where it changes nothing for anybody else.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import sentry_sdk

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".venv-peers"
WITHIN = Path(__file__).parent / "within"  # alone on their path: their package is called `tests` as ours is

FRAMEWORKS = ("asgi", "starlette", "fastapi", "litestar")
NEEDED = (
    "pytest-asyncio",
    "async-asgi-testclient",
    # What these two need, named one by one: another pytest beside ours would be another pytest.
    "certifi",
    "charset-normalizer",
    "idna",
    "multidict",
    "requests",
)


class Missing(Exception):
    """Why their tests can't be run here."""


def unpacked() -> Path:
    """The folder that holds their `tests`, of the release that is installed.

    Raises:
        Missing: it can't be had.
    """
    version = sentry_sdk.VERSION
    if version.startswith("3"):
        raise Missing(f"the integrations that are compared are those of sentry-sdk 2, and {version} is installed")
    home = HOME / f"sentry-sdk-{version}"
    if not (home / "tests").exists():
        _pip("download", "--no-deps", "--no-binary", ":all:", "--dest", str(HOME), f"sentry-sdk=={version}")
        archive = HOME / f"sentry_sdk-{version}.tar.gz"
        with tarfile.open(archive) as packed:
            inside = f"sentry_sdk-{version}/"
            members = [each for each in packed.getmembers() if each.name.startswith(f"{inside}tests/")]
            if not members:
                raise Missing(f"the source distribution of sentry-sdk {version} brings no tests")
            for member in members:
                member.name = member.name.removeprefix(inside)
            packed.extractall(home, members, filter="data")
    return home


def extras() -> Path:
    """The folder of what their tests need besides."""
    home = HOME / "extras"
    if not home.exists():
        _pip("install", "--no-deps", "--target", str(home), *NEEDED)
    return home


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode:
        raise Missing(f"pip {arguments[0]} failed: {(done.stderr.strip().splitlines() or ['without a word'])[-1]}")


def outcomes(framework: str, *, ours: bool, beyond: bool = False) -> dict[str, str]:
    """What came of each test of a framework: an empty text for one that passed, else the reason in a line.

    Args:
        framework: one of `FRAMEWORKS`.
        ours: within our stack; else with the SDK alone.
        beyond: with names, mechanisms and origins in the SDK's words, so that their tests look beyond these.

    Raises:
        Missing: their tests can't be run here.
    """
    home, beside = unpacked(), extras()
    report = HOME / f"{framework}-{'ours' if ours else 'plain'}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "pytest_asyncio.plugin"]
    command += ["-p", "our_stack"] if ours else []
    command += ["-W", "ignore", "--asyncio-mode=auto", f"--junitxml={report}", f"tests/integrations/{framework}"]
    paths = [str(home), str(WITHIN), str(ROOT), str(beside)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environ.pop("SENTRY_DSN", None)
    environ.update({"PEERS_BEYOND": "1"} if beyond else {})
    done = subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, timeout=900, check=False)
    if not report.exists():
        raise Missing(f"their tests of {framework} do not run: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    found: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        bad = [*case.findall("failure"), *case.findall("error")]
        if case.find("skipped") is None:
            found[f"{framework}::{case.get('name')}"] = _line(bad[0]) if bad else ""
    return found


def _line(bad: ET.Element) -> str:
    return (bad.get("message") or bad.text or "failed").split("\n")[0][:160]
