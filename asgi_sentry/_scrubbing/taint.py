"""Request taint: the secrets that one request came with, known by value wherever they turn up again.

A value is looked for by its *cores*: the longest run of plain letters and digits in it, which every escaping leaves
alone, and the same of its base64 at each of three alignments. Only where a core is found are all its forms made.
"""

from __future__ import annotations

import base64
import binascii
import html
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote_plus, unquote_to_bytes

from asgi_sentry._scrubbing.keys import DENIED
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD, pair_spans

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from asgi_sentry._scrubbing.ruleset import Ruleset

REQUEST = "@request"  # the id for what is scrubbed because it came in with the request
MIN_LENGTH = 6
MIN_COOKIE = 16  # a cookie of any name is taken for a secret from this length on
_MAX_VALUES, _MAX_LENGTH, _MAX_NODES = 256, 8192, 50_000
_MIN_CORE = 4
_CUT = 8  # so many characters of a long value are still it, at the end of a text that was cut off there


def _split(text: str) -> list[str]:
    return text.split()


# What stands in many places by itself: taking it for a secret would blank out what it is not.
_COMMON = frozenset(
    _split(
        """undefined unknown default password passwd secret token session cookie bearer basic digest authorization
    anonymous application/json application/x-www-form-urlencoded multipart/form-data text/plain text/html
    production staging development testing localhost 127.0.0.1 keep-alive no-cache max-age=0 identity chunked
    upgrade websocket exception request response message content status string number object boolean integer
    function handler method header headers params values python sentry django fastapi starlette litestar uvicorn
    [filtered] filtered redacted [redacted] required optional enabled disabled success failure failed denied
    username example example.com test@example.com xmlhttprequest"""
    )
) | {"gzip, deflate", "gzip, deflate, br", "text/html; charset=utf-8", "application/json; charset=utf-8"}
_RUN = re.compile(r"[A-Za-z0-9]+")
_BASE64_RUN = re.compile(r"[A-Za-z0-9+/_-]*={0,2}")
_BASE64_BACKWARDS = re.compile(r"[A-Za-z0-9+/_-]*")


class Taint:
    """The secrets one request came with, by value. Immutable; never shows them."""

    __slots__ = ("_cores", "_forms", "_values")

    def __init__(self, values: Iterable[str] = ()) -> None:
        kept: dict[str, None] = {}
        for value in values:
            text = value.strip()
            if len(kept) >= _MAX_VALUES:
                break
            if len(text) >= MIN_LENGTH and text.lower() not in _COMMON and len(set(text)) > 1:
                kept[text[:_MAX_LENGTH]] = None
        # Longest first, so that a value within another does not leave the rest of the other standing.
        self._values = tuple(sorted(kept, key=lambda value: (-len(value), value)))
        self._cores = tuple((core, number) for number, value in enumerate(self._values) for core in _cores(value))
        self._forms: dict[int, tuple[str, ...]] = {}  # made when first needed; the same whoever makes them

    @classmethod
    def collect(
        cls,
        *,
        headers: Iterable[tuple[bytes, bytes]] = (),
        query: bytes = b"",
        body: object = None,
        keys: Ruleset,
        body_keys: Ruleset | None = None,
    ) -> Taint:
        """The secrets in the parts of a request.

        Args:
            headers: raw ASGI pairs.
            query: the raw query string.
            body: the value of `parse_body`.
            keys: whose key terms tell which headers, cookies and query fields are secret.
            body_keys: the same for the body; `keys` if None.
        """
        values: list[str] = []
        parts = (
            _of_headers(headers, keys),
            _of_query(query, keys),
            _of_body(body, keys if body_keys is None else body_keys),
        )
        for part in parts:
            try:
                values.extend(part)
            except Exception:  # noqa: S112 - a part that can't be read has no values to look for
                continue
        return cls(values)

    def __bool__(self) -> bool:
        return bool(self._values)

    def __repr__(self) -> str:
        return f"<Taint of {len(self._values)} values>"

    def __reduce__(self) -> str:
        raise TypeError("a Taint holds secrets and is not pickled")

    def found_in(self, texts: Collection[str]) -> dict[str, str]:
        """Those of several texts that hold a value, each with what is left of it."""
        joined = "\0".join(texts)
        if not any(core in joined for core, _ in self._cores) and "..." not in joined:
            return {}
        found = {}
        for text in texts:
            left, hit = self.replace(text)
            if hit:
                found[text] = left
        return found

    def replace(self, text: str) -> tuple[str, bool]:
        """The text with every value replaced in whatever form, and whether there was one."""
        before = text
        for number in dict.fromkeys(number for core, number in self._cores if core in text):
            value = self._values[number]
            forms = self._forms.get(number)
            if forms is None:
                forms = self._forms[number] = tuple(_forms(value))
            for form in forms:
                if form in text:
                    text = _replaced(text, form)
            if any(core in text for core in _base64_cores(value)):
                text = _without_base64(text, value)
        if text.endswith(_ENDS_CUT):
            text = self._without_cut(text)
        return text, text != before

    def _without_cut(self, text: str) -> str:
        """The text without the beginning of a value at its end, where it was cut off."""
        ending = next(end for end in _ENDS_CUT if text.endswith(end))
        body = text[: -len(ending)]
        for value in self._values:
            at = body.rfind(value[:_CUT], max(0, len(body) - len(value)))
            if len(value) > _CUT and at >= 0 and value.startswith(body[at:]):
                return body[:at] + FILTERED + ending
        return text


