"""Where a request's secrets are: headers, cookies, query, path, body.

A value is one where its own name is denied, or where it looks like a credential in a cookie. What
stands in the path or the route of the request anyway is none, unless it looks like a credential, or
is a parameter of the path whose name is denied: an app's own words stay. Data has a module of its
own, `in_data`.
"""

from __future__ import annotations

import base64
import binascii
import re
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, unquote_to_bytes

from asgi_sentry import _faults as faults
from asgi_sentry._counters import count_cut
from asgi_sentry._scrubbing.headers_and_urls import MOST_LOOKED_AT, ascii_pairs
from asgi_sentry._scrubbing.keys import DENIED
from asgi_sentry._scrubbing.taint.in_data import (
    LONGEST_JSON,
    TooManyError,
    is_secret,
    of_body,
    of_json,
    texts_of,
)
from asgi_sentry._scrubbing.taint.strength import STRONG, strength
from asgi_sentry._scrubbing.taint.taint import MAX_VALUES, MIN_LENGTH, Taint

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from asgi_sentry._scrubbing.ruleset import Ruleset

_MOST_FOUND = 2 * MAX_VALUES  # in one part of a request; some are found twice
_FEW = 64  # of these nothing needs to be left out
_MOST_FIELDS = 1024  # of a query
AUTHORIZATION = frozenset({"authorization", "proxy-authorization"})
SUBPROTOCOL = "sec-websocket-protocol"
_READ = AUTHORIZATION | {SUBPROTOCOL, "cookie"}  # whatever a name means otherwise
ENCODED_JSON = (
    "eyJ",
    "eyA",
    "ewo",
    "ew0",
    "W3si",
)  # how an object begins in base64, or a list of them
_FROM_URLSAFE = str.maketrans("-_", "+/")
_DIGEST_SECRET = re.compile(
    r"(?:response|cnonce|nonce|opaque|signature|credential|key)=\"?([^\",\s]{6,})", re.IGNORECASE
)
_PARTS = re.compile(r"(?<==)[^\s,;=\"]{16,}")  # of a header: `sha256=...`, `v1=...`


def collect_taint(
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    query: bytes = b"",
    body: object = None,
    truncated: bool = False,
    path: str = "",
    route: str = "",
    path_params: Mapping[str, Any] | None = None,
    more: Collection[str] = (),
    read: Sequence[str] | None = None,
    keys: Ruleset,
    body_keys: Ruleset | None = None,
) -> Taint:
    """The secrets of one request, by value.

    Args:
        headers: raw ASGI pairs.
        query: the raw query string.
        body: the value of `parse_body`.
        truncated: whether there was more of the body than was looked at.
        path: of the request, decoded.
        route: its template.
        path_params: what stands in the path in place of the template's parameters.
        more: what else is known to be secret.
        read: what is secret of headers and query, if somebody has read them already.
        keys: whose key terms tell which headers, cookies and query fields are secret.
        body_keys: the same for the body; `keys` if None.
    """
    if read is not None and len(read) < _FEW and not (body or truncated or path_params or more):
        return Taint([value for value in read if not _is_own(value, path, route)])
    values: list[str] = []
    in_path: list[str] = []
    unknown = truncated
    parts = (
        (values, _of_headers(headers, keys) if read is None else read),
        (values, of_query(query, keys) if read is None else ()),
        (in_path, _of_path(path_params or {}, keys)),
        (values, of_body(body, keys if body_keys is None else body_keys)),
    )
    for found, part in parts:
        try:
            found.extend(islice(part, _MOST_FOUND))
            unknown = unknown or len(found) >= _MOST_FOUND
        except TooManyError:
            unknown = True
        except Exception as exc:
            faults.note(
                "looking for the request's secrets", exc, "what may be one of them is not shown"
            )
            unknown = True
    if unknown and not truncated:
        count_cut("secrets")
    return Taint(
        chain((value for value in values if not _is_own(value, path, route)), more),
        in_path=(value for value in in_path if value not in route),
        unknown=unknown,
    )


def _is_own(value: str, path: str, route: str) -> bool:
    """Whether a value stands in the request's own route, or in its path and may be a word of it."""
    return value in route or (value in path and strength(value) != STRONG)


def _of_headers(headers: Iterable[tuple[bytes, bytes]], keys: Ruleset) -> Iterator[str]:
    given = list(islice(headers, MOST_LOOKED_AT + 1))
    usual = ascii_pairs(given)
    names = [name.decode("latin-1") for name, _ in given] if usual is None else usual[0]
    plain, meaning = keys.keys.plain, keys.keys.meaning
    for number, name in enumerate(names):
        if number >= MOST_LOOKED_AT:
            raise TooManyError
        lower = name.lower()
        if name in plain and lower not in _READ:
            continue
        raw = given[number][1]
        if lower in AUTHORIZATION:
            for text in texts_of(raw):
                yield from of_authorization(text)
        elif lower == "cookie":
            for text in texts_of(raw):
                yield from _of_cookies(text, keys)
        elif lower == SUBPROTOCOL:
            yield from _of_subprotocols(raw.decode("latin-1"))
        elif meaning(name) == DENIED:
            for text in texts_of(raw):
                yield from of_denied(text)


