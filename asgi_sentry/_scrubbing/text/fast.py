"""All gates of many texts in one pass by Hyperscan, where the extra `fast` is installed.

Hyperscan tells which texts may have which gate in them; each is then checked as the way without it
checks, so that both say the same, which a property test holds. The patterns are compiled in a
thread of their own at the first look, which takes a moment; until they are ready, and for whatever
goes wrong, the way without Hyperscan is taken.

A scan stops where matches are denser than in any text of people or programs, so that its cost is
bounded.
"""

from __future__ import annotations

import os
from importlib import import_module
from threading import Lock, Thread, local
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._scrubbing.text.expressions import RUNNING, expressions
from asgi_sentry._scrubbing.text.gates import RUN, SEPARATOR, SHAPE, Gate, Gates, Places, has_behind

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Mapping, Sequence

    from asgi_sentry._scrubbing.text.expressions import Expression

__all__ = ["FastGates", "is_installed"]

# Matches, and characters for each, beyond which all is looked at without Hyperscan.
_FEWEST, _DENSEST = 256, 24
# What was compiled, by its patterns: all scrubbers with the same rules and terms share it. A
# program has a few sets of rules; what comes after these is compiled for itself.
_COMPILED: dict[tuple[Expression, ...], tuple[Any, ...]] = {}
_MOST_COMPILED = 16
_BEFORE = 96  # bytes in front of the end of a match, in which most runs begin


class _TooDenseError(Exception):
    """There are more matches than in any text of people or programs."""


def _module() -> Any:
    try:
        return import_module("hyperscan")
    except Exception:  # not installed, or for another processor
        return None


def is_installed() -> bool:
    """Whether Hyperscan can be imported."""
    return _module() is not None


