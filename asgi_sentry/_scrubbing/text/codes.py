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

__all__ = ["code_abroad_spans", "code_first_spans", "code_given_spans", "code_spans"]

# `Your Acme code is 453550`, `453550 is your verification code`.
_CODE_LAST = re.compile(r"(?:code|OTP|PIN)(?: is:?|:) ((?:[A-Z]-)?\d{3}[ -]?\d{1,5})(?!\w)")
_CODE = re.compile(
    r"\b(?:[Yy]our|[Uu]se|[Tt]he|verification|security|login|confirmation|one-time)\b"
    r"(?:[ \w'-]{0,40}?)"
    r"\b(?:code|passcode|OTP|PIN)(?: is:?|:) (?:[A-Z]-)?\d{3}[ -]?\d{1,5}\Z"
)
_SENTENCE = 64  # characters in front of a code that say whose it is
_CODE_FIRST = re.compile(
    r"\b((?:[A-Z]-)?\d{4,8}) is (?:your|the) [\w' -]{0,40}\b(?:code|passcode|OTP|PIN)\b"
)
_OTHER_CODES = re.compile(
    r"(?i)\b(?:status|error|exit|return|response|zip|postal|country|area|http|reason)\W"
)
# `one-time password 453550`, `Enter code 453550 to sign in`, `Use 453550 to verify your account`.
_CODE_GIVEN = re.compile(
    r"\b(?:(?:[Oo]ne[ -]time (?:password|passcode|code|pin|PIN)|passcode)(?: is)?:? (\d{4,8})(?!\w)"
    r"|(?:[Uu]se|[Ee]nter) (?:the |this )?(?:code |OTP |PIN )?(\d{4,8})"
    r" (?:to (?:verify|confirm|sign|log|complete|reset|activate|continue)|as your)\b"
    r"|[A-Z]\w{2,20} code:? (\d{3}-\d{3})(?![\w-]))"
)
# In other languages: `Votre code de v\xe9rification est 453550`.
_CODE_ABROAD = re.compile(
    r"\b(?:code|c[o\xf3]digo|codice) d[ei] (?:v[e\xe9]rif\w{1,12}|seg\w{1,8}|s[e\xe9]cur\w{1,5}"
    r"|s[ie]c\w{1,8}|confirm\w{1,8}|connexion|acces{1,2}o|acesso|login)"
    r"(?: \w{1,20}){0,3}(?: est| es| \xe9| \xe8)?:? (\d{4,8})(?!\w)"
    r"|(?:[Cc]ode|[Tt]an)(?: f\xfcr [^\d\n.]{1,40})? lautet:? (\d{4,8})(?!\w)"
    r"|\b(?:Best\xe4tigungs|Anmelde|Sicherheits|Verifizierungs|Verifikations|Einmal)"
    r"code(?: ist| lautet)?:? (\d{4,8})(?!\w)"
    r"|(?:\u9a8c\u8bc1\u7801|\u9a57\u8b49\u78bc|\u6821\u9a8c\u7801|\u52a8\u6001\u7801"
    r"|\u78ba\u8a8d\u30b3\u30fc\u30c9|\u8a8d\u8a3c\u30b3\u30fc\u30c9|\u8a8d\u8a3c\u756a\u53f7"
    r"|\uc778\uc99d ?\ubc88\ud638|\uc778\uc99d ?\ucf54\ub4dc)[^\d\n]{0,6}(\d{4,8})(?!\d)"
    r"|\b[\u041a\u043a]\u043e\u0434[^\d\n.]{0,40}?[:\u2014-] ?(\d{4,8})(?!\w)"
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


def code_given_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """What a sentence has in its middle."""
    for match in _CODE_GIVEN.finditer(text):
        if _OTHER_CODES.search(match[0]) is None:
            yield match.span(match.lastindex or 0)


def code_abroad_spans(text: str, _: Keys | Meanings) -> Iterator[tuple[int, int]]:
    """What sentences of other languages have."""
    yield from (match.span(match.lastindex or 0) for match in _CODE_ABROAD.finditer(text))
