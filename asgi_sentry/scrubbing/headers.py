"""Headers, cookies, query strings and URLs."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from asgi_sentry.scrubbing.engine import Redaction
from asgi_sentry.scrubbing.rules import FILTERED

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry.scrubbing.engine import Scrubber


def scrub_headers(pairs: Iterable[tuple[bytes, bytes]], scrubber: Scrubber) -> tuple[dict[str, str], list[Redaction]]:
    """Raw ASGI headers as a dict."""
    found: list[Redaction] = []
    named = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
    return scrubber.clean(named, found=found), found


def scrub_cookies(pairs: Iterable[tuple[bytes, bytes]], scrubber: Scrubber) -> tuple[dict[str, str], list[Redaction]]:
    """The cookies in raw ASGI headers as a dict."""
    found: list[Redaction] = []
    cookies = {}
    for name, value in pairs:
        if name.lower() == b"cookie":
            for part in value.decode("latin-1").split(";"):
                cookie, _, held = part.strip().partition("=")
                cookies[cookie] = held
    return scrubber.clean(cookies, found=found), found


def scrub_query(query: str, scrubber: Scrubber) -> tuple[str, list[Redaction]]:
    """A query string."""
    found: list[Redaction] = []
    parts = []
    for part in query.split("&"):
        name, sep, value = part.partition("=")
        rule = scrubber.decides(unquote_plus(name))
        if rule and sep:
            found.append(Redaction((name,), rule))
            value = FILTERED
        parts.append(name + sep + scrubber.clean(value, found=found))
    return "&".join(parts), found


def scrub_url(url: str, scrubber: Scrubber) -> tuple[str, list[Redaction]]:
    """A URL."""
    front, sep, query = url.partition("?")
    query, found = scrub_query(query, scrubber)
    return scrubber.scrub_text(front) + sep + query, found
