"""One search for many gates finds what a search for each does."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing import DEFAULT_RULES, Rule, Scrubber
from asgi_sentry._scrubbing.text import together
from asgi_sentry._scrubbing.text.fast import _Text
from asgi_sentry._scrubbing.text.gates import Gates
from asgi_sentry._scrubbing.text.single_gate import Gate, is_separated
from tests.quick import examples
from tests.scrubbing.samples import MIXED, PIECES
from tests.strategies import FORMS

pytestmark = pytest.mark.untraced

TEXTS = [*PIECES, *(form for forms in MIXED.values() for form in forms), *FORMS, "\xff\u1234 x", "cccn=", "xGLab-"]
# Of which some begin with others, stand in them, or have signs of `re` in them.
LITERALS = (
    b"ab",
    b"abc",
    b"xabc",
    b"::",
    b":::",
    b"a::",
    b"(?",
    b"A]",
    b"[",
    b"on >",
    b"Pin",
    b"pin",
    b"zz",
    b"z",
    b"ccc",
)


@pytest.fixture(scope="module")
def gates() -> Gates:
    scrubber = Scrubber(rules=(*DEFAULT_RULES, "@ip"), deny=("x-internal", "zq9", "77"))
    return Gates(scrubber.ruleset.texts._gates.all)


def drawn(dice: Random) -> list[str]:
    made = {"".join(dice.choices(TEXTS, k=dice.randint(1, 4))) for _ in range(dice.randint(1, 8))}
    return sorted(text.replace("\0", "") for text in made)


def joined(texts: list[str]) -> bytes:
    return "\0".join(texts).encode("latin-1", "replace")


def one_by_one(gates: Gates, texts: list[str]) -> dict[int, int]:
    """What each gate finds in each text alone."""
    each = list(gates.all.items())
    told = {index: _Text(text).bits(each) for index, text in enumerate(texts)}
    return {index: bits for index, bits in told.items() if bits}


def test_what_is_found_together_is_found_one_by_one(gates):
    dice = Random(11)
    for _ in range(examples(2000)):
        texts = drawn(dice)
        assert gates.suspects(texts, joined(texts)) == one_by_one(gates, texts), texts


def test_what_is_dense_is_found_one_by_one(gates, monkeypatch):
    for piece in PIECES:
        texts = [piece.replace("\0", "") * 2000, "x", piece.replace("\0", "")]
        assert gates.suspects(texts, joined(texts)) == one_by_one(gates, texts), piece
    monkeypatch.setattr(together, "_FEWEST", 0)
    monkeypatch.setattr(together, "_DENSEST", 10**9)
    dice = Random(12)
    for _ in range(examples(500)):
        texts = drawn(dice)
        assert gates.suspects(texts, joined(texts)) == one_by_one(gates, texts), texts


@settings(max_examples=examples(300), deadline=None)
@given(
    st.lists(st.sampled_from(LITERALS), min_size=1, max_size=6, unique=True),
    st.lists(st.text("abcxzPin:(?[]A> o", max_size=12), min_size=1, max_size=4),
)
def test_any_literal_is_found(literals, texts):
    gates = Gates({Gate("text", literal): 1 << bit for bit, literal in enumerate(literals)})
    expected = {}
    for index, text in enumerate(texts):
        bits = sum(1 << bit for bit, literal in enumerate(literals) if literal.decode() in text)
        if bits:
            expected[index] = bits
    assert gates.suspects(texts, joined(texts)) == expected


def test_a_rule_without_any_word_is_found():
    rules = (Rule("@a", r"::\d\d", literals=("::",)), Rule("@b", r"\?\?[a-z]\?", literals=("??",)))
    scrubber = Scrubber(rules=rules)
    assert scrubber.scrub(["x::42", ":4:2", "a??b?"]) == ["x[Filtered]", ":4:2", "a[Filtered]"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pass the salt, please", False),
        ("the pin of ann", False),
        ("pass=x", True),
        ("pass=", False),
        ("pass:\nx", True),
        ("'pass', x", True),
        ("pass 'x", True),
        ("(b'pass", True),
        ("don't", False),
        ("--pass x", True),
        ("--", False),
        ("pass aB", True),
        ("pass-a1B", True),
        ("aB", False),
        ("the pass: swordFish", True),
        ("token 4baf", True),
        ("token ABc", True),
        ("token AB", False),
        ("pass%3dx", True),
    ],
)
def test_a_value_stands_behind_a_separator_or_is_told_by_its_letters(text, expected):
    assert is_separated(text) is expected
