"""The house: dependencies point down, nothing runs in a circle, and one room knows sentry-sdk's insides.

What is broken today stands in `KNOWN`, which may only shrink: a violation that is not listed fails, and so does a line
whose violation is gone.
"""

from __future__ import annotations

import ast
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import asgi_sentry
from tests.imports import Graph, draw

PACKAGE = Path(asgi_sentry.__file__).parent

FLOORS: tuple[tuple[str, ...], ...] = (
    ("types", "_faults", "_counters", "_paths", "_credentials", "_state"),
    ("_scrubbing",),
    ("_sdk", "_sampling"),
    ("_request",),
    ("_middleware", "_exit", "_helpers", "_fields", "_settings"),
    ("_announcement",),
    ("_setup",),
    ("", "keep", "testing"),  # the public face
    ("tools",),
    ("__main__",),
)
"""From the ground up. A module may import from its own floor and from those below."""

KNOWN: dict[str, set[str]] = {
    "circle": set(),
    "upward": set(),
    "private SDK name": set(),
    "streaming": set(),
}


def room(name: str) -> str:
    """The module's name below the package: `_request.record`."""
    return name.partition(".")[2]


def floor(name: str) -> int:
    top = room(name).partition(".")[0]
    for height, rooms in enumerate(FLOORS):
        if top in rooms:
            return height
    raise AssertionError(f"{name} stands on no floor: name its room in FLOORS, as far down as its imports allow")


@cache
def drawn() -> Graph:
    """The package's graph."""
    return draw(PACKAGE)


def violations(graph: Graph) -> dict[str, set[str]]:
    """What breaks a rule of the house, by rule."""
    inside = {name for name in graph.modules if room(name).partition(".")[0] == "_sdk"}
    outside = [module for name, module in graph.modules.items() if name not in inside]
    return {
        "circle": {room(name) for circle in graph.circles for name in circle},
        "upward": {f"{room(a)} -> {room(b)}" for a, b in graph.arrows if floor(b) > floor(a)},
        "private SDK name": {f"{room(module.name)}: {name}" for module in outside for name in module.private_sdk},
        "streaming": {room(module.name) for module in outside if module.streaming},
    }


ADVICE = {
    "circle": "modules that import one another, for types too: move what both need below both",
    "upward": "an import from a floor above: see FLOORS",
    "private SDK name": "sentry-sdk's insides are known in `_sdk` alone",
    "streaming": "what differs between classic and streaming is a property of `_sdk`'s roots, not a branch outside",
}


@pytest.mark.parametrize("rule", ADVICE)
def test_the_house_stands(rule: str) -> None:
    found, known = violations(drawn())[rule], KNOWN[rule]
    assert not found - known, f"{ADVICE[rule]}: {sorted(found - known)}"
    assert not known - found, f"mended, so take it out of KNOWN[{rule!r}]: {sorted(known - found)}"


def test_rooms_of_one_floor_run_in_no_circle() -> None:
    """Also where no two modules do: `_middleware` may import `_exit`, or the other way round, but not both."""
    graph = drawn()
    tops = {(room(a).partition(".")[0], room(b).partition(".")[0]) for a, b in graph.arrows if floor(a) == floor(b)}
    both = {frozenset(pair) for pair in tops if pair[0] != pair[1] and pair[::-1] in tops}
    assert not both, f"rooms that import each other: {[sorted(pair) for pair in both]}"


def test_a_file_has_a_name_of_its_own() -> None:
    """Whoever is told a file's name finds one room, not two."""
    names = Counter(path.name for path in PACKAGE.rglob("*.py"))
    assert {name for name, number in names.items() if number > 1} == {"__init__.py"}


CONDITIONAL_EXPRESSIONS = 11
"""A thousand lines: as many as the packages have that are models of style."""


def test_conditions_are_statements_where_an_expression_needs_a_second_look() -> None:
    sources = [path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")]
    expressions = sum(isinstance(node, ast.IfExp) for text in sources for node in ast.walk(ast.parse(text)))
    lines = sum(len(text.splitlines()) for text in sources)
    assert expressions <= CONDITIONAL_EXPRESSIONS * lines / 1000, f"{expressions} `a if b else c` in {lines} lines"


def house(tmp_path: Path, **files: str) -> Graph:
    """A package called `asgi_sentry` with these files; `__` in a name is a folder's end."""
    root = tmp_path / "asgi_sentry"
    for name, text in files.items():
        path = root.joinpath(*name.split("__")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return draw(root)


@pytest.mark.parametrize(
    ("rule", "files"),
    [
        ("circle", {"_paths": "import asgi_sentry._faults", "_faults": "from asgi_sentry import _paths"}),
        ("circle", {"_paths": "def f():\n    from . import _faults", "_faults": "from ._paths import f"}),
        (
            "circle",
            {
                "_paths": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from asgi_sentry._faults import x",
                "_faults": "from asgi_sentry._counters import x",
                "_counters": "from asgi_sentry._paths import y",
            },
        ),
        ("upward", {"_paths": "from asgi_sentry._sdk.view import View", "_sdk__view": "class View: ..."}),
        ("upward", {"_sdk__view": "from ..testing import x", "testing": "x = 1"}),
        ("private SDK name", {"_exit__door": "from sentry_sdk.scope import _global_scope"}),
        ("private SDK name", {"_exit__door": "from sentry_sdk.utils import event_from_exception"}),
        ("private SDK name", {"_exit__door": "import sentry_sdk\nsentry_sdk.scope.should_send_default_pii()"}),
        ("private SDK name", {"_exit__door": "from sentry_sdk import Scope as S\nS._flags"}),
        ("private SDK name", {"_exit__door": "import sentry_sdk._batcher as b"}),
        ("streaming", {"_request__record": "def f(view):\n    return 1 if view.streaming else 2"}),
        ("streaming", {"_request__record": "def f(view):\n    return getattr(view, 'streaming', False)"}),
    ],
)
def test_each_violation_is_seen(rule: str, files: dict[str, str], tmp_path: Path) -> None:
    found = violations(house(tmp_path, **files))
    assert found.pop(rule)
    assert not any(found.values())


def test_what_is_right_is_left_alone(tmp_path: Path) -> None:
    graph = house(
        tmp_path,
        _faults="import logging",
        _sdk__names="from sentry_sdk.scope import _global_scope\nimport asgi_sentry._faults",
        _exit__door="import sentry_sdk\nfrom sentry_sdk.envelope import Item\nfrom ..types import Send\n"
        "from asgi_sentry._sdk import names\nsentry_sdk.Scope.get_client()\nsentry_sdk.integrations.asgi",
        types="Send = 1",
    )
    assert not any(violations(graph).values())
    assert ("asgi_sentry._exit.door", "asgi_sentry.types") in set(graph.arrows)


def test_a_room_without_a_floor_is_asked_for_one(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="_attic stands on no floor"):
        violations(house(tmp_path, _attic="from asgi_sentry import _paths", _paths=""))
