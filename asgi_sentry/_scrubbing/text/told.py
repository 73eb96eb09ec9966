"""What programs tell on their own: made-up passwords, wallets' words, subprotocols, twin keys.

Each pattern is anchored at words of its own and its repeats are bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.look import is_chosen, looks_random

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.meanings import Meanings

__all__ = [
    "address_login_spans",
    "key_file_spans",
    "made_up_spans",
    "phrase_spans",
    "subprotocol_spans",
    "twin_spans",
]

# `A temporary password is generated for root@localhost: ...` of MySQL, `Password for the elastic
# user (reset with ...):` of Elasticsearch, `use the following password to proceed:` of Jenkins;
# but not `Failed password for root: ...`.
_MADE_UP = re.compile(
    r"(?<!ailed )(?<!nvalid )(?<!rong )(?<!bad )\b[Pp]assword (?:is generated |was generated "
    r"|generated )?for (?:the )?[\w.@'\"-]{1,60}(?: user)?(?: \([^()\n]{1,80}\))?:\s{1,6}"
    r"(\S{6,200})(?=\s|\Z)"
    r"|\bfollowing password[^:\n]{0,60}:\s{1,6}(\S{6,200})(?=\s|\Z)"
    r"|\b[Ii]nitial [\w ]{0,30}password:\s{1,6}(\S{6,200})(?=\s|\Z)"
)
_HEXADECIMAL = re.compile(r"[0-9a-f]{16,64}")
# Twelve to twenty-four words, as wallets have them.
_PHRASE = re.compile(
    r"\b(?:mnemonic|(?:seed|recovery|secret|backup|wallet)[ _-]?(?:phrase|words?))"
    r"(?: is| are)?[\"']?(?:\s?[:=]|(?<=is)|(?<=are))\s{0,4}[\"']?"
    r"((?:[a-z]{3,8} ){11,23}[a-z]{3,8})(?![\w-])",
    re.IGNORECASE,
)
_KEY_FILE = re.compile(
    r"Private-Lines: \d{1,3}\r?\n((?:[A-Za-z0-9+/=]{4,100}(?:\r?\n|\Z)){1,60})"
    r"|Private-MAC: ([0-9a-f]{40,64})"
)
_SUBPROTOCOLS = re.compile(
    r"sec-websocket-protocol\\{0,3}[\"']?\s?[:=,]\s{0,3}b?\\{0,3}[\"']?([^\r\n\"'\\]{8,4000})",
    re.IGNORECASE,
)
_SUBPROTOCOL = re.compile(r"[^\s,]+")
_BEARERS = frozenset({"bearer", "token", "access_token", "authorization", "jwt"})
# `app:hunter2@db.x.org:5432/shop`, `root:hunter2@tcp(db:3306)/shop`: a URL without its scheme.
_HOST = re.compile(
    r"@(?:tcp\(|unix\(|(?!sha\d)[A-Za-z0-9][\w.-]{0,100}:\d{2,5}(?=[/?\s\"',;)]|\Z))"
)
_LONGEST_PASSWORD = 100
# The first of the two keys of an account at Azure. Alone it is called as the id of a row is.
_FIRST_TWIN = re.compile(
    r"(?<![A-Za-z])(?i:primary_?key)(?:\\{0,7}[\"'])?\s{0,3}[:=]\s{0,3}(?:\\{0,7}[\"'])?"
    r"([\w+/=-]{12,120})(?![\w+/-])"
)
_PASSWORD = re.compile(r"[^\s/@\"'<>,;()\[\]{}]{4,100}")
_USER_BACKWARDS = re.compile(r"[\w.-]{1,40}(?=[\s\"'=(\[,;]|\Z)")


def made_up_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Passwords that programs make for those who install them."""
    for match in _MADE_UP.finditer(text):
        value = match[match.lastindex or 0]
        if is_chosen(value) or _HEXADECIMAL.fullmatch(value) or not value.isalnum():
            yield match.span(match.lastindex or 0)


def phrase_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """The words by which a wallet is restored."""
    yield from (match.span(1) for match in _PHRASE.finditer(text))


def key_file_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """What is private in the files of PuTTY."""
    for match in _KEY_FILE.finditer(text):
        yield match.span(match.lastindex or 0)


def subprotocol_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Tokens that browsers send as subprotocols of a websocket."""
    for header in _SUBPROTOCOLS.finditer(text):
        before = ""
        for part in _SUBPROTOCOL.finditer(text, *header.span(1)):
            # Base64url.bearer.authorization.k8s.io.TOKEN.
            dot = text.rfind(".", *part.span()) if part[0].count(".") != 2 else -1
            start = dot + 1 if dot >= 0 else part.start()
            if before in _BEARERS or looks_random(text[start : part.end()]):
                yield start, part.end()
            before = part[0].lower()


def twin_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """The first of two keys, where the second is told as well."""
    yield from (match.span(1) for match in _FIRST_TWIN.finditer(text) if looks_random(match[1]))


def address_login_spans(text: str) -> Iterator[tuple[int, int]]:
    """Passwords in front of a host with a port, where no scheme tells that it is a URL."""
    for host in _HOST.finditer(text):
        at = host.start()
        colon = text.rfind(":", max(0, at - _LONGEST_PASSWORD - 1), at)
        if colon <= 0 or _PASSWORD.fullmatch(text, colon + 1, at) is None:
            continue
        before = text[max(0, colon - 41) : colon][::-1]
        if _USER_BACKWARDS.match(before) is None:
            continue
        is_driver = text.startswith(("@tcp(", "@unix("), at)
        if is_driver or is_chosen(text[colon + 1 : at]):
            yield colon + 1, at
