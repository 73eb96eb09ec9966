"""JSON Schema: what describes a value by its type, and is none.

OpenAPI documents, the models of pydantic and the tools of language models have schemas under the
names of parameters, be these names of secrets or not: `{"token": {"type": "string"}}`.
"""

from __future__ import annotations

from typing import Any

from asgi_sentry._scrubbing.look import looks_random

__all__ = ["is_schema"]

_TYPES = frozenset({"string", "number", "integer", "object", "array", "boolean", "null"})
_TEXTS = frozenset(
    {
        "type", "title", "description", "format", "pattern", "$ref", "$id", "$schema", "$comment",
        "contentEncoding", "contentMediaType", "required", "enum",
    }
)  # fmt: skip
_NUMBERS = frozenset(
    {
        "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
        "multipleOf", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
        "nullable", "readOnly", "writeOnly", "deprecated", "strict", "default",
    }
)  # fmt: skip
_SCHEMAS = frozenset({"items", "additionalProperties", "not", "propertyNames", "contains"})
_SEVERAL = frozenset({"anyOf", "allOf", "oneOf", "prefixItems"})
_BY_NAME = frozenset({"properties", "$defs", "definitions", "patternProperties"})
_TELLING = ("$ref", "anyOf", "allOf", "oneOf")
_DEPTH = 6  # schemas within schemas
_LONGEST_WORD = 100  # characters of what may be required, or one of several values


def is_schema(value: Any, *, depth: int = _DEPTH) -> bool:
    """Whether a value is a JSON Schema that tells no value, such as a default, itself."""
    if not isinstance(value, dict) or not value or not depth:
        return False
    kind = value.get("type")
    if not any(map(value.__contains__, _TELLING)) and not _are_types(kind):
        return False
    return all(_describes(word, told, depth - 1) for word, told in value.items())


def _are_types(kind: Any) -> bool:
    if isinstance(kind, (list, tuple)):
        return bool(kind) and all(map(_are_types, kind))
    return isinstance(kind, str) and _word(kind) in _TYPES


def _describes(word: Any, told: Any, depth: int) -> bool:
    """Whether a member of a schema is one, and of its kind."""
    if word in _TEXTS:
        return isinstance(told, str) or _are_words(told)
    if word in _NUMBERS:
        return told is None or isinstance(told, (bool, int, float))
    if word in _SCHEMAS:
        return isinstance(told, bool) or is_schema(told, depth=depth)
    if word in _SEVERAL:
        return isinstance(told, (list, tuple)) and all(is_schema(one, depth=depth) for one in told)
    if word in _BY_NAME:
        return isinstance(told, dict) and all(is_schema(one, depth=depth) for one in told.values())
    return False


def _are_words(told: Any) -> bool:
    """Whether these are names, or values to choose from, and none is a secret by its look."""
    return isinstance(told, (list, tuple)) and all(
        one is None
        or isinstance(one, (bool, int, float))
        or (isinstance(one, str) and len(one) <= _LONGEST_WORD and not looks_random(_word(one)))
        for one in told
    )


def _word(shown: str) -> str:
    """A text, or what a text's repr shows, as the variables of frames are sent."""
    return shown.strip("'\"")
