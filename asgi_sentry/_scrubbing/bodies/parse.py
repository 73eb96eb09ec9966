"""Request bodies, parsed into values that a scrubber understands.

What a body is told by its content type, and by its first bytes where that is missing or wrong. A
body that was cut off, or is broken, is read as far as it goes. Nothing here raises for any input,
and what is unpacked is bounded.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import unquote_to_bytes

from asgi_sentry._scrubbing.bodies.charsets import (
    SNIFFED,
    decoded,
    is_ascii_based,
    is_text,
    read_content_type,
    told_by_content,
)
from asgi_sentry._scrubbing.bodies.multipart import parse_multipart
from asgi_sentry._scrubbing.bodies.unpack import GZIP, unpack

_MAX_FIELDS = 1000
_SNIFFED_JSON = 16  # characters of JSON that must have had something in them
_MAX_JSON_DEPTH = 64  # of JSON that was cut off; what is deeper is shown as text
_BINARY_TYPES = (
    "image/",
    "audio/",
    "video/",
    "font/",
    "application/pdf",
    "application/zip",
    "application/wasm",
    "application/octet-stream",
    "application/x-protobuf",
    "application/grpc",
    "application/vnd.google.protobuf",
)
_MSGPACK_TYPES = frozenset(
    {"application/msgpack", "application/x-msgpack", "application/vnd.msgpack"}
)
# First bytes, none of which begins UTF-8.
_MSGPACK_CONTAINERS = frozenset((*range(0x80, 0xA0), *range(0xDC, 0xE0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """A parsed body.

    Attributes:
        value: JSON-like, ready to be scrubbed. Forms are lists of pairs if a name comes twice, else
            dicts.
        kind: json, ndjson, form, multipart, text, xml, msgpack, binary or empty.
        truncated: whether there was more than is shown.
    """

    value: Any
    kind: str
    truncated: bool = False


def parse_body(
    raw: bytes,
    *,
    content_type: str | None,
    encoding: str | None = None,
    truncated: bool = False,
    length: int | None = None,
    part_end: int | None = None,
) -> Body:
    """Parse a body.

    Args:
        raw: its first bytes.
        content_type: the header, whether right, wrong or missing.
        encoding: the Content-Encoding header: gzip, deflate, br (with brotli installed), or
            several.
        truncated: whether `raw` is not all of it.
        length: of all of it, in bytes, as it was sent; None: not known.
        part_end: of a multipart body, where the part ends that is cut; None: not known.
    """
    length = max(length or 0, len(raw))
    if not raw:
        return Body(value=None, kind="empty", truncated=truncated)
    media, charset, boundary = read_content_type(content_type)
    try:
        if not encoding and raw.startswith(GZIP) and not media.startswith("application/gzip"):
            encoding = "gzip"  # which somebody forgot to say
        unpacked = unpack(raw, encoding)
        if unpacked is None:
            if not is_text(raw):
                return _binary(length, media or encoding, truncated=truncated)
            unpacked = raw, False  # it was unpacked on the way here, or never packed
        content, cut = unpacked
        parsed = _parse(
            content,
            media,
            charset,
            boundary,
            truncated=truncated or cut,
            part_end=part_end if content is raw else None,
        )
    except Exception:
        # RecursionError among them; what can't be read is described, and nothing in it is known.
        return _binary(length, media, truncated=True)
    if parsed.kind == "binary" and content is raw:
        return _binary(length, parsed.value["type"], truncated=truncated)
    return parsed


def _parse(
    raw: bytes,
    media: str,
    charset: str,
    boundary: str | None,
    *,
    truncated: bool,
    part_end: int | None,
) -> Body:
    if not raw:
        return Body(value=None, kind="empty", truncated=truncated)
    if media.startswith("multipart/") or (boundary is None and _looks_multipart(raw)):
        parsed = parse_multipart(raw, boundary, charset, truncated=truncated, part_end=part_end)
        if parsed is not None:
            parts, cut = parsed
            return Body(value=_fields(parts), kind="multipart", truncated=truncated or cut)
    if media in _MSGPACK_TYPES or (not media and raw[0] in _MSGPACK_CONTAINERS):
        packed = _msgpack(raw, media, truncated=truncated)
        if packed.kind == "msgpack" or media:
            return packed
    if media.startswith(_BINARY_TYPES) and not is_text(raw):
        return _binary(len(raw), media, truncated=truncated)
    charset = told_by_content(raw) or charset
    if not is_ascii_based(charset) or is_text(raw):
        text = decoded(raw, charset)
        return _parse_text(text, media, charset, truncated=truncated)
    return _binary(len(raw), media, truncated=truncated)


def _parse_text(text: str, media: str, charset: str, *, truncated: bool) -> Body:
    bare = text.lstrip("\ufeff\x1e \t\r\n")
    if media == "application/x-www-form-urlencoded" and bare[:1] not in {"{", "["}:
        return Body(value=_form(text, charset), kind="form", truncated=truncated)
    if bare[:1] in {"{", "[", '"'} or "json" in media:
        body = _json(bare, truncated=truncated)
        if body is not None:
            return body
    if "xml" in media or bare.startswith(("<?xml", "<soap", "<SOAP")):
        return Body(value=text, kind="xml", truncated=truncated)
    if not media and _looks_like_form(bare):
        return Body(value=_form(text, charset), kind="form", truncated=truncated)
    return Body(value=text, kind="text", truncated=truncated)


# --- JSON -----------------------------------------------------------------------------------------


def _json(text: str, *, truncated: bool) -> Body | None:
    """JSON, lines of JSON, or what can be read of either; None if it is neither."""
    try:
        return Body(
            value=json.loads(text, object_pairs_hook=None), kind="json", truncated=truncated
        )
    except RecursionError:
        return None  # as a text, whose keys are looked for all the same
    except ValueError:
        pass
    lines = _json_lines(text, truncated=truncated)
    if lines is not None:
        return lines
    value = None
    if truncated:
        value = _completed(text)
    if value is None or (not value and len(text) > _SNIFFED_JSON):
        return None  # nothing of it could be read: as a text it shows more
    return Body(value=value, kind="json", truncated=True)


def _json_lines(text: str, *, truncated: bool) -> Body | None:
    # RFC 7464 has marks.
    lines = [line for line in (line.strip("\x1e") for line in text.splitlines()) if line.strip()]
    if len(lines) < 2:
        return None
    values: list[Any] = []
    for number, line in enumerate(lines):
        try:
            values.append(json.loads(line))
        except (ValueError, RecursionError):
            if not truncated or number < len(lines) - 1 or number == 0:
                return None
            rest = _completed(line)
            values.append(line if rest is None else rest)
    if not all(isinstance(value, (dict, list)) for value in values[:-1]):
        return None
    return Body(value=values, kind="ndjson", truncated=truncated)


# A string, whole or up to the end, and what opens, parts and closes.
_JSON_TOKEN = re.compile(r'"(?:[^"\\]+|\\.)*("?)|[{}\[\],]', re.DOTALL)


def _completed(text: str) -> Any:
    """The value of JSON that was cut off: open strings and containers are closed.

    None if that does not help.
    """
    closers: list[str] = []
    # Up to here, what is open can be closed; the closers are told when they change.
    safe, safe_closers = 0, ""
    in_string = False
    changed = True
    for token in _JSON_TOKEN.finditer(text):
        char = token[0][0]
        if char == '"':
            in_string = not token[1]
            continue
        if char in "{[":
            closers.append("}" if char == "{" else "]")
            changed = True
            if len(closers) > _MAX_JSON_DEPTH:
                return None
        elif char in "}]" and closers:
            closers.pop()
            changed = True
        elif char != ",":
            continue
        safe = token.start() if char == "," else token.end()
        if changed:
            safe_closers, changed = "".join(reversed(closers)), False
    tail = "".join(reversed(closers))
    # First with what stands at the cut, a string say; then without, from the last place where one
    # could stop.
    ending = text[-_LONGEST_CUT:]
    if in_string:
        ending = _CUT_ESCAPE.sub("", ending) + '"'
    for attempt in (text[:-_LONGEST_CUT] + ending + tail, text[:safe] + safe_closers):
        try:
            return json.loads(attempt)
        except (ValueError, RecursionError):
            continue
    return None


_LONGEST_CUT = 256  # characters at the end in which an escape may be cut
_CUT_ESCAPE = re.compile(r"(?:(?<!\\)(?:\\\\){0,99})?\\(?:u[0-9A-Fa-f]{0,3})?\Z")


# --- forms ----------------------------------------------------------------------------------------


def _form(text: str, charset: str) -> Any:
    pairs: list[tuple[str, Any]] = []
    for field in text.split("&", _MAX_FIELDS)[:_MAX_FIELDS]:
        if field:
            name, _, value = field.partition("=")
            pairs.append((_unquoted(name, charset), _unquoted(value, charset)))
    return _fields(pairs)


def _unquoted(text: str, charset: str) -> str:
    if "%" not in text and "+" not in text:
        return text
    raw = unquote_to_bytes(text.replace("+", " ").encode("utf-8", "surrogatepass"))
    return decoded(raw, charset)


def _fields(pairs: list[tuple[str, Any]]) -> Any:
    """A dict where names are unique, else pairs, which a scrubber reads alike."""
    named = dict(pairs)
    if len(named) == len(pairs):
        return named
    return [list(pair) for pair in pairs]


def _looks_like_form(text: str) -> bool:
    head = text[:SNIFFED]
    name = head.partition("=")[0]
    return (
        "=" in head
        and 0 < len(name) <= 64
        and not any(char.isspace() or char in "<>{}\"'" for char in head)
    )


# --- other formats --------------------------------------------------------------------------------


def _msgpack(raw: bytes, media: str, *, truncated: bool) -> Body:
    try:
        msgpack: Any = import_module("msgpack")
        value = msgpack.unpackb(raw, strict_map_key=False, timestamp=0)
    except Exception:  # not installed, cut off or broken
        return _binary(len(raw), media, truncated=truncated)
    return Body(value=value, kind="msgpack", truncated=truncated)


def _binary(size: int, media: str | None, *, truncated: bool) -> Body:
    described = {"type": media or "application/octet-stream", "size": size}
    return Body(value=described, kind="binary", truncated=truncated)


def _looks_multipart(raw: bytes) -> bool:
    return raw.startswith(b"--") and b"content-disposition:" in raw[:SNIFFED].lower()


# --- compression ----------------------------------------------------------------------------------
