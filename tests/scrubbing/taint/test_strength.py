"""How sure it is that a value is a secret, by its look."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG, WEAK, is_weak, strength

TOLD = {
    WEAK: """checkout api/orders https://example.com/a/b 12345678 2024-01-31 Europe/Berlin gpt-4o-mini v2-final
        final-v2 rc1-candidate 10.0.0.1 example.com correct-horse-battery 1.2.3 1234-5678 ab-cde o'brien""",
    MEDIUM: """hunter2 Tr0ub4dor&3 swordf1sh passw0rd! p@ssw0rd ab-cd v2 rc1 a1b2c3 ab12-x9y8z7 de_DE --- ab
        1a-b2 10-v2 hunter2-word""",
    STRONG: """9f86d081884c7d65 9F86D081884C7D65 9f86d081-884c-7d65 qHd7wLmPz3xVbN5k SplxlOBeZQQYbYS6WxSbIA
        ghp_16C7e42F292c6912E7710c838347Ae178B4a""",
}


@pytest.mark.parametrize(("wanted", "value"), [(sure, value) for sure, all_ in TOLD.items() for value in all_.split()])
def test_the_look_tells(wanted: int, value: str) -> None:
    assert strength(value) == wanted


@given(st.one_of(st.text("aB1-. /", max_size=24), st.text(), st.sampled_from(" ".join(TOLD.values()).split())))
def test_what_is_weak_is_told_sooner(value: str) -> None:
    assert is_weak(value) == (strength(value) == WEAK)
    assert not is_weak("a" * 4097)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("1280x1024x32x99", False),
        ("0123456789012345", False),
        ("070941Q357qz781q8288", False),  # three different ones,
        ("8g6K45K9z848990X96zz", True),  # and four
    ],
)
def test_a_few_letters_make_no_credential(value: str, wanted: bool) -> None:
    assert (strength(value) == STRONG) == wanted


def test_what_is_too_long_to_be_looked_at_is_taken_for_one() -> None:
    assert strength("word " * 819 + "a") == WEAK
    assert strength("word " * 819 + "ab") == STRONG


@given(
    st.lists(st.sampled_from(["checkout", "orders", "list"]), min_size=1, max_size=5),
    st.sampled_from("-_./:+,;!?&=~ '"),
)
def test_words_with_anything_between_them_are_weak(words: list[str], joint: str) -> None:
    text = joint.join(["word", *words])
    assert strength(text) == WEAK
    assert strength(f"https://{text}") == WEAK


@given(st.lists(st.integers(0, 9999).map(str), min_size=2, max_size=5))
def test_numbers_are_weak(numbers: list[str]) -> None:
    assert strength("-".join(numbers)) == WEAK
