"""All gates of many texts in one pass by Hyperscan, where the extra `fast` is installed.

Hyperscan tells where which gate may be (see `scanner.py`); each place is then checked as the way
without it checks, so that both say the same, which a property test holds. Where it tells nothing,
the way without it is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._scrubbing.text.expressions import expressions
from asgi_sentry._scrubbing.text.gates import Gates
from asgi_sentry._scrubbing.text.scanner import Scanner
from asgi_sentry._scrubbing.text.single_gate import (
    RUN,
    SHAPE,
    Beside,
    Gate,
    has_behind,
    is_separated,
)

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping, Sequence

    from asgi_sentry._scrubbing.text.expressions import Expression

__all__ = ["FastGates"]

_BEFORE = 96  # bytes in front of the end of a match, in which most runs begin


class FastGates(Gates):
    """Gates that are looked for by Hyperscan, as soon as it is ready.

    Args:
        gates: each with the rules that it belongs to, as bits.
    """

    __slots__ = ("_of", "scanner")

    def __init__(self, gates: Mapping[Gate, int]) -> None:
        super().__init__(gates)
        self._of: list[_Told] = []
        self.scanner = Scanner(self._expressions)

    def __reduce__(self) -> tuple[Any, ...]:
        return FastGates, (self.all,)

    def suspects(self, texts: Sequence[str], data: bytes) -> dict[int, int]:
        """As without Hyperscan, only sooner."""
        try:
            ends = self.scanner.ends(data) if data.count(b"\0") == len(texts) - 1 else None
            if ends is not None:
                return _Matches(texts, data).checked(ends, self._of)
        except Exception:  # noqa: S110 - a fault of ours: the other way tells the same
            pass
        return super().suspects(texts, data)

    def ready(self) -> bool:
        """Wait until the patterns are compiled, and say whether they are."""
        return self.scanner.ready()

    def _expressions(self) -> list[Expression]:
        """What Hyperscan looks for."""
        each = [(one, entry) for entry in self.all.items() for one in expressions(entry[0])]
        self._of = [_told(one, *entry) for one, entry in each]
        return [one for one, _ in each]


class _Told(NamedTuple):
    """What is told by a match of an expression.

    Attributes:
        length: of the match, where the gate's literal is what matched.
        mask: through which the gate's check looks.
        verify: this check.
        bits: the gate's rules.
        asked: what a text must have in it besides.
        gate: itself.
    """

    length: int
    mask: str
    verify: re.Pattern[bytes] | None
    bits: int
    asked: int
    gate: Gate


def _told(expression: Expression, gate: Gate, bits: int) -> _Told:
    mask = "lower" if gate.mask == "pair" else gate.mask
    return _Told(expression.length, mask, gate.verify, bits, gate.asked, gate)


class _Matches:
    """What Hyperscan found in several texts, checked as without it.

    Where a match stands tells where a gate may hold, so that is checked there, in all texts joined.

    Args:
        texts: in which.
        data: all of them, joined by NUL, a byte a character.
    """

    __slots__ = ("_beside", "_data", "_planes", "_texts")

    def __init__(self, texts: Sequence[str], data: bytes) -> None:
        self._texts = texts
        self._data = data
        self._planes = {"text": data, "run": data}
        self._beside = Beside(texts)

    def checked(self, ends: Iterable[tuple[int, int]], told_by: Sequence[_Told]) -> dict[int, int]:
        """The texts in which gates hold, by index, with their rules as bits.

        Args:
            ends: where each match ends, and the number of its expression; no match goes on into
                another text.
            told_by: what an expression tells, by this number.
        """
        found: dict[int, int] = {}
        others: dict[int, list[tuple[Gate, int]]] = {}
        count, planes = self._data.count, self._planes
        index = counted = 0
        for end, which in sorted(ends):
            length, mask, verify, bits, asked, gate = told_by[which]
            if mask == "run":
                at = self._start_of_run(end)
            elif length:
                at = end - length
            else:  # the match may be longer than what the gate has in it
                index += count(b"\0", counted, end - 1)
                counted = end - 1
                several = others.setdefault(index, [])
                if (gate, bits) not in several:
                    several.append((gate, bits))
                continue
            if verify is None or verify.match(planes.get(mask) or self._plane(mask), at):
                index += count(b"\0", counted, end - 1)
                counted = end - 1
                if not asked or asked <= self._beside.of(index):
                    found[index] = found.get(index, 0) | bits
        for index, several in others.items():
            bits = _Text(self._texts[index]).bits(several)
            if bits:
                found[index] = found.get(index, 0) | bits
        return found

    def _start_of_run(self, end: int) -> int:
        """Where the run begins that a match ends in, or ends one sign behind."""
        before = _BEFORE
        while True:
            first = max(0, end - before)
            run = self._data[first:end].translate(RUN)
            start = run.rfind(b" ", 0, len(run) - 1) + 1
            if start or not first:
                return first + start
            before *= 4

    def _plane(self, mask: str) -> bytes:
        data = self._data
        plane = self._planes[mask] = data.lower() if mask == "lower" else data.translate(SHAPE)
        return plane


class _Text:
    """One text through the masks, each made when it is asked for."""

    __slots__ = ("_planes", "_separated", "_text")

    def __init__(self, text: str) -> None:
        self._text = text
        self._planes: dict[str, bytes] = {"text": text.encode("latin-1", "replace")}
        self._separated: bool | None = None

    def bits(self, gates: Sequence[tuple[Gate, int]]) -> int:
        """The rules of the gates that hold."""
        bits = 0
        for gate, of in gates:
            if bits & of != of and self._holds(gate):
                bits |= of
        return bits

    def _holds(self, gate: Gate) -> bool:
        mask, literal, verify = gate
        if gate.asked:
            if not has_behind(self._planes["text"]):
                return False
            if mask == "pair" and not self._is_separated():
                return False
        plane = self._plane("lower" if mask == "pair" else mask)
        checked = self._planes["text"] if mask == "run" else plane
        at = plane.find(literal)
        while at >= 0:
            if verify is None or verify.match(checked, at) is not None:
                return True
            if mask == "run":
                end = plane.find(b" ", at)
                at = plane.find(literal, end) if end >= 0 else -1
            else:
                at = plane.find(literal, at + gate.step)
        return False

    def _is_separated(self) -> bool:
        if self._separated is None:
            self._separated = is_separated(self._text)
        return self._separated

    def _plane(self, mask: str) -> bytes:
        plane = self._planes.get(mask)
        if plane is None:
            data = self._planes["text"]
            if mask == "lower":
                plane = data.lower()
            else:
                plane = data.translate(SHAPE if mask == "shape" else RUN)
            self._planes[mask] = plane
        return plane
