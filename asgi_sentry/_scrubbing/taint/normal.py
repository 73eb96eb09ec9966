"""The normal form of a text: what is left when no escape can be undone any more.

A value that is escaped any number of times, by any mixture of JSON, `repr`, percent-encoding and
HTML, has the same normal form as the value itself, and the texts around it have theirs. So
encodings need not be listed: a value is looked for in normal form, and each character of the normal
form knows where in the text it came from.

Characters beyond latin-1 count as the bytes of their UTF-8, which is how percent-encoding has them.
Those of latin-1 count as one, whether they are written as such or as the two bytes of their UTF-8:
`repr` writes some of them by their number and leaves others, which are then encoded as bytes. Runs
of backslashes are one escape, since each level of JSON or `repr` doubles them. A plus counts as a
space, which is how forms write one.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_ROUNDS = 8
_ESCAPE = re.compile(
    r"%(?:25){0,20}([0-9A-Fa-f]{2})"
    r"|\\+u([dD][89abAB][0-9A-Fa-f]{2})\\+u([dD][c-fC-F][0-9A-Fa-f]{2})"
    r"|\\+(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{2})|(.))"
    r"|&(?:amp;){0,20}(?:(lt|gt|quot|apos|amp);|#([0-9]{1,7});|#[xX]([0-9A-Fa-f]{1,6});)",
    re.DOTALL,
)
_LETTERS = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "a": "\a", "0": "\0"}
_ENTITIES = {"lt": "<", "gt": ">", "quot": '"', "apos": "'", "amp": "&"}
_PLUS = str.maketrans("+", " ")
_HIGHEST = 0x10FFFF
_LATIN = re.compile("([\xc2\xc3])([\x80-\xbf])")  # the UTF-8 of a character of latin-1
_WIDE = re.compile(r"[^\x00-\xff\u2026]")  # the dots say that a text was cut off, and stay


class Normal(NamedTuple):
    """A text in normal form.

    Attributes:
        text: without escapes; a plus is still one.
        origin: for each character where it begins in what it was made of, and where that ends; None
            if it is the same.
    """

    text: str
    origin: list[int] | None

    @property
    def compared(self) -> str:
        """As it is compared with others."""
        return self.text.translate(_PLUS)

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Where some of its characters stand in what it was made of."""
        if self.origin is None:
            return (start, end)
        return (self.origin[start], self.origin[end])


def normal(text: str) -> Normal:
    """The normal form of a text."""
    origin: list[int] | None = None
    for _ in range(_ROUNDS):
        if "%" not in text and "\\" not in text and "&" not in text:
            break
        pieces: list[str] = []
        places: list[int] = []
        at = 0
        for match in _ESCAPE.finditer(text):
            start, end = match.span()
            char = _char(match)
            if char is None:
                continue
            pieces += (text[at:start], char)
            places += range(at, start + 1) if origin is None else origin[at : start + 1]
            at = end
        if not pieces:
            break
        pieces.append(text[at:])
        places += range(at, len(text) + 1) if origin is None else origin[at:]
        text, origin = "".join(pieces), places
    if text.isascii():
        return Normal(text, origin)
    return _by_latin(_by_bytes(text, origin))


def _by_bytes(text: str, origin: list[int] | None) -> Normal:
    """With each wide character as the bytes of its UTF-8.

    So it stands there where it came in percent-encoding.
    """
    pieces: list[str] = []
    places: list[int] = []
    at = 0
    for match in _WIDE.finditer(text):
        start = match.start()
        encoded = match[0].encode("utf-8", "surrogatepass").decode("latin-1")
        pieces += (text[at:start], encoded)
        places += range(at, start) if origin is None else origin[at:start]
        places += [start if origin is None else origin[start]] * len(encoded)
        at = start + 1
    if not pieces:
        return Normal(text, origin)
    pieces.append(text[at:])
    places += range(at, len(text) + 1) if origin is None else origin[at:]
    return Normal("".join(pieces), places)


def _by_latin(shown: Normal) -> Normal:
    """With each character of latin-1 as itself, however often it was encoded.

    No two of the bytes that are met overlap, so it comes to the same in whatever order.
    """
    text, origin = shown
    for _ in range(_ROUNDS):
        if "\xc2" not in text and "\xc3" not in text:
            break
        pieces: list[str] = []
        places: list[int] = []
        at = 0
        for match in _LATIN.finditer(text):
            start, end = match.span()
            pieces += (text[at:start], chr((ord(match[1]) & 3) << 6 | ord(match[2]) & 0x3F))
            places += range(at, start + 1) if origin is None else origin[at : start + 1]
            at = end
        if not pieces:
            break
        pieces.append(text[at:])
        places += range(at, len(text) + 1) if origin is None else origin[at:]
        text, origin = "".join(pieces), places
    return Normal(text, origin)


def _char(match: re.Match[str]) -> str | None:
    percent, high, low, four, eight, two, letter, entity, decimal, hexadecimal = match.groups()
    if letter is not None:
        return _LETTERS.get(letter, letter)
    if percent is not None:
        return chr(int(percent, 16))
    if entity is not None:
        return _ENTITIES[entity]
    if high is not None:
        return chr(0x10000 + ((int(high, 16) & 0x3FF) << 10) + (int(low, 16) & 0x3FF))
    code = int(decimal) if decimal is not None else int(four or eight or two or hexadecimal, 16)
    return chr(code) if code <= _HIGHEST else None
