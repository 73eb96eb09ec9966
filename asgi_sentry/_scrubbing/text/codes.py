"""Codes that let somebody in once, in the sentences by which they are sent.

Each pattern is anchored at words of its own and its repeats are bounded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.meanings import Meanings

__all__ = ["code_first_spans", "code_spans"]

# `Your Acme code is 453550`, `453550 is your verification code`.
_CODE_LAST = re.compile(r"(?:code|OTP|PIN)(?: is|:) ((?:[A-Z]-)?\d{3}[ -]?\d{1,5})(?!\w)")
_CODE = re.compile(
    r"\b(?:[Yy]our|[Uu]se|[Tt]he|verification|security|login|confirmation|one-time)\b"
    r"(?:[ \w'-]{0,40}?)"
    r"\b(?:code|passcode|OTP|PIN)(?: is|:) (?:[A-Z]-)?\d{3}[ -]?\d{1,5}\Z"
)
_SENTENCE = 64  # characters in front of a code that say whose it is
_CODE_FIRST = re.compile(
    r"\b((?:[A-Z]-)?\d{4,8}) is (?:your|the) [\w' -]{0,40}\b(?:code|passcode|OTP|PIN)\b"
)
_OTHER_CODES = re.compile(
    r"(?i)\b(?:status|error|exit|return|response|zip|postal|country|area|http|reason)\W"
)


def code_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """What a sentence ends with; what it begins with is looked for in front of that."""
    for code in _CODE_LAST.finditer(text):
        match = _CODE.search(text, max(0, code.start() - _SENTENCE), code.end())
        if match is not None and _OTHER_CODES.search(match[0]) is None:
            yield code.span(1)


def code_first_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """What a sentence begins with."""
    for match in _CODE_FIRST.finditer(text):
        if _OTHER_CODES.search(match[0]) is None:
            yield match.span(1)
