from __future__ import annotations

import logging
import re
import sys
from collections.abc import Sequence
from typing import Any
from unittest import mock

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from starlette._utils import get_route_path

from asgi_sentry import _paths
from asgi_sentry._paths import DEFAULT_EXCLUDE, PathRule, PathRules, route_path
from tests.strategies import path_rules, request_methods, request_paths


def scope(path: str, method: str | None = "GET", root_path: str = "") -> dict[str, Any]:
    made: dict[str, Any] = {"type": "http", "path": path, "root_path": root_path}
    if method is not None:
        made["method"] = method
    return made


def found(rules: Sequence[tuple[PathRule, Any]], path: str, method: str | None = "GET") -> Any:
    """What matches; few rules are looked for in another way than many, and the same is found."""
    first = PathRules(rules).match(scope(path, method))
    with mock.patch.object(_paths, "_FEW", 0):
        assert PathRules(rules).match(scope(path, method)) == first
    return first


def matches(rule: PathRule, path: str, method: str | None = "GET") -> bool:
    return found([(rule, True)], path, method) is True


# --- a naive reference, straight from the words of the language ---


def reference(rule: str, path: str, method: str | None) -> bool:
    rule = rule.strip()
    if not rule.startswith("/"):
        wanted, rule = rule.split(None, 1)
        if wanted.upper() != method:
            return False
    return segments_match(rule.removesuffix("/").split("/")[1:], path.removesuffix("/").split("/")[1:])


def segments_match(rule: list[str], path: list[str]) -> bool:
    if not rule:
        return not path
    head, *tail = rule
    if head == "**" and not tail:
        return True
    if head.endswith(":path}"):
        return any("/".join(path[:n]) and segments_match(tail, path[n:]) for n in range(1, len(path) + 1))
    return bool(path) and segment_matches(head, path[0]) and segments_match(tail, path[1:])


def segment_matches(rule: str, segment: str) -> bool:
    if rule.startswith("{"):
        kind = rule[1:-1].partition(":")[2]
        if kind == "int":
            return bool(segment) and all(c in "0123456789" for c in segment)
        if kind == "float":
            whole, dot, part = segment.partition(".")
            return segment_matches("{n:int}", whole) and (not dot or segment_matches("{n:int}", part))
        return bool(segment)
    if not rule:
        return not segment
    if rule[0] == "*":
        return any(segment_matches(rule[1:], segment[n:]) for n in range(1, len(segment) + 1))
    return segment[:1] == rule[0] and segment_matches(rule[1:], segment[1:])


@given(st.lists(path_rules(), max_size=6), request_paths, request_methods)
@example(["/*a*b*a"], "/babab", "GET")
@example(["/a*b*ab"], "/aababab", "GET")
@example(["/{rest:path}/b", "/a/**"], "/a/b/b/", None)
@example(["/{rest:path}"], "//", None)
def test_first_matching_rule_wins_as_in_the_reference(rules: list[str], path: str, method: str | None) -> None:
    expected = next((n for n, rule in enumerate(rules) if reference(rule, path, method)), None)
    assert found([(rule, n) for n, rule in enumerate(rules)], path, method) == expected


@given(path_rules(), request_paths.filter(lambda path: not path.endswith("/")), request_methods)
def test_one_trailing_slash_never_matters(rule: str, path: str, method: str | None) -> None:
    assert matches(rule, path, method) == matches(rule, path + "/", method)
    assert matches(re.compile(".*b/?"), path) == matches(re.compile(".*b/?"), path + "/")


@pytest.mark.parametrize(
    ("rule", "hits", "misses"),
    [
        ("/health", ["/health", "/health/"], ["/healthcare", "/Health", "/health/x", "/health//", "/"]),
        ("/", ["/"], ["/x", "//"]),
        ("/static/**", ["/static", "/static/", "/static/a/b.css", "/static//"], ["/statics", "/a/static"]),
        ("/**", ["/", "/x", "/x/y/"], []),
        ("/*", ["/x", "/x/"], ["/", "/x/y"]),
        ("/a/*.css", ["/a/x.css", "/a/..css"], ["/a/.css", "/a/b/x.css", "/a/xcss"]),
        ("/i/{id}", ["/i/1", "/i/x.y", "/i/1/"], ["/i", "/i/", "/i/1/2"]),
        ("/i/{id}/edit", ["/i/1/edit"], ["/i/edit", "/i/1/2/edit"]),
        ("/{t}/static/**", ["/x/static", "/x/static/y"], ["/static/y", "/x/statics"]),
        ("/f/{rest:path}", ["/f/a", "/f/a/b", "/f//a"], ["/f", "/f/"]),
        ("/f/{rest:path}/edit", ["/f/a/edit", "/f/a/b/edit/"], ["/f/edit", "/f//edits"]),
        ("/i/{id:int}", ["/i/12"], ["/i/x", "/i/-1", "/i/١"]),
        ("/i/{id:uuid}", ["/i/0f8fad5b-d9cb-469f-a165-70867728950e"], ["/i/0f8fad5b"]),
        (re.compile(r"/v\d/ping"), ["/v1/ping", "/v1/ping/"], ["/v1/pings", "/x/v1/ping"]),
        (re.compile(r"/v\d/ping/"), ["/v1/ping", "/v1/ping/"], ["/v1/ping//x"]),
        (re.compile(""), [], ["/", "/x"]),
    ],
)
def test_the_language_by_example(rule: PathRule, hits: list[str], misses: list[str]) -> None:
    assert [path for path in hits if not matches(rule, path)] == []
    assert [path for path in misses if matches(rule, path)] == []


