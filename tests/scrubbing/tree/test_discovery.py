"""What is redacted in one place of an item is redacted in all of it."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given

from asgi_sentry._scrubbing import FILTERED, Redaction, Scrubber
from asgi_sentry._scrubbing.tree.discovery import parts_of
from tests.strategies import secret_values

SCRUBBER = Scrubber()
SECRET = "s3cr3t-Qx81mZ"


def scrubbed(event: dict) -> str:
    SCRUBBER.scrub_event(event)
    return json.dumps(event)


def frames(*variables: dict) -> dict:
    return {"exception": {"values": [{"type": "X", "stacktrace": {"frames": [{"vars": each} for each in variables]}}]}}


@pytest.mark.parametrize(
    ("template", "params"),
    [
        ("Authorization: Bearer %s", [SECRET]),
        ("login %s with password %s", ["bob", SECRET]),
        ("calling with %(api_key)s", {"api_key": SECRET}),
        ("token='%s' is gone", [SECRET]),
        ("password {} of {}", [SECRET, "bob"]),
    ],
)
def test_a_parameter_goes_from_the_text_of_its_log(template, params):
    text = (
        template.format(*params)
        if "{}" in template
        else template % (params if isinstance(params, dict) else tuple(params))
    )
    sent = scrubbed({"logentry": {"message": template, "params": params, "formatted": text}, "extra": {"note": text}})
    assert SECRET not in sent
    assert template in json.loads(sent)["logentry"]["message"]
    named = params.items() if isinstance(params, dict) else enumerate(params)
    attributes = {f"sentry.message.parameter.{name}": {"value": value, "type": "string"} for name, value in named}
    attributes["sentry.message.template"] = {"value": template, "type": "string"}
    log = SCRUBBER.scrub_item("log", {"items": [{"body": text, "attributes": attributes}]})
    assert SECRET not in json.dumps(log)
    assert log["items"][0]["attributes"]["sentry.message.template"]["value"] == template


def test_variables_of_other_frames():
    """As smtplib logs in."""
    encoded = base64.b64encode(f"\0user\0{SECRET}".encode()).decode()
    sent = scrubbed(
        frames(
            {"self": "<smtplib.SMTP object at 0x7f>", "password": f"'{SECRET}'", "user": "'bob'"},
            {"initial_response": f"'{encoded}'", "response": f"'{encoded}'", "x": f"'AUTH PLAIN {encoded}'"},
            {"args": [f"'{SECRET}'", "'bob'"], "text": f"b'{SECRET}\\\\r\\\\n'"},
        )
    )
    assert SECRET not in sent
    assert encoded not in sent
    assert "bob" in sent


@pytest.mark.parametrize(
    "event",
    [
        {"extra": {"password": SECRET}, "message": f"no {SECRET} here"},
        {"message": f"https://bob:{SECRET}@host/x failed", "extra": {"other": SECRET}},
        {"message": f"KeyError: '{SECRET}'", "extra": {"api_key": SECRET, SECRET: 1}},
        {"message": "x", "breadcrumbs": {"values": [{"data": {"token": SECRET}}, {"message": f"got {SECRET}"}]}},
        {"extra": {"argv": ["curl", "--password", SECRET], "copy": SECRET}},
        {"extra": {"auth": {"user": "bob", "key": "9f86d081884c7d659a2feaa0"}, "copy": "9f86d081884c7d659a2feaa0"}},
    ],
)
def test_other_places(event):
    sent = scrubbed(event)
    assert SECRET not in sent
    assert "9f86d081884c7d659a2feaa0" not in sent


def test_beside_what_a_rule_found_in_the_same_text():
    """And what was found is told of both."""
    found: list[Redaction] = []
    sent = SCRUBBER.scrub({"api_key": SECRET, "note": f"password=hunter2-hunter2 and {SECRET} there"}, found=found)
    assert sent["note"] == f"password={FILTERED} and {FILTERED} there"
    assert {each.rule for each in found if each.path == ("note",)} == {"@password", "@discovered"}


@pytest.mark.parametrize(
    "word", ["changed", "realtime", "12345", "localhost", "api/orders", "gpt-4o-mini", "Europe/Berlin"]
)
def test_a_word_stands_for_itself_elsewhere(word):
    event = {"extra": {"password": word, "other": f"it is {word}"}, "tags": {"x": word}, "message": f"{word} here"}
    sent = json.loads(scrubbed(event))
    assert sent["extra"] == {"password": FILTERED, "other": f"it is {word}"}
    assert sent["message"] == f"{word} here"


def test_addresses_and_mail_are_personal_and_no_credentials():
    event = {"extra": {"client_ip": "2001:db8::7f1", "mail": "bob7@example.com"}, "message": "from 2001:db8::7f1"}
    SCRUBBER.scrub_event(event)
    assert event["message"] == "from 2001:db8::7f1"
    assert event["extra"] == {"client_ip": FILTERED, "mail": FILTERED}


@given(secret_values())
def test_scrubbing_again_finds_nothing_more(secret):
    once = SCRUBBER.scrub({"password": secret, "a": [f"see {secret} there", {"b": secret}]})
    assert secret not in repr(once)
    assert SCRUBBER.scrub(once) == once


TOKEN = "9f86d081884c7d659a2feaa0"


@pytest.mark.parametrize(
    "held",
    [
        f"Bearer {TOKEN}",
        f"b'Bearer {TOKEN}'",
        f"theme=dark; sid={TOKEN}; lang=en",
        f"it is {TOKEN}, and nobody knows",
    ],
)
@pytest.mark.parametrize("others", [{}, {"password": SECRET, "same": SECRET}])
def test_what_a_redacted_text_is_made_of_goes_from_other_places(held, others):
    """Whatever else was redacted, and wherever that stands."""
    value = {"authorization": held, "note": f"got {TOKEN}", "copy": TOKEN, **others}
    left = SCRUBBER.scrub(value)
    assert TOKEN not in json.dumps(left)
    assert SCRUBBER.scrub({**value, "plain": "dark lang nobody"})["plain"] == "dark lang nobody"


def test_words_of_a_redacted_text_stay_in_other_places():
    value = {
        "secret": "the production database of example.com/orders-2024",
        "note": "production orders-2024 example.com",
    }
    assert SCRUBBER.scrub(value)["note"] == value["note"]


def test_of_a_long_text_a_bounded_part_is_looked_at():
    words = " ".join(f"{number:024x}" for number in range(10**23, 10**23 + 2000))
    assert len(parts_of(words)) == 16
    assert parts_of("") == [("", 0)]