class FastGates(Gates):
    """Gates that are looked for by Hyperscan, as soon as it is ready.

    Args:
        gates: each with the rules that it belongs to, as bits.
    """

    __slots__ = ("_compiled", "_expressions", "_failed", "_lock", "_of", "_own", "_pid", "_thread")

    def __init__(self, gates: Mapping[Gate, int]) -> None:
        super().__init__(gates)
        self._expressions: tuple[Expression, ...] = ()
        self._of: list[_Told] = []
        self._lock = Lock()
        self._own = local()
        self._forget()

    def _forget(self) -> None:
        self._compiled: Any = None
        self._failed = False
        self._thread: Thread | None = None
        self._pid = os.getpid()

    def __reduce__(self) -> tuple[Any, ...]:
        return FastGates, (self.all,)

    def suspects(self, texts: Sequence[str], data: bytes) -> dict[int, int]:
        """As without Hyperscan, only sooner."""
        databases = self._compiled
        if databases is None:
            self._begin()
        elif data.count(b"\0") == len(texts) - 1:
            try:
                return self._scan(databases, texts, data)
            except _TooDenseError:
                pass
            except Exception:
                self._failed, self._compiled = True, None
        return super().suspects(texts, data)

    def ready(self, timeout: float = 60.0) -> bool:
        """Wait until the patterns are compiled, and say whether they are."""
        self._begin()
        if self._thread is not None:
            self._thread.join(timeout)
        return self._compiled is not None

    # --- compiling --------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self._failed or self._compiled is not None:
            return
        with self._lock:
            if self._pid != os.getpid():  # a fork took none of the threads along
                self._forget()
            if self._thread is not None:
                return
            try:
                each = [(one, entry) for entry in self.all.items() for one in expressions(entry[0])]
                self._expressions = tuple(one for one, _ in each)
                self._of = [_told(one, *entry) for one, entry in each]
                self._compiled = _COMPILED.get(self._expressions)
                if self._compiled is None:
                    thread = Thread(target=self._compile, name="asgi-sentry-gates", daemon=True)
                    thread.start()
                    self._thread = thread
            except Exception:
                # Too many threads, the interpreter is about to end, or a gate that is no pattern.
                self._failed = True

    def _compile(self) -> None:
        try:
            numbered = list(enumerate(self._expressions))
            databases = tuple(
                _database([(number, one) for number, one in numbered if one.database == which])
                for which in range(RUNNING + 1)
            )
            self._compiled = databases
            if len(_COMPILED) < _MOST_COMPILED:
                _COMPILED[self._expressions] = databases
        except Exception:
            self._failed = True

    # --- scanning ---------------------------------------------------------------------------------

    def _scan(
        self, databases: tuple[Any, ...], texts: Sequence[str], data: bytes
    ) -> dict[int, int]:
        most = max(_FEWEST, len(data) // _DENSEST)
        ends: list[tuple[int, int]] = []
        add = ends.append

        def note(which: int, _: int, end: int, __: int, ___: Any) -> bool | None:
            add((end, which))
            return len(ends) > most or None

        try:
            for database, scratch in zip(databases, self._scratch(databases), strict=True):
                if database is not None:
                    database.scan(data, match_event_handler=note, scratch=scratch)
        except Exception:
            if len(ends) > most:
                raise _TooDenseError from None
            raise
        if len(ends) > most:
            raise _TooDenseError
        return _Matches(texts, data).checked(ends, self._of)

    def _scratch(self, databases: tuple[Any, ...]) -> tuple[Any, ...]:
        """What a thread scans with."""
        own = self._own
        found: tuple[Any, ...] | None = getattr(own, "scratch", None)
        if found is None or own.of is not databases:
            make = _module().Scratch
            found = own.scratch = tuple(one and make(one) for one in databases)
            own.of = databases
        return found


def _database(numbered: list[tuple[int, Expression]]) -> Any:
    """What is compiled of some expressions; None of none."""
    if not numbered:
        return None
    hyperscan = _module()
    database = hyperscan.Database()
    database.compile(
        expressions=[one.pattern for _, one in numbered],
        ids=[number for number, _ in numbered],
        elements=len(numbered),
        flags=[hyperscan.HS_FLAG_CASELESS if one.caseless else 0 for _, one in numbered],
    )
    return database


class _Told(NamedTuple):
    """What is told by a match of an expression.

    Attributes:
        length: of the match, where the gate's literal is what matched.
        mask: through which the gate's check looks.
        verify: this check.
        bits: the gate's rules.
        asked: what a text must have in it besides: nothing, what may stand behind a word, or a
            separator, too.
        gate: itself.
    """

    length: int
    mask: str
    verify: re.Pattern[bytes] | None
    bits: int
    asked: int
    gate: Gate


_NOTHING, _BEHIND, _SEPARATOR = range(3)


def _told(expression: Expression, gate: Gate, bits: int) -> _Told:
    asked = _NOTHING
    if gate.mask == "pair":
        asked = _SEPARATOR
    elif gate.mask == "lower" and gate.core:
        asked = _BEHIND
    mask = "lower" if gate.mask == "pair" else gate.mask
    return _Told(expression.length, mask, gate.verify, bits, asked, gate)


class _Matches:
    """What Hyperscan found in several texts, checked as without it.

    Where a match stands tells where a gate may hold, so that is checked there, in all texts joined.

    Args:
        texts: in which.
        data: all of them, joined by NUL, a byte a character.
    """

    __slots__ = ("_data", "_has", "_places", "_planes", "_texts")

    def __init__(self, texts: Sequence[str], data: bytes) -> None:
        self._texts = texts
        self._data = data
        self._planes = {"text": data, "run": data}
        self._places = Places(texts)
        self._has: dict[int, int] = {}

    def checked(self, ends: Iterable[tuple[int, int]], told_by: Sequence[_Told]) -> dict[int, int]:
        """The texts in which gates hold, by index, with their rules as bits.

        Args:
            ends: where each match ends, and the number of its expression.
            told_by: what an expression tells, by this number.
        """
        found: dict[int, int] = {}
        others: dict[int, list[tuple[Gate, int]]] = {}
        at_place, planes = self._places.at, self._planes
        for end, which in ends:
            length, mask, verify, bits, asked, gate = told_by[which]
            if mask == "run":
                at = self._start_of_run(end)
            elif length:
                at = end - length
            else:  # the match may be longer than what the gate has in it
                several = others.setdefault(at_place(end - 1)[0], [])
                if (gate, bits) not in several:
                    several.append((gate, bits))
                continue
            if verify is None or verify.match(planes.get(mask) or self._plane(mask), at):
                index = at_place(at)[0]
                if not asked or asked <= self._has_in(index):
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

    def _has_in(self, index: int) -> int:
        """What a text has in it besides."""
        has = self._has.get(index)
        if has is None:
            text = self._texts[index]
            has = _NOTHING
            if has_behind(text.encode("latin-1", "replace")):
                has = _BEHIND if SEPARATOR.search(text) is None else _SEPARATOR
            self._has[index] = has
        return has


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
        if mask == "pair" or (mask == "lower" and gate.core):
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
            self._separated = SEPARATOR.search(self._text) is not None
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
