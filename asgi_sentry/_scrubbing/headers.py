"""Headers, cookies, query strings and URLs, as the header layer attaches them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from asgi_sentry._scrubbing.keys import ADDRESS, DENIED
from asgi_sentry._scrubbing.text.pairs import FILTERED, address_spans

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._scrubbing.ruleset import Ruleset

_PARTS = re.compile(r"([&;])")


def decoded(raw: bytes) -> str:
    """Header bytes as text: UTF-8 where they are, else latin-1, which never fails."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def named_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Raw ASGI headers as a mapping; a name that comes again has its values joined by a comma (RFC 9110, 5.3)."""
    named: dict[str, str] = {}
    for name, value in pairs:
        key = name.decode("latin-1").lower()
        text = decoded(value)
        named[key] = f"{named[key]}, {text}" if key in named else text
    return named


def named_cookies(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The cookies among raw ASGI headers by name."""
    cookies: dict[str, str] = {}
    for header, raw in pairs:
        if header.lower() == b"cookie":
            for part in decoded(raw).split(";"):
                name, _, value = part.strip().partition("=")
                if name or value:
                    cookies.setdefault(name.strip(), value.strip())
    return cookies


def query_scrubbed(query: str, ruleset: Ruleset) -> tuple[str, bool]:
    """A query string without the values of sensitive names, and whether there were any."""
    if "=" not in query:
        return query, False
    pieces = _PARTS.split(query)
    hit = False
    for index in range(0, len(pieces), 2):
        name, equals, value = pieces[index].partition("=")
        if not value or value == FILTERED:
            continue
        scrubbed = _value_scrubbed(unquote_plus(name) if "%" in name or "+" in name else name, value, ruleset)
        if scrubbed != value:
            pieces[index] = name + equals + scrubbed
            hit = True
    return "".join(pieces), hit


def _value_scrubbed(name: str, value: str, ruleset: Ruleset) -> str:
    verdict = ruleset.keys.meaning(name)
    if verdict == DENIED:
        return FILTERED
    if verdict == ADDRESS and any(address_spans(unquote_plus(value))):
        return FILTERED
    if "%" in value or "+" in value:
        plain = unquote_plus(value)
        if plain != value and FILTERED not in plain and ruleset.texts.redacted(plain)[1]:
            return FILTERED
    return value


def url_scrubbed(url: str, ruleset: Ruleset) -> tuple[str, bool]:
    """A URL with its query and fragment redacted by their names."""
    front, mark, fragment = url.partition("#")
    front, question, query = front.partition("?")
    hit = False
    if query:
        query, hit = query_scrubbed(query, ruleset)
    if "=" in fragment:
        fragment, also = query_scrubbed(fragment, ruleset)
        hit = hit or also
    return front + question + query + mark + fragment, hit
