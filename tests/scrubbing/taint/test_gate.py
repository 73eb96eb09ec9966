"""The gate: which of many texts may hold one of many values, told in both ways alike."""

from __future__ import annotations

import base64
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing.taint.gate import _ENCODED_BREAK, Gate, _Cores, _has_breaks, may_hold, pieces_of
from tests.quick import examples

CORES = sorted({f"k{number * 7919:07}x"[: 4 + number % 5] for number in range(80)})
FEW, MANY = set(CORES[:48]), set(CORES[:49])


def test_a_few_cores_are_searched_for_one_by_one_and_many_by_their_beginnings() -> None:
    assert set(_Cores(FEW).few) == FEW
    assert _Cores(MANY).few == ()
    assert set(_Cores({*MANY, "abc"}).few) == {*MANY, "abc"}  # of one so short no beginning is known


@pytest.mark.parametrize("cores", [{"abcd"}, FEW, MANY, set(CORES)])
@pytest.mark.parametrize("core", CORES[:49])
def test_a_core_is_seen_wherever_it_stands(cores: set[str], core: str) -> None:
    looked = _Cores(cores)
    for before, behind in (("", ""), ("", " y"), ("y ", ""), ("y ", " y"), ("yyyyyyyy", "yyyyyyyy")):
        text = before + core + behind
        assert looked.are_in(text) == any(each in text for each in cores)
        if core in cores:
            assert len(before) in looked.places(text)


@given(st.text("kx0123456789 ", max_size=60), st.sampled_from([FEW, MANY]))
def test_texts_without_a_core_are_told(text: str, cores: set[str]) -> None:
    looked = _Cores(cores)
    if not looked.few:
        cores = {each[:8] for each in cores}
    assert looked.are_in(text) == any(each in text for each in cores)
    places = sorted({at for at in range(len(text)) if text.startswith(tuple(cores), at)})
    assert sorted(set(looked.places(text))) == places


def test_the_first_eight_letters_of_a_value_let_a_text_through() -> None:
    gate = Gate(["abcdefgh12"])
    texts = ["see abcdefgh there", "see abcdefg there", "abcdefgh12", "nothing"]
    assert gate.let_through(texts, "\0".join(texts)) == [texts[0], texts[2]]
    assert gate.let_through(texts[1:2], texts[1]) == []


@pytest.mark.parametrize("count", [1, 30])
def test_only_texts_that_may_hold_a_value_are_let_through(count: int) -> None:
    values = [f"Qx{number:02}v{number * 104729:08}Zk" for number in range(count)]
    gate = Gate(values)
    encoded = base64.b64encode(f"user:{values[-1]} and more".encode()).decode()
    texts = ["nothing of it", f"it is {values[-1]}.", f"Basic {encoded}", "%41%42 & \\n + nothing", ""]
    assert gate.let_through(texts, "\0".join(texts)) == texts[1:3]
    assert gate.let_through([], "") == []


def test_a_value_without_a_core_lets_each_text_with_an_escape_through() -> None:
    gate = Gate(["a-b-c-d!"])
    texts = ["plain words", "a%2Db", "a\\x2db", "a&#45;b", "a+b", "see a-b-c-d!"]
    assert gate.let_through(texts, "\0".join(texts)) == texts[1:]


@pytest.mark.parametrize("before", ["", "u", "us", "use"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_base64_is_seen_where_the_value_begins_in_it(before: str, encode) -> None:
    for value in ("s3cretS3cretS3cret", "ab~~??>>", "ab?>"):
        encoded = encode(f"{before}{value}!".encode()).decode()
        places = Gate([value]).places_of_base64(encoded)
        assert places
        # Whole characters of the encoding that come before the value's own.
        assert places[0] == -(-len(before) * 8 // 6)


def test_a_text_lets_itself_through_in_which_plain_letters_are_escaped() -> None:
    gate = Gate(["s3cretS3cret"])
    texts = [
        "%41%42%43%44",
        "%2541%2542%2543%2544",
        "\\u0041\\u0042\\u0043\\u0044",
        "\\x41\\x42\\x43\\x44",
        "&#65;&#x42;&#67;&#68;",
    ]
    plain = [
        "%20%2F%3A%7B%22",
        "%41",
        "\\u00e9\\u00e8\\u00ea\\u00eb",
        "\\x00\\x01\\x02\\x1b",
        "&#39;&lt;&#39;&gt;",
        "100%",
    ]
    assert gate.let_through([*plain, *texts], "\0".join([*plain, *texts])) == texts
    assert gate.let_through(plain, "\0".join(plain)) == []
    assert all(may_hold(text, pieces_of(["s3cretS3cret"])) for text in texts)
    assert not may_hold("%20%2F%3A%7B%22", pieces_of(["s3cretS3cret"]))


@settings(max_examples=examples(500))
@given(st.text("a%250dDA\n\r\\&#.\u2026 \0", max_size=12))
def test_breaks_are_told_sign_by_sign_as_by_one_pattern(text: str) -> None:
    whole = re.compile(rf"[\n\r\\]|{_ENCODED_BREAK.pattern}|&#|\.\.\.|\u2026")
    assert _has_breaks(text) == (whole.search(text) is not None)


def test_a_gate_of_nothing_lets_nothing_through() -> None:
    assert Gate([]).let_through(["anything", "%41"], "anything\0%41") == []


@pytest.mark.parametrize("value", ["ab\u00e9cd!", "abcd\u00e9!", "\u00e9\u00e8\u00ea\u00eb\u00e0\u00e1", 'ab"cd\\e'])
def test_the_base64_of_a_value_that_json_escapes_is_seen(value: str) -> None:
    gate = Gate([value])
    for before in ("", "x", "xy"):
        for written in (value, json.dumps(value)[1:-1]):
            assert gate.places_of_base64(base64.b64encode(f"{before}{written} and more".encode()).decode())


@given(
    st.lists(st.text("kQv7\0 %+é", max_size=12).map(lambda text: text + "Qk7vQk7v"), max_size=6),
    st.lists(st.text("kQv7\0 é", max_size=12), max_size=6),
)
def test_a_few_cores_are_found_in_many_texts_as_in_each(some: list[str], others: list[str]) -> None:
    texts = list(dict.fromkeys([*others, *some, *others[::-1]]))
    gate = Gate(["Qk7vQk7v", "kkkkk7", "7Qk7vk"])
    alone = [text for text in texts if gate.let_through([text], text)]
    assert gate.let_through(texts, "\0".join(texts)) == alone
    cores = gate._plain | gate._encoded
    assert alone == [text for text in texts if any(core in text for core in cores)]
