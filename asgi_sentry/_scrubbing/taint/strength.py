"""How sure it is that a value is a secret, by its look alone.

A client chooses what it sends, and must not be able to blank out what the app reports by sending a word of the app's
as its session. So what looks like a word, a path, a place or a number is looked for as a whole word only, and what
looks like a credential everywhere.
"""

from __future__ import annotations

import re

from asgi_sentry._scrubbing.look import looks_random

# A word, a phrase, a number, a path, a URL, a host, a date: replaced as a whole word of free text. A value with letters
# and digits in it, such as a password: everywhere in free text. A credential: in what the app names itself, too.
WEAK, MEDIUM, STRONG = range(3)

_HEX = re.compile(r"(?=[0-9-]*[a-fA-F])(?=[a-fA-F-]*[0-9])(?:[0-9a-f-]{16,}|[0-9A-F-]{16,})\Z")
_PART = r"(?:[^\W\d_]+|v?\d{1,4}|\d+)"  # a word, a version, a number
# Words and numbers with anything between them that URLs, hosts, time zones, locales, dates and phrases have.
_JOINT = r"[-_./:+,;!?&= '\u2019]"
_WORDS = re.compile(rf"(?:[a-z]{{2,10}}://)?[/.~]*{_PART}(?:{_JOINT}{{1,3}}{_PART})*{_JOINT}*\Z")
_LONG_NUMBER = re.compile(r"\d{5,}")
_LONGEST = 4096
_FEWEST_LETTERS = 4  # different ones in a credential; the size of a screen has one


def strength(value: str) -> int:
    """WEAK, MEDIUM or STRONG."""
    if len(value) > _LONGEST:
        return STRONG
    if _HEX.match(value) or (looks_random(value) and len(set(filter(str.isalpha, value))) >= _FEWEST_LETTERS):
        return STRONG
    if value.isdigit():
        return WEAK
    if _WORDS.match(value) and _LONG_NUMBER.search(value) is None:
        return WEAK
    return MEDIUM
