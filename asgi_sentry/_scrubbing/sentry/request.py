"""The request section: URL, query string, cookies and headers are read as what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.headers_and_urls import query_scrubbed, url_scrubbed
from asgi_sentry._scrubbing.sentry.schema import DATA, ID, an_object
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD
from asgi_sentry._scrubbing.tree.decisions import IN_COOKIES

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.sentry.schema import Action
    from asgi_sentry._scrubbing.tree.walk import Walk

URLS = frozenset({"referer", "location", "origin"})  # headers


def _scrubbed_by(scrub: Callable[[str, Ruleset], tuple[str, bool]]) -> Action:
    """An action for a text whose parts have names.

    These decide first; then it is scrubbed as any text.
    """

    def action(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
        if value.__class__ is str:
            value, hit = scrub(value, walk.ruleset)
            holder[key] = value
            if hit:
                walk.notes.add(place, key, PASSWORD)
        walk.add(value, holder, key, place)

    return action


_query, _url = _scrubbed_by(query_scrubbed), _scrubbed_by(url_scrubbed)


def _cookies(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    if isinstance(value, (str, bytes)) and value != FILTERED:
        holder[key] = FILTERED
        walk.notes.add(place, key, PASSWORD)
    else:
        walk.add(value, holder, key, place, IN_COOKIES)


def _headers(walk: Walk, value: Any, holder: Any, key: Any, place: Any) -> None:
    """Headers by name; those that hold URLs are read as URLs."""
    if isinstance(value, dict):
        value = walk.own(value, holder, key)
        for name, text in value.items():
            if text.__class__ is str and isinstance(name, str) and name.lower() in URLS:
                scrubbed, hit = url_scrubbed(text, walk.ruleset)
                if hit:
                    value[name] = scrubbed
                    walk.notes.add((place, key), name, PASSWORD)
    walk.add(value, holder, key, place)


REQUEST_FIELDS: dict[str, Action] = {
    "method": ID,
    "url": _url,
    "query_string": _query,
    "fragment": _query,
    "cookies": _cookies,
    "headers": _headers,
    "data": DATA,
    "env": DATA,
}
REQUEST = an_object(REQUEST_FIELDS)
