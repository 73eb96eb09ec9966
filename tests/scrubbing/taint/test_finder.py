"""Where values stand in a text: whole, cut off, in base64, among few others and among many."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing.taint.finder import Finder
from asgi_sentry._scrubbing.taint.gate import Gate
from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG, WEAK

VALUE = "Zx81kQp9Lm3nV7rTbW2y"


def finder(*values: str, sure: int = STRONG, in_path: bool = False) -> Finder:
    return Finder(dict.fromkeys(values, (sure, in_path)), Gate(values))


def found(text: str, *values: str, sure: int = STRONG, least: int = WEAK, in_path: bool = False) -> list[str]:
    return [text[start:end] for start, end in finder(*values, sure=sure, in_path=in_path).spans(text, least)]


@given(
    st.sets(st.text("abc12", min_size=6, max_size=9), min_size=1, max_size=14),
    st.lists(st.integers(0, 30), max_size=12),
)
def test_values_are_found_however_many_there_are(values: set[str], chosen: list[int]) -> None:
    known = sorted(values)
    words = [known[number] if number < len(known) else "zzzzzz" for number in chosen]
    text = " ".join(words)
    wanted, at = [], 0
    for word in words:
        if word in values:
            wanted.append((at, at + len(word)))
        at += len(word) + 1
    spans = set(finder(*known).spans(text, WEAK))
    assert spans >= set(wanted)
    assert all(any(start >= first and end <= last for first, last in wanted) for start, end in spans)


def test_a_value_is_found_all_whose_beginnings_belong_to_others() -> None:
    others = [f"{part}Z{number}" for number, part in enumerate(("abcdef", "bcdefg", "cdefgh"))]
    fillers = [f"filler{number}x" for number in range(6)]
    known = [*(other + "long" for other in others), *fillers, "abcdefgh"]
    assert len(known) > 8
    assert found("see abcdefgh there", *known) == ["abcdefgh"]
    assert found("abcdefgh", *known) == ["abcdefgh"]


@pytest.mark.parametrize("count", [1, 12])
@pytest.mark.parametrize("before", ["", "it was ", "x" * 40])
@pytest.mark.parametrize("behind", ["", " there"])
@pytest.mark.parametrize("dots", ["...", "\u2026"])
def test_both_ends_of_a_value_that_was_cut_off(count: int, before: str, behind: str, dots: str) -> None:
    values = [VALUE, *(f"other{number:02}Qx{number * 7919:06}" for number in range(count - 1))]
    for length in range(1, len(VALUE)):
        wanted = [VALUE[:length]] if length >= 8 else []
        assert found(f"{before}{VALUE[:length]}{dots}{behind}", *values) == wanted
        wanted = [VALUE[-length:]] if length >= 8 else []
        assert found(f"{before} {dots}{VALUE[-length:]}{behind}", *values) == wanted


def test_the_beginning_must_reach_up_to_the_dots() -> None:
    assert found(f"{VALUE[:9]}#...", VALUE) == []
    assert found(f"...#{VALUE[-9:]}", VALUE) == []


def test_a_beginning_that_is_all_of_the_text() -> None:
    assert found(f"{VALUE[:8]}...", VALUE) == [VALUE[:8]]
    assert found(f"...{VALUE[-8:]}", VALUE) == [VALUE[-8:]]
    assert found("...", VALUE) == []


@pytest.mark.parametrize(("marks", "seen"), [(15, True), (16, False)])
def test_so_many_cuts_of_a_text_are_looked_at(marks: int, seen: bool) -> None:
    assert bool(found("x... " * marks + VALUE[:10] + "...", VALUE)) == seen


@pytest.mark.parametrize("sure", [WEAK, MEDIUM, STRONG])
@pytest.mark.parametrize("least", [WEAK, MEDIUM, STRONG])
@pytest.mark.parametrize("count", [1, 12])
def test_a_value_counts_where_it_is_sure_enough(sure: int, least: int, count: int) -> None:
    others = [f"other{number:02}Qx{number * 7919:06}" for number in range(count - 1)]
    for text in (VALUE, f"{VALUE[:10]}...", f"...{VALUE[-10:]}", base64.b64encode(VALUE.encode()).decode()):
        is_cut = "..." in text
        wanted = sure >= least and not (is_cut and sure == WEAK)
        assert bool(found(f"see {text}", VALUE, *others, sure=sure, least=least)) == wanted


@pytest.mark.parametrize("before", ["", "u", "us", "use", "user"])
@pytest.mark.parametrize("cut", range(4))
@pytest.mark.parametrize("front", ["", "a", "ab", "abc"])
def test_base64_wherever_it_begins_and_however_it_ends(before: str, cut: int, front: str) -> None:
    encoded = base64.b64encode(f"{before}{VALUE}, and some more".encode()).decode().rstrip("=")
    run = front + encoded[: len(encoded) - cut]
    assert found(f"({run})", VALUE) == [run]


def test_the_run_of_base64_that_holds_the_value_is_the_one_that_goes() -> None:
    held = base64.b64encode(f"x{VALUE}".encode()).decode()
    other = base64.b64encode(b"nothing of the kind in here").decode()
    assert found(f"{other} {held} {other}", VALUE) == [held]
    assert found(f"{held} {other} {held}", VALUE) == [held, held]
    assert found(other, VALUE) == []


def test_base64_that_was_cut_off_within_the_value() -> None:
    encoded = base64.b64encode(f"x{VALUE}".encode()).decode()[:20]
    assert found(f"{encoded}...", VALUE) == [encoded]
    assert found(encoded, VALUE) == []


WORD = "swordfish"


@pytest.mark.parametrize(
    ("before", "behind", "alone"),
    [
        ("", "", True), (" ", " ", True), ("(", ")", True), ("'", "'", True), ("", ".", True), (". ", "", True),
        ("x", "", False), ("", "x", False), ("1", "", False), ("", "1", False),
        ("-", "", False), ("", "-", False), ("@", "", False), ("", "@", False), ("_", "", False), ("", "_", False),
        ("/", "", False), ("", "/", False), ("a.", "", False), ("", ".a", False), (" .", "", True), ("", ". a", True),
        (".", "", True), ("", "..", True),
    ],
)  # fmt: skip
def test_a_word_stands_alone(before: str, behind: str, alone: bool) -> None:
    text = f"it {before}{WORD}{behind} is"[3 if not before else 0 : None if behind else -3]
    assert bool(found(text, WORD, sure=WEAK)) == alone
    # In a path slashes bound it.
    bounds = {before, behind} - {""}
    in_path = alone or bounds == {"/"} or bounds in ({"a."}, {".a"})
    assert bool(found(text, WORD, sure=WEAK, in_path=True)) == in_path
    assert found(text, WORD) == [WORD]
    assert bool(found(text, WORD[:7], sure=MEDIUM)) is False  # a short one is no part of another
    assert found(text, WORD, sure=MEDIUM) == [WORD]


def test_a_word_that_stands_alone_is_found_behind_one_that_does_not() -> None:
    assert finder(WORD, sure=WEAK).spans(f"x{WORD} {WORD}", WEAK) == [(11, 20)]


def test_a_short_password_is_a_part_of_no_word() -> None:
    assert found("hunter2 hunter22 xhunter2 -hunter2-", "hunter2", sure=MEDIUM) == ["hunter2", "hunter2"]


def test_a_value_that_looks_escaped_is_found_as_it_is() -> None:
    value = "%41bc\\ndef&gt;"
    assert value in found(f"x{value}%20", value)
    assert value in found(f"{value} and {value}%20", value)
    assert len([each for each in found(f"{value} and {value}%20", value) if each == value]) >= 2


@pytest.mark.parametrize("before", range(20, 80, 3))
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n    "])
def test_base64_in_lines_of_which_two_hold_the_value(before: int, end: str) -> None:
    encoded = base64.b64encode(b"x" * before + VALUE.encode() + b" and more of it" * 4).decode()
    lines = end.join(encoded[at : at + 76] for at in range(0, len(encoded), 76))
    assert any(len(each) > 60 for each in found(f"see:\n{lines}\nthere", VALUE))


def test_how_far_the_beginning_of_a_value_may_reach() -> None:
    """A bound of the cost: each cut of a text is looked at so far."""
    value = "".join(f"{number * 7919:08x}" for number in range(300))
    assert found(f"{value[:1024]}...", value) == [value[:1024]]
    assert found(f"{value[:1025]}...", value) == []


@pytest.mark.parametrize("count", [1, 9, 20])
def test_values_that_are_shorter_than_what_they_are_known_by(count: int) -> None:
    values = ["a-b-c", *(f"filler{number:02}x" for number in range(count - 1))]
    assert found("see a-b-c, filler00x", *values, sure=MEDIUM) == ["a-b-c", "filler00x"][: min(count, 2)]
    assert finder("a-b", *values[1:]).spans("see a-b there", WEAK) == []


def test_a_value_at_the_very_beginning_is_found_in_each_way() -> None:
    assert found(base64.b64encode(VALUE.encode()).decode(), VALUE)
    assert found(base64.b64encode(VALUE.encode()).decode() + " and more", VALUE)
    assert "abcdef%4" in found("abcdef%41 and more", "abcdef%4")  # which is another in normal form
    assert "abcdef%4" in found("x abcdef%41 and abcdef%42", "abcdef%4")


@pytest.mark.parametrize(("value", "within"), [("abcdef7", False), ("abcdefg8", True)])
def test_a_password_of_eight_characters_is_found_within_a_word(value: str, within: bool) -> None:
    assert bool(found(f"x{value}x", value, sure=MEDIUM)) == within
