"""Keys and values inside a text.

`password=...`, `"token": "..."`, headers, command lines, reprs, XML, multipart. A name that says
something has one of a few stems in it. One search finds them, the name around each is looked up in
`Keys`, and the value's end is told by its own shape (see `values.py`). Each step goes on where the
one before ended, so that the whole is linear in the text.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.keys import ADDRESS, COOKIES, DENIED, LOOKED, MAYBE, PLAIN
from asgi_sentry._scrubbing.look import looks_random
from asgi_sentry._scrubbing.text.addresses import address_spans
from asgi_sentry._scrubbing.text.dense import is_dense
from asgi_sentry._scrubbing.text.meanings import Meanings, Name
from asgi_sentry._scrubbing.text.named import named_spans
from asgi_sentry._scrubbing.text.pair_values import BEGINNING, value_of
from asgi_sentry._scrubbing.text.values import (
    COLOURS,
    FILTERED,
    QUOTE,
    bracketed,
    quoted,
    skip_gap,
)

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.keys import Keys

    Span = tuple[int, int, str]  # start, end, rule id

__all__ = ["FILTERED", "PASSWORD", "address_spans", "lowered", "pair_spans"]

PASSWORD = "@password"  # noqa: S105 - the id for what is redacted because of its key


def _split(text: str) -> list[str]:
    return text.split()


_RUN = re.compile(r"[\w.\-]*")  # what names are made of
# The end of an escape looks like the first letters of the name behind it: `\n`, `%5B`, `\u0026`,
# `\x1b[36m`.
_HEAD = re.compile(
    r"((?<=\\)(?:u[0-9A-Fa-f]{4}|[nrtfv])|(?<=%)[0-9A-Fa-f]{2}|(?<=[\[;])\d{1,3}m"
    r"|(?<![\w.\-])-D(?=[a-z]))?([.\-]*)"
)
_ESCAPES = frozenset("\\%[;")  # in front of the letters that end one
_BULLETS = frozenset(".-")  # which a run begins with that is more than a name
_QUOTES = frozenset("\"'`\\bBrRuUfF&$")  # what a literal can begin with
# In front of the name of an element of XML, whose attributes may follow.
_ELEMENTS = frozenset("<:")
# What may stand behind names that are no secret's.
_SECRET = frozenset({DENIED, LOOKED})
_ALSO: dict[int, tuple[str, ...]] = {ADDRESS: ("=", ":", ",", "=>"), COOKIES: (":",)}
# A declaration: `token: str = "..."`, `password As String = "..."`, `@password nvarchar(50) =
# N'...'`.
_TYPE_NAMES = (
    r"(?:&?(?:'\w{1,20}\s)?(?:str|string|bytes|char|text|object|any|unknown|final"
    r"|secretstr)|std::string|n?varchar2?"
    r"|(?:\w{1,10}\.)?(?:optional|union|annotated|final|classvar|option)"
    r"[\[<][\w\s|.,\[\]()<>&']{1,60}[\]>])"
)
_TYPED = (
    rf"(?i:(?:[!?]?:\s{{0,4}}|(?<=\s)(?:as\s)?){_TYPE_NAMES}"
    rf"(?:\s?[\[(|?!][\w\s|.,]{{0,30}}[\])]?)?[?!]?\s{{0,4}}:?=(?!=))"
)
# What may stand between a name and its value: quotes and brackets that close, an index, colours,
# and a separator.
_TAIL = re.compile(
    rf"((?:\]|%5[Dd]|\)(?==\())?(?:\\{{0,7}}{QUOTE}|%2[27])?(?:\]|%5[Dd])?(?:(?:\["
    rf"|%5[Bb])\d{{0,4}}(?:\]|%5[Dd]))?)"
    rf"{COLOURS}?(?:\s?\{{ get; [a-z ]{{0,20}}; \}})?(\s{{0,40}})"
    rf"(=>|:=|::=|<-(?=\s{{0,4}}[\"'])|[+.?]=(?!=)|(?:\|\||\?\?|//)=|==?|{_TYPED}|[:\uff1a\u2192\xbb]|,|>|%3[DdAa]|"
    r"\{(?=\")|\((?=[bru]{0,2}[\"'])|(?<=\s)(?:<>|I?LIKE\b|IN(?=\s?\())|(?<=\s))"
)
_NEXT_WORD = re.compile(r" (?:id|key|code|number|no|value)\b", re.IGNORECASE)
_HEX_OR_COLON = frozenset("0123456789abcdefABCDEF:")
_LISTED = re.compile(r"\s{0,4}[^\s,&;]{1,60}(?:,\s?[^\s,&;]{1,60}){0,20}")
# An address of IPv6 is quoted in a header, and others may follow.
_OTHER_ADDRESSES = re.compile(r"\"(?:,\s?\"?\[?[0-9A-Fa-f:.]{3,45}\]?(?::\d{1,5})?\"?){1,20}")


def lowered(text: str) -> str:
    """A text in lower case, of the same length.

    One letter is two in lower case, and would move the places.
    """
    lower = text.lower()
    if len(lower) != len(text):
        lower = _TURKISH.join(part.lower() for part in text.split(_TURKISH))
    return lower


_TURKISH = "\u0130"


def pair_spans(text: str, keys: Keys) -> list[Span]:
    """Where the values of sensitive keys stand in a text."""
    spans: list[Span] = []
    lower = lowered(text)
    names = Meanings(keys)
    following, meaning = keys.following_stem(lower), names.meaning
    at = redacted = listed = met = 0
    while (start := following(at)) >= 0:
        run = _RUN.match(text, start)
        at = run.end() if run and run.end() > at else start + 1
        while start > 0 and ((char := text[start - 1]).isalnum() or char in "_.-"):
            start -= 1
        if start < redacted:
            continue
        verdict = meaning(text[start:at])
        if verdict in (PLAIN, MAYBE) and not _may_be_second(text, start, at, verdict):
            continue
        named = _named(text, start, at, verdict, names)
        if named is None or text.startswith(FILTERED, named.end):
            continue
        met += 1
        if is_dense(met, start):
            spans.append((start, len(text), PASSWORD))
            text, lower = text[:start], lower[:start]
            break
        if named.verdict == ADDRESS:
            stop = _end_of_addresses(text, named.end)
            spans += [(*span, "@ip") for span in address_spans(text, max(named.end, listed), stop)]
            listed = max(listed, stop)
            continue
        span = value_of(text, named, names)
        if span is not None and named.name == "token" and _LOGPROB.match(text, span[1]):
            continue  # a token of a language model's, beside its probability
        if span is not None and not _stays(text[span[0] : span[1]], named, keys):
            spans.append((*span, PASSWORD))
            redacted = span[1]
            at = max(at, redacted)
    spans += [(*span, PASSWORD) for span in named_spans(text, lower, names)]
    return spans


def _may_be_second(text: str, start: int, end: int, verdict: int) -> bool:
    """Whether a name that says nothing may be one with the word or the escape in front of it.

    "api key: ...".
    """
    before = text[start - 1 : start]
    if before != " ":
        return before in _ESCAPES
    if text.startswith("-D", start):
        return True  # a property of Java's: -Ddbpass=...
    if not text[_word_before(text, start) : start - 1].isalpha():
        return False  # no word stands in front
    if text[end : end + 1] == " " and text[end + 1 : end + 2].isalnum():
        return verdict == MAYBE  # no separator follows, or the value itself: "api key x7..."
    return verdict == MAYBE or text[start:end].lower().endswith("code")


def _stays(value: str, named: Name, keys: Keys) -> bool:
    """Whether a value is no secret though its name is one's, because of what it looks like."""
    if named.verdict == LOOKED:
        return not looks_random(value[:BEGINNING])
    if value[:1].isdigit() and _NUMBER.fullmatch(value) is not None:
        return keys.counts(named.name) or ("." in value and named.name.lower() == "token")
    if value in _AUTH_KINDS and named.name.lower().endswith(("auth", "authentication", "authn")):
        return True
    return keys.spares(named.name, value)


