"""Redactions: which rule took what out where, as `_meta` tells it, or as the key would have it.

`_meta` mirrors the payload; under the key "" stands what concerns the value itself, its remarks
among it. Logs, metrics and streamed spans have no `_meta`: there the rule is told by the key, where
the key would have been enough.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from asgi_sentry._scrubbing import FILTERED, Scrubber
from asgi_sentry.tools.sink.foreign import dict_of, list_of

UNTOLD = "(no rule told)"
_DEEPEST = 50
_MOST_VALUES = 20_000

RULES = {
    "@password": "a name beside it says that it is secret",
    "@request": "a secret that came in with this very request, found by its value",
    "@unknown": "it looks like a credential, and not all secrets of this request are known by "
    "value",
    "@discovered": "it was redacted elsewhere in this item by its key or by a rule",
    "@length": "a text that is too long to be looked at",
    "@token": "it looks like a token",
    "@bearer": "an HTTP credential",
    "@urlauth": "the password within a URL",
    "@jwt": "a JSON Web Token",
    "@pemkey": "a private key",
    "@email": "an e-mail address",
    "@ip": "an IP address",
    "@creditcard": "a card number whose check digit is right",
    "@iban": "a bank account number",
    "@usssn": "a social security number",
    "@error": "it could not be read, so it was not sent",
    UNTOLD: "this kind of item has no place to say why",
}
"""What a rule looks for, for the page."""

_scrubber = Scrubber()


class Mark(NamedTuple):
    """One redaction: where, by which rule, and whether the rule was told or inferred."""

    path: tuple[str | int, ...]
    rule: str
    told: bool

    @property
    def place(self) -> str:
        """The path as people write it."""
        return written(self.path)


def rules_at(meta: Any) -> list[str]:
    """The rules that the remarks of one place of `_meta` name."""
    own = dict_of(meta).get("")
    remarks = dict_of(own).get("rem")
    return [
        remark[0][:60]
        for remark in (list_of(remarks)[:20])
        if isinstance(remark, list) and remark and isinstance(remark[0], str)
    ]


def decided_by_key(key: str) -> bool:
    """Whether whatever stands under a key is redacted."""
    return bool(_scrubber.scrub({key: "a word"})[key] == FILTERED)


def marks_of(meta: Any, most: int = 5_000) -> list[Mark]:
    """Every remark of a `_meta` tree, whether or not the page shows what stands there."""
    found: list[Mark] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), meta)]
    while waiting and len(found) < most:
        path, tree = waiting.pop()
        if not isinstance(tree, dict):
            continue
        found += [Mark(path, rule, told=True) for rule in rules_at(tree)]
        for step, inner in reversed(tree.items()):
            if step != "" and len(path) < _DEEPEST:
                waiting.append(((*path, int(step) if step.isdecimal() else step), inner))
    return found


def written(path: tuple[str | int, ...]) -> str:
    """A path as people write it: `exception.values[0].value`."""
    shown = "".join(f"[{p}]" if isinstance(p, int) else f".{p[:200]}" for p in path)
    return shown.removeprefix(".")


def untold_marks(payload: Any, most: int = 5_000) -> list[Mark]:
    """What was redacted in a payload that has no `_meta`."""
    found: list[Mark] = []
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), payload)]
    left = _MOST_VALUES
    while waiting and left and len(found) < most:
        path, value = waiting.pop()
        left -= 1
        if isinstance(value, dict) and len(path) < _DEEPEST:
            waiting += [((*path, step), inner) for step, inner in value.items() if step != "_meta"]
        elif isinstance(value, list) and len(path) < _DEEPEST:
            waiting += [((*path, number), inner) for number, inner in enumerate(value)]
        elif isinstance(value, str) and FILTERED in value:
            by_key = value == FILTERED and path and decided_by_key(str(path[-1]))
            found.append(Mark(path, "@password" if by_key else UNTOLD, told=False))
    return found