def test_a_rule_with_a_method_takes_only_that_method_and_no_websocket() -> None:
    rules = PathRules([("POST /x", "post"), ("delete /x", "delete"), ("/x", "any")])
    values = [rules.match(scope("/x", method)) for method in ("GET", "POST", "DELETE", None)]
    assert values == ["any", "post", "delete", "any"]


def test_a_callable_gets_the_scope_and_keeps_its_place_in_the_order() -> None:
    rules = PathRules([("/a", 0), (lambda s: s["root_path"] == "/r", 1), (re.compile("/.*"), 2), ("/b", 3)])
    assert [rules.match(scope(path)) for path in ("/a", "/b", "/c")] == [0, 2, 2]
    assert rules.match(scope("/r/a", root_path="/r")) == 0
    assert rules.match(scope("/r/b", root_path="/r")) == 1


def test_a_callable_that_raises_does_not_match_and_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    def faulty(_: Any) -> bool:
        raise LookupError("hunter2")

    rules = PathRules([(faulty, 1), ("/x", 2)])
    with caplog.at_level(logging.DEBUG):
        assert [rules.match(scope("/x")) for _ in range(3)] == [2, 2, 2]
    assert len(caplog.records) == 1
    assert "LookupError" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize(
    ("rule", "remedy"),
    [
        ("health", "starts with '/'"),
        ("", "starts with '/'"),
        ("GET", "starts with '/'"),
        ("GET,POST /x", "one method"),
        ("https://example.com/x", "starts with '/'"),
        ("/a/**/b", "{rest:path}"),
        ("/a**", "stands at the end only"),
        ("/file{id}", "'*'"),
        ("/a/{id", "{name}"),
        ("/a/}", "{name}"),
        ("/a/{}", "{name}"),
        ("/a/{n:decimal}", "{name:float}"),
        ("/{a:path}/{b:path}", "'{name}' for the others"),
    ],
)
def test_a_rule_that_cannot_be_compiled_is_named_with_its_remedy(rule: str, remedy: str) -> None:
    with pytest.raises(ValueError, match=re.escape(remedy)) as raised:
        PathRules([("/fine", 1), (rule, 2)])
    assert repr(rule) in str(raised.value)


async def _coroutine_rule(_: Any) -> bool:
    return True


@pytest.mark.parametrize("rule", [b"/x", 5, None, re.compile(b"/x"), _coroutine_rule])
def test_a_rule_of_a_wrong_type_is_refused(rule: Any) -> None:
    with pytest.raises(TypeError, match="path rule"):
        PathRules([(rule, 1)])


def test_length_and_truth() -> None:
    assert not PathRules([])
    assert len(PathRules([("/x", 1), ("/x", 2)])) == 2


@pytest.mark.parametrize("path", ["/health", "/livez", "/static/app.js", "/_next/data/x.json", "/docs/"])
def test_default_exclude_takes_probes_docs_and_static_files(path: str) -> None:
    assert PathRules((rule, True) for rule in DEFAULT_EXCLUDE).match(scope(path))


@given(request_paths, st.one_of(st.just(""), st.just("/"), request_paths, st.sampled_from(["/a", "/a/", "a"])))
@example("/api/x", "/api")
@example("/api", "/api")
@example("/apix", "/api")
@example("/x", "/api")
def test_route_path_is_what_starlette_routes_on(path: str, root: str) -> None:
    asked = scope(path, root_path=root)
    assert route_path(asked) == (get_route_path(asked) or "/")


def test_route_path_survives_a_scope_without_a_path() -> None:
    assert route_path({"type": "http"}) == "/"


# --- cost, counted in executed bytecodes and not in time ---


