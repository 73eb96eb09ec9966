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
import re
from importlib import import_module
from threading import Lock, Thread, local
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.text.gates import RUN, SEPARATOR, SHAPE, Gate, Gates, Places

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["FastGates", "is_installed"]

_CLASSES = {ord("0"): b"[0-9]", ord("A"): b"[A-Z]", ord("a"): b"[a-z]"}
# What a gate's check says, for literals that stand in many texts; the check itself is still made.
_NARROWER = {
    (b"/", "text"): rb"/[\w\-]{1,20}/[\w.~\-]{20}",
    (b"gl", "text"): rb"gl[a-z]{2,5}-[\w.\-]{16}",
    (b"fm", "text"): rb"fm[0-9][ar]?_",
    (b" -", "text"): rb"[ ]-[uUapPwkAXNb\-]",
    (b"$", "text"): rb"\$[\w./+=\-]{1,100}[$,]|\$[PHS]\$",
    (b"0" * 12, "shape"): (
        rb"(?:^|[^0-9A-Za-z_.+\-]|\\[A-Za-z]|%[0-9][0-9A-Fa-f])[0-9]{12,19}(?:[^0-9A-Za-z_]|$)"
    ),
    (b"aa00", "shape"): rb"(?:^|[^0-9A-Za-z])[a-z]{2}[0-9]{2}[a-z0-9]{11,27}(?:[^0-9A-Za-z]|$)",
    (b"AA00", "shape"): rb"[A-Z]{2}[0-9]{2}[ \-]?[A-Z0-9]{4}[ \-]?[A-Z0-9]{4}",
    (b"cc", "pair"): rb"[cC][cC][_. \-]?[nN]",
    (b"0.0", "shape"): rb"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
}
_RUN = 16  # characters; for runs of so many or more, this is narrower than all runs
_RUN_PATTERN = (
    rb"(?:^|[^\w\-])(?:[A-Za-z][\w\-]{15}|[0-9_\-][A-Za-z][\w\-]{14}|[0-9_\-]{2}[A-Za-z][\w\-]{13}"
    rb"|[0-9_\-]{3}[A-Za-z][\w\-]{12}|[0-9_\-]{4,7}[A-Za-z][\w\-]{8}|[0-9_\-]{8,}[A-Za-z])"
)
# Matches, and characters for each, beyond which all is looked at without Hyperscan.
_FEWEST, _DENSEST = 256, 24
# What was compiled, by its patterns: all scrubbers with the same rules and terms share it. A
# program has a few sets of rules; what comes after these is compiled for itself.
_COMPILED: dict[tuple[tuple[bytes, bool], ...], Any] = {}
_MOST_COMPILED = 16


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

    __slots__ = ("_compiled", "_failed", "_lock", "_numbered", "_own", "_pid", "_thread")

    def __init__(self, gates: Mapping[Gate, int]) -> None:
        super().__init__(gates)
        self._numbered = list(self.all.items())
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
        database = self._compiled
        if database is None:
            self._begin()
        elif data.count(b"\0") == len(texts) - 1:
            try:
                return self._scan(database, texts, data)
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
                patterns = tuple(_pattern(gate) for gate, _ in self._numbered)
                self._compiled = _COMPILED.get(patterns)
                if self._compiled is None:
                    thread = Thread(
                        target=self._compile,
                        args=(patterns,),
                        name="asgi-sentry-gates",
                        daemon=True,
                    )
                    thread.start()
                    self._thread = thread
            except Exception:
                # Too many threads, the interpreter is about to end, or a gate that is no pattern.
                self._failed = True

    def _compile(self, patterns: tuple[tuple[bytes, bool], ...]) -> None:
        try:
            hyperscan = _module()
            database = hyperscan.Database()
            database.compile(
                expressions=[pattern for pattern, _ in patterns],
                ids=list(range(len(patterns))),
                elements=len(patterns),
                flags=[hyperscan.HS_FLAG_CASELESS if caseless else 0 for _, caseless in patterns],
            )
            self._compiled = database
            if len(_COMPILED) < _MOST_COMPILED:
                _COMPILED[patterns] = database
        except Exception:
            self._failed = True

    # --- scanning ---------------------------------------------------------------------------------

    def _scan(self, database: Any, texts: Sequence[str], data: bytes) -> dict[int, int]:
        met: dict[tuple[int, int], None] = {}
        places = Places(texts)
        most = max(_FEWEST, len(data) // _DENSEST)
        ends: list[tuple[int, int]] = []
        add = ends.append

        def note(which: int, _: int, end: int, __: int, ___: Any) -> bool | None:
            add((end, which))
            return len(ends) > most or None

        try:
            database.scan(data, match_event_handler=note, scratch=self._scratch(database))
        except Exception:
            if len(ends) > most:
                raise _TooDenseError from None
            raise
        if len(ends) > most:
            raise _TooDenseError
        for end, which in ends:
            met[places.at(end - 1)[0], which] = None
        return self._checked(texts, met)

    def _scratch(self, database: Any) -> Any:
        """What a thread scans with."""
        own = self._own
        found = getattr(own, "scratch", None)
        if found is None or own.of is not database:
            found = own.scratch = _module().Scratch(database)
            own.of = database
        return found

    def _checked(self, texts: Sequence[str], met: dict[tuple[int, int], None]) -> dict[int, int]:
        """The texts of which the gates hold, checked as without Hyperscan."""
        by_text: dict[int, list[int]] = {}
        for index, which in met:
            by_text.setdefault(index, []).append(which)
        found: dict[int, int] = {}
        for index, several in by_text.items():
            bits = _Text(texts[index]).bits([self._numbered[which] for which in several])
            if bits:
                found[index] = bits
        return found


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
            if not gate.has_behind(self._planes["text"]):
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


def _pattern(gate: Gate) -> tuple[bytes, bool]:
    """What Hyperscan looks for, and whether in both cases: at least whatever the gate finds."""
    mask, literal, verify = gate
    narrower = _NARROWER.get((literal, mask)) if verify is not None else None
    if narrower is not None:
        return narrower, False
    if mask in ("lower", "pair"):
        return re.escape(literal), True
    if mask == "text":
        return re.escape(literal), False
    if mask == "run":
        # Once for each run that has a letter; what stands behind the first one is as long as it has
        # to be.
        if len(literal) == _RUN:
            return _RUN_PATTERN, False
        return rb"(?:^|[^\w\-])[\w\-]{%d}" % len(literal), False
    return b"".join(_CLASSES.get(byte) or re.escape(bytes([byte])) for byte in literal), False
