"""The head of a request, read, described and scrubbed by its names in one pass.

What is shown of it and what is secret in it are told from the same few headers, cookies and fields
of the query. Read one after the other, by whoever describes the request, whoever copies it, whoever
looks for its secrets and whoever scrubs it, the head is half of what a usual transaction costs.
What is less usual in a head (a header that comes twice, one that is no ASCII, JSON in a cookie) is
read by each of them, which comes to the same: a property test holds both equal.
"""

from __future__ import annotations

import re
from itertools import compress
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote_plus

from asgi_sentry._scrubbing.headers_and_urls import (
    LONGEST,
    LONGEST_NAME,
    MOST,
    query_by_names,
    url_scrubbed,
)
from asgi_sentry._scrubbing.keys import COOKIES, DENIED, PLAIN, is_no_secret
from asgi_sentry._scrubbing.sentry.request import URLS
from asgi_sentry._scrubbing.sentry.trace import VERSIONED
from asgi_sentry._scrubbing.taint.in_data import TOLD_BY_LOOK
from asgi_sentry._scrubbing.taint.sources import (
    AUTHORIZATION,
    ENCODED_JSON,
    SUBPROTOCOL,
    of_authorization,
    of_denied,
    of_encoded_json,
    of_query,
)
from asgi_sentry._scrubbing.taint.strength import STRONG, strength
from asgi_sentry._scrubbing.taint.taint import MIN_LENGTH
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD
from asgi_sentry._scrubbing.tree.decisions import COOKIE, LONGEST_COOKIE
from asgi_sentry._scrubbing.tree.discovery import STRIPPED
from asgi_sentry._scrubbing.tree.glance import Glance, UnusualError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.tree.notes import Place

# What a header holds, beside what its name means as a key.
_TEXT, _URL, _CREDENTIALS, _COOKIE, _ID, _BAGGAGE = range(6)
# By which a request is told from others, and its trace:
# https://develop.sentry.dev/sdk/telemetry/traces/#header-sentry-trace,
# https://www.w3.org/TR/trace-context/#traceparent-header.
_IDS = frozenset({"sentry-trace", "traceparent", "x-request-id", "x-correlation-id", "x-trace-id"})
# Random ones, in hexadecimal. One of digits alone may be a number of anything.
_RANDOM = re.compile(
    r"(?:[0-9a-f]{2}-)?(?![0-9]+-)[0-9a-f]{32}-(?![0-9]+(?:-|\Z))[0-9a-f]{16}(?:-[0-9]{1,2})?\Z"
    r"|(?![0-9]+\Z)[0-9a-f]{32}\Z|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-(?![0-9]+\Z)[0-9a-f]{12}\Z"
)
# What Sentry's own SDKs put into the baggage beside texts; it is no secret, and looks like one:
# https://develop.sentry.dev/sdk/telemetry/traces/dynamic-sampling-context/.
_IN_BAGGAGE = re.compile(
    r"\s*sentry-(?:(?:trace_id|public_key|replay_id)=(?![0-9]+\s*\Z)[0-9a-f]{32}"
    r"|sample_ra(?:te|nd)=[01](?:\.[0-9]{1,9})?|sampled=(?:true|false))\s*\Z"
)
_TEXT_IN_BAGGAGE = re.compile(r"\s*sentry-(?:release|environment|transaction)=")
_QUOTED = frozenset("{[")
_TELLING = frozenset({"query", *TOLD_BY_LOOK})  # in a query: of which their values tell more
_KINDS = {**dict.fromkeys(URLS, _URL), **dict.fromkeys(_IDS, _ID), "baggage": _BAGGAGE}
_NAME, _VALUE = itemgetter(0), itemgetter(1)  # of a header
_LONGEST_LAYOUT = 1024  # characters of the names of headers that are known together
OF_SECTION = (None, "request")
OF_HEADERS, OF_COOKIES = (OF_SECTION, "headers"), (OF_SECTION, "cookies")


def _is_behind_scheme(text: str) -> bool:
    """Whether credentials are a scheme and a token that is all of what is secret in them.

    In what is written otherwise, in JSON say, it is a part that is looked for in other places.
    """
    scheme, _, token = text.partition(" ")
    return (
        scheme.isalpha()
        and token[:1].isalnum()
        and " " not in token
        and token[-1:] not in STRIPPED
        and len(token.split()) == 1
    )


def _are_simple(text: str) -> bool:
    """Whether cookies are names and values of letters and digits, each of which is read alike.

    As a text in which a credential is looked for, and as cookies. One alone is a word, that is
    looked for with its name.
    """
    others = text.count("; ")
    return (
        others > 0
        and text.count("=") == others + 1
        and text[-1:] != "="
        and "=;" not in text
        and text.count(";") == text.count(" ") == others
        and text.encode().translate(None, b"=-_.; ").isalnum()
    )