_ENDS_CUT = ("...", "...'", '..."', "\u2026")


def _cores(value: str) -> Iterator[str]:
    """Texts of which one is in every form of a value."""
    run = _longest_run(value)
    if len(run) >= _MIN_CORE:
        yield run
    else:
        yield from _forms(value)
    yield from _base64_cores(value)


def _longest_run(text: str) -> str:
    if text.isalnum() and text.isascii():
        return text
    return max(_RUN.findall(text), key=len, default="")


# What stands in front of a value in a longer text, by its length modulo three, and how many characters hold bits of it.
_ALIGNMENTS = ((b"", 0), (b"\0", 2), (b"\0\0", 3))


def _base64_cores(value: str) -> list[str]:
    """A piece of the value's base64 for each of the three ways it can lie in a longer one, in both alphabets."""
    raw = value.encode("utf-8", "surrogatepass")
    cores = []
    for before, first in _ALIGNMENTS:
        # The last character holds bits of the neighbour behind.
        encoded = binascii.b2a_base64(before + raw, newline=False)[first : (len(before) + len(raw)) * 8 // 6].decode()
        run = encoded if encoded.isalnum() else _longest_run(encoded)
        if len(run) >= MIN_LENGTH:
            cores.append(run)
        else:
            cores += (encoded, encoded.translate(_URLSAFE))
    return cores


_URLSAFE = str.maketrans("+/", "-_")


def _forms(value: str) -> list[str]:
    """A value as it may be written, longest first."""
    escaped = json.dumps(value)[1:-1]
    forms = {
        value,
        escaped,
        json.dumps(value, ensure_ascii=False)[1:-1],
        json.dumps(escaped)[1:-1],
        escaped.replace("/", "\\/"),
        repr(value)[1:-1],
        value.replace("\\", "\\\\").replace("'", "\\'"),
        ascii(value)[1:-1],
        html.escape(value),
        html.escape(value, quote=False),
    }
    raw = value.encode("utf-8", "surrogatepass")
    if not value.isascii():
        forms.update((raw.decode("latin-1"), repr(raw)[2:-1], json.dumps(repr(raw)[2:-1])[1:-1]))
        forms.add(repr(raw.decode("latin-1"))[1:-1])
    for encode, safe in ((quote, ""), (quote, "/"), (quote_plus, ""), (quote, "!$&'()*+,;=:@/?")):
        encoded = encode(raw, safe=safe)
        forms.update((encoded, _HEX.sub(lambda match: match[0].lower(), encoded)))
        forms.add(quote(encoded, safe=""))
    return sorted(forms, key=lambda form: (-len(form), form))


_HEX = re.compile("%[0-9A-F]{2}")
_SHORT = 10


def _replaced(text: str, form: str) -> str:
    if len(form) < _SHORT and form.isalpha():  # a word: not within another word
        return re.sub(rf"(?<![^\W_]){re.escape(form)}(?![^\W_])", FILTERED, text)
    return text.replace(form, FILTERED)


def _without_base64(text: str, value: str) -> str:
    """The text without each base64 text that has the value in it."""
    for core in _base64_cores(value):
        at = text.find(core)
        while at >= 0:
            end = _BASE64_RUN.match(text, at)
            back = _BASE64_BACKWARDS.match(text[:at][::-1])
            start = at - (back.end() if back else 0)
            text = text[:start] + FILTERED + text[end.end() if end else at + len(core) :]
            at = text.find(core, start + len(FILTERED))
    return text


# --- where the values are ----------------------------------------------------------------------------------------


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
    meaning = keys.keys.meaning
    for name, raw in headers:
        lower = name.lower()
        if lower in {b"authorization", b"proxy-authorization"}:
            for text in _texts_of(raw):
                yield from _of_authorization(text)
        elif lower == b"cookie":
            for text in _texts_of(raw):
                yield from _of_cookies(text, keys)
        elif meaning(name.decode("latin-1")) == DENIED:
            for text in _texts_of(raw):
                yield text
                if " " in text:
                    yield from _of_authorization(text)


_DIGEST_SECRET = re.compile(
    r"(?:response|cnonce|nonce|opaque|signature|credential|key)=\"?([^\",\s]{6,})", re.IGNORECASE
)


def _of_authorization(text: str) -> Iterator[str]:
    scheme, _, credentials = text.strip().partition(" ")
    credentials = credentials.strip()
    if not credentials:
        yield scheme
        return
    yield credentials
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


def _of_cookies(text: str, keys: Ruleset) -> Iterator[str]:
    for part in text.split(";"):
        name, _, value = part.strip().partition("=")
        value = value.strip().strip('"')
        if len(value) >= MIN_COOKIE or keys.keys.meaning(name.strip()) == DENIED:
            yield value
            if "%" in value or "+" in value:
                yield unquote_plus(value)


def _of_query(query: bytes, keys: Ruleset) -> Iterator[str]:
    if not query:
        return
    for part in query.decode("latin-1").replace(";", "&").split("&"):
        name, _, value = part.partition("=")
        if value and keys.keys.meaning(unquote_plus(name) if "%" in name or "+" in name else name) == DENIED:
            raw = value.replace("+", " ")
            yield from _texts_of(unquote_to_bytes(raw.encode("latin-1")))
            yield value


def _of_body(body: object, keys: Ruleset) -> Iterator[str]:
    verdicts = keys.keys
    stack: list[tuple[Any, bool]] = [(body, False)]
    visited = 0
    while stack:
        value, denied = stack.pop()
        visited += 1
        if visited > _MAX_NODES:
            return
        if isinstance(value, dict):
            named = next((value[key] for key in ("name", "key", "field") if isinstance(value.get(key), str)), None)
            if named is not None and "value" in value and verdicts[named] == DENIED:
                denied_value = value["value"]
                stack.append((denied_value, True))
            stack.extend((inner, denied or verdicts[key] == DENIED) for key, inner in reversed(value.items()))
        elif isinstance(value, (list, tuple)):
            if not denied and len(value) == 2 and isinstance(value[0], str) and verdicts[value[0]] == DENIED:
                stack.append((value[1], True))
            else:
                stack.extend((inner, denied) for inner in reversed(value))
        elif denied and isinstance(value, str):
            yield value
        elif isinstance(value, str):  # XML, or JSON that was cut off
            yield from (value[start:end] for start, end, rule in pair_spans(value, verdicts) if rule == PASSWORD)
        elif denied and isinstance(value, (int, float)) and not isinstance(value, bool):
            yield str(value)
        elif denied and isinstance(value, bytes):
            yield from _texts_of(value)
