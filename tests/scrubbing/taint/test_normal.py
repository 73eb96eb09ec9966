"""The normal form of a text, and where each of its characters came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing.taint.normal import normal

WRITTEN = {
    "a": [
        "a",
        "%61",
        "%2561",
        "\\x61",
        "\\u0061",
        "\\U00000061",
        "&#97;",
        "&#x61;",
        "%255Cx61",
        "&amp;#97;",
        "%5Cx61",
        "&#37;61",
        "%26#97;",
    ],
    '"': ['"', "%22", '\\"', '\\\\\\"', "&quot;", "&amp;quot;", "&#34;", "%26quot;"],
    "<": ["<", "&lt;", "%3C", "\\u003c", "&amp;lt;", "%26lt;", "\\x26lt;"],
    " ": [" ", "%20", "+", "\\x20"],
    "\n": ["\n", "\\n", "\\\\n", "%0A", "%5Cn"],
    "b": ["b"],
}
pieces = st.sampled_from(sorted(WRITTEN)).flatmap(lambda char: st.tuples(st.just(char), st.sampled_from(WRITTEN[char])))


@given(st.lists(pieces, max_size=12))
def test_each_character_knows_where_it_stood(parts: list[tuple[str, str]]) -> None:
    text = "".join(written for _, written in parts)
    shown = normal(text)
    assert shown.compared == "".join(char for char, _ in parts)
    at = 0
    for number, (_, written) in enumerate(parts):
        assert shown.span(number, number + 1) == (at, at + len(written))
        at += len(written)


@given(st.lists(st.tuples(st.sampled_from("aé€😀"), st.booleans()), max_size=8))
def test_wide_characters_are_the_bytes_of_their_utf8_and_those_of_latin_1_are_one(
    parts: list[tuple[str, bool]],
) -> None:
    written = ["".join(f"%{byte:02X}" for byte in char.encode()) if quoted else char for char, quoted in parts]
    shown = normal("".join(written))
    at = place = 0
    for (char, _), each in zip(parts, written, strict=True):
        size = len(char.encode()) if char > "\xff" else 1
        assert shown.span(at, at + size) == (place, place + len(each))
        at, place = at + size, place + len(each)
    assert len(shown.text) == at


@given(st.text("aé\xc2\xc3\x80\xa1\xbf€", max_size=8), st.integers(0, 3))
def test_a_text_is_the_same_however_often_it_was_encoded(text: str, times: int) -> None:
    written = text
    for _ in range(times):
        written = written.encode().decode("latin-1")
    assert normal(written).compared == normal(text).compared


@pytest.mark.parametrize("text", ["", "plain", "50% of it", "a & b", "&unknown;", "&#1114112;", "&#x110000;", "%zz"])
def test_what_is_no_escape_stays(text: str) -> None:
    assert normal(text).text == text
    assert normal(text).span(0, len(text)) == (0, len(text))


def test_the_highest_character_is_one() -> None:
    assert normal("&#1114111;").text == "\U0010ffff".encode().decode("latin-1")


@pytest.mark.parametrize("depth", range(1, 9))
def test_escapes_of_escapes_are_undone_up_to_eight_deep(depth: int) -> None:
    """Of two kinds in turn, since one within itself is undone at once."""
    text = "A"
    for number in range(depth):
        text = "%41" if text == "A" else text.replace("%", "\\x25") if number % 2 else text.replace("\\", "%5C")
    assert normal(text).text == "A"
    deeper = text.replace("%", "\\x25") if "%" in text else text.replace("\\", "%5C")
    assert (normal(deeper).text == "A") == (depth < 8)


@pytest.mark.parametrize("mark", ["...", "\u2026"])
def test_dots_that_say_that_a_text_was_cut_stay(mark: str) -> None:
    assert normal(f"%61b{mark}").text == f"ab{mark}"


def test_halves_of_a_character_are_joined() -> None:
    assert normal("\\ud83d\\ude00x").text == "\U0001f600x".encode().decode("latin-1")
