"""A secret is found in whatever decodes to it, however deep and however mixed."""

from __future__ import annotations

import base64
import html
import json
import textwrap
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asgi_sentry._scrubbing import FILTERED, Scrubber, collect_taint
from asgi_sentry._scrubbing.taint.normal import normal
from asgi_sentry._scrubbing.taint.strength import WEAK, strength
from tests.strategies import awkward_secrets, secret_values

RULES = Scrubber().ruleset
SECRETS = ("qHd7wLmPz3xVbN5k", "Tr0ub4dor&3+x/'\"<y>", "hunter2!pass", "p@ss w0rd\\n\u00e9x", "a!b@c#d$e%1")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def dotnet(secret: str) -> str:
    """As .NET's JSON escapes: all but letters and digits of ASCII, in capitals."""
    units = memoryview(secret.encode("utf-16-be")).cast("B")
    codes = [units[at] << 8 | units[at + 1] for at in range(0, len(units), 2)]
    return "".join(chr(code) if code < 128 and chr(code).isalnum() else f"\\u{code:04X}" for code in codes)


def long_text(secret: str) -> str:
    return f"user:{secret} " + "and more of it " * 20


def json_units(secret: str, escape: str) -> str:
    """Each unit of UTF-16 by its number, as some encoders write whatever they are given."""
    encoded = secret.encode("utf-16-be")
    return "".join(f"{escape}{encoded[at : at + 2].hex()}" for at in range(0, len(encoded), 2))


