"""Nothing of a text is kept: whoever has met it finds in it what anybody finds."""

from __future__ import annotations

import gc
import re
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing import DEFAULT_RULES, FILTERED, Rule, Scrubber
from asgi_sentry._scrubbing.text.tokens import TOKENS
from tests.quick import examples

RULES = (*DEFAULT_RULES, "@ip")
SECRETS = st.one_of(
    st.from_regex(re.compile(TOKENS, re.ASCII), fullmatch=True),
    st.sampled_from(
        [
            "Bearer 0123456789abcdef", "password=12345x", "password%3d12345", "a%40example.com", "4111 1111 1111 1111",
            "078-05-1120", "GB82 WEST 1234 5698 7654 32", "client_ip=203.0.113.9", "https://user:pw1@x.org/1",
            "203.0.113.9",
            "basic%20dXNlcjpwYXNz", "--password 12345", "BILLING_TOKEN aB1cD2eF3", "'mysql', '-pabc1234', 'x'",
        ]
    ),
)  # fmt: skip
AROUND = st.text("0123456789abcdefx:/.-_ =@%+~'\"T\n", max_size=6)
TEXTS = st.builds("{}{}{}".format, AROUND, st.one_of(SECRETS, st.just("")), AROUND)


@settings(max_examples=examples(40), deadline=None)
@given(st.lists(TEXTS, min_size=1, max_size=6))
def test_a_scrubber_that_has_met_texts_finds_in_them_what_a_fresh_one_does(texts):
    warm = Scrubber(rules=RULES)
    alone = [Scrubber(rules=RULES).scrub_text(text) for text in texts]
    together = Scrubber(rules=RULES).scrub(texts)
    for _ in range(2):
        assert warm.scrub(texts) == together
        assert [warm.scrub_text(text) for text in texts] == alone


def held_by(root: object) -> set[str]:
    """Every text that can be reached from an object, but for those of modules, classes and code."""
    seen: set[int] = set()
    texts: set[str] = set()
    todo = [root]
    while todo:
        value = todo.pop()
        if id(value) in seen or isinstance(value, (type, ModuleType, FunctionType, CodeType, BuiltinFunctionType)):
            continue
        seen.add(id(value))
        if isinstance(value, (str, bytes)):
            texts.add(str(value))
        todo.extend(gc.get_referents(value))
    return texts


def test_no_text_is_kept():
    """Neither one that is harmless nor one that is secret, nor a word of either."""
    scrubber = Scrubber()
    for _ in range(2):
        scrubber.scrub({"note": "greetings = Zanzibarquux", "password": "Swordfishquux", "x": "token Swordfishquux9"})
        scrubber.scrub_text("hello Zanzibarquux, password=Swordfishquux9")
        scrubber.scrub_event({"message": "hello Zanzibarquux, password=Swordfishquux9"})
    held = held_by(scrubber)
    assert "password" in held
    assert not [text for text in held if "quux" in text.lower()]


def test_own_rules_find_what_looks_like_an_id():
    rules = (Rule("@mine", "deadbeef[0-9a-f]+", literals=("deadbeef",)), Rule("@n", "n42", literals=("n42",)))
    scrubber = Scrubber(rules=rules)
    assert scrubber.scrub(["0123456789abcdef", "n41"]) == ["0123456789abcdef", "n41"]
    assert scrubber.scrub(["deadbeef89abcdef", "n42"]) == [FILTERED, FILTERED]


NAMES = [
    "a",
    "password",
    "x_secret",
    "größe",
    "GRÖSSE",
    "b\0password",
    "",
    "ccnum",
    "2cc4",
    "\u212aey",
    "ip",
    "a_key",
    "pat",
]


@given(st.lists(st.sampled_from(NAMES)))
def test_keys_mean_together_what_each_means_alone(names):
    for scrubber in (Scrubber(), Scrubber(deny=("größe",)), Scrubber(deny=("x9y",))):
        keys = scrubber.ruleset.keys
        assert keys.told(set(names)) == {name: keys[name] for name in names if keys[name]}


def test_a_secret_in_a_key_is_found_each_time():
    scrubber = Scrubber()
    for _ in range(3):
        assert "hunter2" not in str(scrubber.scrub({"password=hunter2secret99": 1, "n": 2}))
        event = {"extra": {"token=abcDEF12345678": "x"}}
        scrubber.scrub_event(event)
        assert "abcDEF" not in str(event["extra"])


@pytest.mark.parametrize(
    "sent",
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36 OPR/116.0.0.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0) AppleWebKit/605.1.15 Version/17.0 Mobile/15E148 Safari/604.1",
        '"Chromium";v="131", "Not_A Brand";v="24", "Google Chrome";v="131"',
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
        "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7",
        "python-requests/2.32.3",
    ],
)
def test_what_browsers_send_with_each_request_is_told_by_the_gates(sent):
    assert Scrubber().ruleset.texts.suspects([sent]) == {}


def test_an_address_under_its_name_is_none_of_a_browsers_versions():
    assert Scrubber().scrub_text("client_ip=131.0.0.1 Chrome/131.0.0.0") == "client_ip=[Filtered] Chrome/131.0.0.0"
    assert Scrubber().scrub_text("remote_addr=localhost/127.0.0.1") == "remote_addr=localhost/[Filtered]"


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com@b.co",
        "4111 1111 1111 1111@b.co",
        "DE89370400440532013000:hunter2@b.co and ann@example.com",
        "ann@example.com DE89370400440532013000 4111111111111111",
    ],
)
def test_a_long_text_is_looked_at_again_where_something_was_redacted(text):
    """As a short one is: what a redaction completes is redacted, too."""
    scrubber = Scrubber()
    for filler in ("and nothing else to tell of. ", "some words, a=1, b: 2\n"):
        around = filler * (9000 // len(filler))
        whole = f"{around}{text} {around}"
        assert scrubber.scrub_text(whole) == f"{around}{scrubber.scrub_text(text)} {around}"
        assert scrubber.scrub_text(scrubber.scrub_text(whole)) == scrubber.scrub_text(whole)


def test_a_little_in_a_long_text_costs_one_look():
    rules = Scrubber().ruleset.texts
    text = "中@a.bcDE89 3704 @a." * 500 + "中@a.bc"
    left, found = rules.scrubbed(text)
    assert found == ["@email"]
    assert rules._may_go_on(left, found) is False
    assert rules._may_go_on(left, ["@password"]) is True
    assert rules._may_go_on(left[-100:], found) is True


def test_what_is_left_of_a_whole_text_is_not_looked_at_again(monkeypatch):
    rules = Scrubber(rules=(*DEFAULT_RULES, Rule("@all", r"[a-z]{2,9}"))).ruleset.texts
    looks: list[list[str]] = []
    suspects = type(rules)._suspects
    monkeypatch.setattr(
        type(rules),
        "_suspects",
        lambda own, texts, joined: looks.append(list(texts)) or suspects(own, texts, joined),
    )
    assert rules.scrubbed("ann@example.com") == (FILTERED, ["@all"])
    assert rules.scrubbed("harmless") == (FILTERED, ["@all"])
    assert looks == [["ann@example.com"], ["harmless"]]
    assert rules.scrubbed("1 ab 2") == ("1 [Filtered] 2", ["@all"])
    assert len(looks) == 4
