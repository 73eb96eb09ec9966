"""A rule: a pattern whose matches are redacted, and how one is made."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.text.linear import check_linear
from asgi_sentry._scrubbing.text.single_gate import Gate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.pairs import Span


class Rule:
    """A pattern whose matches are redacted.

    Args:
        id: names the rule in `_meta` remarks and to `on_redact`, such as `"@creditcard"`.
        pattern: what to look for, at a cost linear in the text. A group named `secret` is replaced
            alone; without one, the whole match.
        validate: gets what would be replaced and says whether it is one. What it raises counts as
            yes.
        literals: texts of which every match contains at least one; others are then passed over
            quickly.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: the id is empty, or the pattern can't be compiled or may take more than linear
            time.
    """

    __slots__ = ("_find", "_gates", "id", "literals", "pattern", "validate")
    id: str
    pattern: re.Pattern[str]
    validate: Callable[[str], bool] | None
    literals: tuple[str, ...]
    _gates: tuple[Gate, ...]
    _find: Callable[[str, Keys], Iterable[Span]] | None

    def __init__(
        self,
        id: str,  # noqa: A002 - the public name, as in Sentry's `_meta`
        pattern: str | re.Pattern[str],
        *,
        validate: Callable[[str], bool] | None = None,
        literals: Iterable[str] = (),
    ) -> None:
        if not isinstance(id, str):
            raise TypeError(
                f"the id of a rule must be a str such as '@name', got {type(id).__qualname__}"
            )
        if not id.strip():
            raise ValueError(
                f"the id of a rule must not be empty, got {id!r}; name it like '@name'"
            )
        if validate is not None and not callable(validate):
            raise TypeError(
                f"validate of rule {id!r} must be callable, got {type(validate).__qualname__}"
            )
        if isinstance(literals, str):
            raise TypeError(
                f"literals of rule {id!r} must be several texts, got one: write ({literals!r},)"
            )
        _set = object.__setattr__
        _set(self, "id", id)
        _set(self, "pattern", _compiled(id, pattern))
        _set(self, "validate", validate)
        _set(self, "literals", tuple(literals))
        for literal in self.literals:
            if not isinstance(literal, str) or not literal:
                raise ValueError(
                    f"a literal of rule {id!r} must be a text of at least one character, got "
                    f"{literal!r}"
                )
        ascii_only = all(literal.isascii() for literal in self.literals)
        _set(
            self,
            "_gates",
            tuple(Gate("text", text.encode()) for text in self.literals) if ascii_only else (),
        )
        _set(self, "_find", None)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Rule is frozen; make a new one to change its {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Rule is frozen; make a new one without its {name}")

    def __reduce__(self) -> tuple[Any, tuple[()]]:
        return partial(
            Rule, self.id, self.pattern, validate=self.validate, literals=self.literals
        ), ()

    def __repr__(self) -> str:
        return f"Rule({self.id!r})"

    def spans(self, text: str, keys: Keys) -> Iterable[Span]:
        """Where something is to be redacted: start, end, and the id to name."""
        if self._find is not None:
            return self._find(text, keys)
        group = "secret" if "secret" in self.pattern.groupindex else 0
        spans = [match.span(group) for match in self.pattern.finditer(text)]
        validate = self.validate
        return [
            (start, end, self.id)
            for start, end in spans
            if start < end and (validate is None or holds(validate, text[start:end]))
        ]


def _compiled(rule_id: str, pattern: str | re.Pattern[str]) -> re.Pattern[str]:
    if not isinstance(pattern, (str, re.Pattern)):
        raise TypeError(
            f"the pattern of rule {rule_id!r} must be a str or re.Pattern, got "
            f"{type(pattern).__qualname__}"
        )
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as exc:
        raise ValueError(f"the pattern of rule {rule_id!r} can't be compiled: {exc}") from exc
    if not isinstance(compiled.pattern, str):
        raise TypeError(f"the pattern of rule {rule_id!r} must match str, not bytes")
    reason = check_linear(compiled)
    if reason is not None:
        raise ValueError(
            f"the pattern of rule {rule_id!r} may take more than linear time: {reason}"
        )
    return compiled


def holds(validate: Callable[[str], bool], found: str) -> bool:
    try:
        return bool(validate(found))
    except Exception:
        return True  # what could not be told to be harmless is not


def built_in(
    rule_id: str,
    pattern: str,
    gates: Iterable[Gate],
    validate: Callable[[str], bool] | None = None,
    find: Callable[[str, Keys], Iterable[Span]] | None = None,
) -> Rule:
    """A rule of this package.

    The tests hold its pattern to be linear; they know more than its shape.
    """
    rule = object.__new__(Rule)
    fields = {
        "id": rule_id,
        "pattern": re.compile(pattern),
        "validate": validate,
        "literals": (),
        "_gates": tuple(gates),
        "_find": find,
    }
    for name, value in fields.items():
        object.__setattr__(rule, name, value)
    return rule
