"""What is released: the same bytes wherever and whenever it is built, with all that is needed in it and no more."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("hatchling")
tomllib = pytest.importorskip("tomllib")  # Python 3.11 and later

ROOT = Path(__file__).parents[1]
BUILT = ("asgi_sentry", "tests", "benchmarks", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", ".gitignore")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def build(folder: Path, *, umask: int, age: float) -> Path:
    """A copy of the project, made by another user at another time, and built."""
    ignored = shutil.ignore_patterns("__pycache__", "results", ".*_cache")
    for name in BUILT:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    for path in folder.rglob("*"):
        path.chmod((0o777 if path.is_dir() else 0o666) & ~umask)
        os.utime(path, (age, age))
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000", "TZ": "Asia/Tokyo" if age else "UTC"}
    command = [sys.executable, "-m", "hatchling", "build"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder / "dist"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return [
        build(tmp_path_factory.mktemp(name), umask=umask, age=age)
        for name, umask, age in (("here", 0o022, 0.0), ("there", 0o077, 1e9))
    ]


@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_it_is_built_to_the_same_bytes_twice(built, kind):
    here, there = (next(folder.glob(kind)) for folder in built)
    assert here.name == there.name
    assert here.read_bytes() == there.read_bytes()


def test_the_wheel_holds_the_package_and_nothing_else(built):
    names = zipfile.ZipFile(next(built[0].glob("*.whl"))).namelist()
    assert {name.split("/")[0] for name in names} == {"asgi_sentry", f"asgi_sentry-{PROJECT['version']}.dist-info"}
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "asgi_sentry").rglob("*.py")}
    assert modules | {"asgi_sentry/py.typed"} <= set(names)
    assert not [name for name in names if name.endswith((".pyc", ".orig", "~")) or "/results/" in name]


def test_the_sdist_holds_the_tests_and_builds_the_same_wheel(built, tmp_path):
    with tarfile.open(next(built[0].glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    assert (unpacked / "tests" / "test_package.py").exists()
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel"]
    subprocess.run(command, cwd=unpacked, env=environment, capture_output=True, check=True)
    wheel = next((unpacked / "dist").glob("*.whl"))
    assert wheel.read_bytes() == next(built[0].glob("*.whl")).read_bytes()


def test_the_changelog_names_what_comes_and_each_version_in_order():
    heads = re.findall(
        r"^## \[(.+?)\](?: - (\S+))?$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    names = [name for name, _ in heads]
    assert names[0] == "Unreleased"
    versions = [tuple(map(int, name.split("."))) for name in names[1:]]
    assert versions
    assert versions == sorted(versions, reverse=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", day) for _, day in heads[1:])
    assert tuple(map(int, re.findall(r"\d+", PROJECT["version"])[:3])) >= versions[0]


def test_the_lock_has_the_whole_development_set():
    """By name: its versions are the resolver's. `.github/SECURITY.md` has the command that makes it anew."""
    lock = (ROOT / ".github" / "dev.lock").read_text(encoding="utf-8")
    locked = {folded(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", lock, re.MULTILINE)}
    extras = PROJECT["optional-dependencies"]
    waiting, wanted, seen = [*PROJECT["dependencies"], "asgi-sentry[dev]"], set(), set()
    while waiting:
        requirement = waiting.pop()
        name = folded(re.match(r"[A-Za-z0-9._-]+", requirement)[0])
        if name != "asgi-sentry":
            wanted.add(name)
            continue
        for extra in re.search(r"\[(.*?)\]", requirement)[1].split(","):
            if extra not in seen:
                seen.add(extra)
                waiting += extras[extra]
    assert not wanted - locked
    assert lock.count("--hash=sha256:") > len(locked)


def folded(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
