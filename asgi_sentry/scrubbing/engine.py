"""The scrubber over JSON-like values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry.scrubbing.keys import _COMPOUND, _STRONG, words
from asgi_sentry.scrubbing.rules import DEFAULT_RULES, FILTERED, IP, Rule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from asgi_sentry.scrubbing.taint import Taint


class Redaction(NamedTuple):
    """Where something was redacted, as keys and indices from the root, and by which rule."""

    path: tuple[str | int, ...]
    rule: str


class Scrubber:
    """Takes secrets out of JSON-like values."""

    def __init__(
        self,
        *,
        rules: Iterable[Rule | str] = DEFAULT_RULES,
        deny: Iterable[str] = (),
        allow: Iterable[str] = (),
        on_redact: Callable[[tuple[str | int, ...], str], object] | None = None,
    ) -> None:
        self.rules = tuple(IP if rule == "@ip" else rule for rule in rules)
        self._deny = {"_".join(words(term)) for term in deny}
        self._allow = {"_".join(words(term)) for term in allow}
        self._on_redact = on_redact

    def decides(self, key: object) -> str | None:
        """The id of the rule that redacts what stands under a key; None if none does."""
        if isinstance(key, bytes):
            key = key.decode("latin-1")
        if not isinstance(key, str):
            return None
        parts = words(key)
        whole = "_".join(parts)
        if whole in self._allow:
            return None
        runs = {"_".join(parts[i:j]) for i in range(len(parts)) for j in range(i + 1, min(len(parts), i + 4) + 1)}
        return "@password" if runs & (self._deny | _COMPOUND | _STRONG) else None

    def scrub(self, value: Any) -> Any:
        """A new value without secrets."""
        return self.clean(value)

    def scrub_text(self, text: str) -> str:
        """A text without secrets."""
        return str(self.clean(text))

    def clean(
        self, value: Any, *, taint: Taint | None = None, path: tuple[str | int, ...] = (), found: list[Redaction] | None = None
    ) -> Any:
        """A new value without secrets, and what was redacted."""
        if found is None:
            found = []
        return self._walk(value, taint, path, found, 0)

    def _walk(self, value: Any, taint: Taint | None, path: tuple[str | int, ...], found: list[Redaction], depth: int) -> Any:
        if value is None or isinstance(value, (bool, int, float)):
            return value
        if depth > 100:
            return FILTERED
        if isinstance(value, bytes):
            return self._text(value.decode("latin-1"), taint, path, found).encode("latin-1", "replace")
        if isinstance(value, str):
            return self._text(value, taint, path, found)
        if isinstance(value, dict):
            new = {}
            for key, inner in value.items():
                rule = self.decides(key)
                if rule is not None and inner is not None and not isinstance(inner, bool):
                    new[key] = FILTERED
                    self._note((*path, key), rule, found)
                else:
                    new[key] = self._walk(inner, taint, (*path, key), found, depth + 1)
            return new
        if isinstance(value, (list, tuple)):
            return type(value)(self._walk(inner, taint, (*path, i), found, depth + 1) for i, inner in enumerate(value))
        return f"<{type(value).__qualname__}>"

    def _text(self, text: str, taint: Taint | None, path: tuple[str | int, ...], found: list[Redaction]) -> str:
        if taint:
            text, hit = taint.replace(text)
            if hit:
                self._note(path, "@request", found)
        for rule in self.rules:
            new = rule.pattern.sub(lambda m: m[0].replace(m["secret"], FILTERED) if "secret" in m.re.groupindex else FILTERED, text)
            if new != text:
                self._note(path, rule.id, found)
                text = new
        return text

    def _note(self, path: tuple[str | int, ...], rule: str, found: list[Redaction]) -> None:
        found.append(Redaction(path, rule))

    def scrub_event(self, event: dict[str, Any]) -> None:
        """In place."""
        self.clean_event(event)

    def clean_event(
        self, event: dict[str, Any], *, taint: Taint | None = None, sections: Mapping[tuple[str, ...], Any] = {}
    ) -> list[Redaction]:
        """In place."""
        found: list[Redaction] = []
        for key in event:
            if key not in {"event_id", "type", "level", "platform", "timestamp", "sdk", "_meta", "release", "environment"}:
                event[key] = self.clean(event[key], taint=taint, path=(key,), found=found)
        return found

    def clean_attributes(
        self, attributes: dict[str, Any], *, taint: Taint | None = None, path: tuple[str | int, ...] = ()
    ) -> list[Redaction]:
        """In place."""
        found: list[Redaction] = []
        for key, held in attributes.items():
            if self.decides(key):
                attributes[key] = {"value": FILTERED, "type": "string"}
                found.append(Redaction((*path, key), "@password"))
            else:
                held["value"] = self.clean(held.get("value"), taint=taint, path=(*path, key), found=found)
        return found

    def clean_item(
        self, kind: str, payload: Any, *, taint: Any = None, sections: Mapping[tuple[str, ...], Any] = {}
    ) -> tuple[Any, list[Redaction]]:
        """One envelope item's payload."""
        if kind in {"event", "transaction", "check_in", "feedback"}:
            return payload, self.clean_event(payload, taint=taint, sections=sections)
        found: list[Redaction] = []
        if kind in {"span", "log", "trace_metric"}:
            items = []
            for item in payload["items"]:
                one = taint(item) if callable(taint) else taint
                attributes = item.get("attributes") or {}
                found += self.clean_attributes(attributes, taint=one)
                rest = {k: v for k, v in item.items() if k != "attributes"}
                items.append({**self.clean(rest, taint=one, found=found), "attributes": attributes})
            return {**payload, "items": items}, found
        return self.clean(payload, taint=taint, found=found), found
