"""Variables that are alike in several frames: scrubbed once, and as if each had been scrubbed."""

from __future__ import annotations

import copy
import json
import marshal
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing import FILTERED, Scrubber, Taint
from asgi_sentry._scrubbing.tree import alike
from asgi_sentry._scrubbing.tree.alike import Alike

SECRET = "qX7mPz41vRt9Kd3w"
NAMES = ("order", "customer", "scope", "items", "password", "value", "name", f"of_{SECRET}")
TEXTS = ("blue", f"password={SECRET}", f"it is {SECRET}", "'name'", "'password'", "10.0.0.7", "a" * 250)
SCRUBBER = Scrubber()

texts = st.sampled_from(TEXTS)
nested = st.recursive(
    texts | st.integers(0, 9) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3),
    max_leaves=8,
)


def event_of(frames: list[Any]) -> dict[str, Any]:
    """An error whose frames have these variables."""
    values = [{"type": "E", "stacktrace": {"frames": [{"function": "f", "vars": each} for each in frames]}}]
    return {"exception": {"values": values}, "extra": {"password": SECRET}}


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    """Errors whose frames hand on what they are given."""
    handed = draw(st.lists(nested, min_size=1, max_size=4))
    some = st.dictionaries(st.sampled_from(NAMES), st.sampled_from(handed), max_size=4)
    return json.loads(json.dumps(event_of(draw(st.lists(some, max_size=6)))))


def scrubbed(event: dict[str, Any], *, joins: bool, owned: bool, taint: Taint | None) -> dict[str, Any]:
    left = copy.deepcopy(event)
    with mock.patch.object(alike, "_SHORTEST", 0), mock.patch.object(alike, "_IN_VAIN", 10**6):
        if joins:
            SCRUBBER.scrub_event(left, taint=taint, owned=owned)
        else:
            with mock.patch.object(Alike, "join", side_effect=RuntimeError):
                SCRUBBER.scrub_event(left, taint=taint, owned=owned)
    return left


@given(events(), st.booleans(), st.sampled_from([None, Taint([SECRET])]))
def test_it_is_as_if_each_had_been_scrubbed(event: dict[str, Any], owned: bool, taint: Taint | None) -> None:
    before = copy.deepcopy(event)
    assert scrubbed(event, joins=True, owned=owned, taint=taint) == scrubbed(
        event, joins=False, owned=owned, taint=taint
    )
    assert event == before


def handed_on(count: int = 6) -> dict[str, Any]:
    customer = {"name": "'Ann'", "password": SECRET, "note": "n" * alike._SHORTEST}
    return json.loads(json.dumps(event_of([{"customer": customer, "number": n} for n in range(count)])))


def frames_of(event: dict[str, Any]) -> list[Any]:
    return [frame["vars"] for frame in event["exception"]["values"][0]["stacktrace"]["frames"]]


@pytest.fixture(autouse=True)
def met() -> None:
    """The names are known, as they are from the second event on."""
    SCRUBBER.scrub_event(handed_on())


def test_what_is_alike_is_walked_once_and_said_of_each() -> None:
    event = handed_on()
    SCRUBBER.scrub_event(event, owned=True)
    frames = frames_of(event)
    assert all(frame["customer"] is frames[0]["customer"] for frame in frames)
    told = event["_meta"]["exception"]["values"]["0"]["stacktrace"]["frames"]
    remark = {"customer": {"password": {"": {"rem": [["@password", "x"]]}}}}
    assert told == {str(number): {"vars": remark} for number in range(6)}


def test_what_somebody_else_has_is_several_objects_again() -> None:
    event = handed_on()
    SCRUBBER.scrub_event(event)
    frames = frames_of(event)
    assert len({id(frame["customer"]) for frame in frames}) == 6
    frames[0]["customer"]["name"] = "'Bob'"
    assert frames[1]["customer"]["name"] == "'Ann'"
    assert frames[1]["customer"]["password"] == FILTERED


def test_whoever_asks_where_is_told_of_each_place() -> None:
    found: list[Any] = []
    SCRUBBER.scrub_event(handed_on(), found=found)
    assert len(found) == 7


def test_a_name_that_holds_a_secret_gets_another_one_in_each_place() -> None:
    name = f"x{SECRET}"
    customer = {"note": "n" * alike._SHORTEST, "a": [1]}
    event = event_of([{name: customer, "number": 1}, {name: dict(customer), "number": 2}])
    SCRUBBER.ruleset.keys.plain.add(name)
    try:
        SCRUBBER.scrub_event(event, taint=Taint([SECRET]))
    finally:
        SCRUBBER.ruleset.keys.plain.discard(name)
    first, second = frames_of(event)
    assert SECRET not in json.dumps(event)
    (one, _), (other, _) = first.values(), second.values()
    assert one == other == customer
    assert one is not other


def places(frames: list[Any]) -> int:
    own = Alike({"customer", "number", "a", "b"})
    for each in json.loads(json.dumps(frames)):
        own.join(each)
    return len(own._places)


def test_what_is_looked_at_in_vain_is_soon_let_be() -> None:
    frames = [{"a": {"n": [number] * 200}} for number in range(60)]
    frames += [{"a": {"n": [1] * 200}}] * 3
    with mock.patch.object(alike.marshal, "dumps", side_effect=marshal.dumps) as dumps:
        assert places(frames) == 0
    assert dumps.call_count == alike._IN_VAIN


@pytest.mark.parametrize("size", [alike._SHORTEST // 2, alike._LONGEST + 1])
def test_what_is_small_or_large_is_scrubbed_in_each_place(size: int) -> None:
    assert places([{"a": ["x" * size]} for _ in range(4)]) == 0


def test_no_more_is_joined_than_could_be_written_out() -> None:
    assert places([{"a": [[]] * 1000} for _ in range(9)]) == 4  # of a thousand lists in one, and one


def test_names_that_say_something_are_each_frames_own() -> None:
    assert places([{"a": ["x" * 300], "password": 1}] * 4) == 0
    assert places([{"a": ["x" * 300], "number": 1}] * 4) == 3


def test_what_is_one_object_already_stays_one() -> None:
    one = {"n": "x" * 300}
    own = Alike({"a", "b"})
    for variables in ({"a": one}, {"a": one}, {"b": one}):
        own.join(variables)
    assert not own._places


def test_what_is_not_plain_is_passed_over() -> None:
    own = Alike({"a", "b"})
    frames = [{"a": [object()], "b": ["x" * 300]} for _ in range(3)]
    for variables in frames:
        own.join(variables)
    assert frames[0]["b"] is frames[1]["b"] is frames[2]["b"]
    assert frames[0]["a"] is not frames[1]["a"]


@pytest.mark.parametrize("number", range(4))
def test_a_fault_in_joining_changes_nothing(number: int) -> None:
    event, usual = handed_on(), handed_on()
    SCRUBBER.scrub_event(usual)
    calls = iter(range(99))

    def fails(*_: Any) -> bool:
        if next(calls) == number:
            raise RuntimeError
        return True

    with mock.patch.object(Alike, "_is_small", fails):
        SCRUBBER.scrub_event(event)
    assert event == usual
    assert next(calls) == number + 1  # nothing was joined afterwards
