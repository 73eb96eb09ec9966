"""Values as they are shown: what one looks like, maybe as a repr, and what is left of one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asgi_sentry._scrubbing.keys import REPR
from asgi_sentry._scrubbing.look import looks_random
from asgi_sentry._scrubbing.text.pairs import FILTERED

if TYPE_CHECKING:
    from collections.abc import Iterable

_OPAQUE = re.compile(r"(?=.*\d)[\w+/=~.-]{6,}\Z|[\w+/=~-]{24,}\Z", re.DOTALL)
# Gpl-3.0, item-12.
_SLUG = re.compile(r"[A-Za-z]+(?:[-_.][A-Za-z]+)*[-_.]v?[0-9]{1,3}(?:\.[0-9]{1,3})*\Z")


def without_spans(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """A text with these parts redacted; they are in order, and none lies in another."""
    pieces: list[str] = []
    position = 0
    for start, end in spans:
        pieces += (text[position:start], FILTERED)
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def is_random(value: str | bytes) -> bool:
    """Whether a value, maybe shown as a repr, looks random."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    shown = REPR.match(text)
    return looks_random(shown[2] if shown else text)


def looks_opaque(value: str | bytes) -> bool:
    """Whether a value, maybe shown as a repr, is one row of characters and no product's name."""
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    shown = REPR.match(text[:1000])
    text = shown[2] if shown else text[:1000]
    return _OPAQUE.match(text) is not None and _SLUG.match(text) is None
