"""Value rules: patterns of secrets, each with what tells a real one from a look-alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FILTERED = "[Filtered]"


class Rule:
    """A pattern whose matches are redacted.

    Args:
        id: names the rule in `_meta` remarks and to `on_redact`, such as `"@creditcard"`.
        pattern: what to look for. A group named `secret` is replaced alone; without one, the whole match.
        validate: gets what would be replaced and says whether it is one. What it raises counts as yes.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: the id or the pattern is none.
    """

    __slots__ = ("id", "pattern", "validate")
    id: str
    pattern: re.Pattern[str]
    validate: Callable[[str], bool] | None

    def __init__(
        self, id: str, pattern: str | re.Pattern[str], *, validate: Callable[[str], bool] | None = None  # noqa: A002 - the field's name
    ) -> None:
        object.__setattr__(self, "id", id)
        object.__setattr__(self, "pattern", re.compile(pattern))
        object.__setattr__(self, "validate", validate)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Rule is frozen; make a new one to change its {name}")

    def __repr__(self) -> str:
        return f"Rule({self.id!r})"


def _luhn(text: str) -> bool:
    digits = [int(char) for char in text if char.isdigit()]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


IP = Rule("@ip", r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])")

DEFAULT_RULES: tuple[Rule, ...] = (
    Rule("@bearer", r"(?i)\b(?:bearer|basic|token|digest)\s(?P<secret>[\w.~+/=-]{8,})"),
    Rule("@jwt", r"\beyJ[\w-]{5,}\.[\w-]{5,}\.[\w-]*"),
    Rule("@urlauth", r"(?<=://)[^\s/:@]{0,256}:(?P<secret>[^\s/]{1,256})@"),
    Rule("@creditcard", r"(?<![\w.-])(?:\d[ -]?){12,18}\d(?![\w-])", validate=_luhn),
    Rule("@email", r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}"),
    Rule(
        "@password",
        r"""(?i)\b[\w-]{0,40}(?:password|passwd|pwd|secret|token|api[_-]?key|credential)["']?\s?[:=]\s?["']?(?P<secret>[^\s"',;&]{1,512})""",
    ),
)
