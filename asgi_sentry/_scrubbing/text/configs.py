"""Lines of settings whose secrets have no name beside them: of PostgreSQL, of routers, of SNMP.

Each pattern is anchored at words of its own and its repeats are bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.text.values import is_harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.meanings import Meanings

__all__ = ["community_spans", "pgpass_spans", "router_spans"]

# `db.x.org:5432:shop:ann:hunter2`, a line of .pgpass.
_PGPASS = re.compile(r":(?:5432|\*):[^:\s]{1,64}:[^:\s]{1,64}:([^\s:]{1,200})(?=\s|\Z)")
_COMMUNITY = re.compile(r"\b(?:snmp-server\s|r[ow])community6?\s{1,4}([^\s\"']{1,100})")
_ROUTER = re.compile(
    r"\b(?:enable|username\s\S{1,60}(?:\sprivilege\s\d{1,2})?|chap|pap)\s(?:password|secret)\s"
    r"(?:\d\s)?([^\s\"']{1,200})|\bisakmp\skey\s(?:\d\s)?(\S{1,200})\s(?:address|hostname)\s"
    r"|\bascii-text\s\"([^\"\n]{1,200})\""
    r"|\b(?:tacacs|radius)(?:-server)?\s(?:host\s\S{1,60}\s)?key\s(?:\d\s)?([^\s\"']{1,200})"
    r"|\bmessage-digest-key\s\d{1,3}\smd5\s(?:\d\s)?([^\s\"']{1,200})"
    r"|\bstats\sauth\s[^\s:]{1,60}:([^\s\"']{1,200})"
)


def pgpass_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Passwords in lines of .pgpass."""
    yield from (match.span(1) for match in _PGPASS.finditer(text) if not is_harmless(match[1]))


def community_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """What SNMP has for a password."""
    for match in _COMMUNITY.finditer(text):
        if match[1] not in {"public", "private"} and not is_harmless(match[1]):
            yield match.span(1)


def router_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """Passwords in settings of routers, as Cisco and Juniper write them."""
    for match in _ROUTER.finditer(text):
        group = match.lastindex or 1
        if not match[group].isalpha() and not is_harmless(match[group]):
            yield match.span(group)