class Layout(NamedTuple):
    """What the headers of a request hold, by their names: browsers send the same few sets."""

    shown: tuple[str, ...]  # the names
    are_texts: tuple[bool, ...]  # whether the header is a text, and nothing more
    others: tuple[tuple[int, str, int, int], ...]  # place, name, what it means as a key, kind


class RawHead(NamedTuple):
    """The head of a request as it came in."""

    url: str  # without the query
    method: str | None
    headers: Sequence[tuple[bytes, bytes]]
    query: bytes


class HeadGlance(Glance):
    """One look at plain data, and at the head of the request that it is about.

    Attributes:
        section: the `request` of an event, whose `edits` are to be made yet.
        came_with: what is secret of the request by its names and its look, as `collect_taint`
            finds it in headers and query.
    """

    __slots__ = ("came_with", "section")

    def __init__(self, ruleset: Ruleset) -> None:
        super().__init__(ruleset)
        self.section: dict[str, Any] | None = None
        self.came_with: list[str] = []

    def head(self, raw: RawHead) -> None:
        """Read a head.

        Raises:
            UnusualError: it is a matter for those who read the parts one by one.
        """
        if "?" in raw.url or "#" in raw.url:
            raise UnusualError
        self.section = section = {"url": raw.url}
        self.texts.append(raw.url)
        if raw.method is not None:
            if raw.method.__class__ is not str or len(raw.method) > LONGEST_NAME:
                raise UnusualError
            section["method"] = raw.method
        self._read_headers(raw.headers, section)
        if raw.query:
            self._read_query(raw.query, section)

    def body(self, data: Any) -> None:
        """Look at what is shown of the body.

        Raises:
            UnusualError: it is a matter for the walk.
        """
        if self.section is not None:
            self.section["data"] = data
            self.data(data, (OF_SECTION, "data"))

    def _read_headers(self, given: Sequence[tuple[bytes, bytes]], section: dict[str, Any]) -> None:
        names = tuple(map(_NAME, given))
        layout = self.ruleset.layouts.get(names) or self._laid_out(names)
        raw = b"\0".join(map(_VALUE, given))
        values = raw.decode("ascii").split("\0")
        if len(values) != len(names) or len(raw) > LONGEST:
            raise UnusualError
        section["headers"] = headers = dict(zip(layout.shown, values, strict=True))
        self.keys.append(headers)
        self.texts.extend(compress(values, layout.are_texts))
        for at, shown, verdict, kind in layout.others:
            value = values[at]
            if not self._reads(headers, shown, value, verdict, kind):
                self.texts.append(value)
        cookies = headers.get("cookie")
        if cookies is not None:
            self._read_cookies(cookies, section)

    def _laid_out(self, names: tuple[bytes, ...]) -> Layout:
        """What the headers of a request hold, by their names."""
        known = self.ruleset.headers
        told = [known.get(name) or self._told(name) for name in names]
        shown = tuple(name for name, _, _ in told)
        if len(set(shown)) != len(shown) or len(shown) > MOST:
            raise UnusualError
        layout = Layout(
            shown,
            tuple(not (kind or verdict) for _, verdict, kind in told),
            tuple((at, *each) for at, each in enumerate(told) if each[1] or each[2]),
        )
        if sum(map(len, names)) <= _LONGEST_LAYOUT:
            self.ruleset.layouts.keep(names, layout)
        return layout

    def _reads(
        self, headers: dict[str, str], name: str, value: str, verdict: int, kind: int
    ) -> bool:
        """Read a header that is more than a text; whether nothing is left in it to look at."""
        if verdict == DENIED:
            if kind == _CREDENTIALS:
                self.came_with += of_authorization(value)
            elif kind == _TEXT:
                self.came_with += of_denied(value)
            # The taint knows a token behind its scheme, and each cookie that may be one.
            is_known = kind != _TEXT and (
                _are_simple(value) if kind == _COOKIE else _is_behind_scheme(value)
            )
            return self._denies(headers, name, value, OF_HEADERS, is_known=is_known)
        if kind == _ID and _RANDOM.match(value):
            self.ids.append(value)
            return True
        if kind == _BAGGAGE:
            self._read_baggage(value)
            return True
        if kind == _URL and ("?" in value or "#" in value) and url_scrubbed(value, self.ruleset)[1]:
            raise UnusualError
        return (
            bool(verdict)
            and value != FILTERED
            and self._redacts(verdict, name, value, headers, OF_HEADERS)
        )

    def _denies(
        self,
        holder: dict[str, str],
        name: str,
        value: str,
        place: Place,
        *,
        is_known: bool = False,
    ) -> bool:
        """Redact what stands under a denied name, or say that it stays.

        Of what is known already nothing is looked for in other places.
        """
        if value == FILTERED or is_no_secret(name, value):
            return False
        if not is_known:
            self._secrets.append(value)
        self._gone.add(value)
        self.edits.append((holder, name, FILTERED, place, PASSWORD))
        return True

    def _read_baggage(self, value: str) -> None:
        for member in value.split(","):
            if _IN_BAGGAGE.match(member) is None:
                named = _TEXT_IN_BAGGAGE.match(member)
                if named is None:
                    self.texts.append(member)
                elif VERSIONED.match(member, named.end()) is None:
                    self.texts.append(member[named.end() :])
        self.ids.append(value)

    def _told(self, name: bytes) -> tuple[str, int, int]:
        """What a header's name says, of those whose names were met as keys."""
        shown = name.decode("latin-1")
        keys = self.ruleset.keys
        verdict = PLAIN if shown in keys.plain else keys.special.get(shown)
        if (
            verdict is None
            or (verdict == PLAIN and shown in keys.special)  # of what stands beside it
            or shown != shown.lower()
            or not shown.isascii()
            or len(shown) > LONGEST_NAME
            or shown == SUBPROTOCOL
        ):
            raise UnusualError
        kind = _TEXT
        if shown == "cookie" or shown in AUTHORIZATION:
            kind = _COOKIE if shown == "cookie" else _CREDENTIALS
            if verdict not in (DENIED, COOKIES):
                raise UnusualError  # as the team has it
        elif verdict == PLAIN:
            kind = _KINDS.get(shown, _TEXT)
        told = (shown, verdict, kind)
        self.ruleset.headers.keep(name, told)
        return told

    def _read_cookies(self, text: str, section: dict[str, Any]) -> None:
        if text.count(";") >= MOST:
            raise UnusualError
        plain, special = self.ruleset.keys.plain, self.ruleset.keys.special
        append = self.texts.append
        cookies: dict[str, str] = {}
        for part in text.split(";"):
            name, equals, value = part.partition("=")
            name, value = name.strip(), value.strip()
            if not (name or value):
                continue
            if not equals:
                raise UnusualError  # it may be the header's secret itself
            verdict = special.get(name)
            if verdict is None and name in plain:
                verdict = COOKIE
            if not verdict or name in cookies or len(name) > LONGEST_NAME:
                raise UnusualError
            cookies[name] = value
            if len(value) >= MIN_LENGTH:
                self._read_cookie(value, verdict)
            if verdict == DENIED:
                gone = self._denies(cookies, name, value, OF_COOKIES)
            elif value == FILTERED or (verdict == COOKIE and len(value) < LONGEST_COOKIE):
                gone = False
            else:
                gone = self._redacts(verdict, name, value, cookies, OF_COOKIES)
            if not gone:
                append(value)
        if cookies:
            section["cookies"] = cookies
            self.keys.append(cookies)

    def _read_cookie(self, value: str, verdict: int) -> None:
        """Note what is secret of a cookie, by its name's verdict or by its look."""
        plain = unquote_plus(value) if "%" in value or "+" in value else value
        if '"' in value or plain[:1] in _QUOTED:
            raise UnusualError
        if plain.startswith(ENCODED_JSON):
            self.came_with += of_encoded_json(plain, self.ruleset)
        if verdict == DENIED:
            self.came_with.append(value)
            if plain != value:
                self.came_with.append(plain)
        elif strength(plain) == STRONG:
            self.came_with.append(plain)

    def _read_query(self, raw: bytes, section: dict[str, Any]) -> None:
        query = raw.decode("ascii")
        if len(query) > LONGEST_NAME:
            raise UnusualError
        section["query_string"] = left = query
        if not self._says_nothing(query):
            left, hit = query_by_names(query, self.ruleset, self.encoded)
            if hit:
                self.edits.append((section, "query_string", left, OF_SECTION, PASSWORD))
            self.came_with += of_query(raw, self.ruleset)
        self.texts.append(left)

    def _says_nothing(self, query: str) -> bool:
        """Whether no name in a query says anything, and no value is more than a text.

        What those stand for that are encoded is noted.
        """
        if (
            self.ruleset.keys.find_stem(query.lower())
            or ";" in query
            or "{" in query  # JSON
            or "[" in query
            or "=%" in query  # JSON, maybe
        ):
            return False
        values = []
        for part in query.split("&"):
            name, _, value = part.partition("=")
            if "%" in name or "+" in name or name.lower() in _TELLING:
                return False
            if value:
                values.append(value)
        if "%" in query or "+" in query:
            self.encoded.extend(map(unquote_plus, values))
        return True
