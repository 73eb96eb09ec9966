"""Many patterns in one pass over bytes by Hyperscan, where the extra `fast` is installed.

The patterns are compiled in a thread of their own at the first look, which takes a moment. Until
they are ready, and for whatever goes wrong, nothing is told, and whoever asks goes another way.

A scan stops where matches are denser than in any text of people or programs, so that its cost is
bounded.
"""

from __future__ import annotations

import os
from importlib import import_module
from threading import Lock, Thread, local
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.text.expressions import RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asgi_sentry._scrubbing.text.expressions import Expression

__all__ = ["Scanner", "is_installed"]

# Matches, and characters for each, beyond which nothing is told.
_FEWEST, _DENSEST = 256, 24
# What was compiled, by its patterns: all scrubbers with the same rules and terms share it. A
# program has a few sets of rules; what comes after these is compiled for itself.
_COMPILED: dict[tuple[Expression, ...], tuple[Any, ...]] = {}
_MOST_COMPILED = 16


def _module() -> Any:
    try:
        return import_module("hyperscan")
    except Exception:  # not installed, or for another processor
        return None


def is_installed() -> bool:
    """Whether Hyperscan can be imported."""
    return _module() is not None


class Scanner:
    """Patterns that are looked for together, as soon as they are compiled.

    Args:
        expressions: makes them, when they are to be compiled.
    """

    __slots__ = ("_compiled", "_expressions", "_failed", "_lock", "_own", "_pid", "_thread")

    def __init__(self, expressions: Callable[[], Sequence[Expression]]) -> None:
        self._expressions = expressions
        self._lock = Lock()
        self._own = local()
        self._forget()

    def _forget(self) -> None:
        self._compiled: Any = None
        self._failed = False
        self._thread: Thread | None = None
        self._pid = os.getpid()

    def ends(self, data: bytes) -> list[tuple[int, int]] | None:
        """Where each match ends, and the number of its pattern; None if that is not told."""
        databases = self._compiled
        if databases is None:
            self._begin()
            return None
        most = max(_FEWEST, len(data) // _DENSEST)
        found: list[tuple[int, int]] = []
        add = found.append

        def note(which: int, _: int, end: int, __: int, ___: Any) -> bool | None:
            add((end, which))
            return len(found) > most or None

        try:
            for database, scratch in zip(databases, self._scratch(databases), strict=True):
                if database is not None:
                    database.scan(data, match_event_handler=note, scratch=scratch)
        except Exception:
            if len(found) <= most:  # it was not stopped
                self._failed, self._compiled = True, None
            return None
        return found if len(found) <= most else None

    def ready(self, timeout: float = 60.0) -> bool:
        """Wait until the patterns are compiled, and say whether they are."""
        self._begin()
        with self._lock:  # whoever has begun before has started the thread by then
            thread = self._thread
        if thread is not None:
            thread.join(timeout)
        return self._compiled is not None

    def _begin(self) -> None:
        if self._failed or self._compiled is not None:
            return
        if self._pid != os.getpid():  # a fork took none of the threads along
            self._lock = Lock()  # which one of them may hold for ever here
            self._forget()
        lock = self._lock
        if not lock.acquire(blocking=False):  # somebody is at it
            return
        try:
            if self._thread is None and self._compiled is None:
                self._start()
        except Exception:
            # Too many threads, the interpreter is about to end, or what is no pattern.
            self._failed = True
        finally:
            lock.release()

    def _start(self) -> None:
        patterns = tuple(self._expressions())
        self._compiled = _COMPILED.get(patterns)
        if self._compiled is None:
            thread = Thread(
                target=self._compile, args=(patterns,), name="asgi-sentry-patterns", daemon=True
            )
            thread.start()
            self._thread = thread

    def _compile(self, patterns: tuple[Expression, ...]) -> None:
        try:
            numbered = list(enumerate(patterns))
            databases = tuple(
                _database([(number, one) for number, one in numbered if one.database == which])
                for which in range(RUNNING + 1)
            )
            self._compiled = databases
            if len(_COMPILED) < _MOST_COMPILED:
                _COMPILED[patterns] = databases
        except Exception:
            self._failed = True

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
    """What is compiled of some patterns; None of none."""
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
