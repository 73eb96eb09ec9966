"""The terms that come with this package, as they are compared, and what is only about one."""

from __future__ import annotations

from asgi_sentry._scrubbing import terms
from asgi_sentry._scrubbing.words import (
    MAX_RUN,
    compact,
    words,
)

LONGEST_REMEMBERED = 80  # characters of a name
_TERMS = frozenset(terms.TERMS.split())

_INNOCENT_PAIRS = frozenset(pair.replace("_", "") for pair in terms.INNOCENT_PAIRS)


def _plural(term: str) -> str:
    return term + ("es" if term.endswith("s") else "s")


DEFAULT = {compact(term) for term in _TERMS} | {
    _plural(compact(term))
    for term in _TERMS - terms.SINGULAR
    if term.isascii() and not term.endswith("s")
}


def is_term(parts: list[str]) -> bool:
    return "".join(parts) in DEFAULT or (len(parts) == 1 and is_compound(parts[0]))


def is_about(named: list[str], whole: str) -> bool:
    """Whether a key tells something about a secret, and does not hold it."""
    if len(named) < 2:
        return False
    if (
        (named[0] in terms.QUESTIONS and whole not in DEFAULT)
        or "per" in named
        or "since" in named
        or "numof" in whole
        or "numberof" in whole
        or "countof" in whole
        or whole.endswith("expiresin")
        or "ratelimit" in whole
    ):
        return True
    if "".join(named[-2:]) in _INNOCENT_PAIRS and not _is_secret_pair(named):
        return True
    last = named[-1]
    if last not in terms.ABOUT or last in terms.NUMBERED:
        return False
    # A term that takes in the last word is the whole matter: `session_id`, `national_id`.
    return not any(
        "".join(named[start:]) in DEFAULT
        for start in range(max(0, len(named) - MAX_RUN), len(named))
    )


def _is_secret_pair(named: list[str]) -> bool:
    return not terms.TOKEN_QUALIFIERS.isdisjoint(named[:-2])


def is_compound(word: str) -> bool:
    is_one = word.endswith(terms.ENDINGS) or word.startswith(terms.BEGINNINGS)
    return is_one and word not in terms.INNOCENT_WORDS


_VOCABULARY = frozenset(
    {
        *terms.USUAL,
        *terms.ABOUT,
        *terms.TOKEN_QUALIFIERS,
        *terms.HARMLESS_KEYS,
        *terms.WHOLE.split(),
        *terms.LOOKED_AT.split(),
        *DEFAULT,
        *(word for term in terms.TERMS.split() for word in words(term)),
    }
)


def is_of_words(name: str) -> bool:
    """Whether a name is short, and made of nothing but words that are in `terms.py`."""
    if len(name) > LONGEST_REMEMBERED or any(map(str.isdigit, name)):
        return False
    parts = words(name)
    return bool(parts) and _VOCABULARY.issuperset(parts)
