"""The walk: what stands where, what is changed in place, and what is said of it."""

from __future__ import annotations

import contextlib
import decimal
import uuid
from datetime import date, datetime, timedelta, timezone
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import asgi_sentry
from asgi_sentry._scrubbing import FILTERED, Scrubber, Taint
from asgi_sentry._scrubbing.text.texts import TextRules
from asgi_sentry._scrubbing.tree import gather
from asgi_sentry._scrubbing.tree.decisions import Decisions
from asgi_sentry._scrubbing.tree.gather import Root, Tree
from asgi_sentry._scrubbing.tree.inplace import LENGTH
from asgi_sentry._scrubbing.tree.outcome import DISCOVERED
from asgi_sentry._scrubbing.tree.plain import NotPlainError
from asgi_sentry._scrubbing.tree.walk import Walk

RULES = Scrubber().ruleset
SECRET = "qX7mPz41vRt9Kd3w"
PLACE = (None, "root")


def walked(value: Any, *, taint: Taint | None = None, longest: int | None = None, by: str = "add") -> tuple[Any, Walk]:
    """A value after a walk, and the walk."""
    holder = {"x": value}
    walk = Walk(RULES, longest=longest)
    getattr(walk, by)(value, holder, "x", PLACE)
    walk.finish(taint)
    return holder["x"], walk


def said(walk: Walk) -> list[tuple[tuple[Any, ...], str]]:
    return [(redaction.path, redaction.rule) for redaction in walk.notes.redactions()]


@pytest.mark.parametrize("value", [f"password={SECRET}", f"password={SECRET}".encode()])
def test_a_text_is_replaced_in_its_holder(value: Any) -> None:
    left, walk = walked(value)
    assert left in (f"password={FILTERED}", f"password={FILTERED}".encode())
    assert type(left) is type(value)
    assert said(walk) == [(("root", "x"), "@password")]


@pytest.mark.parametrize("value", [None, True, 7, 1.5, "words", b"words", {}, [], datetime.now(timezone.utc)])
def test_what_holds_nothing_is_as_it_was(value: Any) -> None:
    left, walk = walked(value)
    assert left is value
    assert not walk.notes


@pytest.mark.parametrize("value", [object(), [object()], {"a": [object()]}, {(1, 2): "a"}, {object(): "a"}])
def test_what_json_does_not_have_is_refused_and_nothing_is_changed(value: Any) -> None:
    holder = {"x": {"password": SECRET, "odd": value}}
    with pytest.raises(NotPlainError):
        walked(holder["x"])
    assert holder["x"]["password"] == SECRET
    with pytest.raises(NotPlainError):
        walked(value)


def test_a_container_in_itself_is_refused() -> None:
    inner: list[Any] = ["a"]
    inner.append({"again": inner})
    with pytest.raises(NotPlainError):
        walked({"a": inner})


def test_what_stands_in_several_places_is_said_of_each() -> None:
    shared = {"password": SECRET}
    value = {"a": shared, "b": [shared], "c": {"d": shared}}
    left, walk = walked(value)
    assert left["a"] is left["b"][0] is left["c"]["d"]
    assert left["a"] == {"password": FILTERED}
    told: dict[str, Any] = {}
    walk.notes.remark(told)
    meta = told["_meta"]["root"]["x"]
    for node in (meta["a"], meta["b"]["0"], meta["c"]["d"]):
        assert node["password"][""]["rem"] == [["@password", "x"]]


def test_what_stands_twice_in_the_outermost_is_said_of_both_places() -> None:
    shared = {"password": SECRET}
    _, walk = walked({"a": shared, "b": shared})
    told: dict[str, Any] = {}
    walk.notes.remark(told)
    for key in ("a", "b"):
        assert told["_meta"]["root"]["x"][key]["password"][""]["rem"] == [["@password", "x"]]


def test_one_value_given_twice_is_said_of_both_places() -> None:
    shared = {"password": SECRET}
    holder = {"x": shared, "y": shared}
    walk = Walk(RULES)
    for key, value in holder.items():
        walk.add(value, holder, key, PLACE)
    walk.finish()
    told: dict[str, Any] = {}
    walk.notes.remark(told)
    for key in ("x", "y"):
        assert told["_meta"]["root"][key]["password"][""]["rem"] == [["@password", "x"]]


