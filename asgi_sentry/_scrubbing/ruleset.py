"""What decides: value rules and key terms, frozen.

Scrubber, walk, schema and taint all take this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.keys import DENIED, Keys
from asgi_sentry._scrubbing.memory import Memory
from asgi_sentry._scrubbing.text.pairs import PASSWORD
from asgi_sentry._scrubbing.text.rules import BY_ID, Rule
from asgi_sentry._scrubbing.text.texts import TextRules
from asgi_sentry._scrubbing.words import words

if TYPE_CHECKING:
    from collections.abc import Iterable

_PARTS, _LONGEST_PART = 64, 4096  # and their bytes
# A program's own lines, names and frames: more than these are generated.
_LINES, _FRAMES = 4096, 512
_HEADERS = 512  # of which a client may make up as many as it likes
_LAYOUTS = 64  # and of these as well


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Ruleset:
    """Key terms and value rules, ready to be applied.

    Attributes:
        rules: the value rules, in order.
        keys: what keys mean.
        texts: the value rules as applied to many texts at once.
        places: what is allowed by its path, as the last steps of one, with `"*"` for any step.
        lines: texts of the program's own (names, lines of source) that were found harmless.
        frames: the same for frames of a stack, by file and line.
        parts: the same for what the protocol has in containers, such as the SDK's name and
            integrations, by its bytes.
        headers: names of headers that were met as keys: the name as it is shown, what it means as a
            key, and what such a header holds.
        layouts: the same for all headers of a request together, by their names.
    """

    rules: tuple[Rule, ...]
    keys: Keys
    texts: TextRules
    places: tuple[tuple[str, ...], ...] = ()
    lines: Memory[str, bool] = field(default_factory=lambda: Memory(_LINES))
    frames: Memory[Any, tuple[Any, ...]] = field(default_factory=lambda: Memory(_FRAMES))
    parts: Memory[bytes, bool] = field(
        default_factory=lambda: Memory(_PARTS, longest=_LONGEST_PART)
    )
    headers: Memory[bytes, tuple[str, int, int]] = field(default_factory=lambda: Memory(_HEADERS))
    layouts: Memory[tuple[bytes, ...], Any] = field(default_factory=lambda: Memory(_LAYOUTS))

    @classmethod
    def make(
        cls,
        rules: Iterable[Rule | str],
        deny: Iterable[str],
        allow: Iterable[str | tuple[str, ...]],
    ) -> Ruleset:
        """Check what a user gave, and make it ready.

        Args:
            rules: value rules, or the ids of some that come with this package.
            deny: key terms that are secret beside the default ones.
            allow: key terms, and places as tuples of steps, that are no secret.

        Raises:
            TypeError: an argument is of the wrong type.
            ValueError: a rule's id is unknown, two rules have the same id, or a term has no word in
                it.
        """
        given = _several("allow", allow)
        places = tuple(_place(place) for place in given if not isinstance(place, str))
        terms = [term for term in given if isinstance(term, str)]
        checked = _rules(rules)
        keys = Keys(deny=_terms("deny", _several("deny", deny)), allow=_terms("allow", terms))
        return cls(rules=checked, keys=keys, texts=TextRules(checked, keys), places=places)

    def decides(self, key: object) -> str | None:
        """The id of the rule that redacts whatever stands under a key; None if none does."""
        if self.keys[key] == DENIED:
            return PASSWORD
        return None

    def allows(self, path: tuple[Any, ...]) -> bool:
        """Whether a place was allowed by its path."""
        return any(
            len(place) <= len(path)
            and all(
                wanted in ("*", str(step))
                for wanted, step in zip(place, path[-len(place) :], strict=True)
            )
            for place in self.places
        )


def _rules(given: Iterable[Rule | str]) -> tuple[Rule, ...]:
    if isinstance(given, (str, Rule)):
        raise TypeError(f"rules must be several, got one: write rules=({given!r},)")
    rules: dict[str, Rule] = {}
    for entry in given:
        if isinstance(entry, str) and entry not in BY_ID:
            known = ", ".join(sorted(BY_ID))
            raise ValueError(f"no rule has the id {entry!r}; there are {known}")
        rule = entry
        if isinstance(entry, str):
            rule = BY_ID[entry]
        if not isinstance(rule, Rule):
            raise TypeError(
                f"a rule must be a Rule or the id of one, got {type(rule).__qualname__}"
            )
        if rule.id in rules and rules[rule.id] is not rule:
            raise ValueError(f"two rules have the id {rule.id!r}; give one of them another")
        rules[rule.id] = rule
    return tuple(rules.values())


def _several(name: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, (str, bytes)):
        raise TypeError(f"{name} must be several terms, got one text: write {name}=({given!r},)")
    return tuple(given)


def _place(place: Any) -> tuple[str, ...]:
    if not isinstance(place, (tuple, list)) or not all(isinstance(step, str) for step in place):
        kind = type(place).__qualname__
        raise TypeError(f"allow takes terms, and places as tuples of str, got {kind}")
    if not place:
        raise ValueError(
            "a place of allow must have a step, got (); name it like ('extra', 'token')"
        )
    return tuple(place)


def _terms(name: str, terms: Iterable[Any]) -> tuple[str, ...]:
    checked = []
    for term in terms:
        if not isinstance(term, str):
            raise TypeError(f"a term of {name} must be a str, got {type(term).__qualname__}")
        if not words(term):
            raise ValueError(f"a term of {name} must have a letter or digit in it, got {term!r}")
        checked.append(term)
    return tuple(checked)
