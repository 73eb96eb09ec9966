"""The scrubber: key terms and value rules, applied to values, texts, events and envelope items."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry._scrubbing.ruleset import Ruleset
from asgi_sentry._scrubbing.sentry.composed import ComposedGlance, scrub_composed
from asgi_sentry._scrubbing.sentry.events import scrub_fields, scrub_part
from asgi_sentry._scrubbing.sentry.fields import EVENT
from asgi_sentry._scrubbing.sentry.items import scrub_item
from asgi_sentry._scrubbing.sentry.shortcut import (
    USUAL_FIELDS,
    scrub_usual,
)
from asgi_sentry._scrubbing.sentry.telemetry import scrub_attributes
from asgi_sentry._scrubbing.text.pairs import FILTERED
from asgi_sentry._scrubbing.text.rules import BY_ID, DEFAULT_RULES, Rule
from asgi_sentry._scrubbing.tree.notes import Redaction
from asgi_sentry._scrubbing.tree.plain import quick_copy
from asgi_sentry._scrubbing.tree.value import scrub_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from asgi_sentry._scrubbing.sentry.raw_head import RawHead
    from asgi_sentry._scrubbing.taint import RawTaint, Taint

    Path = tuple[str | int, ...]

__all__ = ["Redaction", "Scrubber"]


class Scrubber:
    """Takes secrets out of JSON-like values, texts and Sentry events: by key first, then by value.

    Nothing here raises because of what it is given; what can't be handled is redacted as a whole.

    Args:
        rules: value rules, such as `(*DEFAULT_RULES, "@ip")`; a rule that comes with this package
            can go by its id.
        deny: key terms that are secret beside the default ones, in any spelling: `"x-internal-id"`.
        allow: keys that are no secret though a default term is in them, such as `"session_color"`,
            and places, as tuples of the last steps of a path: `("extra", "token")`, with `"*"` for
            any step.
        on_redact: called with the path and the rule's id for each redaction. What it raises changes
            nothing.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: a rule's id is unknown, two rules have the same id, or a term has no word in it.
    """

    __slots__ = ("_given", "_on_redact", "ruleset")

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
        given: dict[str, Any] = {
            name: several if isinstance(several, (str, bytes)) else tuple(several)
            for name, several in (("rules", rules), ("deny", deny), ("allow", allow))
        }
        self.ruleset: Ruleset = Ruleset.make(**given)
        self._on_redact = on_redact
        self._given = given

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        """As it was made: what it remembers stays behind."""
        rules = tuple(
            rule.id if BY_ID.get(rule.id) is rule else rule for rule in self.ruleset.rules
        )
        return partial(Scrubber, **{**self._given, "rules": rules}, on_redact=self._on_redact), ()

    def __repr__(self) -> str:
        return f"<Scrubber with {len(self.ruleset.rules)} rules>"

    @property
    def reports(self) -> bool:
        """Whether somebody is told of redactions."""
        return self._on_redact is not None

    def scrub(
        self,
        value: Any,
        *,
        taint: Taint | None = None,
        path: Path = (),
        found: list[Redaction] | None = None,
    ) -> Any:
        """A new JSON-like value without secrets.

        Objects that JSON does not have are shown by their type.

        Args:
            value: JSON-like. It is not changed.
            taint: what else is secret.
            path: where the value stands, for the reports.
            found: takes what was redacted.
        """
        wanted = self._wanted(found)
        scrubbed = scrub_value(self.ruleset, value, taint, path, wanted)
        self._report(wanted, found)
        return scrubbed

    def scrub_text(self, text: str) -> str:
        """A text without secrets."""
        scrubbed = self.scrub(text)
        if isinstance(scrubbed, str):
            return scrubbed
        return FILTERED

    def scrub_event(
        self,
        event: dict[str, Any],
        *,
        taint: Taint | None = None,
        sections: Mapping[tuple[str, ...], Any] | None = None,
        found: list[Redaction] | None = None,
        secrets: list[str] | None = None,
        owned: bool = False,
    ) -> None:
        """Scrub an event, transaction or check-in in place, and say so in its `_meta`.

        This is the protocol of the SDK's `EventScrubber`.

        Args:
            event: in the wire form, or as the SDK has it before it is serialised. Its fields are
                replaced; what they held is not changed.
            taint: what else is secret; it never touches the protocol's own fields.
            sections: other scrubbers for parts of it by path, such as `("request", "headers")`.
            found: takes what was redacted.
            secrets: takes the credentials that were redacted.
            owned: whether what the fields hold may be changed, since nobody else has it.
        """
        wanted = self._wanted(found)
        scrub_fields(
            self.ruleset, event, EVENT, taint, sections or {}, wanted, secrets, owned=owned
        ).remark(event)
        self._report(wanted, found)

    def look_at(self, head: RawHead, data: Any = None) -> ComposedGlance | None:
        """Read the head of a request, if it is a usual one and nobody asks where it is redacted.

        Args:
            head: of the request.
            data: of its body, as it is shown; nobody else has it. None: none is shown.
        """
        if self._on_redact is not None:
            return None
        look = ComposedGlance(self.ruleset)
        try:
            look.head(head)
            if data is not None:
                look.body(data)
        except Exception:  # it is unusual, or a fault of ours: whoever describes it reads it
            return None
        return look

    def scrub_with_head(
        self,
        event: dict[str, Any],
        look: ComposedGlance,
        taint: Taint | RawTaint,
        secrets: list[str],
        *,
        is_composed: bool = False,
    ) -> bool:
        """Scrub a usual event in place, and put in the head that was looked at.

        Args:
            event: without a `request`, in its wire form; nobody else has it, or anything in it.
            look: at the head.
            taint: what else is secret.
            secrets: takes the credentials that were redacted.
            is_composed: whether it is a transaction as the direct lane composes it.

        Returns:
            False: it is not usual, and was not changed.
        """
        try:
            if is_composed:
                scrub_composed(self.ruleset, event, taint, secrets, look)
            elif USUAL_FIELDS.issuperset(event):
                scrub_usual(self.ruleset, event, taint, secrets, look).remark(event)
            else:
                return False
        except Exception:  # it is unusual, or a fault of ours: the walk has it
            return False
        return True

    def scrub_if_usual(
        self, event: dict[str, Any], taint: RawTaint, secrets: list[str], *, owned: bool
    ) -> bool:
        """Scrub an event or a part of one in place, if it is usual.

        Args:
            event: in its wire form.
            taint: what else is secret.
            secrets: takes the credentials that were redacted.
            owned: whether nobody else has what is in it.

        Returns:
            False: it is not, and was not changed.
        """
        if self._on_redact is not None or not USUAL_FIELDS.issuperset(event):
            return False
        try:
            fields = event if owned else quick_copy(event)
            notes = scrub_usual(self.ruleset, fields, taint, secrets)
        except Exception:  # it is unusual, or a fault of ours: the walk has it
            return False
        event.update(fields)
        notes.remark(event)
        return True

    def scrub_part(
        self,
        value: Any,
        *,
        path: tuple[str, ...],
        taint: Taint | None = None,
        found: list[Redaction] | None = None,
    ) -> Any:
        """A part of an event without secrets.

        It is read as what stands at `path`, such as `("request", "query_string")`.
        """
        wanted = self._wanted(found)
        scrubbed = scrub_part(self.ruleset, value, taint, path, wanted)
        self._report(wanted, found)
        return scrubbed

    def scrub_attributes(
        self,
        attributes: dict[str, Any],
        *,
        taint: Taint | None = None,
        path: Path = (),
        found: list[Redaction] | None = None,
    ) -> None:
        """Scrub the attributes of a span, log or metric in place.

        `{"key": {"value": 1, "type": "integer"}}`.
        """
        wanted = self._wanted(found)
        scrub_attributes(self.ruleset, attributes, taint, path, wanted)
        self._report(wanted, found)

    def scrub_item(
        self,
        kind: str,
        payload: Any,
        *,
        taint: Any = None,
        sections: Mapping[tuple[str, ...], Any] | None = None,
        found: list[Redaction] | None = None,
        secrets: list[str] | None = None,
    ) -> Any:
        """The payload of an envelope item without secrets.

        Args:
            kind: the item's type: `"event"`, `"span"`, `"attachment"`, ...; of an unknown one
                everything is data.
            payload: parsed, or bytes or text. A mapping may be changed in place.
            taint: what else is secret; for batches also a callable that gives it for each entry.
            sections: as for `scrub_event`.
            found: takes what was redacted.
            secrets: takes the credentials that were redacted in an event or a batch.
        """
        wanted = self._wanted(found)
        scrubbed = scrub_item(self.ruleset, kind, payload, taint, sections or {}, wanted, secrets)
        self._report(wanted, found)
        return scrubbed

    def report(self, redactions: Iterable[Redaction]) -> None:
        """Tell `on_redact` of redactions."""
        if self._on_redact is not None:
            for path, rule in redactions:
                try:
                    self._on_redact(path, rule)
                except faults.SIGNALS:
                    raise
                except BaseException:  # noqa: S112
                    # By contract, the callback's failure changes nothing.
                    continue

    def _wanted(self, found: list[Redaction] | None) -> list[Redaction] | None:
        """A new list if anybody wants to know what is redacted.

        To tell where each was costs more than to redact it.
        """
        if found is None and self._on_redact is None:
            return None
        return []

    def _report(self, redactions: list[Redaction] | None, found: list[Redaction] | None) -> None:
        if redactions is not None:
            if found is not None:
                found.extend(redactions)
            self.report(redactions)
