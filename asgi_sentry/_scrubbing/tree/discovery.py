"""Secret once, secret everywhere.

What was redacted by its key or by a rule is a secret wherever else it stands. A password goes from
the variable that is named so, and stands in the next frame's under a name that says nothing, in
base64, or in the text of the log that it is a parameter of. So what was redacted is looked for once
more in all of the item, as far as it looks like a credential: a word that was redacted stands for
itself in other places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.keys import REPR
from asgi_sentry._scrubbing.taint.strength import MEDIUM, STRONG, WEAK, strength
from asgi_sentry._scrubbing.text.pairs import FILTERED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from asgi_sentry._scrubbing.text.texts import Hits

_MOST = 32  # of one item
_SHORTEST, _LONGEST = 6, 4096
_MOST_WORDS = 16  # of a text in which a credential is looked for
_MOST_MEMBERS = 200  # of containers that were redacted as a whole
_PERSONAL = frozenset({"@email", "@ip"})  # rules for what is no credential
STRIPPED = "\"'`,;:()[]{}<>"
"""What stands around a credential and is none of it."""


def discovered(texts: Iterable[str], containers: Iterable[Any], hits: Hits) -> list[str]:
    """Credentials among what was redacted, each once.

    Args:
        texts: that were redacted as a whole, because of their names.
        containers: the same; names within them speak for themselves, so that only what is built as
            a credential counts.
        hits: texts of which parts were redacted, with what is left of each and the rules that did
            it.
    """
    found: dict[str, None] = {}
    removed = (
        piece
        for text, (left, rules) in hits.items()
        if not _PERSONAL.issuperset(rules)
        for piece in _removed(text, left)
    )
    for texts_of_one_kind, least in (
        (texts, MEDIUM),
        (removed, MEDIUM),
        (_members(containers), STRONG),
    ):
        for text in dict.fromkeys(texts_of_one_kind):
            for plain, sure in parts_of(text):
                if _is_credential(plain, max(least, sure)):
                    found[plain] = None
                    if len(found) >= _MOST:
                        return list(found)
    return list(found)


def parts_of(text: str) -> list[tuple[str, int]]:
    """What may be a credential in a text that was redacted as a whole.

    The text itself, if it is one word; else what stands behind a scheme (`Bearer ...`), or the
    words and values in it. Each with how sure it must be that it is one.
    """
    shown = REPR.match(text)
    plain = (shown[2] if shown else text).strip(STRIPPED)
    words = plain[:_LONGEST].split(maxsplit=_MOST_WORDS)
    if len(words) < 2:
        return [(plain, WEAK)]
    if len(words) == 2 and words[0].isalpha():
        return [(words[1].strip(STRIPPED), MEDIUM)]
    return [(_value_of(word).strip(STRIPPED), STRONG) for word in words[:_MOST_WORDS]]


def _value_of(word: str) -> str:
    """What stands behind a name; all of a word that has none, though base64 may end so."""
    at = word.find("=")
    return word[at + 1 :] if 0 <= at < len(word.rstrip("=")) else word


def _is_credential(text: str, least: int) -> bool:
    if not _SHORTEST <= len(text) <= _LONGEST or FILTERED in text:
        return False
    return not any(map(str.isspace, text)) and not text.startswith("0x") and strength(text) >= least


def _members(containers: Iterable[Any]) -> Iterator[str]:
    members = list(containers)
    for number, value in enumerate(members):  # which grows meanwhile
        if number > _MOST_MEMBERS:
            return
        if value.__class__ is str:
            yield value
        elif value.__class__ is bytes:
            yield value.decode("latin-1")
        elif isinstance(value, dict):
            members.extend(value.values())
        elif isinstance(value, list):
            members.extend(value)


def _removed(text: str, left: str) -> Iterator[str]:
    """What was taken out of a text."""
    at = 0
    first, *others = left.split(FILTERED)
    if not text.startswith(first):
        return
    at = len(first)
    for number, piece in enumerate(others):
        is_last = number == len(others) - 1
        if is_last:
            end = len(text) - len(piece)
        elif piece:
            end = text.find(piece, at)
        else:
            end = at
        if end < at:
            return
        yield text[at:end]
        at = end + len(piece)
