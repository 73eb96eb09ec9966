"""Secrets that can be found again, and the search for them in everything that was sent.

Each secret is `zqplant`, 20 random characters and `tnalpqz`: letters and digits only, which URL-
and JSON-encoding leave as they are, so that a search for either mark in the bytes is exact even for
a secret of which only a part got out. For base64 the marks are searched at each of the three
offsets that they can have in the encoded text.
"""

from __future__ import annotations

import base64
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

_HEAD, _TAIL = "zqplant", "tnalpqz"
_ALPHABET = "abcdefghijkmnopqrstuvwxyz23456789"


@dataclass(slots=True)
class Planter:
    """Makes secrets and remembers where each was planted."""

    dice: random.Random
    planted: dict[str, str] = field(default_factory=dict)
    """Secret to place."""

    def secret(self, place: str) -> str:
        """A new secret, to be put into a place such as `header Authorization`."""
        secret = _HEAD + "".join(self.dice.choices(_ALPHABET, k=20)) + _TAIL
        self.planted[secret] = place
        return secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What a search brought up."""

    secrets: dict[str, str]
    """Those found whole, each with the surroundings where it was found first."""
    fragments: tuple[str, ...]
    """The surroundings of marks that belong to no whole secret."""

    def by_place(self, planted: dict[str, str]) -> Counter[str]:
        """How many secrets of each place were found."""
        return Counter(planted[secret] for secret in self.secrets)

    @property
    def count(self) -> int:
        """Secrets and pieces of secrets."""
        return len(self.secrets) + len(self.fragments)


def search(data: bytes, planted: dict[str, str]) -> Findings:
    """Look for planted secrets: as they are, in any case of letters, or in base64."""
    secrets: dict[str, str] = {}
    fragments = []
    for mark in _MARKS.finditer(data):
        text = _decoded(data, mark.start(), mark.end())
        found = [secret for secret in _SECRET.findall(text.lower()) if secret in planted]
        around = data[max(0, mark.start() - 80) : mark.end() + 80].decode("utf-8", "replace")
        for secret in found:
            secrets.setdefault(secret, around)
        if not found:
            fragments.append(around)
    return Findings(secrets=secrets, fragments=tuple(fragments))


def _base64_forms(mark: str) -> list[bytes]:
    """The characters of base64 that depend on nothing but the mark, for each offset it can have."""
    forms = []
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + mark.encode())
        first, last = -(-offset * 8 // 6), (offset + len(mark)) * 8 // 6
        forms.append(encoded[first:last])
    return forms


_SECRET = re.compile(f"{_HEAD}[{_ALPHABET}]{{20}}{_TAIL}")
_FORMS = {form for mark in (_HEAD, _TAIL) for form in _base64_forms(mark)}
_URLSAFE = {form.translate(bytes.maketrans(b"+/", b"-_")) for form in _FORMS}
_MARKS = re.compile(
    b"(?i:"
    + f"{_HEAD}|{_TAIL}".encode()
    + b")|"
    + b"|".join(re.escape(form) for form in sorted(_FORMS | _URLSAFE))
)
_RUN = re.compile(rb"[A-Za-z0-9+/_-]*")


def _decoded(data: bytes, start: int, end: int) -> str:
    """The text around a mark: plain, and if it is within base64, decoded at each offset."""
    nearby = data[max(0, start - 200) : end + 200]
    texts = [nearby.decode("utf-8", "replace")]
    for run in _RUN.findall(nearby):
        standard = run.translate(bytes.maketrans(b"-_", b"+/"))
        for offset in range(4) if len(run) >= 40 else ():
            piece = standard[offset:]
            piece = piece[: len(piece) - (len(piece) % 4 == 1)]  # one character alone holds no byte
            texts.append(
                base64.b64decode(piece + b"=" * (-len(piece) % 4)).decode("utf-8", "replace")
            )
    return "\n".join(texts)