def test_texts_that_are_too_long_are_described_wherever_they_stand() -> None:
    before = asgi_sentry.counters().get("cut", {}).get("length", 0)
    value = {"a": "x" * 11, "b": [b"y" * 12, "z" * 10, 7], "c": {"password": "p" * 20, "d": "ok"}}
    left, walk = walked(value, longest=10)
    assert left == {
        "a": "<11 characters>",
        "b": [b"<12 characters>", "z" * 10, 7],
        "c": {"password": FILTERED, "d": "ok"},
    }
    rules = dict(said(walk))
    assert rules["root", "x", "a"] == rules["root", "x", "b", 0] == LENGTH
    assert ("root", "x", "b", 1) not in rules
    assert asgi_sentry.counters()["cut"]["length"] >= before + 3
    assert walked({"a": "x" * 10}, longest=10)[0] == {"a": "x" * 10}
    assert walked({"a": "x" * 1000})[0] == {"a": "x" * 1000}


@pytest.mark.parametrize("key", [f"user {SECRET}", f"user {SECRET}".encode()])
def test_a_key_that_holds_a_secret_has_another_name_and_that_is_said_of_it(key: Any) -> None:
    value = {"first": 1, key: {"password": "x81kQp9Lm3nV"}, "last": [f"of {SECRET}"]}
    left, walk = walked(value, taint=Taint([SECRET]))
    new = f"user {FILTERED}" if isinstance(key, str) else f"user {FILTERED}".encode()
    assert list(left) == ["first", new, "last"] or list(left) == ["first", f"user {FILTERED}", "last"]
    assert SECRET not in str(left)
    assert any(path[2:] == (f"user {FILTERED}", "password") for path, _ in said(walk))
    assert list(walk.renamed.values()) == [f"user {FILTERED}"]


def test_what_stands_twice_is_said_of_each_place_though_a_key_gets_another_name() -> None:
    shared = {"password": SECRET, f"x{SECRET}": f"token={SECRET}"}
    left, walk = walked({"a": shared, f"b{SECRET}": [shared]}, taint=Taint([SECRET]))
    assert SECRET not in repr(left)
    told: dict[str, Any] = {}
    walk.notes.remark(told)
    said_of = told["_meta"]["root"]["x"]
    assert said_of["a"] == said_of[f"b{FILTERED}"]["0"]
    assert said_of["a"].keys() == {"password", f"x{FILTERED}"}


def test_without_taint_keys_stay() -> None:
    value = {"user words": {"a": 1}}
    assert walked(value)[0] == value
    assert walked(value, taint=Taint(["checkout"]))[1].renamed == {}


def test_members_of_an_object_are_put_back_with_their_new_names() -> None:
    source = {f"a {SECRET}": {"password": SECRET}, "b": f"see {SECRET}", "c": 1}
    holder = dict(source)
    walk = Walk(RULES)
    walk.members(source, holder, None)
    walk.finish(Taint([SECRET]))
    assert holder == {f"a {FILTERED}": {"password": FILTERED}, "b": f"see {FILTERED}", "c": 1}
    plain = {"b": "words", "c": 1}
    holder = {**plain, "d": 2}
    walk = Walk(RULES)
    walk.members(dict(plain), holder, None)
    walk.finish(Taint([SECRET]))
    assert holder == {"b": "words", "c": 1, "d": 2}


WORD = "checkout"  # a session that a client named by a word of the app's


@pytest.mark.parametrize(
    ("text", "touched"),
    [(WORD, False), (f"failed: {WORD}", False), (SECRET, True), (f"failed: {SECRET}", True), ("swordf1sh", False),
     ("failed: swordf1sh", True)],
)  # fmt: skip
def test_the_apps_own_words_are_touched_by_what_looks_like_a_credential_alone(text: str, touched: bool) -> None:
    taint = Taint([WORD, SECRET, "swordf1sh"])
    assert (walked(text, taint=taint, by="words")[0] != text) == touched
    assert walked(text, taint=taint)[0] != text
    assert walked({"a": text}, taint=taint, by="words")[0] != {"a": text}


@pytest.mark.parametrize("tags", [{"order": WORD, "other": f"x {SECRET}"}, [["order", WORD], ["other", f"x {SECRET}"]]])
def test_tags_are_the_apps_own_words(tags: Any) -> None:
    left, _ = walked(tags, taint=Taint([WORD, SECRET]), by="tags")
    assert dict(left) == {"order": WORD, "other": f"x {FILTERED}"}


def test_keys_of_tags_stay_and_other_keys_do_not() -> None:
    holder: dict[str, Any] = {"tags": {SECRET: "a"}, "extra": {f"{SECRET}x": "b"}}
    walk = Walk(RULES)
    walk.tags(holder["tags"], holder, "tags", None)
    walk.add(holder["extra"], holder, "extra", None)
    walk.finish(Taint([SECRET]))
    assert SECRET in holder["tags"]
    assert SECRET not in str(holder["extra"])


