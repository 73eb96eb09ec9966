"""Secrets in their places are gone, and what looks like them stays, each alone and within another text."""

from __future__ import annotations

import re
from typing import Any

import pytest

from asgi_sentry._scrubbing import FILTERED, Scrubber
from tests.scrubbing.marked import commands, harmless, keys, sentences, settings, statements, structures

pytestmark = pytest.mark.untraced

SCRUBBER = Scrubber()
MARKED = (
    *commands.LINES,
    *statements.STATEMENTS,
    *settings.DECLARATIONS,
    *settings.FILES,
    *settings.HEADERS,
    *settings.URLS,
    *sentences.SENTENCES,
    *sentences.HASHES,
    *sentences.JWK,
)
HARMLESS = (*harmless.TELEMETRY, *harmless.DESCRIPTIONS, *harmless.OTHERS, *commands.HARMLESS)
_SECRET = re.compile("\u00ab(.*?)\u00bb", re.DOTALL)


def unmarked(value: Any) -> Any:
    """A value without the marks around its secrets."""
    if isinstance(value, str):
        return _SECRET.sub(r"\1", value)
    if isinstance(value, dict):
        return {unmarked(key): unmarked(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(map(unmarked, value))
    return value


@pytest.mark.parametrize("marked", MARKED)
def test_a_marked_secret_is_gone(marked):
    secrets = _SECRET.findall(marked)
    assert secrets
    cleaned = SCRUBBER.scrub_text(unmarked(marked))
    assert not [secret for secret in secrets if secret in cleaned]
    assert FILTERED in cleaned
    assert SCRUBBER.scrub_text(cleaned) == cleaned


@pytest.mark.parametrize("marked", structures.STRUCTURES)
def test_a_marked_secret_is_gone_from_data(marked):
    secrets = _SECRET.findall(repr(marked))
    assert secrets
    cleaned = SCRUBBER.scrub(unmarked(marked))
    assert not [secret for secret in secrets if secret in repr(cleaned)]
    assert SCRUBBER.scrub(cleaned) == cleaned


@pytest.mark.parametrize("text", HARMLESS)
def test_what_looks_like_one_stays(text):
    assert SCRUBBER.scrub_text(text) == text


@pytest.mark.parametrize("key", keys.DENIED)
def test_a_key_of_a_secret_is_denied(key):
    assert SCRUBBER.scrub({key: "hunter2x"}) == {key: FILTERED}


@pytest.mark.parametrize("key", keys.PLAIN)
def test_a_key_that_only_looks_like_it_is_not(key):
    assert SCRUBBER.scrub({key: "some value"}) == {key: "some value"}
