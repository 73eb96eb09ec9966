"""Headers, cookies, query strings and URLs, as the header layer attaches them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from asgi_sentry.scrubbing.keys import ADDRESS, DENIED
from asgi_sentry.scrubbing.pairs import FILTERED, PASSWORD, address_spans
from asgi_sentry.scrubbing.walk import IN_COOKIES, Redaction, Walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry.scrubbing.engine import Scrubber

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


def scrub_headers(pairs: Iterable[tuple[bytes, bytes]], scrubber: Scrubber) -> tuple[dict[str, str], list[Redaction]]:
    """`named_headers`, scrubbed."""
    named = named_headers(pairs)
    found: list[Redaction] = []
    for key in ("referer", "location"):
        if key in named:
            named[key], hit = url_redacted(named[key], scrubber)
            if hit:
                found.append(Redaction((key,), PASSWORD))
    scrubber.report(found)
    return scrubber.clean(named, found=found), found


def scrub_cookies(pairs: Iterable[tuple[bytes, bytes]], scrubber: Scrubber) -> tuple[dict[str, str], list[Redaction]]:
    """`named_cookies`, scrubbed. A long value is taken for a secret under any name."""
    return _walked(named_cookies(pairs), scrubber, IN_COOKIES)


def scrub_query(query: str, scrubber: Scrubber) -> tuple[str, list[Redaction]]:
    """A query string, in which everything that is not redacted stays byte for byte."""
    text, hit = query_redacted(query, scrubber)
    found = [Redaction((), PASSWORD)] if hit else []
    scrubber.report(found)
    return scrubber.clean(text, found=found), found


def scrub_url(url: str, scrubber: Scrubber) -> tuple[str, list[Redaction]]:
    """A URL: its user's password, its query and its fragment."""
    text, hit = url_redacted(url, scrubber)
    found = [Redaction((), PASSWORD)] if hit else []
    scrubber.report(found)
    return scrubber.clean(text, found=found), found


def _walked(value: Any, scrubber: Scrubber, mode: int) -> tuple[Any, list[Redaction]]:
    holder: list[Any] = [value]
    try:
        walk = Walk(scrubber)
        walk.add(value, holder, 0, None, mode)
        walk.finish()
        found = [Redaction(at[1:], rule) for at, rule in walk.redactions()]
    except Exception:
        holder, found = [{}], [Redaction((), "@error")]
    scrubber.report(found)
    return holder[0], found


def query_redacted(query: str, scrubber: Scrubber) -> tuple[str, bool]:
    """A query string without the values of sensitive names, and whether there were any."""
    if "=" not in query:
        return query, False
    pieces = _PARTS.split(query)
    hit = False
    for index in range(0, len(pieces), 2):
        name, equals, value = pieces[index].partition("=")
        if not value or value == FILTERED:
            continue
        redacted = _value_redacted(unquote_plus(name), value, scrubber)
        if redacted != value:
            pieces[index] = name + equals + redacted
            hit = True
    return "".join(pieces), hit


def _value_redacted(name: str, value: str, scrubber: Scrubber) -> str:
    verdict = scrubber.keys[name]
    if verdict == DENIED:
        return FILTERED
    if verdict == ADDRESS and any(address_spans(unquote_plus(value))):
        return FILTERED
    if "%" in value or "+" in value:
        plain = unquote_plus(value)
        if plain != value and FILTERED not in plain and scrubber.texts.redacted(plain)[1]:
            return FILTERED
    return value


def url_redacted(url: str, scrubber: Scrubber) -> tuple[str, bool]:
    """A URL with its query and fragment redacted by their names."""
    front, mark, fragment = url.partition("#")
    front, question, query = front.partition("?")
    hit = False
    if query:
        query, hit = query_redacted(query, scrubber)
    if "=" in fragment:
        fragment, also = query_redacted(fragment, scrubber)
        hit = hit or also
    return front + question + query + mark + fragment, hit
