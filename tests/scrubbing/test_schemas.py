"""A schema describes a value and is none: it stays under whatever name, and what tells a value does not."""

from __future__ import annotations

import json

import pytest

from asgi_sentry._scrubbing import FILTERED, Scrubber
from asgi_sentry._scrubbing.schemas import is_schema

SCRUBBER = Scrubber()
SCHEMAS = (
    {"type": "string"},
    {"type": "string", "title": "Password", "minLength": 8, "format": "password"},
    {"type": ["string", "null"], "description": "The token of the session that is to be closed."},
    {"$ref": "#/components/schemas/Token"},
    {"anyOf": [{"type": "string"}, {"type": "null"}], "title": "Token", "default": None},
    {
        "type": "object",
        "properties": {"value": {"type": "string"}, "n": {"type": "integer"}},
        "required": ["value"],
        "additionalProperties": False,
    },
    {"type": "array", "items": {"$ref": "#/$defs/Key"}, "maxItems": 3},
    {"type": "string", "enum": ["read", "write"]},
    {"type": "'string'", "title": "'Token'"},  # in a frame
)
NONE = (
    {},
    {"type": "password"},
    {"type": "string", "default": "hunter2"},
    {"type": "string", "example": "hunter2"},
    {"type": "string", "const": "hunter2"},
    {"type": "string", "value": "hunter2"},
    {"type": "string", "enum": ["aZ9bY8cX7dW6eV5f"]},
    {"type": "string", "minLength": "hunter2"},
    {"type": "object", "properties": {"value": "hunter2"}},
    {"type": "object", "properties": {"value": {"type": "string", "default": "hunter2"}}},
    {"type": "array", "items": ["hunter2"]},
    {"anyOf": ["hunter2"]},
    {"type": []},
    {"title": "Password"},
    "string",
)


@pytest.mark.parametrize("schema", SCHEMAS)
@pytest.mark.parametrize("key", ["password", "token", "api_key", "session", "secret"])
def test_a_schema_stays(key, schema):
    assert is_schema(schema)
    value = {"parameters": {"type": "object", "properties": {key: schema}}}
    assert SCRUBBER.scrub(value) == value
    text = json.dumps(value)
    assert SCRUBBER.scrub_text(text) == text
    assert SCRUBBER.scrub_text(json.dumps({"arguments": text})) == json.dumps({"arguments": text})


@pytest.mark.parametrize("value", NONE)
def test_what_tells_a_value_is_none(value):
    assert not is_schema(value)
    if value:
        assert SCRUBBER.scrub({"password": value}) == {"password": FILTERED}
        assert "hunter2" not in SCRUBBER.scrub_text(json.dumps({"password": value}))


def test_a_schema_without_end_is_none():
    schema: dict = {"type": "object"}
    for _ in range(50):
        schema = {"type": "object", "properties": {"a": schema}}
    assert not is_schema(schema)