def opcodes(rules: PathRules[int], path: str) -> int:
    asked, count = scope(path), 0

    def trace(frame: Any, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        rules.match(asked)
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize("path", ["/exact/3", "/below/3/x/y", "/below/3", "/no/such/path/at/all", "/items/3/9"])
def test_the_number_of_exact_and_prefix_rules_costs_nothing(path: str) -> None:
    def rules(n: int) -> PathRules[int]:
        shapes = ("/exact/{}", "/below/{}/**", "POST /exact/{}", "/items/{}/{{id}}")
        return PathRules((shape.format(i), i) for i in range(n) for shape in shapes)

    assert 0 < opcodes(rules(3), path) <= opcodes(rules(50), path) == opcodes(rules(2_000), path)


@pytest.mark.parametrize("others", [0, 50])
def test_a_path_of_many_segments_costs_no_more_than_the_deepest_prefix(others: int) -> None:
    rules = PathRules([("/a/b/**", 1), ("/a/a/{id}", 2), *((f"/b/{n}/**", n) for n in range(others))])
    assert opcodes(rules, "/a/b" + "/x" * 10) == opcodes(rules, "/a/b" + "/x" * 10_000)


def test_no_match_leaves_anything_behind() -> None:
    rules = PathRules([*((f"/a/{{id}}/{n}/**", n) for n in range(50)), ("/b/**", 2), (re.compile("/z.*"), 3)])
    tables = [rules._any, *rules._by_method.values()]
    before = [(len(t.exact), len(t.nodes), len(t.others)) for t in tables]
    for n in range(1_000):
        rules.match(scope(f"/a/{n}/{n}"))
        rules.match(scope(f"/{n}"))
    assert [(len(t.exact), len(t.nodes), len(t.others)) for t in tables] == before


@pytest.mark.parametrize(
    "rule", ["/*a*b*c*d", "/{rest:path}/*a*b/c", "/*b*a*b*", "/{n:float}", "/{a}/*b/{rest:path}/b*a/**"]
)
def test_long_paths_are_decided_in_linear_time(rule: str) -> None:
    # A polynomial match of a megabyte would not end within the life of the test run.
    for path in ("/" + "ab" * 500_000, "/ab" * 300_000, "/" + "1" * 1_000_000, "/a/ab" + "/ba" * 300_000):
        assert matches(rule, path) == reference_of_long(rule, path)


def reference_of_long(rule: str, path: str) -> bool:
    """The answer by hand, since the naive reference is exponential."""
    return {
        "/*a*b*c*d": False,
        "/{rest:path}/*a*b/c": False,
        "/*b*a*b*": path == "/" + "ab" * 500_000,
        "/{n:float}": path == "/" + "1" * 1_000_000,
        "/{a}/*b/{rest:path}/b*a/**": False,
    }[rule]


@pytest.mark.parametrize(
    ("rules", "first"),
    [
        (["/a/**", re.compile("/a/b")], 0),
        ([re.compile("/a/b"), "/a/**"], 0),
        (["/x", "/a/*", re.compile("/a/.")], 1),
        ([re.compile("/x"), re.compile("/a/."), "/a/b"], 1),
        (["/{x}/b", lambda scope: True], 0),
        ([lambda scope: False, "/a/b", re.compile(".*")], 1),
        (["POST /a/**", re.compile("/a/b"), "/a/b"], 1),
    ],
)
def test_the_first_match_wins_whatever_kind_of_rule_it_is(rules: list[Any], first: int) -> None:
    """The kinds are looked up each in its own way: by name, by prefix, by expression, by call."""
    assert found([(rule, at) for at, rule in enumerate(rules)], "/a/b") == first


def test_one_rule_is_some() -> None:
    assert PathRules([("/x", 1)])


def test_the_first_match_wins_between_a_glob_and_a_later_expression() -> None:
    expression = re.compile("/a/b")
    assert PathRules([("/a/**", 1), (expression, 2)]).match({"path": "/a/b"}) == 1
    assert PathRules([(expression, 2), ("/a/**", 1)]).match({"path": "/a/b"}) == 2
    assert PathRules([("/a/**", 1), (lambda scope: True, 2), (expression, 3)]).match({"path": "/a/b"}) == 1
    assert PathRules([("/b", 1), (lambda scope: True, 2), (expression, 3)]).match({"path": "/a/b"}) == 2


def test_expressions_of_a_prefix_go_by_their_place() -> None:
    rules = [("/a/{id}/x", 1), ("/a/*/x", 2), ("/a/b/x", 3), ("/a/b/*", 4), ("/a/**", 5)]
    assert [found(rules, path) for path in ("/a/b/x", "/a/b/y", "/a/c/x", "/a/c/y", "/b")] == [
        1,
        4,
        1,
        5,
        None,
    ]