def of_denied(text: str) -> Iterator[str]:
    """What stands under a denied name, and the credentials in it: `t=1700000000,v1=5257a8...`."""
    yield text
    if " " in text:
        yield from of_authorization(text)
    if "=" in text:
        yield from (part for part in _PARTS.findall(text) if strength(part) == STRONG)


def of_authorization(text: str) -> Iterator[str]:
    """The credentials in such a header, and what is secret in them."""
    scheme, _, credentials = text.strip().partition(" ")
    credentials = credentials.strip()
    if not credentials:
        yield scheme
        return
    yield credentials
    if "=" in credentials:
        yield from _DIGEST_SECRET.findall(credentials)
    if scheme.lower() == "basic":
        try:
            decoded = base64.b64decode(credentials + "=" * (-len(credentials) % 4))
        except (binascii.Error, ValueError):
            return
        for pair in texts_of(decoded):
            user, _, password = pair.partition(":")
            yield password
            yield user


_VALUE = itemgetter(1)  # of a header


def basic_users(headers: Iterable[tuple[bytes, bytes]]) -> set[str]:
    """The names in Basic credentials."""
    found: set[str] = set()
    given = list(headers)
    if b"basic " not in b"\0".join(map(_VALUE, given)).lower():  # mostly there are none
        return found
    for name, raw in given:
        if len(name) == len("authorization") and (
            name.lower() == b"authorization" and raw[:6].lower() == b"basic "
        ):
            *_, user = ("", *of_authorization(raw.decode("latin-1")))
            found.add(user)
    return found


def _of_cookies(text: str, keys: Ruleset) -> Iterator[str]:
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        value = value.strip().strip('"')
        if len(value) < MIN_LENGTH:
            continue
        plain = unquote_plus(value) if "%" in value or "+" in value else value
        if keys.keys.meaning(name.strip()) == DENIED:
            yield value
            if plain != value:
                yield plain
        elif plain[:1] in {"{", "["}:
            yield from of_json(plain, keys)
        elif strength(plain) == STRONG:
            yield plain
        if plain.startswith(ENCODED_JSON):
            yield from of_encoded_json(plain, keys)


def of_encoded_json(text: str, keys: Ruleset) -> Iterator[str]:
    """The secrets in JSON in base64, as frameworks keep sessions in a cookie, signed or not."""
    encoded = text.partition(".")[0].translate(_FROM_URLSAFE)
    if len(encoded) <= LONGEST_JSON:
        try:
            plain = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except ValueError:
            return
        yield from of_json(plain, keys)


def _of_subprotocols(text: str) -> Iterator[str]:
    """A token that a browser's websocket carries as a subprotocol, since it can't set headers.

    `bearer, TOKEN`.
    """
    before = ""
    for part in text.split(","):
        name = part.strip()
        # Base64url.bearer.authorization.k8s.io.TOKEN.
        plain = name.rpartition(".")[2] if name.count(".") > 2 else name
        if before in {
            "bearer",
            "token",
            "auth",
            "authorization",
            "access_token",
            "jwt",
            "apikey",
            "api-key",
        }:
            yield name
        elif strength(plain) == STRONG:
            yield plain
        before = name.lower()


def of_query(query: bytes, keys: Ruleset) -> Iterator[str]:
    """What is secret in a query string.

    Raises:
        TooManyError: it has too many fields.
    """
    if not query:
        return
    fields: dict[str, str] = {}
    parts = query.decode("latin-1").replace(";", "&").split("&", _MOST_FIELDS)
    if len(parts) > _MOST_FIELDS:
        raise TooManyError
    for part in parts:
        name, _, value = part.partition("=")
        if not value:
            continue
        if "%" in name or "+" in name:
            name = unquote_plus(name)
        for text in texts_of(unquote_to_bytes(value.replace("+", " ").encode("latin-1"))):
            fields[name] = text
            if is_secret(name, text, keys):
                yield text
            elif text[:1] in {"{", "["}:
                yield from of_json(text, keys)
    if "query" in fields and "variables" in fields:
        yield from of_body({"query": fields["query"], "variables": fields["variables"]}, keys)


def _of_path(params: Mapping[str, Any], keys: Ruleset) -> Iterator[str]:
    for name, value in params.items():
        if keys.keys.meaning(str(name)) == DENIED:
            yield str(value)
