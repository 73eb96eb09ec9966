"""What the README and the documentation show runs as it stands, with warnings as errors."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import asgi_sentry
from asgi_sentry.tools import cli

ROOT = Path(__file__).parents[1]
DOCS = Path(asgi_sentry.__file__).parent / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def blocks(page: Path, language: str) -> list[str]:
    return [text for found, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if found == language]


def named(page: Path) -> str:
    return page.name


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SENTRY_", "ASGI_SENTRY_")):
            monkeypatch.delenv(name)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_python_block_runs(page, tmp_path):
    """The blocks of a page run one after the other, as a reader would type them."""
    script = tmp_path / "page.py"
    # Each README block is an app of its own: what they are called is the same.
    script.write_text("\n".join(blocks(page, "python")), encoding="utf-8")
    # ResourceWarnings of loops and sockets that a short script leaves to its end are no fault of the text.
    command = [sys.executable, "-W", "error", "-W", "default::ResourceWarning", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]


def commands() -> list[str]:
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
        for line in (*lines, *re.findall(r"`((?:asgi-sentry|pip install|uvicorn) [^`]+)`", text)):
            found += [part.strip() for part in re.split(r"&&|;", line) if part.strip()]
    return sorted(set(found))


@pytest.mark.parametrize("command", [each for each in commands() if "asgi-sentry " in each and "pip" not in each])
def test_every_command_is_one(command, monkeypatch):
    """The parser takes it; what it does is tested with the command itself."""
    arguments = shlex.split(command[command.index("asgi-sentry ") :])[1:]
    arguments = [each.replace("FILE...", "FILE") for each in arguments]
    assert cli.parser().parse_args(arguments)


def test_every_extra_that_is_told_to_be_installed_is_one():
    known = set(re.findall(r"^(\w+) = \[$|^(\w+) = \[\"", (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    known = {name for pair in known for name in pair if name}
    for page in PAGES:
        for extras in re.findall(r"'(?:asgi-sentry|\.)\[([\w,]+)\]'", page.read_text(encoding="utf-8")):
            assert set(extras.split(",")) <= known, (page.name, extras)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    text = page.read_text(encoding="utf-8")
    headings = {_anchor(line) for line in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    for link in _LINK.findall(_BLOCK.sub("", text)):
        if link.startswith("http"):
            continue
        path, _, anchor = link.partition("#")
        if path:
            assert (page.parent / path).exists(), link
        else:
            assert anchor in headings, link


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_readme_is_short():
    words = len(re.sub(r"<[^>]+>", " ", (ROOT / "README.md").read_text(encoding="utf-8")).split())
    assert words <= 1_500


def test_every_page_is_linked_from_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [page.name for page in PAGES[1:] if f"asgi_sentry/docs/{page.name}" not in readme] == []
