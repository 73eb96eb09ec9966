"""Containers in a text: what the tree leaves of them stays in JSON as a text, too, and nothing else does."""

from __future__ import annotations

import json

import pytest

from asgi_sentry._scrubbing import FILTERED, Scrubber

SCRUBBER = Scrubber()
LEFT = (
    {"card": {"brand": "visa", "last4": "4242", "exp_month": 8, "checks": {"cvc_check": "pass"}}},
    {"session": {"type": "realtime", "model": "gpt-realtime", "instructions": "be brief", "voice": "marin"}},
    {"session": {"object": "checkout.session", "id": "cs_1PgafTB7WZ01zgkWW2cqnEyB", "mode": "payment"}},
    {"dob": {"day": None, "month": None, "year": None}},
    {"credentials": [None, False]},
    {"us_bank_account": {"available": False, "display_preference": {"preference": "off"}}},
    {"tax_id_collection": {"enabled": True, "required": "never"}},
    {"password": ["This field is required."]},
    {"token_usage": {"prompt": 17, "completion": 300}},
    {"card": "ic_1Pgag5B7WZ01zgkWephORn8N"},
    {"permissions": ["api_keys.organization.read", "api_keys.organization.write"]},
    {"permissions": ["api_key", "session", "token"]},
    {"payment_method_types": ["card"], "payment_status": "unpaid"},
)
REDACTED = (
    {"card": {"number": "4242424242424242", "brand": "visa"}},
    {"session": {"type": "x", "value": "hunter2"}},
    {"session": {"type": "x", "id": "aZ9bY8cX7dW6eV5f"}},
    {"api_key": {"object": "api_key", "value": "hunter2"}},
    {"password": {"a": "hunter2"}},
    {"dob": {"day": 24, "month": 12, "year": 1990}},
    {"credentials": [None, "hunter2"]},
    {"password": ["hunter2"]},
    {"card": "hunter2hunter2"},
    {"a": [["password", "hunter2"]]},
    {"bank_account": {"routing": "1", "number": "hunter2"}},
)
FORMS = (
    json.dumps,
    lambda value: json.dumps({"body": json.dumps(value)}),
    lambda value: f"webhook: {json.dumps(value)} was refused",
)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", LEFT)
def test_what_the_tree_leaves_stays_in_a_text(form, value):
    assert SCRUBBER.scrub(value) == value
    text = form(value)
    assert SCRUBBER.scrub_text(text) == text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", REDACTED)
def test_what_the_tree_redacts_is_gone_from_a_text(form, value):
    for cleaned in (json.dumps(SCRUBBER.scrub(value)), SCRUBBER.scrub_text(form(value))):
        assert FILTERED in cleaned
        assert not any(secret in cleaned for secret in ("hunter2", "4242424242424242", "aZ9bY8cX7dW6eV5f", "1990"))


@pytest.mark.parametrize("form", FORMS)
def test_a_container_ends_at_its_own_bracket(form):
    """However often its quotes are escaped: what stands behind it stays."""
    cleaned = SCRUBBER.scrub_text(form({"api_key": {"a": "hunter2", "b": "x]y}z"}, "note": "two of the blue ones"}))
    assert "hunter2" not in cleaned
    assert "x]y}z" not in cleaned
    assert "two of the blue ones" in cleaned


def test_a_long_container_is_redacted_as_a_whole():
    text = json.dumps({"session": {"type": "realtime", "notes": ["a b"] * 1000}})
    assert SCRUBBER.scrub_text(text) == '{"session": [Filtered]}'
