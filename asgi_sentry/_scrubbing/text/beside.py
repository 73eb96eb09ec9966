"""The value of a sensitive name that no separator tells: `--password x`, `the token is x`.

By its quotes, by the words between the two, and by its look.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.keys import DENIED, PLAIN
from asgi_sentry._scrubbing.look import is_chosen, is_mixed, is_path, looks_random
from asgi_sentry._scrubbing.text.values import BARE, checked, is_code, is_harmless, quoted

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.text.meanings import Meanings, Name

__all__ = ["ALPHABETIC", "FAMILY", "ID", "beside"]

# These have words and numbers for values.
FAMILY = re.compile(r"(?i)(?:pass|pwd|secret|pin\b|otp|cvv|cvc|ssn|credential|iban|card)")
# Of a session, as ZooKeeper and Windows count them; of an object of Java's.
# And of a service, by its domain turned round: `com.apple.xpc.activity/4505`.
ID = re.compile(
    r"(?:com|org|net|io|dev)(?:\.[a-z][\w-]{0,40}){2,8}(?:/\d{1,9})?:?|"
    r"0x[0-9a-f]{1,16}|\d{1,12}_\d{1,12}|[a-z]\d{1,5}|v?\d{1,6}(?:\.\d{1,6}){2,3}|(?:[\w$]{1,60}\.){0,10}[\w$]{1,60}@[0-9a-f]{5,8}"
)
ALPHABETIC = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*[.!?]?\Z")
_METAVAR = frozenset({"TEXT", "STRING", "STR", "VALUE", "FILE", "PATH", "KEY"})
# What stands in front of SQL's PASSWORD 'value', if it is not in capitals.
_SQL_BEFORE = re.compile(r"(?i)(?:\bwith|\bencrypted|\b(?:role|user)\s{1,4}\S{1,80}|,)\s{1,4}\Z")


def beside(text: str, named: Name, keys: Meanings) -> tuple[int, int] | None:
    """`--password value`, SQL's `PASSWORD 'value'`, and others that need no separator."""
    start, name, dashes, end = named.start, named.name, named.dashes, named.end
    if named.separator == "(":
        return _passed(text, end, keys)
    literal = quoted(text, end)
    if literal is not None:
        value = text[literal[0] : literal[1]]
        is_sql = name.lower() == "password" and text[end] == "'"
        sure = bool(dashes) or (
            is_sql and (name.isupper() or _SQL_BEFORE.search(text, max(0, start - 100), start))
        )
        may_be = FAMILY.search(name) is not None or (name.isupper() and "_" in name)
        sure = sure or (may_be and _has_look(value, name)) or looks_random(value)
        return checked(text, literal) if sure else None
    if not dashes:
        return _said(text, named, keys)
    if text[end : end + 1] in {"-", "|", "<", "[", "\\", ""}:
        return None
    bare = BARE.match(text, end)
    if bare is None or (
        ALPHABETIC.match(bare[0])
        and text[bare.end() : bare.end() + 2][1:].isalpha()
        and text[bare.end()] == " "
    ):
        return None  # a help text
    if bare[0].isupper() and (bare[0] in _METAVAR or keys.meaning(bare[0]) == DENIED):
        return None  # --token TOKEN: how it is used
    if len(dashes) == 1 and not (is_mixed(bare[0]) or FAMILY.search(name)):
        return None
    return checked(text, bare.span())


def _is_line(text: str, start: int, end: int) -> bool:
    """Whether a name and a value are all of their line."""
    before, behind = text[max(0, start - 1) : start], text[end : end + 1]
    return before in {"", "\n"} and behind in {"", "\n", "\r"}


# "... is", "... has been changed to", "... for ann was reset to", "... provided: ".
_COPULA = re.compile(
    r"(?:for[ \t]{1,4}\S{1,60}[ \t]{1,4}(?=(?:is|was|has|set|reset|changed|updated)\b))?"
    r"((?:(?:is|was|has|been|now|set|reset|changed|updated|rotated|provided|given|passed|sent"
    r"|received|entered|equals|of|to|TO|from|FROM)"
    r"[ \t:]{1,4}){1,5}|[|\u2502]\s{0,40})?([\"'`]?)"
)
_SAYING = re.compile(r"(?:is|was|(?i:to))[ \t:]{1,4}\Z")
_HOP = re.compile(r"[a-z][A-Z0-9]|[0-9][A-Za-z]|[A-Z]{2}[a-z]")