def test_the_protocols_texts_are_touched_by_rules_and_by_no_taint() -> None:
    ruleset = Scrubber().ruleset
    for _ in range(2):
        holder = {"x": f"app/{SECRET}.py", "y": f"password={SECRET}"}
        walk = Walk(ruleset)
        walk.fixed(holder["x"], holder, "x", None)
        walk.fixed(holder["y"], holder, "y", None)
        pending = walk.pending
        walk.finish(Taint([SECRET]))
        assert holder == {"x": f"app/{SECRET}.py", "y": f"password={FILTERED}"}
    # What is harmless was remembered, and what is not was not.
    assert pending == 1
    assert f"app/{SECRET}.py" in ruleset.lines
    assert f"password={SECRET}" not in ruleset.lines


def test_addresses_are_taken_out_of_a_text_and_the_rest_is_looked_at() -> None:
    value = {"x-forwarded-for": f"10.1.2.3, password={SECRET}, bob@example.com", "plain": "10.1.2.3"}
    left, walk = walked(value)
    assert left == {"x-forwarded-for": f"{FILTERED}, password={FILTERED}, {FILTERED}", "plain": "10.1.2.3"}
    assert {rule for _, rule in said(walk)} == {"@ip", "@password", "@email"}
    left, _ = walked({"client_ip": f"10.1.2.3 {SECRET}"}, taint=Taint([SECRET]))
    assert left == {"client_ip": f"{FILTERED} {FILTERED}"}
    assert walked({"client_ip": "10.1.2.3 and words"})[0] == {"client_ip": f"{FILTERED} and words"}


def test_a_text_under_a_denied_key_is_not_looked_at_once_more() -> None:
    value = {"password": {"client_ip": f"10.1.2.3 token={SECRET}"}, "n": 1}
    assert walked(value)[0] == {"password": FILTERED, "n": 1}


def test_what_was_redacted_in_one_place_goes_everywhere_and_that_is_said() -> None:
    value = {"password": SECRET, "a": [f"see {SECRET}", SECRET.encode(), {f"k {SECRET}": 1}]}
    left, walk = walked(value)
    assert SECRET not in str(left)
    assert left["a"][1] == FILTERED.encode()
    assert (("root", "x", "a", 0), DISCOVERED) in said(walk)
    assert SECRET in walk.secrets


def test_rules_and_the_request_both_take_from_one_text() -> None:
    text = f"{SECRET} and bob@example.com and password=Zx81kQp9Lm3n"
    left, walk = walked([text, text], taint=Taint([SECRET]))
    assert left == [f"{FILTERED} and {FILTERED} and password={FILTERED}"] * 2
    assert {rule for _, rule in said(walk)} == {"@request", "@email", "@password"}


def test_bytes_in_containers_are_texts() -> None:
    left, _ = walked({b"a": [b"password=" + SECRET.encode(), 1, None]})
    assert left == {b"a": [b"password=" + FILTERED.encode(), 1, None]}


def test_options_of_a_command_line_are_read_where_there_are_some() -> None:
    left, _ = walked(["psql", "--password", "hunter2", "-h", "db"])
    assert left == ["psql", "--password", FILTERED, "-h", "db"]
    left, _ = walked({"argv": ["curl", "-u", f"bob:{SECRET}", "https://example.com"]})
    assert SECRET not in str(left)


def test_a_program_is_one_in_a_list_of_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Decisions] = []

    def read_options(decisions: Decisions) -> None:
        read.append(decisions)

    monkeypatch.setattr(Decisions, "read_options", read_options)
    walked({"x-forwarded-proto": "https", "mixed": ["https", 1], "pair": ["x-forwarded-proto", "b'https'"]})
    assert not read
    walked({"argv": ["https", "example.com"]})
    assert len(read) == 1


@pytest.mark.parametrize(
    ("value", "looks"), [("10.1.2.3", 1), ("b'10.1.2.3'", 1), ("'10.1.2.3'", 1), ("from 10.1.2.3", 2), ("'10.1.2.3", 2)]
)
def test_of_an_address_alone_nothing_is_left_to_look_at(
    monkeypatch: pytest.MonkeyPatch, value: str, looks: int
) -> None:
    looked, look = [], TextRules.look
    monkeypatch.setattr(TextRules, "look", lambda rules, *args, **kw: looked.append(args) or look(rules, *args, **kw))
    assert walked({"client_ip": value})[0] == {"client_ip": value.replace("10.1.2.3", FILTERED)}
    assert len(looked) == looks


def test_a_walk_of_nothing_ends() -> None:
    walk = Walk(RULES)
    walk.finish()
    walk.finish(Taint([SECRET]))
    assert not walk.notes