FORMS = {
    ".NET": dotnet,
    "Go": lambda secret: json.dumps(secret)[1:-1].replace("&", "\\u0026").replace("<", "\\u003c"),
    "PHP": lambda secret: json.dumps(secret).replace("/", "\\/"),
    "JSON three deep": lambda secret: json.dumps(json.dumps(json.dumps(secret))),
    "repr of repr": lambda secret: repr(repr(secret)),
    "repr of bytes with quotes": lambda secret: repr(f'{{"it\'s": "{secret}"}}'.encode()),
    "HTML twice": lambda secret: html.escape(html.escape(secret)),
    "HTML without quotes": lambda secret: html.escape(secret, quote=False),
    "entities in hexadecimal": lambda secret: "".join(
        char if char.isalnum() else f"&#x{ord(char):X};" for char in secret
    ),
    "entities in decimal": lambda secret: "".join(char if char.isalnum() else f"&#{ord(char)};" for char in secret),
    "percent twice": lambda secret: quote(quote(secret, safe=""), safe=""),
    "percent thrice": lambda secret: quote(quote(quote(secret, safe=""), safe=""), safe=""),
    "percent around JSON": lambda secret: quote(json.dumps({"p": secret}), safe=""),
    "percent, letters too": lambda secret: "".join(f"%{byte:02X}" for byte in secret.encode()),
    "percent twice, letters too": lambda secret: "".join(f"%25{byte:02x}" for byte in secret.encode()),
    "entities, letters too": lambda secret: "".join(f"&#{ord(char)};" for char in secret),
    "JSON, letters too": lambda secret: json_units(secret, "\\u"),
    "JSON twice, letters too": lambda secret: json_units(secret, "\\\\u"),
    "bytes, letters too": lambda secret: "".join(f"\\x{byte:02x}" for byte in secret.encode()),
    "base64 of JSON": lambda secret: b64(json.dumps({"password": secret})),
    "base64 in a URL": lambda secret: quote(b64(secret), safe=""),
    "base64 in lines of 76": lambda secret: textwrap.fill(b64(long_text(secret)), 76),
    "base64 in lines of 64": lambda secret: textwrap.fill(b64(long_text(secret)), 64),
    "repr of base64 in lines": lambda secret: repr(textwrap.fill(b64(long_text(secret)), 64)),
    "base64 for URLs, without padding": lambda secret: base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_found_in_what_decodes_to_it(secret, form):
    taint = collect_taint(headers=[(b"x-api-key", secret.encode())], keys=RULES)
    written = FORMS[form](secret)
    text, hit = taint.replace(f"before {written} after")
    assert hit
    assert written not in text
    assert text.startswith("before ")
    assert text.endswith(" after")
    assert taint.found_in(["nothing", f"before {written} after"]) == {f"before {written} after": text}


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("dots", ["...", "\u2026"])
def test_what_is_left_of_a_value_that_was_cut_off_is_found(secret, dots):
    taint = collect_taint(headers=[(b"x-api-key", secret.encode())], keys=RULES)
    assert taint.replace(f"it is {secret[:9]}{dots}") == (f"it is {FILTERED}{dots}", True)
    assert taint.replace(f"it is {secret[:9]}{dots} here") == (f"it is {FILTERED}{dots} here", True)
    assert taint.replace(f"it is {dots}{secret[-9:]}") == (f"it is {dots}{FILTERED}", True)
    encoded = b64(f"user:{secret}{secret}")[:24]
    assert taint.replace(f"it is {encoded}{dots}")[1]


def test_a_value_that_was_cut_off_within_a_character_is_found():
    taint = collect_taint(headers=[(b"x-api-key", "k7Qz1ab2\u00e9d0x9Wv4a".encode())], keys=RULES)
    assert taint.replace("it is k7Qz1ab2%C3... here") == (f"it is {FILTERED}... here", True)
    assert taint.replace("it is ...%A9d0x9Wv4a here") == (f"it is ...{FILTERED} here", True)


def test_the_tail_of_a_long_value_goes_with_its_head():
    secret = "".join(f"{number:x}Zq" for number in range(9000))
    taint = collect_taint(headers=[(b"authorization", f"Bearer {secret}".encode())], keys=RULES)
    assert taint.replace(f"it was {secret}.") == (f"it was {FILTERED}.", True)


@pytest.mark.parametrize("secret", ["p000000\u00a1\uaaf7w9", "\u00fcber9\u4e2dQz7x", "a7Q\U0001f511z9K\u00e9"])
def test_characters_of_which_some_are_escaped_and_others_encoded(secret):
    taint = collect_taint(headers=[(b"x-api-key", secret.encode("utf-8"))], keys=RULES)
    written = repr(repr(secret))
    for _ in range(4):
        assert taint.replace(f"before {written} after")[1]
        written = quote(written)


@given(st.one_of(awkward_secrets(), secret_values()), st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=2))
@example("p000000\x80\u00a1w9", ["repr of repr", "percent thrice"])  # one is escaped, the other is not
def test_forms_of_forms_are_found(secret, forms):
    secret = secret.strip()
    if strength(secret) == WEAK:  # found as a whole word only
        return
    taint = collect_taint(headers=[(b"x-api-key", secret.encode("utf-8"))], keys=RULES)
    written = secret
    for form in forms:
        if "base64" in form and written != secret:  # one base64 within another is not looked into
            continue
        written = FORMS[form](written)
    text, hit = taint.replace(f"before {written} after")
    assert hit
    assert written not in text


@given(st.text())
def test_each_character_of_a_normal_form_knows_where_it_came_from(text):
    shown = normal(text)
    assert shown.span(0, len(shown.text)) == (0, len(text))
    places = [shown.span(at, at + 1) for at in range(len(shown.text))]
    assert all(before[1] == behind[0] for before, behind in pairwise(places))
    assert normal(shown.text).text == shown.text or len(shown.text) < len(text)


@given(st.lists(secret_values(), min_size=12, max_size=60, unique=True), st.sampled_from(sorted(FORMS)))
def test_many_values_are_found_as_few_are(secrets, form):
    many = collect_taint(body={"password": secrets}, keys=RULES)
    for secret in secrets[:5]:
        alone = collect_taint(body={"password": [secret]}, keys=RULES)
        text = f"see {FORMS[form](secret)} there"
        assert many.replace(text)[1] == alone.replace(text)[1] is True
        assert many.found_in([text, "nothing"]).keys() == {text}
