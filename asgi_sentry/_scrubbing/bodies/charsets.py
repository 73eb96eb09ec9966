"""What a content type says, and bytes as text.

By the charset that was named, or by what they look like.
"""

from __future__ import annotations

import re
from codecs import lookup

SNIFFED = 512

_ALLOWED_CONTROLS = b"\t\n\r\x0b\x0c\x1b\x08\x1e"
_ASCII = bytes(range(0x80))
_OF_TEXT = _ALLOWED_CONTROLS + bytes(range(0x20, 0x100))  # all but the other control characters

# https://encoding.spec.whatwg.org/#bom-sniff, with the longer ones first.
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
)
# Which of the first four bytes are not zero. JSON and nearly every other text begin with ASCII (RFC
# 4627, 3).
_WIDE = {
    b"\0\1\0\1": "utf-16-be",
    b"\1\0\1\0": "utf-16-le",
    b"\0\0\0\1": "utf-32-be",
    b"\1\0\0\0": "utf-32-le",
}


def is_text(raw: bytes) -> bool:
    """Whether bytes can be read as text: no control characters to speak of."""
    head = raw[:SNIFFED]
    if b"\0" in head:
        return False
    if head.translate(None, _OF_TEXT):  # what is left without them
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as exc:
        # A character that is cut by the end of what was looked at is no mistake; many bad bytes are
        # no UTF-8.
        bad = len(head.translate(None, _ASCII))
        return exc.start >= len(head) - 3 or bad * 4 < len(head)
    return True


def told_by_content(raw: bytes) -> str | None:
    """A charset of wide characters, or with a mark, as the first bytes tell; None if they don't."""
    for mark, marked in _MARKS:
        if raw.startswith(mark):
            return marked
    charset = _WIDE.get(bytes(byte > 0 for byte in raw[:4]))
    head = ""
    if charset:
        head = raw[:64].decode(charset, "ignore")
    if head and all(char.isprintable() or char.isspace() for char in head):
        return charset
    return None


def is_ascii_based(charset: str) -> bool:
    """Whether text in a charset looks like ASCII where it is: not so UTF-16 and EBCDIC."""
    try:
        return "a=1".encode(charset) == b"a=1"
    except (LookupError, ValueError):
        return True


def decoded(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset)
    except (LookupError, UnicodeError, ValueError):
        pass
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as exc:
        # At the very end a character may be cut; elsewhere latin-1 keeps each byte visible to the
        # rules.
        if exc.start >= len(raw) - 3:
            return raw.decode("utf-8", "replace")
        return raw.decode("latin-1")


_LONGEST_HEADER, _MOST_PARAMETERS = 2048, 16
# A parameter of a media type (RFC 9110, 5.6.6): its name, and a quoted or a bare value.
_PARAMETER = re.compile(
    r";[ \t]{0,16}([\w!#$%&'*+.^`|~-]{1,64})=(?:\"((?:[^\"\\]|\\.){0,256})\"|([^\s;\"]{0,256}))",
    re.DOTALL,
)


def read_content_type(header: str | None) -> tuple[str, str, str | None]:
    """The media type, the charset and the boundary of a Content-Type header.

    Its first 2048 characters are looked at, for 16 parameters at most. The one of the standard
    library is quadratic.
    """
    if not header:
        return "", "utf-8", None
    header = header[:_LONGEST_HEADER]
    found: dict[str, str] = {}
    for number, match in enumerate(_PARAMETER.finditer(header)):
        if number >= _MOST_PARAMETERS:
            break
        value = match[3]
        if match[2] is not None:
            value = _QUOTED_PAIR.sub(r"\1", match[2])
        found.setdefault(match[1].lower().removesuffix("*"), value)
    media = header.partition(";")[0].strip().lower()
    return media, _codec(found.get("charset")), found.get("boundary")


_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)


def _codec(name: str | None) -> str:
    """A charset that decodes bytes to text, by its usual name."""
    try:
        found = lookup(name or "utf-8")
    except (LookupError, ValueError):
        return "utf-8"
    if getattr(found, "_is_text_encoding", True) and found.name not in {"idna", "punycode"}:
        return found.name
    return "utf-8"
