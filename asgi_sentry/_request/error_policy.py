"""`ErrorPolicy`: which exceptions are errors, what they are grouped by, and how many of a kind are sent.

An exception is ignored by its type, by the status it was answered with, by the path of its request, or because the
client went away. What is left may get a fingerprint by rule. The same fingerprint is sent so many times a minute; the
others are counted, and the next one that is sent says how many there were (`suppressed`).

Fingerprints can hold what an outsider sent. So at most `MAX_KINDS` are remembered; when all of them are in use, those
that come new share one limit until an old one has been quiet for a period.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry import _faults as faults
from asgi_sentry._paths import PathRules
from asgi_sentry._sampling.limits import TokenBucket
from asgi_sentry._sampling.locks import Locked
from asgi_sentry._sampling.outcome import statuses
from asgi_sentry._sampling.rate import Limit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from asgi_sentry._paths import PathRule

    ExceptionRule = type[BaseException] | str
    Fingerprint = Sequence[str] | Callable[[BaseException], Sequence[str] | None]

MAX_KINDS = 1_024

CANCELLATIONS = frozenset({"asyncio.exceptions.CancelledError", "trio.Cancelled"})
DISCONNECTS = CANCELLATIONS | frozenset(
    {
        "litestar.exceptions.websocket_exceptions.WebSocketDisconnect",
        "starlette.requests.ClientDisconnect",
        "starlette.websockets.WebSocketDisconnect",
        "uvicorn.protocols.utils.ClientDisconnected",
    }
)
"""What is raised when a request is cancelled or its client goes away, by name so that nothing is imported for it.

The `OSError`s of a broken connection are not among them: a database raises the same.
"""

# Litestar has no class of its own for a client that goes away in the midst of its body.
LITESTARS_NAME = "litestar.exceptions.http_exceptions.InternalServerException"
LITESTARS_WORDS = "client disconnected prematurely"

logger = logging.getLogger(__name__)


class Admission(NamedTuple):
    """Whether an error is sent; `suppressed` is how many of its kind were not since the last that was."""

    admitted: bool
    suppressed: int


class _Kind:
    """One fingerprint's limit and how many it held back."""

    __slots__ = ("bucket", "seen", "suppressed")

    def __init__(self, limit: Limit, clock: Callable[[], float], seen: float) -> None:
        self.bucket = TokenBucket(limit, clock=clock)
        self.suppressed = 0
        self.seen = seen


