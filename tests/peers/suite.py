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
from collections.abc import Callable, Iterable
from importlib import metadata
from pathlib import Path

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


class NoTests(Missing):
    """There are none to run: nothing is missing that could be had."""


def compared(frameworks: Iterable[str], compare: Callable[[str], list[str]]) -> tuple[list[str], bool]:
    """Compare one framework after the other; what can't be compared is said.

    Args:
        frameworks: their names.
        compare: gives what is wrong with one, in lines.

    Returns:
        What is wrong with any, and whether all was compared that was to be. Where there are no tests at all, that is
        nothing.
    """
    bad: list[str] = []
    ran = missed = False
    for framework in frameworks:
        try:
            bad += compare(framework)
            ran = True
        except Missing as missing:
            missed = missed or not isinstance(missing, NoTests)
            print(f"{framework:10} skipped: {missing}", flush=True)
    return bad, ran and not missed


def installed(distribution: str) -> str:
    return metadata.version(distribution)


def unpacked(distribution: str = "sentry-sdk", part: str = "tests/") -> Path:
    """The folder that holds the tests of a distribution, of the release that is installed.

    Args:
        distribution: its name.
        part: what of it is unpacked. The tests alone are run by our own options, and with the package installed.

    Raises:
        Missing: it can't be had.
        NoTests: it brings none.
    """
    version = installed(distribution)
    if distribution == "sentry-sdk" and version.startswith("3"):
        raise Missing(f"the integrations that are compared are those of sentry-sdk 2, and {version} is installed")
    home = HOME / f"{distribution}-{version}"
    if not (home / "tests").exists():
        # Its files are all that is asked for; what would build it is not installed, and need not be.
        wanted = f"{distribution}=={version}"
        _pip("download", "--no-deps", "--no-binary", ":all:", "--dest", str(HOME), wanted)
        archive = HOME / f"{distribution.replace('-', '_')}-{version}.tar.gz"
        with tarfile.open(archive) as packed:
            inside = f"{archive.name.removesuffix('.tar.gz')}/"
            members = [each for each in packed.getmembers() if each.name.startswith(inside + part)]
            if not any(each.name.startswith(f"{inside}tests/") for each in members):
                raise NoTests(f"the source distribution of {distribution} {version} brings no tests")
            for member in members:
                member.name = member.name.removeprefix(inside)
            packed.extractall(home, members, filter="data")
    return home


def extras(name: str = "extras", needed: tuple[str, ...] = NEEDED) -> Path:
    """The folder of what their tests need besides."""
    home = HOME / name
    if not home.exists():
        _pip("install", "--no-deps", "--target", str(home), *needed)
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
    environ = {"PEERS_BEYOND": "1"} if beyond else {}
    plugins = ("pytest_asyncio.plugin", *(("our_stack",) if ours else ()))
    name, tests = f"{framework}-{'ours' if ours else 'plain'}", f"tests/integrations/{framework}"
    found = run(unpacked(), tests, name, extras(), plugins, "--asyncio-mode=auto", "-W", "ignore", environ=environ)
    return {f"{framework}::{test.rpartition('::')[2]}": why for test, why in found.items()}


def run(
    home: Path, tests: str, name: str, beside: Path, plugins: tuple[str, ...], *options: str, environ: dict[str, str]
) -> dict[str, str]:
    """What came of each test of a folder that was unpacked, by module and name; those that are skipped are left out.

    Args:
        home: where it was unpacked.
        tests: the folder within.
        name: what the report of this run is called.
        beside: the folder of what they need besides.
        plugins: modules that pytest loads; it finds none by itself.
        options: further ones for pytest.
        environ: what the environment has besides.

    Raises:
        Missing: they can't be run here.
    """
    report = HOME / f"{name}.xml"
    report.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", tests]
    command += [*(f"-p{plugin}" for plugin in plugins), *options]
    paths = [str(home), str(WITHIN), str(ROOT), str(beside)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environ}
    environ.pop("SENTRY_DSN", None)
    done = subprocess.run(command, cwd=home, env=environ, capture_output=True, text=True, timeout=900, check=False)
    if not report.exists():
        raise Missing(f"their tests of {name} do not run: {done.stdout[-1500:]}{done.stderr[-1500:]}")
    found: dict[str, str] = {}
    for case in ET.parse(report).iter("testcase"):
        bad = [*case.findall("failure"), *case.findall("error")]
        if case.find("skipped") is None:
            found[f"{case.get('classname')}::{case.get('name')}"] = _line(bad[0]) if bad else ""
    return found


def _line(bad: ET.Element) -> str:
    return (bad.get("message") or bad.text or "failed").split("\n")[0][:160]
