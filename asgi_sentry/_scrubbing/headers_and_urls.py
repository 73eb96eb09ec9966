"""Headers, cookies, query strings and URLs, as the header layer attaches them."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from asgi_sentry._counters import count_cut
from asgi_sentry._scrubbing.keys import ADDRESS, DENIED
from asgi_sentry._scrubbing.text.pairs import FILTERED, address_spans

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asgi_sentry._scrubbing.ruleset import Ruleset

_PARTS = re.compile(r"([&;])")
# What is shown of a request's head. Servers take 64 KB of headers, some any number; no program
# needs as much.
MOST, _MOST_CHARACTERS = 200, 65_536  # headers, or cookies; characters of all headers
MOST_LOOKED_AT = 8_192  # headers in which cookies and secrets are looked for
LONGEST, LONGEST_NAME = 16_384, 256  # characters of one header, cookie or query; and of a name


def decoded(raw: bytes) -> str:
    """Header bytes as text: UTF-8 where they are, else latin-1, which never fails."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def shown(text: str, longest: int = LONGEST) -> str:
    """A text of a request, if it is not longer than any that programs send; else how long it is.

    Half a text is not shown: a secret that is cut in two looks like none.
    """
    if len(text) <= longest:
        return text
    count_cut("length")
    return f"<{len(text)} characters>"


def ascii_pairs(given: Sequence[tuple[bytes, bytes]]) -> tuple[list[str], list[str]] | None:
    """Names and values of headers that are all ASCII, as texts, decoded together.

    None for others.
    """
    raw = b"\0".join([name for name, _ in given] + [value for _, value in given])
    texts = []
    if raw.isascii():
        texts = raw.decode("ascii").split("\0")
    if len(texts) != 2 * len(given):
        return None
    return texts[: len(given)], texts[len(given) :]


def named_headers(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Raw ASGI headers as a mapping.

    A name that comes again has its values joined by a comma (RFC 9110, 5.3). No more are looked at
    than any program sends: what is over is left out, and how much that was is told.
    """
    given = list(pairs)
    usual = None
    if len(given) <= MOST:
        usual = ascii_pairs(given)
    if given and usual is not None:
        few = dict(zip(map(str.lower, usual[0]), usual[1], strict=True))
        # None comes twice, and all are shown.
        if (
            len(few) == len(given)
            and sum(map(len, usual[1])) <= LONGEST
            and max(map(len, few)) <= LONGEST_NAME
        ):
            return few
    values: dict[str, list[str]] = {}
    others, size = max(len(given) - MOST, 0), 0
    for name, value in given[:MOST]:
        size += len(name) + len(value)
        if size > _MOST_CHARACTERS and len(value) <= LONGEST:
            others += 1
            continue
        key = name.decode("latin-1").lower()
        values.setdefault(shown(key, LONGEST_NAME), []).append(decoded(value))
    named = {key: shown(", ".join(several)) for key, several in values.items()}
    if others:
        count_cut("headers")
        named["..."] = f"<{others} more>"
    return named


def named_cookies(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """The cookies among raw ASGI headers by name; no more of them than browsers keep."""
    cookies: dict[str, str] = {}
    others = 0
    for header, raw in islice(pairs, MOST_LOOKED_AT):
        if len(header) == 6 and header.lower() == b"cookie":
            if len(raw) > _MOST_CHARACTERS or len(cookies) >= MOST:
                others += raw.count(b";") + 1
                continue
            for part in decoded(raw).split(";"):
                if len(cookies) >= MOST:
                    others += 1
                    continue
                name, _, value = part.strip().partition("=")
                if len(part) > LONGEST_NAME:
                    name, value = shown(name.strip(), LONGEST_NAME), shown(value.strip())
                if name or value:
                    cookies.setdefault(name.strip(), value.strip())
    if others:
        count_cut("cookies")
        cookies["..."] = f"<{others} more>"
    return cookies


def query_scrubbed(query: str, ruleset: Ruleset) -> tuple[str, bool]:
    """A query string without the values of sensitive names, and whether there were any."""
    encoded: list[tuple[int, str]] = []
    pieces, hit = _redacted_by_name(query, ruleset, encoded)
    for index, plain in encoded:
        if ruleset.texts.scrubbed(plain)[1]:
            name, equals, _ = pieces[index].partition("=")
            pieces[index] = name + equals + FILTERED
            hit = True
    return "".join(pieces) if hit else query, hit


def query_by_names(query: str, ruleset: Ruleset, encoded: list[str]) -> tuple[str, bool]:
    """The same as far as names tell, for whoever has the rules look at many texts together.

    Args:
        query: the query string.
        ruleset: which decides.
        encoded: takes what encoded values stand for: where a rule finds something in one, its value
            is redacted.
    """
    found: list[tuple[int, str]] = []
    pieces, hit = _redacted_by_name(query, ruleset, found)
    encoded += [plain for _, plain in found]
    return "".join(pieces) if hit else query, hit


def _redacted_by_name(
    query: str, ruleset: Ruleset, encoded: list[tuple[int, str]]
) -> tuple[list[str], bool]:
    """The pieces of a query, those with a sensitive name redacted.

    What others stand for that are encoded is noted.
    """
    if "=" not in query:
        return [query], False
    pieces = _PARTS.split(query)
    hit = False
    for index in range(0, len(pieces), 2):
        name, equals, value = pieces[index].partition("=")
        if not value or value == FILTERED:
            continue
        if "%" in name or "+" in name:
            verdict = ruleset.keys.meaning(unquote_plus(name))
        else:
            verdict = ruleset.keys.meaning(name)
        if verdict == DENIED or (verdict == ADDRESS and any(address_spans(unquote_plus(value)))):
            pieces[index] = name + equals + FILTERED
            hit = True
        elif "%" in value or "+" in value:
            plain = unquote_plus(value)
            if plain != value and FILTERED not in plain:
                encoded.append((index, plain))
    return pieces, hit


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
