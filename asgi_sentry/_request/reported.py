"""Errors that were reported a moment ago, for servers that log them once more.

granian and daphne log what an app raised as text, hypercorn and uvicorn what its lifespan raised,
and none of them does it in the request's context: a second event, and of the first one's secrets
nothing is known there. Such a text ends with the line that names the exception, and that line is
what is compared. Of the line itself only a keyed digest is kept, for a minute, and it is spent by
the first log that matches.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import threading
import time
import traceback
from collections import OrderedDict
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry import _state as state
from asgi_sentry._counters import count_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

SERVERS = frozenset(
    {"_granian", "daphne", "granian", "gunicorn", "hypercorn", "mangum", "nonecorn", "uvicorn"}
)
"""The first part of the names of servers' loggers."""

_SECONDS = 60.0
_MOST = 256  # lines, at some 200 bytes each
_LINE = 2_000  # characters of a line that are compared
_LINKS = 16  # of a chain of exceptions that are followed
_FAILED = re.compile(
    r"(?i)\b(?:start-?up|shut-?down|lifespan)\b.{0,100}\b(?:failed|failure|error)\b"
)
_TEXT = 65_536  # characters at the end of a log that are looked through


class Reported:
    """Which errors were reported of late; safe between threads.

    Args:
        clock: in seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._key = os.urandom(16)
        self._lock = threading.Lock()
        self._lifespan: float | None = None
        self._lines: OrderedDict[bytes, list[float]] = OrderedDict()  # when they were reported

    def note(self, exc: BaseException) -> None:
        """Remember that an exception which reaches the server was reported, or was not to be."""
        sdk.watch_events(_drop_repeated)
        digest, now = self._digest(_line_of(exc)), self._clock()
        with self._lock:
            self._lines.setdefault(digest, []).append(now)
            self._lines.move_to_end(digest)
            del self._lines[digest][:-_MOST]
            while len(self._lines) > _MOST:
                self._lines.popitem(last=False)

    def take(self, exc: BaseException | None, text: str) -> bool:
        """Whether a log of this exception, or with this text, is of an error that was reported.

        It is spent by that.

        Args:
            exc: that was logged; None: it is in the text, if anywhere.
            text: of the log.
        """
        if exc is not None:
            lines = [_line_of(exc)]
        else:
            lines = [line.lstrip(" |+") for line in text[-_TEXT:].splitlines()]
        now = self._clock()
        for line in reversed(lines):
            digest = self._digest(line)
            with self._lock:
                times = self._lines.get(digest, [])
                times[:] = [each for each in times if now - each < _SECONDS]
                if times:
                    times.pop(0)
                    return True
        return False

    def note_lifespan(self) -> None:
        """Remember that what the app's lifespan failed with was reported."""
        self._lifespan = self._clock()

    def is_of_lifespan(self, text: str) -> bool:
        """Whether a server's log says no more than that an app did not start, or not stop."""
        if self._lifespan is None or self._clock() - self._lifespan >= _SECONDS:
            return False
        return "\n" not in text.strip() and _FAILED.search(text) is not None

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._lines.clear()
            self._lifespan = None

    def _digest(self, line: str) -> bytes:
        data = line[:_LINE].rstrip().encode("utf-8", "surrogatepass")
        return hashlib.blake2b(data, key=self._key, digest_size=16).digest()


def _line_of(exc: BaseException) -> str:
    """The line by which a traceback names an exception."""
    try:
        # Of a syntax error the first ones are its place.
        lines = traceback.format_exception_only(type(exc), exc)
        return next(line for line in lines if not line.startswith("  ")).split("\n", 1)[0]
    except Exception:  # a text of its own that fails in an odd way
        return type(exc).__qualname__


class Lifespan:
    """The lifespan of an app, and what the server logged of it while the report is yet to come."""

    __slots__ = ("logged", "reported")

    def __init__(self) -> None:
        self.logged: BaseException | None = None
        self.reported: BaseException | None = None

    def knows(self, exc: BaseException) -> bool:
        """Whether it was reported, or is what somebody made of what was."""
        link: BaseException | None = exc
        for _ in range(_LINKS):
            if link is None or self.reported is None:
                return False
            if link is self.reported:
                return True
            link = link.__cause__ or link.__context__
        return False


LIFESPAN: ContextVar[Lifespan | None] = ContextVar("asgi_sentry_lifespan", default=None)
reported = Reported()


def watch_lifespan() -> tuple[Lifespan, Any]:
    """Begin a lifespan.

    What the server logs of its failure from now on is reported once, by us, with its frames.

    Returns:
        What takes the exception, and the token that ends this.
    """
    sdk.watch_events(_drop_repeated)
    lifespan = Lifespan()
    return lifespan, LIFESPAN.set(lifespan)


def _drop_repeated(event: dict[str, Any], hint: Mapping[str, Any]) -> dict[str, Any] | None:
    """An event processor for all events of the process.

    None for a server's log of an error that is ours to report.
    """
    try:
        if _is_repeated(event, hint):
            count_error("repeated")
            return None
    except Exception as exc:
        faults.note("looking at a server's log", exc, "it is sent")
    return event


def _is_repeated(event: Mapping[str, Any], hint: Mapping[str, Any]) -> bool:
    if event.get("type") is not None:
        return False
    if str(event.get("logger") or "").split(".", 1)[0] not in SERVERS and not _is_uncaught(event):
        return False
    exc = (hint.get("exc_info") or (None, None))[1]
    entry = event.get("logentry") or {}
    text = str(entry.get("formatted") or entry.get("message") or event.get("message") or "")
    lifespan, in_hand = LIFESPAN.get(), sys.exc_info()[1]
    if lifespan is not None and exc is None and in_hand is not None and _line_of(in_hand) in text:
        # A framework says that it failed from within its `except` block, and the server logs it
        # before it is raised.
        lifespan.logged = in_hand
        return True
    return reported.take(exc, text) or (exc is None and reported.is_of_lifespan(text))


def _is_uncaught(event: Mapping[str, Any]) -> bool:
    """Whether an event is of an exception that ends the process."""
    values = (event.get("exception") or {}).get("values") or [{}]
    return ((values[-1] or {}).get("mechanism") or {}).get("type") == "excepthook"


state.register("_request.reported: errors reported of late", reported.clear)