def _passed(text: str, position: int, keys: Meanings) -> tuple[int, int] | None:
    """What a function is given: `set_password("...")`, `BasicAuth("ann", "...")`."""
    for _ in range(3):
        given = quoted(text, position)
        if given is None:
            return None
        value = text[given[0] : given[1]]
        if is_mixed(value):
            return given if keys.meaning(value) == PLAIN else None
        following = _NEXT_GIVEN.match(text, given[1])
        if following is None:
            return None
        position = following.end()
    return None


_NEXT_GIVEN = re.compile(r"\\{0,7}[\"'],\s{0,4}(?=[bru]{0,2}\\{0,7}[\"'])")


_SETTINGS = frozenset({"requirepass", "masterauth", "bindpw", "rootpw", "olcrootpw"})


def _said(text: str, named: Name, keys: Meanings) -> tuple[int, int] | None:
    """`BILLING_TOKEN 4baf140b...`, `smtp_pass x7...`, `| token | ... |`, `the token is ...`.

    By the value's look.
    """
    if named.closing or "\n" in named.spaces:
        return None
    copula = _COPULA.match(text, named.end)
    first = copula.end() if copula else named.end
    bare = BARE.match(text, first)
    if bare is None:
        return None
    value = bare[0].rstrip(".,;:")
    if copula is not None and copula[1] and _is_said(value, copula, named, keys):
        return first, first + len(value)
    is_setting = "_" in named.name or named.name.lower() in _SETTINGS
    is_whole = named.name.lower() in _SETTINGS or _is_line(text, named.start, bare.end())
    if is_setting and is_whole and not is_harmless(value):
        return (first, bare.end()) if not value.isalpha() else None  # of a file of settings
    if (
        not _has_look(value, named.name)
        or is_code(value)
        or is_harmless(value)
        or ID.fullmatch(value)
    ):
        return None
    if "." in value and "_" not in named.name and _is_dotted(value):
        return None  # prose, and the name of a file or a module
    if copula is not None and copula[1] and copula[1].split()[-1] == "from":
        following = _NEXT_SAID.match(text, first + len(value))
        if following is not None and is_mixed(following[1]):
            return first, following.end()
    return first, first + len(value)


def _has_look(value: str, name: str) -> bool:
    """Whether a value looks like what stands behind such a name."""
    if is_mixed(value):
        return True
    # PASS alone is what became of a test.
    return _PASSWORD.search(name) is not None and name != "PASS" and is_chosen(value)


def _is_dotted(value: str) -> bool:
    """Whether a value may be the name of a file or a module."""
    return not looks_random(value) and _DIGITS_LAST.search(value) is None


_PASSWORD = re.compile(r"(?i)pass|pwd|pw\Z|masterauth")
_DIGITS_LAST = re.compile(r"\.\d{3,8}\Z")
_NEXT_SAID = re.compile(r" to ([\w.+/=!@#$%^&*~-]{1,200})")


def _is_said(value: str, copula: re.Match[str], named: Name, keys: Meanings) -> bool:
    """Whether a value is what a sentence or the cell of a table says that a password is.

    "... was changed to 'swordfish'", "| db_password | harbor.Kx |".
    """
    if not FAMILY.search(named.name) or is_harmless(value) or is_code(value):
        return False
    if keys.meaning(value) != PLAIN or len(value) < _SHORTEST_SAID or is_path(value):
        return False
    if copula[1][0] in "|\u2502":
        return _HOP.search(value) is not None
    if _SAYING.search(copula[1]) is None:
        return False
    return _HOP.search(value) is not None or (copula[2] != "" and "to" in copula[1].lower().split())


_SHORTEST_SAID = 6  # characters
