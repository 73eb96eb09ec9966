# ruff: noqa: E501 - tables read best one case a line
"""What Sentry's own server-side scrubber redacts by default is redacted here too, but for its false alarms."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry.scrubbing import FILTERED, Scrubber
from tests.scrubbing.test_values import REDACTED, STAYS

processing = pytest.importorskip("sentry_relay.processing")

SCRUBBER = Scrubber()
CONFIG = processing.convert_datascrubbing_config(
    {"scrubData": True, "scrubDefaults": True, "scrubIpAddresses": True, "sensitiveFields": [], "excludeFields": []}
)

# Each is what Relay redacts and we don't, with the reason. The texts in STAYS are more of them: prose, code and log lines
# in which `password`, `auth` or `token` stands beside no secret, numbers with wrong check digits, and IP addresses, which are
# redacted under keys that hold them and elsewhere only by the rule @ip.
FALSE_ALARMS = {
    "4111111111111112": "16 digits with a wrong check digit are an order number and no card",
    "000-12-3456": "no such social security number was ever issued",
    "author": "`auth` is in the word, and is not its meaning",
    "authors": "the same",
    "secretary": "the same for `secret`",
    "tokenizer": "the same for `token`",
    "authority": "the same for `auth`",
    "token_count": "a number of tokens is no token",
    "password_length": "a length is no password",
    "auth_type": "which scheme is used is no credential",
}

KEYS = ["password", "passwd", "secret", "api_key", "apikey", "auth", "credentials", "mysql_pwd", "privatekey", "private_key", "token", "bearer", "access_token", "accessToken", "x-api-key", "db_password", "user_password", "authorization", "stripetoken", "card_number2", "secretKey", "client_secret", "api-key", "password_hash", "oauth_token", "refresh_token", "author", "authors", "secretary", "tokenizer", "authority", "token_count", "password_length", "auth_type", "name", "id", "note", "status", "cache_key", "session", "sessionid", "csrftoken", "cookie"]  # fmt: skip
VALUES = (
    *REDACTED, *STAYS, "4111111111111111", "4111111111111112", "1234567890123456", "378282246310005", "123-45-6789", "000-12-3456",
    "https://user:pass@example.com/", "Bearer abcdefgh123", "-----BEGIN EC PRIVATE KEY-----\nabc\n-----END EC PRIVATE KEY-----",
    "DE89370400440532013000", "plain", "12345",
)  # fmt: skip


def leaves(value: Any, path: tuple = ()) -> dict[tuple, Any]:
    if isinstance(value, dict):
        return {at: one for key, inner in value.items() for at, one in leaves(inner, (*path, key)).items()}
    if isinstance(value, list):
        return {at: one for index, inner in enumerate(value) for at, one in leaves(inner, (*path, index)).items()}
    return {path: value}


def event_of(key: str, value: str) -> dict[str, Any]:
    return {
        "event_id": "1" * 32,
        "extra": {key: value, "list": [{key: value}]},
        "request": {"url": "http://x/", "headers": [[key, value]], "data": {key: value}},
        "exception": {
            "values": [{"type": "E", "value": "x", "stacktrace": {"frames": [{"function": "f", "vars": {key: value}}]}}]
        },
        "breadcrumbs": {"values": [{"message": value, "data": {key: value}}]},
        "contexts": {"mine": {key: value, "type": "mine"}},
    }


@given(st.sampled_from(KEYS), st.sampled_from(VALUES))
def test_what_relay_redacts_we_redact(key, value):
    event = event_of(key, value)
    theirs = leaves(processing.pii_strip_event(CONFIG, copy.deepcopy(event)))
    ours = copy.deepcopy(event)
    SCRUBBER.clean_event(ours)
    mine = leaves({field: inner for field, inner in ours.items() if field != "_meta"})
    for path, before in leaves(event).items():
        redacted = path in theirs and str(theirs[path]).lower() != str(before).lower()  # it writes header names anew
        by_value = path[-1] == "message" or SCRUBBER.decides(key) is None
        if redacted and key not in FALSE_ALARMS and not (by_value and value in (*FALSE_ALARMS, *STAYS)):
            assert mine[path] != before, (path, theirs[path])
            assert FILTERED in str(mine[path])


@pytest.mark.parametrize("alarm", FALSE_ALARMS)
def test_each_false_alarm_is_one_of_relays_and_none_of_ours(alarm):
    key, value = (alarm, "plain value") if alarm[0].isalpha() else ("note", alarm)
    event = event_of(key, value)
    ours = copy.deepcopy(event)
    SCRUBBER.clean_event(ours)
    assert ours == event
    assert processing.pii_strip_event(CONFIG, copy.deepcopy(event))["extra"] != event["extra"]
