"""What may have slipped through is shown, masked, with a line that redacts it."""

from __future__ import annotations

import json
import string
from random import Random
from typing import Any

import pytest

from asgi_sentry import DEFAULT_RULES, Rule, Scrubber
from asgi_sentry._scrubbing.suspects import Suspect, find_false_alarms, find_suspects

ALNUM = string.ascii_letters + string.digits
NAMES = {"DEFAULT_RULES": DEFAULT_RULES, "Rule": Rule, "Scrubber": Scrubber}


def drawn(seed: str, length: int = 30) -> str:
    return "".join(Random(seed).choices(ALNUM, k=length)) + "x7Q"


PAYLOADS: dict[str, Any] = {
    "a value": {"extra": {"internal": drawn("a")}},
    "a word of a text": {"message": f"the partner sent {drawn('b')} with his order of today"},
    "a token with a prefix": {"logentry": {"formatted": f"acme_{drawn('c')} was refused by the warehouse in Berlin"}},
    "in a variable": {"exception": {"values": [{"stacktrace": {"frames": [{"vars": {"x": [f"'{drawn('d')}'"]}}]}}]}},
    "digits of a key": {"extra": {"seal": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b"}},
    "a telephone number": {"extra": {"who": "call +49 30 901820 today or tomorrow at noon"}},
    "an address": {"extra": {"seen": "came from 203.0.113.9 by the front door, as it seems"}},
    "a name": {"contexts": {"customer": {"first_name": "Ann"}}},
}


@pytest.mark.parametrize("kind", PAYLOADS)
def test_each_kind_is_found_and_its_suggestion_redacts_it(kind):
    payload = Scrubber().scrub(PAYLOADS[kind])
    assert payload == PAYLOADS[kind]
    found = find_suspects(payload)
    assert len(found) == 1
    suspect = found[0]
    value: Any = payload
    for step in suspect.path:
        value = value[step]
    assert isinstance(value, str)
    assert drawn(kind[0]) not in suspect.preview
    scrubber = eval(suspect.suggestion, NAMES)
    assert find_suspects(scrubber.scrub(payload)) == []


@pytest.mark.parametrize("value", [f"x {drawn('e')}", "call +49 30 901820"])
@pytest.mark.parametrize(
    "event",
    [
        lambda value: {"message": value},
        lambda value: {"logentry": {"formatted": value}},
        lambda value: {"exception": {"values": [{"type": "E", "value": value}]}},
        lambda value: {"breadcrumbs": {"values": [{"message": value, "data": {"seen": value}}]}},
        lambda value: {"spans": [{"op": "x", "description": value, "data": {"seen": value}}]},
        lambda value: {"tags": {"seen": value}, "user": {"nick": value}, "contexts": {"c": {"seen": value}}},
        lambda value: {"request": {"data": {"seen": value}, "headers": {"X-Seen": value}, "cookies": {"seen": value}}},
    ],
)  # fmt: skip
def test_a_suggestion_redacts_also_what_stands_in_a_field_of_an_event(event, value):
    payload = event(value)
    found = find_suspects(payload)
    assert found
    for suspect in found:
        scrubbed = event(value)
        eval(suspect.suggestion, NAMES).scrub_event(scrubbed)
        assert suspect.path not in {left.path for left in find_suspects(scrubbed)}


ID = "9f86d081884c7d659a2feaa0c55ad015"
ORDINARY: list[Any] = [
    {"event_id": ID, "contexts": {"trace": {"trace_id": ID}}},
    {"message": "GET /orders/4711 took 12.5 ms", "release": "shop@1.2.3+4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2"},
    {"extra": {"commit": "4f5e6d7c8b9a0f1e2d3c4b5a69788796a5b4c3d2", "path": "/srv/app/releases/20241123/app.py"}},
    {"extra": {"order_id": "3f2504e0-4f89-11d3-9a0c-0305e82c3301", "when": "2024-11-23T22:50:31.123456Z"}},
    {"message": "django.core.exceptions.ImproperlyConfigured in shop.views.CheckoutViewSet.perform_create"},
    {"extra": {"host": "ip-10-0-1-5.eu-west-1.compute.internal", "bind": "10.0.1.5", "loop": "127.0.0.1"}},
    {"breadcrumbs": {"values": [{"message": "SELECT id, name FROM orders WHERE user_id = %s LIMIT 20"}]}},
]  # fmt: skip


@pytest.mark.parametrize("payload", ORDINARY)
def test_ordinary_data_is_not_suspected(payload):
    assert find_suspects(payload) == []


def test_what_was_redacted_is_shown_with_what_would_leave_it():
    event: dict[str, Any] = {"extra": {"session_colour": "blue", "note": "mail bob@example.com"}}
    Scrubber().scrub_event(event)
    alarms = find_false_alarms(event)
    assert [alarm.path for alarm in alarms] == [("extra", "session_colour"), ("extra", "note")]
    assert all(isinstance(alarm, Suspect) for alarm in alarms)
    for alarm in alarms:
        scrubber = eval(alarm.suggestion, NAMES)
        again: dict[str, Any] = {"extra": {"session_colour": "blue", "note": "mail bob@example.com"}}
        scrubber.scrub_event(again)
        assert again["extra"][alarm.path[-1]] in ("blue", "mail bob@example.com")


@pytest.mark.parametrize(
    ("section", "line"),
    [
        ({"request": {"headers": {"referer": "https://a/?reset_token=SECRET"}}}, "Scrubber(allow=('reset_token',))"),
        ({"request": {"query_string": "token=SECRET&q=1"}}, "Scrubber(allow=('token',))"),
        ({"request": {"data": {"n": {"auth": {"t": "SECRET"}}}}}, "Scrubber(allow=('auth',))"),
        ({"request": {"data": [{"name": "password", "value": "SECRET"}]}}, "Scrubber(allow=('password',))"),
        ({"exception": {"values": [{"type": "E", "value": "with token=SECRET"}]}}, "Scrubber(allow=('token',))"),
        ({"breadcrumbs": {"values": [{"message": "{'password': 'SECRET'}"}]}}, "Scrubber(allow=('password',))"),
        ({"extra": {"sys.argv": ["serve", "--api-key", "SECRET"]}}, "Scrubber(allow=('api-key',))"),
        ({"extra": {"scope": {"client": ["203.0.113.9", 1]}}}, "Scrubber(allow=('client',))"),
        ({"user": {"ip_address": "203.0.113.9"}}, "Scrubber(allow=('ip_address',))"),
    ],
)
def test_a_false_alarm_is_undone_by_its_line_wherever_the_name_stands(section, line):
    written = json.dumps(section).replace("SECRET", drawn("f"))
    event: dict[str, Any] = json.loads(written)
    Scrubber().scrub_event(event)
    (alarm,) = find_false_alarms(event)
    assert alarm.suggestion == line
    again: dict[str, Any] = json.loads(written)
    eval(alarm.suggestion, NAMES).scrub_event(again)
    assert again == json.loads(written)


def test_what_goes_with_another_redaction_has_no_line_of_its_own():
    secret = drawn("g")
    event: dict[str, Any] = {"extra": {"password": secret, "x": f"it was {secret}", "long": "x y " * 20_000}}
    Scrubber().scrub_event(event)
    assert set(event["_meta"]["extra"]) == {"password", "x", "long"}
    assert [alarm.suggestion for alarm in find_false_alarms(event)] == ["Scrubber(allow=('password',))"]


@pytest.mark.parametrize(
    "payload", [None, 3, "x", b"y", [], {}, {"_meta": 1}, {"_meta": {"": {"rem": 3}}}, {1: {2: 3}}]
)
def test_any_payload_is_taken(payload):
    assert find_suspects(payload) == []
    assert find_false_alarms(payload) == []


def test_the_result_and_the_depth_are_bounded():
    deep: Any = drawn("x")
    for _ in range(3000):
        deep = [deep]
    assert find_suspects(deep) == []
    assert len(find_suspects([drawn(str(number)) for number in range(1000)])) == 200


def test_of_a_pair_it_is_the_name_that_counts_and_not_the_list_it_stands_in():
    pairs = [
        ["b'x-voucher'", f"b'{drawn('a')}'"],
        ["content-type", f"multipart/form-data; boundary={drawn('b')}"],
        ["sentry-trace", "0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"],
        ["Sec-WebSocket-Key", drawn("c")],
    ]
    (found,) = find_suspects({"vars": {"headers": pairs}})
    assert (found.path, found.suggestion) == (("vars", "headers", 0, 1), "Scrubber(deny=('x-voucher',))")
    event: dict[str, Any] = {"extra": {"headers": [["session-colour", "blue"]]}}
    Scrubber().scrub_event(event)
    (alarm,) = find_false_alarms(event)
    assert alarm.suggestion == "Scrubber(allow=('session-colour',))"
