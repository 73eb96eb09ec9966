"""Finders of what takes more than a pattern to be found.

Keys, addresses of people, passwords in URLs, tokens.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.look import looks_random
from asgi_sentry._scrubbing.text.dense import until_dense
from asgi_sentry._scrubbing.text.pairs import FILTERED, address_spans, lowered
from asgi_sentry._scrubbing.text.rule import holds
from asgi_sentry._scrubbing.text.tokens import TOKENS
from asgi_sentry._scrubbing.text.told import address_login_spans
from asgi_sentry._scrubbing.text.validators import is_credential, is_iban, is_url_password

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.pairs import Span


PEM_BEGIN = re.compile(
    r"-{4,5} ?BEGIN[ +][A-Z0-9 +]{0,40}PRIVATE(?:[ +]|%20)KEY(?:[ +]BLOCK)? ?-{4,5}"
)
_PEM_END = re.compile(
    r"-{4,5} ?END[ +][A-Z0-9 +]{0,40}PRIVATE(?:[ +]|%20)KEY(?:[ +]BLOCK)? ?-{4,5}"
)
_PEM_BODY = re.compile(r"(?:[A-Za-z0-9+/=\s\\:,.%]|-(?!---))*")


def pem_spans(text: str) -> Iterable[Span]:
    """What stands between the marks.

    Where one of them was cut off, as far as it looks like a key.
    """
    position = 0
    ends = [match.start() for match in _PEM_END.finditer(text)]
    for match in PEM_BEGIN.finditer(text):
        if match.start() < position:
            continue
        yield from _key_between(text, position, match.start(), ends)
        following = bisect_left(ends, match.end())
        body = _PEM_BODY.match(text, match.end())
        if following < len(ends):
            position = ends[following]
        elif body:
            position = body.end()
        else:
            position = match.end()
        if text[match.end() : position].strip(" \\rn\r\n") not in {"", FILTERED}:
            yield match.end(), position, "@pemkey"
    yield from _key_between(text, position, len(text), ends)


def _key_between(text: str, start: int, stop: int, ends: list[int]) -> Iterable[Span]:
    """Keys whose beginning was cut off: up to each END that no BEGIN belongs to."""
    for end in ends[bisect_right(ends, start) : bisect_left(ends, stop)]:
        body = _PEM_BODY.match(text[start:end][::-1])
        length = body.end() if body else 0
        if length >= _SHORTEST_KEY:
            yield end - length, end, "@pemkey"
        start = end


_SHORTEST_KEY = 16  # characters of a key's last line, below which it says nothing
_USERINFO = re.compile(r"[^\s/?#@\"'<>]{0,256}")
# More is legal in an address, yet in front of one it is what quotes or joins it.
_LOCAL_BACKWARDS = re.compile(r"(?!\.)[\w.+~-]{1,64}")
_DOMAIN = re.compile(
    r"(?:@|%40)((?:[\w-]{1,63}\.){1,8}([^\W\d_]{2,24})(?![\w-])|\[(?:IPv6:)?[\d.:A-Fa-f]{3,45}\]"
    r"|xn--[\w-]{1,59})"
)
_FILE_ENDINGS = "png jpg jpeg gif svg webp js mjs css ts tsx jsx json html htm map md txt yml yaml"
_FILES = frozenset(_FILE_ENDINGS.split())
# Users of servers, and workers, whose names are addresses only in their shape: `git@host`,
# `celery@worker-1.x.org`.
_PROGRAMS = frozenset({"git", "hg", "svn", "celery", "celeryd", "worker"})
_REMOTE_PATH = re.compile(r":(?:~?/|[\w.-]{1,100}/|[\w.-]{1,100}\.git\b)")  # of scp, rsync and Git


def email_spans(text: str) -> Iterable[Span]:
    """Addresses, found from the @ outwards, so that what is glued to one does not hide it."""
    for match in _DOMAIN.finditer(text):
        if match[2] is not None and match[2].lower() in _FILES:
            continue
        start = match.start()
        if text[start - 1 : start] == '"':  # a quoted local part, which may have spaces in it
            opened = text.rfind('"', max(0, start - 66), start - 1)
            if opened >= 0 and "\n" not in text[opened:start]:
                yield opened, match.end(), "@email"
            continue
        before = text[max(0, start - 64) : start]
        local = _LOCAL_BACKWARDS.match(before[::-1])
        if local is None:
            continue
        name = before[len(before) - local.end() :].lstrip(".-+")
        first = start - len(name)
        if not name or name == match[1] or name.lower() in _PROGRAMS:
            continue
        if _REMOTE_PATH.match(text, match.end()) or _is_user(text, first):
            continue  # a URL's user stays, and its password has a rule of its own
        yield first, match.end(), "@email"


def _is_user(text: str, place: int) -> bool:
    """Whether what stands at a place is the user in a URL, or what is behind a part of one."""
    slashes = text.rfind("//", max(0, place - 258), place)
    return slashes >= 0 and _USERINFO.fullmatch(text, slashes + 2, place) is not None


# Random steps behind such words let in whoever has the link; OAuth's code and state do the same in
# a query.
LINK = re.compile(
    r"(?i:/(?:magic|magic[_-]link|magic[_-]login|login[_-]link|one-time-login|passwordless|invite"
    r"|invites|invitation|invitations|accept[_-]invite|accept[_-]invitation|join|recover|reset"
    r"|(?:reset|set|forgot|recover)[_-]password|password[_-]reset|verify|verification|confirm"
    r"|confirmation|(?:verify|confirm|change)[_-]email|email[_-](?:verification|confirmation)"
    r"|activate|activate[_-]account|activation|unsubscribe|share|shared|token|login|signin|sso"
    r"|auth|callback|webhook|"
    r"webhooks|hook|hooks)/)([\w.~-]{20,400})"
    r"|(?i:/(?:reset|reset-password|password-reset|confirm|confirmation|activate|activation|verify)/"
    r"[A-Za-z0-9_-]{1,12}/)([\w-]{20,80})(?![\w.])|(?<=[?&;#])(?:code|state|hash|sig|ticket|key)="
    r"([\w.~%+/-]{16,2048})"
    # The key of OpenWeather's; other services have public ids of other shapes under this name.
    r"|(?<![\w.-])(?i:appid)=([0-9a-f]{32})(?![\w-])"
)
_HEX = re.compile(r"[0-9a-f]{1,63}")


def link_spans(text: str, _: Keys) -> Iterable[Span]:
    for match in LINK.finditer(text):
        group = match.lastindex or 0
        found = match[group]
        if not looks_random(found) or _UUID.fullmatch(found) is not None:
            continue
        if group == _VALUE_OF_QUERY:
            is_none = text.startswith("hash", match.start()) and _HEX.fullmatch(found) is not None
        else:
            is_none = _FILE.search(found) is not None
        if not is_none:
            yield *match.span(group), "@link"


_VALUE_OF_QUERY = 3  # its group

_UUID = re.compile(r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}|[0-9a-f]{24}")
_FILE = re.compile(r"\.[a-z][a-z0-9]{1,4}\Z")

_URL_HEAD = re.compile(r"://|:\\/\\/|%3[Aa]%2[Ff]%2[Ff]")
URL_USER = re.compile(
    r"(?:(?<=://)|(?<=:\\/\\/)|(?<=%3[Aa]%2[Ff]%2[Ff]))([^\s/?#:@\"'<>\\]{0,256})(?::|%3[Aa])"
    r"(?=[^\s])"
)
_URL_REST = re.compile(r"[^\s/?#\"'<>]{0,512}")
_PORT = re.compile(r"\d{1,5}(?:[/?#]|\Z)")
_RAW_PASSWORD = re.compile(r"[^\s\"'<>]{1,128}")
_NO_PASSWORDS = frozenset({"x-oauth-basic", "x-access-token", "X", ""})  # which only fill its place
_SHORTEST_TOKEN = 16


def url_spans(text: str, _: Keys) -> Iterable[Span]:
    """The password in front of an @. Where it only fills its place, the user is a token.

    What stands in front of the user is found first, which is many times as fast.
    """
    if "//" in text or "\\/" in text or "%2" in text:
        yield from until_dense(_url_spans(text), text)
    if ":" in text and "@" in text:
        logins = ((start, end, "@urlauth") for start, end in address_login_spans(text))
        yield from until_dense(logins, text)


def _url_spans(text: str) -> Iterable[Span]:
    stop = 0
    for head in _URL_HEAD.finditer(text):
        match = URL_USER.match(text, head.end()) if head.end() >= stop else None
        if match is None:
            continue
        start = stop = match.end()
        rest = _URL_REST.match(text, start)
        front = rest[0] if rest else ""
        length = max(front.rfind("@"), front.rfind("%40")) if "%" in front else front.rfind("@")
        if (
            length < 0
            and text[start + len(front) : start + len(front) + 1] in {"/", "?", "#"}
            and not _PORT.match(text, start)
        ):
            # It is no port, so it is a password with a slash, a # or a ? as it is.
            at = text.find("@", start, start + 129)
            length = at - start if at >= 0 and _RAW_PASSWORD.fullmatch(text, start, at) else -1
        if length < 0:
            continue
        password = text[start : start + length]
        if password in _NO_PASSWORDS:
            if len(match[1]) >= _SHORTEST_TOKEN and match[1] != FILTERED:
                yield *match.span(1), "@urlauth"
        elif is_url_password(password):
            yield start, start + length, "@urlauth"


def after(inner: str, first: str = "") -> str:
    """Where a match may begin: not inside a run, but behind an escape.

    The last letter of an escape looks like one of the run.

    Args:
        inner: what runs are made of.
        first: what a match begins with, if this stands behind it; a search is many times as fast
            for a pattern whose first character is known.
    """
    ends = (rf"(?<![%{inner}]{first})", rf"(?<=\\[nrt]{first})", rf"(?<=%[0-9A-Fa-f]{{2}}{first})")
    return f"(?:{'|'.join(ends)})"


IBAN = re.compile(
    "[A-Za-z]"
    + after("A-Za-z0-9", "[A-Za-z]")
    + r"(?:(?<=[A-Z])[A-Z]\d{2}(?:[ \xa0-]?[A-Z0-9]{4}){2,7}(?:[ \xa0-]?[A-Z0-9]{1,3})?"
    r"|(?<=[a-z])[a-z]\d{2}[a-z0-9]{11,27})(?![A-Za-z0-9])"
)
_IBAN_HEAD = re.compile(r"\d\d(?<=[A-Za-z]{2}\d\d)")


def iban_spans(text: str, _: Keys) -> Iterable[Span]:
    """Account numbers. Two digits behind two letters are found first: eight times as fast."""
    stop = 0
    for head in _IBAN_HEAD.finditer(text):
        start = head.start() - 2
        match = IBAN.match(text, start) if start >= stop else None
        if match is not None:
            stop = match.end()
            if holds(is_iban, match[0]):
                yield start, stop, "@iban"


def ip_spans(text: str, _: Keys) -> Iterable[Span]:
    return [(start, end, "@ip") for start, end in address_spans(text)]


BEARER = re.compile(
    rf"(?ia){after('A-Za-z0-9_/-')}(?:bearer|basic|token|digest|negotiate|apikey|hawk|ntlm)"
    rf"(?:\s{{1,4}}|%20|\+|(?<=bearer),\s{{0,2}})"
    r"(?P<secret>(?:[a-z]{2,12}=(?:\"[^\"\r\n]{0,400}\"|[\w./+-]{1,200})(?:,\s{0,3})?){3,20}"
    r"|[\w.~+/:=\-]{8,8192})"
)
_SCHEMES = re.compile("bearer|basic|token|digest|negotiate|apikey|hawk|ntlm")


def bearer_spans(text: str, _: Keys) -> Iterable[Span]:
    """What stands behind the name of a scheme.

    The names are found first, which is many times as fast.
    """
    return until_dense(_bearer_spans(text), text)


def _bearer_spans(text: str) -> Iterable[Span]:
    lower = lowered(text)
    stop = 0
    for scheme in _SCHEMES.finditer(lower):
        match = BEARER.match(text, scheme.start()) if scheme.start() >= stop else None
        if match is not None:
            start, stop = match.span("secret")
            if start < stop and holds(is_credential, text[start:stop]):
                yield start, stop, "@bearer"


TOKEN = re.compile(rf"(?a){after('A-Za-z0-9')}(?:{TOKENS})")
_CHUNK = re.compile(r"[\w.~%+/=:$|@\\-]{16,}", re.ASCII)  # what tokens are made of
# By what begins or marks them: those in which no run need be long, as their gates have it.
_PROBABLE = re.compile(
    r"[\w-]{16}|Q~|gl[a-z]{2,5}-|whsec_|hooks\.zapier|\.make\.com|pscale_|access_token\$|snyk_"
    r"|bedrock-api-key-|LS0tLS1CRUdJTi|ABSK|AzFu|ACDb|AIoT|ASt|xoxd-|BBDC-|fm\d[ar]?_",
    re.ASCII,
)
_TELLING = re.compile(r"[A-Z0-9]")


def token_spans(text: str, _: Keys) -> Iterable[Span]:
    """Tokens. They are looked for only in what is long enough, and has more than small letters."""
    return until_dense(_token_spans(text), text)


def _token_spans(text: str) -> Iterable[Span]:
    for chunk in _CHUNK.finditer(text):
        start, end = chunk.span()
        if _PROBABLE.search(text, start, end) and _TELLING.search(text, start, end):
            for match in TOKEN.finditer(text, start, end):
                yield *match.span(), "@token"
