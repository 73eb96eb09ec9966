"""Where a request's secrets are: headers, cookies, query, path, body.

A value is one where its own name is denied, or where it looks like a credential in a cookie. What
stands in the path or the route of the request anyway is none, unless it looks like a credential, or
is a parameter of the path whose name is denied: an app's own words stay. The names within a denied
object speak for themselves; a list has none, so its members go by its name.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from itertools import chain, islice
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, unquote_to_bytes

from asgi_sentry import _faults as faults
from asgi_sentry._counters import count_cut
from asgi_sentry._scrubbing import terms
from asgi_sentry._scrubbing.headers_and_urls import MOST_LOOKED_AT, ascii_pairs
from asgi_sentry._scrubbing.keys import DENIED, LOOKED, MAYBE
from asgi_sentry._scrubbing.taint.strength import STRONG, WEAK, strength
from asgi_sentry._scrubbing.taint.taint import MAX_VALUES, MIN_LENGTH, Taint
from asgi_sentry._scrubbing.text.pairs import PASSWORD, pair_spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from asgi_sentry._scrubbing.ruleset import Ruleset

MOST_NODES = 50_000  # of a body
_MOST_FOUND = 2 * MAX_VALUES  # in one part of a request; some are found twice
_FEW = 64  # of these nothing needs to be left out
_MOST_FIELDS = 1024  # of a query
_DEEPEST_JSON, _LONGEST_JSON = 3, 262_144  # of JSON in texts
AUTHORIZATION = frozenset({"authorization", "proxy-authorization"})
SUBPROTOCOL = "sec-websocket-protocol"
_READ = AUTHORIZATION | {SUBPROTOCOL, "cookie"}  # whatever a name means otherwise
# RFC 6749: a code can be exchanged for a token, and the state ties it to a session.
TOLD_BY_LOOK = frozenset({"code", "state", "nonce", "samlresponse", "relaystate"})
_SHORTEST_OAUTH = 16
ENCODED_JSON = (
    "eyJ",
    "eyA",
    "ewo",
    "ew0",
    "W3si",
)  # how an object begins in base64, or a list of them
_FROM_URLSAFE = str.maketrans("-_", "+/")
_BESIDE = frozenset(terms.VALUES)
# Of GraphQL: a variable.
_ARGUMENT = re.compile(r"([A-Za-z_]\w{0,100})\s{0,10}:\s{0,10}\$([A-Za-z_]\w{0,100})")
_DIGEST_SECRET = re.compile(
    r"(?:response|cnonce|nonce|opaque|signature|credential|key)=\"?([^\",\s]{6,})", re.IGNORECASE
)
_PARTS = re.compile(r"(?<==)[^\s,;=\"]{16,}")  # of a header: `sha256=...`, `v1=...`
PAIRED = re.compile("[=:>]")  # in each text with a name and a value in it


class TooManyError(Exception):
    """There are more headers, fields of a query or members of a body than are looked at."""


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


def _texts_of(raw: bytes) -> list[str]:
    """Header bytes as text, in both ways that frameworks decode them."""
    text = raw.decode("latin-1")
    if text.isascii():
        return [text]
    try:
        return [text, raw.decode("utf-8")]
    except UnicodeDecodeError:
        return [text]


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
            for text in _texts_of(raw):
                yield from of_authorization(text)
        elif lower == "cookie":
            for text in _texts_of(raw):
                yield from _of_cookies(text, keys)
        elif lower == SUBPROTOCOL:
            yield from _of_subprotocols(raw.decode("latin-1"))
        elif meaning(name) == DENIED:
            for text in _texts_of(raw):
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
        for pair in _texts_of(decoded):
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
            yield from _of_json(plain, keys, _DEEPEST_JSON)
        elif strength(plain) == STRONG:
            yield plain
        if plain.startswith(ENCODED_JSON):
            yield from of_encoded_json(plain, keys)


def of_encoded_json(text: str, keys: Ruleset) -> Iterator[str]:
    """The secrets in JSON in base64, as frameworks keep sessions in a cookie, signed or not."""
    encoded = text.partition(".")[0].translate(_FROM_URLSAFE)
    if len(encoded) <= _LONGEST_JSON:
        try:
            plain = base64.b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
        except ValueError:
            return
        yield from _of_json(plain, keys, _DEEPEST_JSON)


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
        for text in _texts_of(unquote_to_bytes(value.replace("+", " ").encode("latin-1"))):
            fields[name] = text
            if _is_secret(name, text, keys):
                yield text
            elif text[:1] in {"{", "["}:
                yield from _of_json(text, keys, _DEEPEST_JSON)
    if "query" in fields and "variables" in fields:
        yield from of_body({"query": fields["query"], "variables": fields["variables"]}, keys)


def _is_secret(name: str, text: str, keys: Ruleset) -> bool:
    """Whether a text is secret by its name, or by both."""
    meaning = keys.keys.meaning(name)
    if meaning == DENIED:
        return True
    if meaning in (LOOKED, MAYBE):
        return strength(text) == STRONG
    return name.lower() in TOLD_BY_LOOK and len(text) >= _SHORTEST_OAUTH and strength(text) != WEAK


def _of_path(params: Mapping[str, Any], keys: Ruleset) -> Iterator[str]:
    for name, value in params.items():
        if keys.keys.meaning(str(name)) == DENIED:
            yield str(value)


def _of_json(text: str, keys: Ruleset, depth: int) -> Iterator[str]:
    """The secrets in JSON that stands in a text."""
    if depth <= 0 or len(text) > _LONGEST_JSON:
        return
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        yield from (
            text[start:end] for start, end, rule in pair_spans(text, keys.keys) if rule == PASSWORD
        )
        return
    yield from of_body(value, keys, depth - 1)


def of_body(body: object, keys: Ruleset, depth: int = _DEEPEST_JSON) -> Iterator[str]:
    stack: list[tuple[Any, int]] = [(body, _PLAIN)]
    visited = 0
    while stack:
        value, how = stack.pop()
        visited += 1
        if visited > MOST_NODES:
            raise TooManyError
        if isinstance(value, dict):
            stack += reversed(_of_members(value, how, keys))
        elif isinstance(value, (list, tuple)):
            # Maybe a pair of a name and a value.
            if how != _SECRET and len(value) == 2 and isinstance(value[0], str):
                stack += [(value[1], _how(value[0], value[1], how, keys)), (value[0], how)]
            else:
                stack.extend((inner, how) for inner in reversed(value))
        elif isinstance(value, bytes):
            stack.extend((text, how) for text in _texts_of(value))
        elif isinstance(value, str):
            yield from _of_text(value, how, keys, depth)
        elif how == _SECRET and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield str(value)


def _of_members(value: dict[Any, Any], how: int, keys: Ruleset) -> list[tuple[Any, int]]:
    """The members of an object, each with how it stands."""
    members: list[tuple[Any, int]] = []
    if not _BESIDE.isdisjoint(value):
        named = (value[key] for key in terms.NAMES if isinstance(value.get(key), str))
        if any(keys.keys[name] == DENIED for name in named):
            members += ((value[key], _SECRET) for key in terms.VALUES if key in value)
    graphql = _denied_variables(value, keys)
    within = _WITHIN if how else _PLAIN
    for key, inner in value.items():
        if graphql and key == "variables":
            members.append((_as_named(inner, graphql), within))
        else:
            members.append((inner, _how(key, inner, within, keys)))
    return members


def _how(key: Any, value: Any, otherwise: int, keys: Ruleset) -> int:
    """How a value stands by its own name."""
    if keys.keys[key] == DENIED:
        return otherwise if keys.keys.spares(key, value) else _SECRET
    named = isinstance(key, str) and isinstance(value, str) and _is_secret(key, value, keys)
    return _SECRET if named else otherwise


# How a value stands: under a name of its own that says nothing, under one that is denied, or within
# what such a name holds, where it has a name of its own again.
_PLAIN, _SECRET, _WITHIN = range(3)


def _of_text(value: str, how: int, keys: Ruleset, depth: int) -> Iterator[str]:
    if how == _SECRET or (how == _WITHIN and strength(value) == STRONG):
        yield value
    if value[:1] in {"{", "["}:
        yield from _of_json(value, keys, depth)
    elif how == _PLAIN and PAIRED.search(value):  # XML, GraphQL, or JSON that was cut off
        yield from (
            value[start:end]
            for start, end, rule in pair_spans(value, keys.keys)
            if rule == PASSWORD
        )


def _denied_variables(value: dict[Any, Any], keys: Ruleset) -> set[str]:
    """The variables of a GraphQL request that fill in an argument whose name is denied."""
    query = value.get("query")
    if not isinstance(query, str) or "$" not in query:
        return set()
    return {
        match[2] for match in _ARGUMENT.finditer(query) if keys.keys.meaning(match[1]) == DENIED
    }


def _as_named(variables: Any, denied: set[str]) -> Any:
    """Variables of GraphQL under names that tell which of them are secret."""
    if isinstance(variables, str):
        try:
            variables = json.loads(variables[:_LONGEST_JSON])
        except (ValueError, RecursionError):
            return variables
    if not isinstance(variables, dict):
        return variables
    return {
        f"{name}_password" if name in denied else name: inner for name, inner in variables.items()
    }
