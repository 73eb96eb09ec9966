"""How sure it is that a value is a secret, by its look alone.

A client chooses what it sends, and must not be able to blank out what the app reports by sending a
word of the app's as its session. So what looks like a word, a path, a place or a number is looked
for as a whole word only, and what looks like a credential everywhere.
"""

from __future__ import annotations

import re

from asgi_sentry._scrubbing.look import looks_random

# A word, a phrase, a number, a path, a URL, a host, a date: replaced as a whole word of free text.
# A value with letters and digits in it, such as a password: everywhere in free text. A credential:
# in what the app names itself, too.
WEAK, MEDIUM, STRONG = range(3)

_HEX = re.compile(r"(?=[0-9-]*[a-fA-F])(?=[a-fA-F-]*[0-9])(?:[0-9a-f-]{16,}|[0-9A-F-]{16,})\Z")
# Words, versions and numbers with anything between them that URLs, hosts, time zones, slugs and
# phrases have.
_SCHEME = re.compile(r"[a-z]{2,10}://")
_JOINTS = re.compile(r"[-_./:+,;!?&=~ '\u2019]{1,3}")
# As in `gpt-4o`, `v2`, `rc1`.
_MIXED = re.compile(r"(?:[a-z]{1,3}\d{1,3}|\d{1,4}[a-z]{0,2}|v\d{1,6})\Z", re.IGNORECASE)
_SHORTEST_WORD = 3
_LONGEST = 4096
_FEWEST_LETTERS = 4  # different ones in a credential; the size of a screen has one


def strength(value: str) -> int:
    """WEAK, MEDIUM or STRONG."""
    if _is_strong(value):
        return STRONG
    return WEAK if value.isdigit() or _is_of_words(value) else MEDIUM


def is_weak(value: str) -> bool:
    """Whether a value is WEAK, which is told sooner of one that is not."""
    if len(value) <= _LONGEST and (value.isdigit() or _is_of_words(value)):
        return not _is_strong(value)
    return False


def _is_strong(value: str) -> bool:
    if len(value) > _LONGEST or _HEX.match(value):
        return True
    return looks_random(value) and len(set(filter(str.isalpha, value))) >= _FEWEST_LETTERS


def _is_of_words(value: str) -> bool:
    scheme = _SCHEME.match(value)
    parts = [part for part in _JOINTS.split(value[scheme.end() :] if scheme else value) if part]
    if not parts or (len(parts) == 1 and not parts[0].isalpha()):
        return False
    has_word = False
    for part in parts:
        if part.isalpha():
            has_word = has_word or len(part) >= _SHORTEST_WORD
        elif _MIXED.match(part) is None:
            return False
    return has_word or all(map(str.isdigit, parts))
