"""What is remembered of texts: it makes no difference to what is found in them."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing import DEFAULT_RULES, FILTERED, Rule, Scrubber, Taint
from asgi_sentry._scrubbing.text.tokens import TOKENS

TOKEN = st.from_regex(re.compile(TOKENS, re.ASCII), fullmatch=True)
IDS = st.one_of(
    st.uuids().map(str),
    st.uuids().map(lambda drawn: drawn.hex),
    st.from_regex(r"0x[0-9a-f]{6,16}", fullmatch=True),
    st.from_regex(r"[0-9a-f]{32}-[0-9a-f]{16}(-[01])?", fullmatch=True),
    st.from_regex(r"[0-9a-f]{12,70}", fullmatch=True),
    st.from_regex(r"[0-9]{12,19}", fullmatch=True),
    st.just("4111111111111111"),
    st.just("203.0.113.9"),
)
TEXTS = st.sampled_from(
    [
        "Bearer 0123456789abcdef", "password=12345x", "password%3d12345", "password%2d12345", "a%40example.com",
        "a%20example.com", "4111 1111 1111 1111", "078-05-1120", "GB82 WEST 1234 5698 7654 32", "client_ip=203.0.113.9",
        "https://user:pw1@x.org/1", "https://x.org/1", "basic%20dXNlcjpwYXNz", "-p 12345", "--password 12345",
    ]
)  # fmt: skip
AROUND = st.text("0123456789abcdefx:/.-_ =@%+~'\"T", max_size=4)


@st.composite
def lookalikes(draw) -> list[str]:
    """Texts that differ in digits, or in what looks like an id, and so in what they hold."""
    before, after = draw(AROUND), draw(AROUND)
    kinds = st.one_of(IDS, TOKEN, TEXTS)
    text = before + draw(kinds) + draw(AROUND) + draw(st.one_of(IDS, st.just(""))) + after
    texts = [text]
    for _ in range(draw(st.integers(1, 4))):
        if draw(st.booleans()):
            others = draw(st.text("0123456789", min_size=10, max_size=10))
            texts.append(text.translate(str.maketrans("0123456789", others)))
        else:
            texts.append(before + draw(kinds) + after)
    return draw(st.permutations(texts))


RULES = (*DEFAULT_RULES, "@ip")


@settings(max_examples=300, deadline=None)
@given(lookalikes())
def test_what_was_met_before_changes_nothing(texts):
    warm = Scrubber(rules=RULES)
    for text in [*texts, *texts]:
        assert warm.scrub_text(text) == Scrubber(rules=RULES).scrub_text(text)
        assert warm.scrub({"a": text, "b": [text]}) == Scrubber(rules=RULES).scrub({"a": text, "b": [text]})


def test_what_was_secret_where_it_stood_is_not_remembered():
    scrubber = Scrubber()
    taint = Taint(("only-of-this-request",))
    scrubber.scrub({"password": "correct horse", "user": "only-of-this-request", "cookies": "a=1"}, taint=taint)
    kept = repr(vars_of(scrubber.ruleset.texts))
    assert "horse" not in kept
    assert "only-of-this" not in kept


def test_memory_is_bounded():
    scrubber = Scrubber()
    for number in range(300):
        scrubber.scrub(
            [f"{chr(97 + number % 26) * 20} {chr(98 + number // 26) * 15} {n:b}".replace("1", "y") for n in range(200)]
        )
    assert sum(len(text) for text in scrubber.ruleset.texts._known) < 2_000_000


def test_own_rules_see_what_was_met_before():
    """The literal of an own rule may be digits, or lie in what looks like an id."""
    scrubber = Scrubber(
        rules=(Rule("@mine", "deadbeef[0-9a-f]+", literals=("deadbeef",)), Rule("@n", "n42", literals=("n42",)))
    )
    assert scrubber.scrub(["0123456789abcdef", "n41"]) == ["0123456789abcdef", "n41"]
    assert scrubber.scrub(["deadbeef89abcdef", "n42"]) == [FILTERED, FILTERED]


def vars_of(rules) -> list[object]:
    return [getattr(rules, name) for name in type(rules).__slots__]


@given(
    st.lists(
        st.sampled_from(
            ["a", "password", "x_secret", "größe", "GRÖSSE", "b\0password", "", "ccnum", "2cc4", "\u212aey", "ip"]
        )
    )
)
def test_keys_mean_together_what_each_means_alone(names):
    for scrubber in (Scrubber(), Scrubber(deny=("größe",)), Scrubber(deny=("x9y",))):
        keys = scrubber.ruleset.keys
        assert keys.told(set(names)) == {name: keys[name] for name in names if keys[name]}
