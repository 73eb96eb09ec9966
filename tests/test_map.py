"""`asgi_sentry/README.md`, the page for whoever comes next, is whole: each law, each module, no name that is gone."""

from __future__ import annotations

import re

import pytest

from tests.map import PACKAGE, PAGE, ROOT, listing, written

TEXT = PAGE.read_text(encoding="utf-8")
FILES = set(re.findall(r"`(?:tests/)?([\w/]+\.py)`", TEXT.partition("## Every module")[0]))
LISTING = listing().splitlines()
LAWS = range(1, 12)


def test_every_module_is_named_with_its_own_first_sentence():
    assert written(TEXT) == TEXT, "run `python -m tests.map`: modules came, went, or say something else of themselves"


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_says_what_it_is(path):
    """Its name is in the list, with a sentence that fits on a line there."""
    name = "asgi_sentry" if path == PACKAGE / "__init__.py" else path.stem
    if path.name == "__init__.py" and path.parent != PACKAGE:
        name = path.parent.relative_to(PACKAGE).as_posix()
    found = [line for line in LISTING if line.startswith((f"- `{name}`: ", f"**{name}**: "))]
    assert found, f"{path} has no docstring"
    assert all(len(line) > len(name) + 20 for line in found)


@pytest.mark.parametrize("law", LAWS)
def test_a_law_names_the_tests_that_hold_it(law):
    row = re.search(rf"^\| {law}\. .*$", TEXT, re.MULTILINE)
    assert row is not None, f"law {law} has no row"
    tests = re.findall(r"`([\w/]+\.py)`", row[0])
    assert tests
    assert [name for name in tests if not (ROOT / "tests" / name).exists()] == []


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "tests" / "laws").glob("test_*.py")))
def test_a_test_of_whole_stacks_says_which_law_it_holds(name):
    assert f"`laws/{name}`" in TEXT, f"name laws/{name} beside its law in asgi_sentry/README.md"


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`(?:tests/)?([\w/]+\.py)`", TEXT.partition("## Every module")[0])))
)
def test_a_file_that_the_page_names_exists(name):
    places = [ROOT / name, ROOT / "tests" / name, PACKAGE / name]
    assert any(place.exists() for place in places)
