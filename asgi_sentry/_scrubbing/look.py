"""What a value looks like by itself: random as a credential is, a sentence, a path, a number.

Each question is answered by one or two searches over the value, bounded in its length.
"""

from __future__ import annotations

import re
from typing import Any

__all__ = [
    "is_chosen",
    "is_mixed",
    "is_number",
    "is_path",
    "is_sentence",
    "is_unset",
    "looks_random",
]

_SHORTEST, _LONGEST = 12, 8192  # characters of a credential
_CREDENTIAL = re.compile(r"[\w+/=~.:$!@#%^&*|-]+", re.ASCII)
# A class of characters gives way to another. Words in camelCase do that once a word, random texts
# at every other place.
_HOP = re.compile(r"(?<=[a-z])[A-Z0-9]|(?<=[0-9])[A-Za-z]|(?<=[A-Z])[0-9]|(?<=[A-Z]{2})[a-z]")
_RAREST_HOP, _FEWEST_HOPS = 6, 3  # one in so many letters and digits; and no fewer than this
_SHORTEST_MIXED = 8
_RAREST_CAPITAL = 3  # the same where there are no digits, since camelCase has capitals, too
_SEGMENT = 12  # characters of a path's mean step are fewer; base64 may begin with a slash
_CAMEL = re.compile(
    r"[A-Z]?[a-z]{2,}(?:[A-Z][a-z]{2,}|[A-Z](?![a-z])|[0-9]{1,4}(?![0-9A-Za-z])|[-_./:])*"
)
# `Winter-2024`, `tulip!88`; but not what versions, standards and places are called: `sha3-512`.
_CHOSEN = re.compile(
    r"([A-Za-z]{3,20})(?:[._-]\d{3,8}|[!#$%^&*@+]\d{1,8}|\d{4,8})[!?.#$*]?",
)
_NUMBERED = frozenset(
    [
        *("sha", "md", "rfc", "iso", "aes", "utf", "pbkdf", "scrypt", "bcrypt", "argon", "http"),
        *("version", "step", "item", "case", "issue", "line", "page", "node", "field", "column"),
        *("user", "host", "port", "error", "code", "policy", "rule", "test", "file", "part"),
        *("attempt", "secret", "token", "password", "key", "session", "release", "build", "job"),
    ]
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_URL = re.compile(r"[a-z][a-z0-9+.-]{1,20}:/")
_PATH = re.compile(r"(?:~?/|[A-Za-z]:[\\/]|\.{1,2}/)[\w.@ +,:~\\/-]*")
_SENTENCE = re.compile(r"[A-Z\u00c0-\u00de][^\W\d_]*(?:[ ,;:()'\u2019\"-]{1,3}[\w%.]+){1,60}[.!]\Z")


def looks_random(text: str) -> bool:
    """Whether a text is built as credentials are: no words, no path, no URL, no date."""
    if not _SHORTEST <= len(text) <= _LONGEST or _CREDENTIAL.fullmatch(text) is None:
        return False
    if _DATE.match(text) or _URL.match(text) or _CAMEL.fullmatch(text):
        return False
    if text.startswith("/") and len(text) < _SEGMENT * text.count("/"):
        return False
    hops = len(_HOP.findall(text))
    rarest = _RAREST_CAPITAL
    if any(map(str.isdigit, text)):
        rarest = _RAREST_HOP
    if hops < _FEWEST_HOPS:
        return False
    return hops * rarest >= len(text) or hops * rarest >= sum(map(str.isalnum, text))


def is_mixed(text: str) -> bool:
    """Whether a text looks like a password or a token rather than like words.

    Weaker than `looks_random`. For what stands behind the name of a secret without a separator.
    """
    if not _SHORTEST_MIXED <= len(text) <= _LONGEST or _CREDENTIAL.fullmatch(text) is None:
        return False
    if _DATE.match(text) or _URL.match(text) or _CAMEL.fullmatch(text) or text.startswith("/"):
        return False
    return len(_HOP.findall(text)) >= 1 + text.isalnum() or looks_random(text)


def is_chosen(text: str) -> bool:
    """Whether a text looks like a password that somebody chose: a word, and digits behind it.

    So do names of versions and hosts. For what stands behind the name of a password.
    """
    if not _SHORTEST_MIXED <= len(text) <= _LONGEST:
        return False
    if is_mixed(text):
        return True
    chosen = _CHOSEN.fullmatch(text)
    return chosen is not None and chosen[1].lower() not in _NUMBERED


def is_path(text: str) -> bool:
    """Whether a text is a path of a file system, absolute or from here."""
    return len(text) <= _LONGEST and _PATH.fullmatch(text) is not None


def is_sentence(text: str) -> bool:
    """Whether a text is a sentence, as validators write them.

    A capital, several words, and a full stop.
    """
    return len(text) <= _LONGEST and _SENTENCE.match(text) is not None


def is_number(value: Any, *, depth: int = 3) -> bool:
    """Whether a value is a number, or a container of numbers alone, such as `{"cached": 3}`."""
    if value is None or isinstance(value, (bool, int, float)):
        return True
    if depth and isinstance(value, dict):
        return bool(value) and all(is_number(inner, depth=depth - 1) for inner in value.values())
    if depth and isinstance(value, (list, tuple)):
        return bool(value) and all(is_number(inner, depth=depth - 1) for inner in value)
    return False


def is_unset(value: Any, *, depth: int = 3) -> bool:
    """Whether a value is a container of nothing but None and booleans, such as a date not given."""
    if not isinstance(value, (dict, list, tuple)) or not value or not depth:
        return False
    return all(
        inner is None or isinstance(inner, bool) or is_unset(inner, depth=depth - 1)
        for inner in (value.values() if isinstance(value, dict) else value)
    )