nested = st.recursive(
    st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def entangled(draw: st.DrawFn) -> list[Any]:
    """Values whose containers stand in each other in any way, circles among them."""
    roots = draw(st.lists(nested, min_size=1, max_size=4))
    containers: list[Any] = []
    pending: list[Any] = [roots]
    while pending:
        value = pending.pop()
        if isinstance(value, (dict, list)):
            containers.append(value)
            pending += value.values() if isinstance(value, dict) else value
    for _ in range(draw(st.integers(0, 5))):
        holder, held = draw(st.sampled_from(containers)), draw(st.sampled_from(containers))
        if isinstance(holder, dict):
            holder[draw(st.sampled_from("abcde"))] = held
        else:
            holder.append(held)
    return roots


@given(entangled(), st.integers(0, 12))
def test_what_is_shared_is_finite_if_it_can_be_written_out(roots: list[Any], most: int) -> None:
    tree = Tree()
    for root in [root for root in roots if isinstance(root, (dict, list))]:
        tree.add_root(Root(root, roots, 0, None, 0))
    with mock.patch.object(gather, "_MAX_COPIES", most), contextlib.suppress(NotPlainError):
        tree.gather(set())
    given = len({id(root) for root in roots if isinstance(root, (dict, list))})
    if tree.shared:
        with mock.patch.object(gather, "_MAX_COPIES", most):
            told = tree._is_finite(given)
            assert told == tree._is_finite(len(tree.containers) + 1)  # as if all were roots
        bound = len(tree.containers) + most
        assert told == (written_out([root for root in roots if isinstance(root, (dict, list))], bound) <= bound)


def written_out(roots: list[Any], bound: int) -> int:
    """How many containers there are if each is written out wherever it stands, up to one more than a bound."""
    pending, count = [*roots], 0
    while pending and count <= bound:
        value = pending.pop()
        if isinstance(value, (dict, list)):
            count += 1
            pending += value.values() if isinstance(value, dict) else value
    return count


def test_a_text_that_was_redacted_wherever_it_stands_is_not_looked_at() -> None:
    """Though another one, that was redacted too, stands somewhere else."""
    bearer = f"Bearer {SECRET}"
    looked: list[str] = []

    def look(_: TextRules, texts: set[str], **more: Any) -> Any:
        looked.extend(texts)
        return LOOK(RULES.texts, texts, **more)

    value = {
        "authorization": bearer,
        "inner": [{"password": "hunter2x"}, {"authorization": bearer}],
        "note": "hunter2x",
    }
    with mock.patch.object(TextRules, "look", look):
        left, _ = walked(value)
    assert left["inner"] == [{"password": FILTERED}, {"authorization": FILTERED}]
    assert bearer not in looked
    assert "hunter2x" in looked
    assert left["note"] == FILTERED


LOOK = TextRules.look


class Name(str):
    __slots__ = ()

    def __str__(self) -> str:
        return SECRET


@pytest.mark.parametrize("key", [Name("note"), Name("password"), Name("unheard_of"), object(), (1, 2)])
def test_a_key_that_only_equals_one_is_not_left_as_it_is(key: Any) -> None:
    scrubber = Scrubber()
    scrubber.ruleset.keys.plain.add("note")
    left = scrubber.scrub({"a": [{key: "x"}]})
    assert SECRET not in str(left)
    (name,) = left["a"][0]
    assert type(name) is str
    assert name == key or name.startswith("<")


def test_of_what_somebody_else_has_each_container_is_copied_once() -> None:
    shared = {"password": SECRET}
    given = {"a": shared, "b": [shared, [["password", SECRET]], 1]}
    holder = {"x": given}
    walk = Walk(RULES, copies=True)
    walk.add(given, holder, "x", PLACE)
    walk.finish()
    left = holder["x"]
    assert shared == {"password": SECRET}
    assert given == {"a": shared, "b": [shared, [["password", SECRET]], 1]}
    assert left == {"a": {"password": FILTERED}, "b": [{"password": FILTERED}, [["password", FILTERED]], 1]}
    assert left["a"] is left["b"][0]


def test_a_container_in_itself_is_refused_and_nothing_is_changed() -> None:
    given: dict[str, Any] = {"password": SECRET}
    given["again"] = [given]
    walk, holder = Walk(RULES, copies=True), {"x": given}
    walk.add(given, holder, "x", PLACE)
    with pytest.raises(NotPlainError):
        walk.finish()
    assert given["password"] == SECRET
    assert given["again"][0] is given


@pytest.mark.parametrize(
    "value", [date(2000, 1, 1), timedelta(1), uuid.UUID(int=1), decimal.Decimal("1.5"), {1}, object()]
)
@pytest.mark.parametrize("within", [lambda it: it, lambda it: [it], lambda it: {"a": it}, lambda it: {"a": ([it],)}])
def test_what_json_does_not_have_is_shown_by_its_type_wherever_it_stands(value: object, within: Any) -> None:
    module = type(value).__module__
    name = type(value).__qualname__ if module == "builtins" else f"{module}.{type(value).__qualname__}"
    assert Scrubber().scrub(within(value)) == within(f"<{name}>")