_NUMBER = re.compile(r"\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,3})?")
_LOGPROB = re.compile(r"\\{0,7}[\"']\s?[, ]\s?(?:\\{0,7}[\"'])?logprob")
# How somebody is authenticated.
_AUTH_KINDS = frozenset(
    _split(
        """ldap local oauth oauth2 saml kerberos pam jwt certificate x509 ntlm anonymous sso oidc
    scram md5 gssapi plain
    internal external publickey keyboard-interactive trust peer api_key apikey session cookie mtls
    enabled disabled"""
    )
)


def _named(text: str, start: int, end: int, verdict: int, keys: Meanings) -> Name | None:
    """The name at a place with what follows it; None if it says nothing of that."""
    begin, dashes = start, ""
    is_behind_escape = text[start - 1 : start] in _ESCAPES
    if is_behind_escape or text[start] in _BULLETS:
        head = _HEAD.match(text, start, end)
        if head is None or (not head[1] and verdict == PLAIN and is_behind_escape):
            return None  # an escape that is none
        begin, dashes = head.end(), head[2][len(head[2].rstrip("-")) :]
        if head[1]:  # what looks like an escape may be part of the name
            verdict = keys.meaning(text[begin:end]) or (PLAIN if verdict == LOOKED else verdict)
    tail = _TAIL.match(text, end)
    is_bare = (tail is None or not tail[3]) and not dashes
    # Names of two words: "api key: ...", "api key x7...", ...
    if verdict == MAYBE or (verdict == PLAIN and not is_bare):
        first = _word_before(text, begin)
        if not text[first : begin - 1].isalpha():
            return None
        begin, verdict = first, keys.meaning(text[first:end])
        if is_bare and verdict != DENIED:
            return None
    elif is_bare:  # ... "session id: ..."
        if tail is not None and (
            text[end : end + 2].strip()[:1] in _QUOTES or text[start - 1 : start] in _ELEMENTS
        ):
            pass
        elif (second := _NEXT_WORD.match(text, end)) and (
            behind := _TAIL.match(text, second.end())
        ):
            tail, end = behind, second.end()
            verdict = keys.meaning(text[begin:end])
        elif tail is None or verdict not in _SECRET:
            return None
    if tail is None or (verdict not in _SECRET and tail[3] not in _ALSO.get(verdict, ())):
        return None
    return Name(verdict, begin, text[begin:end], dashes, tail[1], tail[2], tail[3], tail.end())


_LONGEST_WORD = 22  # characters, with the space behind it


def _word_before(text: str, place: int) -> int:
    """Where the word begins in front of another; the same place where there is none."""
    if text[place - 1 : place] != " ":
        return place
    nearest = max(0, place - _LONGEST_WORD)
    first = text.rfind(" ", nearest, place - 1) + 1
    return first if first or not nearest else place


def _end_of_addresses(text: str, position: int) -> int:
    """Where the value of a name ends under which addresses stand, one or several."""
    if text[position : position + 1] not in _HEX_OR_COLON:
        gap = skip_gap(text, position)
        shaped = quoted(text, gap) or bracketed(text, gap)
        if shaped is not None:
            others = _OTHER_ADDRESSES.match(text, shaped[1])
            return others.end() if others else shaped[1]
    listed = _LISTED.match(text, position)
    return listed.end() if listed else position
