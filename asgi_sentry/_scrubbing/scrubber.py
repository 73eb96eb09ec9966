"""The scrubber: key terms and value rules, applied to values, texts, events and envelope items."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.keys import DENIED, Keys, words
from asgi_sentry._scrubbing.sentry import event as events
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD
from asgi_sentry._scrubbing.text.rules import BY_ID, DEFAULT_RULES, Rule
from asgi_sentry._scrubbing.text.texts import TextRules
from asgi_sentry._scrubbing.tree.walk import Redaction

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from asgi_sentry._scrubbing.taint import Taint

    Path = tuple[str | int, ...]

__all__ = ["Redaction", "Scrubber"]


class Scrubber:
    """Takes secrets out of JSON-like values, texts and Sentry events: by key first, then by value.

    Nothing here raises because of what it is given; what can't be handled is redacted as a whole.

    Args:
        rules: value rules, such as `(*DEFAULT_RULES, "@ip")`; a rule that comes with this package can go by its id.
        deny: key terms that are secret beside the default ones, in any spelling: `"x-internal-id"`.
        allow: keys that are no secret though a default term is in them, such as `"session_color"`, and places, as
            tuples of the last steps of a path: `("extra", "token")`, with `"*"` for any step.
        on_redact: called with the path and the rule's id for each redaction. What it raises changes nothing.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: a rule's id is unknown, two rules have the same id, or a term has no word in it.
    """

    __slots__ = ("_on_redact", "_places", "allows_paths", "keys", "rules", "texts")

    def __init__(
        self,
        *,
        rules: Iterable[Rule | str] = DEFAULT_RULES,
        deny: Iterable[str] = (),
        allow: Iterable[str | tuple[str, ...]] = (),
        on_redact: Callable[[tuple[str | int, ...], str], object] | None = None,
    ) -> None:
        if on_redact is not None and not callable(on_redact):
            raise TypeError(f"on_redact must be callable, got {type(on_redact).__qualname__}")
        given = _several("allow", allow)
        places = tuple(_place(place) for place in given if not isinstance(place, str))
        terms = [term for term in given if isinstance(term, str)]
        self.rules = _rules(rules)
        self.keys = Keys(deny=_terms("deny", _several("deny", deny)), allow=_terms("allow", terms))
        self.texts = TextRules(self.rules, self.keys)
        self.allows_paths = bool(places)
        self._places = places
        self._on_redact = on_redact

    def __repr__(self) -> str:
        return f"<Scrubber with {len(self.rules)} rules>"

    def scrub(self, value: Any) -> Any:
        """A new JSON-like value without secrets; objects that JSON does not have are shown by their type."""
        return self.clean(value)

    def scrub_text(self, text: str) -> str:
        """A text without secrets."""
        cleaned = self.clean(text)
        return cleaned if isinstance(cleaned, str) else FILTERED

    def scrub_event(self, event: dict[str, Any]) -> None:
        """Scrub an event in place, serialised or not: the protocol of the SDK's `EventScrubber`."""
        self.clean_event(event)

    def decides(self, key: object) -> str | None:
        """The id of the rule that redacts whatever stands under a key; None if none does."""
        return PASSWORD if self.keys[key] == DENIED else None

    def clean(
        self,
        value: Any,
        *,
        taint: Taint | None = None,
        path: Path = (),
        found: list[Redaction] | None = None,
    ) -> Any:
        """A new value without secrets.

        Args:
            value: JSON-like. It is not changed.
            taint: what else is secret.
            path: where the value stands, for the reports.
            found: takes what was redacted.
        """
        wanted = self._wanted(found)
        cleaned = events.clean_value(self, value, taint, path, wanted)
        self._report(wanted, found)
        return cleaned

    def clean_event(
        self,
        event: dict[str, Any],
        *,
        taint: Taint | None = None,
        sections: Mapping[tuple[str, ...], Any] | None = None,
        found: list[Redaction] | None = None,
    ) -> None:
        """Scrub an event, transaction or check-in in place, and say so in its `_meta`.

        Args:
            event: in the wire form, or as the SDK has it before it is serialised.
            taint: what else is secret; it never touches the protocol's own fields.
            sections: other scrubbers, or `KEEP`, for parts of it by path, such as `("request", "headers")`.
            found: takes what was redacted.
        """
        wanted = self._wanted(found)
        events.clean_event(self, event, taint, sections or {}, wanted)
        self._report(wanted, found)

    def clean_part(
        self, value: Any, *, path: tuple[str, ...], taint: Taint | None = None, found: list[Redaction] | None = None
    ) -> Any:
        """A part of an event without secrets, read as what stands at `path`, such as `("request", "query_string")`."""
        wanted = self._wanted(found)
        cleaned = events.clean_part(self, value, taint, path, wanted)
        self._report(wanted, found)
        return cleaned

    def clean_attributes(
        self,
        attributes: dict[str, Any],
        *,
        taint: Taint | None = None,
        path: Path = (),
        found: list[Redaction] | None = None,
    ) -> None:
        """Scrub the attributes of a span, log or metric in place: `{"key": {"value": 1, "type": "integer"}}`."""
        wanted = self._wanted(found)
        events.clean_attributes(self, attributes, taint, path, wanted)
        self._report(wanted, found)

    def clean_item(
        self,
        kind: str,
        payload: Any,
        *,
        taint: Any = None,
        sections: Mapping[tuple[str, ...], Any] | None = None,
        found: list[Redaction] | None = None,
    ) -> Any:
        """The payload of an envelope item without secrets.

        Args:
            kind: the item's type: `"event"`, `"span"`, `"attachment"`, ...; of an unknown one everything is data.
            payload: parsed, or bytes or text. A mapping may be changed in place.
            taint: what else is secret; for batches also a callable that gives it for each entry.
            sections: as for `clean_event`.
            found: takes what was redacted.
        """
        wanted = self._wanted(found)
        cleaned = events.clean_item(self, kind, payload, taint, sections or {}, wanted)
        self._report(wanted, found)
        return cleaned

    def report(self, redactions: Iterable[Redaction]) -> None:
        """Tell `on_redact` of redactions."""
        if self._on_redact is not None:
            for path, rule in redactions:
                try:
                    self._on_redact(path, rule)
                except Exception:  # noqa: S112 - by contract, the callback's failure changes nothing
                    continue

    def _wanted(self, found: list[Redaction] | None) -> list[Redaction] | None:
        """A new list if anybody wants to know what is redacted: to tell where each was costs more than to redact it."""
        return None if found is None and self._on_redact is None else []

    def _report(self, redactions: list[Redaction] | None, found: list[Redaction] | None) -> None:
        if redactions is not None:
            if found is not None:
                found.extend(redactions)
            self.report(redactions)

    def allows_path(self, path: tuple[Any, ...]) -> bool:
        """Whether a place was allowed by its path."""
        return any(
            len(place) <= len(path)
            and all(wanted in ("*", str(step)) for wanted, step in zip(place, path[-len(place) :], strict=True))
            for place in self._places
        )


def _rules(given: Iterable[Rule | str]) -> tuple[Rule, ...]:
    if isinstance(given, (str, Rule)):
        raise TypeError(f"rules must be several, got one: write rules=({given!r},)")
    rules: dict[str, Rule] = {}
    for entry in given:
        if isinstance(entry, str) and entry not in BY_ID:
            raise ValueError(f"no rule has the id {entry!r}; there are {', '.join(sorted(BY_ID))}")
        rule = BY_ID[entry] if isinstance(entry, str) else entry
        if not isinstance(rule, Rule):
            raise TypeError(f"a rule must be a Rule or the id of one, got {type(rule).__qualname__}")
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
        raise TypeError(f"allow takes terms, and places as tuples of str, got {type(place).__qualname__}")
    if not place:
        raise ValueError("a place of allow must have a step, got (); name it like ('extra', 'token')")
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
