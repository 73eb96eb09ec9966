# ruff: noqa: E501 - tables read best one case a line
"""What came in as a secret does not go out, in whatever form it is written."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing import FILTERED, Scrubber, Taint, collect_taint
from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG, WEAK, strength
from asgi_sentry._scrubbing.taint.taint import MAX_VALUES
from tests.strategies import awkward_secrets, harmless_text, secret_values

SCRUBBER = Scrubber()

WRITTEN = {
    "raw": lambda secret: secret,
    "quoted": lambda secret: quote(secret, safe=""),
    "quoted, slashes kept": quote,
    "quoted, lower hex": lambda secret: "".join(
        piece if piece.startswith("%") is False else piece.lower()
        for piece in _pieces(quote(secret, safe=""))
    ),
    "plus": quote_plus,
    "json": lambda secret: json.dumps(secret)[1:-1],
    "json, not ascii": lambda secret: json.dumps(secret, ensure_ascii=False)[1:-1],
    "json in json": lambda secret: json.dumps(json.dumps(secret))[3:-3],
    "repr": lambda secret: repr(secret)[1:-1],
    "repr of bytes": lambda secret: repr(secret.encode())[2:-1],
    "html": html.escape,
    "base64": lambda secret: base64.b64encode(secret.encode()).decode(),
    "base64, not padded": lambda secret: base64.b64encode(secret.encode()).decode().rstrip("="),
    "base64, for URLs": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode(),
    "base64, one in": lambda secret: base64.b64encode(b"u" + secret.encode() + b"zz").decode(),
    "base64, two in": lambda secret: base64.b64encode(b"u:" + secret.encode() + b"z").decode(),
    "base64, three in": lambda secret: base64.urlsafe_b64encode(b"us:" + secret.encode() + b"\xff").decode(),
}  # fmt: skip


def _pieces(text: str) -> list[str]:
    pieces, index = [], 0
    while index < len(text):
        width = 3 if text[index] == "%" else 1
        pieces.append(text[index : index + width])
        index += width
    return pieces


@pytest.mark.parametrize("form", WRITTEN)
@given(secret=st.one_of(awkward_secrets(), secret_values()), before=harmless_text, after=harmless_text)
def test_a_secret_is_found_in_every_form(form, secret, before, after):
    secret = secret.strip()
    taint = collect_taint(body={"password": secret}, keys=SCRUBBER.ruleset)
    if not taint or strength(secret) == WEAK:  # a common word, or one that is found as a whole word only
        return
    written = WRITTEN[form](secret)
    text, hit = taint.replace(f"{before} {written} {after}")
    assert hit
    assert written not in text
    assert text.startswith(before)
    assert text.endswith(after)


@given(st.lists(secret_values(), min_size=1, max_size=5), st.sampled_from(sorted(WRITTEN)))
def test_it_is_found_among_many_texts(secrets, form):
    taint = collect_taint(body={"tokens": [], "password": secrets}, keys=SCRUBBER.ruleset)
    value = [{"note": f"see {WRITTEN[form](secret)} there"} for secret in secrets] + ["nothing here"] * 3
    cleaned = SCRUBBER.scrub(value, taint=taint)
    assert not any(WRITTEN[form](secret) in repr(cleaned) for secret in secrets)
    assert cleaned[-3:] == ["nothing here"] * 3


@given(secret_values(), secret_values())
def test_the_taint_of_one_request_touches_no_other(mine, other):
    if mine in other or other in mine:
        return
    taint = collect_taint(headers=[(b"x-api-key", mine.encode())], keys=SCRUBBER.ruleset)
    assert SCRUBBER.scrub({"a": other, "b": [other]}, taint=taint) == {"a": other, "b": [other]}


@given(st.text(), st.lists(secret_values(), max_size=3))
def test_replacing_again_changes_nothing(text, secrets):
    taint = collect_taint(body={"password": secrets}, keys=SCRUBBER.ruleset)
    once, _ = taint.replace(text)
    assert taint.replace(once) == (once, False)


def collected(**parts) -> list[str]:
    taint = collect_taint(keys=SCRUBBER.ruleset, **parts)
    return list(taint._raw)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"headers": [(b"Authorization", b"Bearer abc.def-123")]}, {"abc.def-123"}),
        (
            {"headers": [(b"authorization", b"Basic " + base64.b64encode(b"alice77:s3cret:x"))]},
            {base64.b64encode(b"alice77:s3cret:x").decode(), "alice77", "s3cret:x"},
        ),
        ({"headers": [(b"proxy-authorization", b"Token t0ken-value")]}, {"t0ken-value"}),
        ({"headers": [(b"x-api-key", b"k-123456")]}, {"k-123456"}),
        ({"headers": [(b"cookie", b"theme=dark; sessionid=abc123; tracking=0123456789abcdef")]}, {"abc123", "0123456789abcdef"}),
        ({"headers": [(b"user-agent", b"a long and ordinary header value")]}, set()),
        ({"query": b"token=q%2Fw+e12&page=abcdefgh"}, {"q/w e12"}),
        ({"body": {"user": {"password": "hunter22", "pin": 123456, "name": "someone"}}}, {"hunter22", "123456"}),
        ({"body": {"credentials": {"a": ["9f86d081884c7d65"], "b": "gpt-4o-realtime", "pin": "abcdef"}}}, {"9f86d081884c7d65", "abcdef"}),
        ({"body": {"passwords": ["deep-one", "deep-two"]}}, {"deep-one", "deep-two"}),
        ({"body": [["password", "pair-value"]]}, {"pair-value"}),
        ({"body": '<a password="xml-value"/> {"token": "cut-off'}, {"xml-value", "cut-off"}),
        ({"body": {"password": "true", "token": "null", "secret": "production", "pwd": "short", "otp": "******"}}, set()),
        ({"headers": [(b"authorization", "Bearer s\u00e4ch-123".encode())]}, {"s\u00e4ch-123", "s\u00c3\u00a4ch-123"}),
    ],
)  # fmt: skip
def test_what_is_taken_for_a_secret(parts, expected):
    assert set(collected(**parts)) == expected


def test_it_never_shows_what_it_holds():
    taint = collect_taint(body={"password": "hunter2-hunter2"}, keys=SCRUBBER.ruleset)
    assert "hunter2" not in f"{taint} {taint!r} {taint.__class__.__doc__}"
    with pytest.raises(TypeError, match="not pickled"):
        __import__("pickle").dumps(taint)


def test_it_is_bounded_and_says_so():
    few = collect_taint(body={"password": [f"value-{number}" for number in range(500)]}, keys=SCRUBBER.ruleset)
    assert not few.unknown
    assert few.replace("value-499") == (FILTERED, True)
    many = collect_taint(body={"password": [f"value-{number}" for number in range(20_000)]}, keys=SCRUBBER.ruleset)
    assert many.unknown
    assert len(many._raw) <= 512


def test_the_rule_says_whether_a_value_was_known():
    """Where not all of them are known by value, what looks like one goes, too, and by another rule."""
    secrets = [f"Sec{number}Qx{number * 7919}Zk" for number in range(600)]
    taint = collect_taint(body={"password": secrets}, keys=SCRUBBER.ruleset)
    assert taint.unknown
    event = {"extra": {"known": f"of {secrets[0]}", "new": "of Zx81kQp9Lm3nV7rT", "words": "nothing of 12345"}}
    SCRUBBER.scrub_event(event, taint=taint)
    assert event["extra"] == {"known": f"of {FILTERED}", "new": f"of {FILTERED}", "words": "nothing of 12345"}
    rules = {key: meta[""]["rem"] for key, meta in event["_meta"]["extra"].items()}
    assert rules == {"known": [["@request", "x"]], "new": [["@unknown", "x"]]}


def test_a_word_is_not_replaced_within_another():
    taint = collect_taint(body={"password": "tester"}, keys=SCRUBBER.ruleset)
    assert taint.replace("testers of tester") == (f"testers of {FILTERED}", True)


def test_a_value_that_was_cut_off_is_found_by_its_beginning():
    taint = collect_taint(headers=[(b"authorization", b"Bearer 0123456789abcdefghijklmnop")], keys=SCRUBBER.ruleset)
    assert taint.replace("it was 0123456789abc...") == (f"it was {FILTERED}...", True)


def test_a_broken_part_leaves_the_others():
    class Keys(dict):
        def items(self):
            raise RuntimeError("no")

    assert collected(headers=[(b"x-api-key", b"k-123456")], query=b"token=zz-99999", body=Keys()) != []


def test_keys_are_tainted_too():
    taint = collect_taint(body={"password": "hunter2-hunter2"}, keys=SCRUBBER.ruleset)
    assert SCRUBBER.scrub({"user hunter2-hunter2": 1, "b": 2}, taint=taint) == {f"user {FILTERED}": 1, "b": 2}


@pytest.mark.parametrize("value", [0, None, "plain", {"a": "b"}])
def test_an_empty_taint_changes_nothing(value):
    assert not Taint()
    assert SCRUBBER.scrub(value, taint=Taint()) == value


# --- each a fact that one changed line breaks ---------------------------------------------------------------------

LONG, SHORT = "k7Qm2xVt9Rb4Wz8Lp3Nd", "k7Qm2xVt9Rb4"


@pytest.mark.parametrize(
    "values", [(SHORT, LONG), (LONG, SHORT), tuple([SHORT, LONG] + [f"filler{n}Qx8" for n in range(12)])]
)
def test_the_longest_goes_first_so_that_nothing_of_it_is_left(values):
    taint = Taint(values)
    assert taint.replace(f"x {LONG} y {SHORT} z") == (f"x {FILTERED} y {FILTERED} z", True)
    assert taint.replace(f"{SHORT}{LONG}{SHORT}") == (FILTERED, True)


def test_html_with_its_quotes_left_alone_and_what_was_url_encoded_twice():
    secret = "aB3<cD4'eF5&gH6"
    assert Taint((secret,)).replace(f"<p>{html.escape(secret, quote=False)}</p>") == (f"<p>{FILTERED}</p>", True)
    secret = "aB3/cD4+eF5 gH6"
    written = quote(quote(secret, safe=""), safe="")
    assert Taint((secret,)).replace(f"?next={written}&a=b") == (f"?next={FILTERED}&a=b", True)


def test_a_text_that_ends_in_dots_behind_another_value_with_the_same_beginning_is_left_alone():
    taint = Taint(("abcdefgh12345678",))
    assert taint.replace("see abcdefghij ok...") == ("see abcdefghij ok...", False)
    assert taint.replace("see abcdefghij...") == ("see abcdefghij...", False)


def test_what_stands_in_the_path_is_bounded_by_its_slashes():
    assert Taint(in_path=["tokens"]).replace("/reset/tokens/x") == (f"/reset/{FILTERED}/x", True)
    assert Taint(["tokens"]).replace("/reset/tokens/x") == ("/reset/tokens/x", False)
    assert Taint(["tokens"], in_path=["tokens"]).replace("/reset/tokens/x")[1]


def test_it_knows_what_is_found_wherever_it_stands():
    taint = Taint([LONG], in_path=["tokens"])
    assert taint.knows(LONG)
    assert not taint.knows("tokens")  # between slashes only
    assert not taint.knows("nothing of it")


def test_several_together_know_what_looks_like_a_secret_of_any():
    joined = Taint.joined([Taint([LONG, "checkout"]), Taint(["swordf1sh"], unknown=True), Taint()])
    assert joined.knows(LONG)
    assert joined.knows("swordf1sh")
    assert not joined.knows("checkout")
    assert not joined.unknown
    assert not Taint.joined([])


def test_more_values_leave_the_first_as_it_was():
    first = Taint([LONG], unknown=True)
    more = first.and_more(["swordf1sh"])
    assert more.knows(LONG)
    assert more.knows("swordf1sh")
    assert more.unknown
    assert not first.knows("swordf1sh")
    assert first.known.knows(LONG)
    assert not first.known.unknown
    assert Taint([LONG]).known.knows(LONG)


@pytest.mark.parametrize(
    ("value", "counts"),
    [("abcdef", True), ("abcde", False), ("      abcde", False), ("aaaaaaaa", False), ("ababab", True), ("Production", False),
     ("[Filtered]", False), ("gzip, deflate", False)],
)  # fmt: skip
def test_short_and_common_values_are_none(value, counts):
    assert bool(Taint([value])) == counts


def test_so_many_values_and_characters_are_known():
    values = [f"value-{number:04}-x" for number in range(MAX_VALUES)]
    assert not Taint(values).unknown
    assert Taint([*values, values[0]]).unknown is False
    assert Taint([*values, "one-more-x"]).unknown
    half = ["a" * 131_071 + "bc", "c" * 131_070 + "d"]
    assert not Taint([half[0], half[1][1:]]).unknown
    assert Taint([*half, "one-more-x"]).unknown


@pytest.mark.parametrize("sure", [WEAK, MEDIUM, STRONG])
@pytest.mark.parametrize("least", [WEAK, MEDIUM, STRONG])
def test_texts_are_told_by_how_sure_it_is(sure, least):
    value = {WEAK: "checkout", MEDIUM: "swordf1sh!", STRONG: LONG}[sure]
    assert strength(value) == sure
    taint = Taint([value])
    texts = ["nothing", f"it is {value}", "more words"]
    wanted = {texts[1]: f"it is {FILTERED}"} if sure >= least else {}
    assert taint.found_in(texts, least=least) == wanted
    assert taint.found_in([], least=least) == {}


@pytest.mark.parametrize("dots", ["...", "...'", '..."', "\u2026", "\u2026'", '\u2026"'])
def test_a_text_that_was_cut_off_is_among_those_that_are_told(dots):
    texts = ["nothing", f"it is {LONG[:9]}{dots}", f"words{dots}"]
    assert Taint([LONG]).found_in(texts) == {texts[1]: f"it is {FILTERED}{dots}"}
    assert Taint(["checkout"]).found_in([f"a check{dots}"]) == {}


def test_places_that_lie_in_others_or_touch_are_one():
    taint = Taint(["abcdefgh12", "cdefgh1234"])
    assert taint.replace("x abcdefgh1234 y") == (f"x {FILTERED} y", True)
    assert taint.replace("x abcdefgh12cdefgh1234 y abcdefgh12") == (f"x {FILTERED} y {FILTERED}", True)


@pytest.mark.parametrize(
    ("text", "left"),
    [("it is Zx81kQp9Lm3nV7rT, or not", f"it is {FILTERED}, or not"), ("at 0x7f00aabbcc of words", "at 0x7f00aabbcc of words"),
     ("[Filtered] was 12345678", "[Filtered] was 12345678"), ("Zx81kQ!", FILTERED), ("...", "...")],
)  # fmt: skip
def test_where_not_all_are_known_what_may_be_one_goes(text, left):
    assert Taint([LONG], unknown=True).replace(text)[0] == left
    assert Taint([LONG], unknown=True).found_in([text], least=STRONG) == {}


@pytest.mark.parametrize("count", [1, 20])
def test_of_texts_in_which_a_known_value_stands_it_is_said(count):
    values = [LONG, *(f"Qx{number:02}v{number * 104729:08}Zk" for number in range(count - 1))]
    texts = [f"it is {LONG}", "or Zx81kQp9Lm3nV7rT", "nothing"]
    known = set()
    found = Taint(values, unknown=True).found_in(texts, known=known)
    assert found.keys() == set(texts[:2])
    assert known == {texts[0]}


def test_a_full_taint_searches_for_more_as_it_did():
    full = Taint([f"value{number:04}x" for number in range(512)], unknown=True)
    before = full.replace("see value0007x there")
    more = full.and_more(["another1x"])
    assert more.unknown
    assert more._search.finder is full._search.finder is full.known._search.finder
    assert more.replace("see value0007x there") == before


def test_keys_are_looked_at_for_more_than_words():
    assert Taint([LONG]).in_keys
    assert Taint(["swordf1sh!"]).in_keys
    assert not Taint(["checkout"]).in_keys
    assert not Taint().in_keys
