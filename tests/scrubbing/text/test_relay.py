# ruff: noqa: E501 - tables read best one case a line
"""What Sentry's own server-side scrubber redacts by default is redacted here too, but for its false alarms."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing import FILTERED, Scrubber
from tests.scrubbing.text.test_values import REDACTED, STAYS
from tests.strategies import PLAIN_KEYS, SECRET_KEYS

processing = pytest.importorskip("sentry_relay.processing")

SCRUBBER = Scrubber()
CONFIG = processing.convert_datascrubbing_config(
    {"scrubData": True, "scrubDefaults": True, "scrubIpAddresses": True, "sensitiveFields": [], "excludeFields": []}
)

# Each is what Relay redacts and we don't, with the reason. The texts in STAYS are more of them: prose, code and log lines
# in which `password`, `auth` or `token` stands beside no secret, numbers with wrong check digits, and IP addresses, which are
# redacted under keys that hold them and elsewhere only by the rule @ip.
VALUE_ALARMS = {
    "4111111111111112": "16 digits with a wrong check digit are an order number and no card",
    "000-12-3456": "no such social security number was ever issued",
}
KEY_ALARMS = {
    "`auth`, `secret` or `token` is in the word, and is not its meaning": """author authors authored author_id co_author author_email
        authors_count author_ids authority authenticated is_authenticated authenticator_name unauthorized secretary secretariat tokenizer
        tokenize detokenize tokenized_text passwordless""",
    "it is a number of tokens": """tokens token_count max_tokens maxTokens total_tokens prompt_tokens completion_tokens input_tokens
        output_tokens gen_ai.usage.total_tokens tokens_used num_tokens token_usage token_limit""",
    "it tells about the secret: its length, kind, name, age or place": """password_length password_policy password_required password_reset_url
        password_changed_at password_expires password_validators auth_password_validators token_type tokenType token_expires_in token_url
        token_endpoint api_key_name secret_name secret_arn secret_version""",
    "it is how people are authenticated, or whether": """auth_type authType auth_method auth_backend auth_provider auth_enabled auth_user_model
        authentication_backends authentication_classes oauth_provider oauth_scopes access-control-allow-credentials""",
    "it is a server's challenge and not the answer": "www-authenticate WWW-Authenticate proxy-authenticate",
    "it is who somebody is": "authuser",
}
FALSE_ALARMS = {**VALUE_ALARMS, **{key: reason for reason, keys in KEY_ALARMS.items() for key in keys.split()}}

KEYS = ["password", "passwd", "secret", "api_key", "apikey", "auth", "credentials", "mysql_pwd", "privatekey", "private_key", "token", "bearer", "access_token", "accessToken", "x-api-key", "db_password", "user_password", "authorization", "stripetoken", "card_number2", "secretKey", "client_secret", "api-key", "password_hash", "oauth_token", "refresh_token", "author", "authors", "secretary", "tokenizer", "authority", "token_count", "password_length", "auth_type", "name", "id", "note", "status", "cache_key", "session", "sessionid", "csrftoken", "cookie"]  # fmt: skip
KEYS += [*FALSE_ALARMS.keys() - VALUE_ALARMS.keys(), *PLAIN_KEYS, *SECRET_KEYS]
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
    SCRUBBER.scrub_event(ours)
    mine = leaves({field: inner for field, inner in ours.items() if field != "_meta"})
    for path, before in leaves(event).items():
        redacted = path in theirs and str(theirs[path]).lower() != str(before).lower()  # it writes header names anew
        by_value = path[-1] == "message" or SCRUBBER.ruleset.decides(key) is None
        if redacted and key not in FALSE_ALARMS and not (by_value and value in (*FALSE_ALARMS, *STAYS)):
            assert mine[path] != before, (path, theirs[path])
            assert FILTERED in str(mine[path])


@pytest.mark.parametrize("alarm", FALSE_ALARMS)
def test_each_false_alarm_is_one_of_relays_and_none_of_ours(alarm):
    key, value = ("note", alarm) if alarm in VALUE_ALARMS else (alarm, "plain value")
    event = event_of(key, value)
    ours = copy.deepcopy(event)
    SCRUBBER.scrub_event(ours)
    assert ours == event
    assert processing.pii_strip_event(CONFIG, copy.deepcopy(event))["extra"] != event["extra"]
