"""Value rules over many texts at once.

The gates (see `gates.py`) tell which texts may hold something; only these are gone through by the
rules. A redaction may complete another match (`a [Filtered]@b`), so what is left is looked at
again, all such texts together, a few times at most. No text and no part of one is remembered: what
a look costs depends on the texts alone.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from asgi_sentry._scrubbing.text.fast import FastGates
from asgi_sentry._scrubbing.text.gates import Gates
from asgi_sentry._scrubbing.text.rules import FILTERED, Rule, gates_of
from asgi_sentry._scrubbing.text.scanner import is_installed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from asgi_sentry._scrubbing.keys import Keys
    from asgi_sentry._scrubbing.text.pairs import Span
    from asgi_sentry._scrubbing.text.single_gate import Gate

    # What is left of a text, and the ids of the rules that did it.
    Hits = dict[str, tuple[str, list[str]]]

__all__ = ["Look", "TextRules"]

_ROUNDS = 4  # each leaves less to find
# Rules whose matches have a fixed shape, in a row of characters.
_LOCAL = frozenset(
    ("@creditcard", "@email", "@iban", "@ip", "@jwt", "@link", "@passwordhash", "@token", "@usssn")
)
# Characters of a text that is long, and on either side of a redaction; redactions that are a few.
_LONG, _AROUND, _FEW = 8192, 1024, 4


# How an option begins, and how the variables of a frame show one.
_DASHED = ("-", "'-", '"-')


class Look(NamedTuple):
    """What was found in several texts.

    Attributes:
        hits: the texts with something to redact, with what becomes of them.
        dashed: whether a text may be a command-line option.
        fixed: the same as `hits` for texts that were given beside the others.
    """

    hits: Hits
    dashed: bool
    fixed: Hits


class TextRules:
    """The rules of one scrubber, ready to be applied to texts.

    Args:
        rules: which.
        keys: what the keys in a text mean.
    """

    __slots__ = ("_always", "_gates", "_keys", "_rules")

    def __init__(self, rules: Sequence[Rule], keys: Keys) -> None:
        self._rules = tuple(rules)
        self._keys = keys
        self._always = 0
        gates: dict[Gate, int] = {}
        for number, rule in enumerate(rules):
            own = gates_of(rule, keys)
            if not own:
                self._always |= 1 << number
            for gate in own:
                gates[gate] = gates.get(gate, 0) | 1 << number
        self._gates = FastGates(gates) if is_installed() else Gates(gates)

    def look(
        self, texts: set[str], *, new_keys: Collection[str] = (), fixed: Collection[str] = ()
    ) -> Look:
        """Apply the rules to texts, each once.

        Args:
            texts: values.
            new_keys: of containers, as far as nobody has met them, so that the rules have not seen
                them yet.
            fixed: texts for which the others do not count, and that do not count for the others.
        """
        each = [*texts, *new_keys]
        joined = "\0".join(each)
        dashed = joined.startswith(_DASHED) or any("\0" + dash in joined for dash in _DASHED)
        if not fixed:
            return Look(self._scrubbed(self._suspects(each, joined)), dashed=dashed, fixed={})
        # One look at all costs less than two.
        whole = "\0".join((joined, *fixed)) if each else "\0".join(fixed)
        hits = self._scrubbed(self._suspects([*each, *fixed], whole))
        names = set(new_keys)
        own = {text: hit for text, hit in hits.items() if text in texts or text in names}
        return Look(own, dashed=dashed, fixed={text: hits[text] for text in fixed if text in hits})

    def finds_in(self, texts: Sequence[str]) -> bool:
        """Whether there is anything to redact in any of these texts."""
        return any(self._once(text, bits)[1] for text, bits in self.suspects(texts).items())

    def ready(self) -> bool:
        """Wait until Hyperscan is ready, where it is installed; whether it is."""
        self._keys.ready()
        return isinstance(self._gates, FastGates) and self._gates.ready()

    def scrubbed(self, text: str) -> tuple[str, list[str]]:
        """One text with its secrets redacted, and the ids of the rules that did it."""
        return self._scrubbed(self._suspects([text], text)).get(text, (text, []))

    def suspects(self, texts: Sequence[str]) -> dict[str, int]:
        """Which texts may hold something, with the rules to apply as bits."""
        return self._suspects(texts, "\0".join(texts)) if texts else {}

    def _suspects(self, texts: Sequence[str], joined: str) -> dict[str, int]:
        # One byte a character, so that places stay what they are.
        found = self._gates.suspects(texts, joined.encode("latin-1", "replace"))
        if self._always:
            return {text: found.get(index, 0) | self._always for index, text in enumerate(texts)}
        return {texts[index]: bits for index, bits in found.items()}

    def _scrubbed(self, suspects: dict[str, int]) -> Hits:
        """What becomes of texts that may hold something."""
        hits: Hits = {}
        pending = [(text, text, bits) for text, bits in suspects.items()]
        for _ in range(_ROUNDS):
            changed = []
            for first, text, bits in pending:
                left, rules = self._once(text, bits)
                if rules:
                    if first in hits:
                        rules = [*hits[first][1], *rules]
                    if len(rules) > 1:
                        rules = list(dict.fromkeys(rules))
                    hits[first] = (left, rules)
                    if left != FILTERED and self._may_go_on(left, rules):
                        changed.append((first, left))
            if not changed:
                break
            again = self.suspects(list({left for _, left in changed}))
            pending = [(first, left, again[left]) for first, left in changed if left in again]
        return hits

    def _may_go_on(self, left: str, rules: list[str]) -> bool:
        """Whether a redaction may have completed another match.

        Of a long text in which rules of a fixed shape found a little, only what stands around it
        is looked at: with what is farther away such a redaction has nothing to do.
        """
        if len(left) < _LONG or not _LOCAL.issuperset(rules):
            return True
        around: list[str] = []
        stop = 0
        for match in _PLACEHOLDER.finditer(left):
            if match.start() < stop:
                continue
            if len(around) == _FEW:
                return True
            stop = match.end() + _AROUND
            around.append(left[max(0, match.start() - _AROUND) : stop])
        return self.finds_in(around)

    def _once(self, text: str, bits: int) -> tuple[str, list[str]]:
        """A text with what the rules find in one pass redacted, and the ids of these rules."""
        spans: list[Span] = []
        while bits:
            lowest = bits & -bits
            spans += self._rules[lowest.bit_length() - 1].spans(text, self._keys)
            bits ^= lowest
        return _replace(text, spans) if spans else (text, [])


def _replace(text: str, spans: Sequence[tuple[int, int, str]]) -> tuple[str, list[str]]:
    """The text with each span replaced.

    What overlaps is replaced together, and what is replaced already stays.
    """
    kept: list[int] = []
    if FILTERED in text:
        kept = [match.start() for match in _PLACEHOLDER.finditer(text)]
    elif len(spans) == 1:
        start, end, rule = spans[0]
        return f"{text[:start]}{FILTERED}{text[end:]}", [rule]
    pieces: list[str] = []
    ids: list[str] = []
    position = 0
    merged: list[tuple[int, int, str]] = []
    for start, end, rule in sorted(spans):
        if merged and start < merged[-1][1]:
            before = merged[-1]
            if end > before[1]:
                merged[-1] = (before[0], end, before[2])
        elif not kept or not _within(kept, start, end):
            merged.append((start, end, rule))
    for start, end, rule in merged:
        pieces += (text[position:start], FILTERED)
        position = end
        ids.append(rule)
    pieces.append(text[position:])
    return "".join(pieces), ids


_PLACEHOLDER = re.compile(re.escape(FILTERED))


def _within(kept: list[int], start: int, end: int) -> bool:
    """Whether a span lies in one of the placeholders that begin at these places."""
    index = bisect_right(kept, start) - 1
    return index >= 0 and end <= kept[index] + len(FILTERED)