class ErrorPolicy(Locked):
    """What becomes of the exceptions of an app's requests.

    `ignore` and the keys of `fingerprints` are exception classes, or their names (`"ValueError"`, or with the module,
    `"starlette.exceptions.HTTPException"`); a subclass counts as its base. The first key that matches gives the
    fingerprint, a sequence of texts, in which `"{{ default }}"` is Sentry's own grouping, or a function of the
    exception that returns one or None. `per_fingerprint` is a limit such as `"10/minute"`, None for no limit.

    Raises:
        ValueError: A limit, a status or a path rule can't be read.
        TypeError: A rule has a wrong type.
    """

    __slots__ = (
        "_clock",
        "_disconnects",
        "_fingerprints",
        "_ignore",
        "_kinds",
        "_limit",
        "_paths",
        "_rest",
        "_statuses",
    )

    def __init__(
        self,
        *,
        ignore: Iterable[ExceptionRule] = (),
        ignore_statuses: Iterable[int | str | range] = (),
        ignore_paths: Iterable[PathRule] = (),
        disconnects: bool = False,
        fingerprints: Mapping[ExceptionRule, Fingerprint] | None = None,
        per_fingerprint: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        if isinstance(ignore, str):
            raise TypeError(f"ignore must be several exceptions, such as ({ignore!r},), got {ignore!r}")
        names = frozenset(_name(rule, what="ignore") for rule in ignore)
        self._ignore = names if disconnects else names | DISCONNECTS
        self._disconnects = disconnects
        self._statuses = statuses(ignore_statuses, what="ignore_statuses")
        self._paths: PathRules[bool] = PathRules((rule, True) for rule in ignore_paths)
        self._fingerprints = tuple(
            (_name(rule, what="fingerprints"), _checked(rule, value)) for rule, value in (fingerprints or {}).items()
        )
        self._limit = None if per_fingerprint is None else Limit.parse(per_fingerprint, what="per_fingerprint")
        self._clock = clock
        self._kinds: OrderedDict[tuple[str, ...], _Kind] = OrderedDict()
        self._rest: _Kind | None = None

    def ignored(self, error: BaseException | None, scope: Mapping[str, Any], status: int | None = None) -> str | None:
        """Why an error is not sent (`exception`, `status` or `path`), None if it is to be sent."""
        if error is not None and self.ignores(error):
            return "exception"
        if status is not None and status in self._statuses:
            return "status"
        if self._paths and self._paths.match(scope):
            return "path"
        return None

    def ignores(self, error: BaseException) -> bool:
        """Whether an exception is ignored for what it is."""
        names = _names(error)
        if not self._ignore.isdisjoint(names):
            return True
        if not self._disconnects and LITESTARS_NAME in names:
            return getattr(error, "detail", None) == LITESTARS_WORDS
        # A task group wraps what its tasks raise: it is ignored if all of that is. (Python 3.10 has no such class.)
        within = getattr(error, "exceptions", None)
        return (
            isinstance(within, tuple)
            and bool(within)
            and all(isinstance(each, BaseException) and self.ignores(each) for each in within)
        )

    def fingerprint(self, error: BaseException) -> list[str] | None:
        """The fingerprint by rule, None for Sentry's own grouping. A function of the user's that raises gives None."""
        if not self._fingerprints:
            return None
        names = _names(error)
        for name, fingerprint in self._fingerprints:
            if name not in names:
                continue
            if not callable(fingerprint):
                return list(fingerprint)
            try:
                made = fingerprint(error)
                return None if made is None else [str(part) for part in made]
            except faults.SIGNALS:
                raise
            except BaseException as fault:
                logger.warning("the fingerprint for %s raised %s", name, type(fault).__name__)
                return None
        return None

    def admit(self, event: Mapping[str, Any]) -> Admission:
        """Count an event that is about to be sent, and say whether it may be. Never raises for odd events."""
        limit = self._limit
        if limit is None:
            return Admission(admitted=True, suppressed=0)
        key = kind_of(event)
        now = self._clock()
        with self._lock:
            kind = self._kind(key, limit, now)
            if not kind.bucket.take():
                kind.suppressed += 1
                return Admission(admitted=False, suppressed=0)
            suppressed, kind.suppressed = kind.suppressed, 0
            return Admission(admitted=True, suppressed=suppressed)

    def put_back(self, event: Mapping[str, Any], suppressed: int) -> None:
        """An admitted event was not sent after all: the next of its kind has to tell of it, too."""
        if self._limit is None:
            return
        key = kind_of(event)
        with self._lock:
            kind = self._kinds.get(key) or self._rest
            if kind is not None:
                kind.suppressed += suppressed + 1

    def _kind(self, key: tuple[str, ...], limit: Limit, now: float) -> _Kind:
        kind = self._kinds.get(key)
        if kind is not None:
            kind.seen = now
            self._kinds.move_to_end(key)
            return kind
        if len(self._kinds) >= MAX_KINDS:
            oldest = next(iter(self._kinds))
            if now - self._kinds[oldest].seen < limit.seconds:
                if self._rest is None:
                    self._rest = _Kind(limit, self._clock, now)
                return self._rest
            del self._kinds[oldest]
        self._kinds[key] = kind = _Kind(limit, self._clock, now)
        return kind


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception is how an event loop ends a task."""
    return not CANCELLATIONS.isdisjoint(_names(error))


def kind_of(event: Mapping[str, Any]) -> tuple[str, ...]:
    """What an event is grouped by, near enough to Sentry's grouping to count by.

    Its fingerprint; in place of the default one the type of its exception and the place where the app raised it, or
    the template of its message.
    """
    default = _default_kind(event)
    fingerprint = event.get("fingerprint")
    if not isinstance(fingerprint, (list, tuple)) or not fingerprint:
        return default
    parts: list[str] = []
    for part in fingerprint:
        parts += default if part in ("{{ default }}", "{{default}}") else (str(part),)
    return tuple(parts)


def _default_kind(event: Mapping[str, Any]) -> tuple[str, ...]:
    values = _at(event.get("exception"), "values")
    if isinstance(values, list) and values and isinstance(values[-1], dict):
        last = values[-1]
        frames = _at(last.get("stacktrace"), "frames")
        frames = [frame for frame in frames if isinstance(frame, dict)] if isinstance(frames, list) else []
        # The innermost frame of the app's own, else the innermost at all.
        own = [frame for frame in frames if frame.get("in_app")] or frames
        place = own[-1] if own else {}
        names = (last.get("type"), place.get("module") or place.get("filename"), place.get("function"))
        return tuple(str(name) for name in names)
    template = _at(event.get("logentry"), "message") or event.get("message")
    return ("message", str(event.get("logger")), str(template)[:200])


def _at(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _names(error: BaseException) -> set[str]:
    """By which an exception may be meant: each of its classes, with and without the module."""
    names: set[str] = set()
    for cls in type(error).__mro__[:-1]:
        names.add(cls.__qualname__)
        names.add(f"{cls.__module__}.{cls.__qualname__}")
    return names


def _name(rule: Any, *, what: str) -> str:
    if isinstance(rule, type) and issubclass(rule, BaseException):
        return f"{rule.__module__}.{rule.__qualname__}"
    if isinstance(rule, str) and rule.strip():
        return rule.strip()
    raise TypeError(f"{what} takes exception classes or their names, such as ValueError or 'ValueError', got {rule!r}")


def _checked(rule: ExceptionRule, value: Any) -> Fingerprint:
    if callable(value):
        return value  # type: ignore[no-any-return]
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise TypeError(
        f"the fingerprint for {rule!r} must be a list of texts, such as ['{{{{ default }}}}', 'payments'], "
        f"or a function of the exception, got {value!r}"
    )
