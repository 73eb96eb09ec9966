"""`ErrorPolicy`: which exceptions are errors, how they are grouped, and how many are sent.

An exception is ignored by its type, by the status it was answered with, by the path of its request,
or because the client went away. What is left may get a fingerprint by rule. The same kind is sent
so many times a minute; the others are counted, and the next one that is sent says how many there
were (`suppressed`).

Nobody can silence a new error by a flood of others. A kind is what no client can vary (see
`kinds.py`). Fingerprints by rule may hold what a client sent; so at most `MAX_KINDS` are
remembered, by their hashes, and when there are more the one that was not seen the longest is
forgotten. A kind that is not remembered is sent. Of an error budget a part is kept for kinds that
were not sent for an hour (`Budget.take`).
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry import _faults as faults
from asgi_sentry._paths import PathRules
from asgi_sentry._request.kinds import kind_of
from asgi_sentry._sampling.limits import TokenBucket
from asgi_sentry._sampling.locks import Locked
from asgi_sentry._sampling.rate import Limit
from asgi_sentry._sampling.request_outcome import statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from asgi_sentry._paths import PathRule

    ExceptionRule = type[BaseException] | str
    Fingerprint = Sequence[str] | Callable[[BaseException], Sequence[str] | None]

MAX_KINDS = 1_024
NEWS = 3_600.0
"""Seconds after which a kind that was not sent is a new one again."""
SLOTS = 32
"""Times that each kind remembers: 256 bytes."""

CANCELLATIONS = frozenset({"asyncio.exceptions.CancelledError", "trio.Cancelled"})
DISCONNECTS = CANCELLATIONS | frozenset(
    {
        "litestar.exceptions.websocket_exceptions.WebSocketDisconnect",
        "starlette.requests.ClientDisconnect",
        "starlette.websockets.WebSocketDisconnect",
        "uvicorn.protocols.utils.ClientDisconnected",
    }
)
"""What is raised when a request is cancelled or its client goes away.

By name, so that nothing is imported for it. The `OSError`s of a broken connection are not among
them: a database raises the same.
"""

# Litestar has no class of its own for a client that goes away in the midst of its body.
LITESTARS_NAME = "litestar.exceptions.http_exceptions.InternalServerException"
LITESTARS_WORDS = "client disconnected prematurely"


class Admission(NamedTuple):
    """Whether an error is sent.

    `suppressed` is how many of its kind were not since the last that was.
    """

    admitted: bool
    suppressed: int
    news: bool = True  # none of its kind was sent for long


class _Kind:
    """One kind's limit, how many it held back, and when one was sent."""

    __slots__ = ("before", "bucket", "sent", "suppressed")

    def __init__(self, bucket: TokenBucket | None) -> None:
        self.bucket = bucket
        self.suppressed = 0
        self.sent = self.before = float("-inf")  # the last one, and the one before that


class ErrorPolicy(Locked):
    """What becomes of the exceptions of an app's requests.

    `ignore` and the keys of `fingerprints` are exception classes, or their names (`"ValueError"`,
    or with the module, `"starlette.exceptions.HTTPException"`); a subclass counts as its base. The
    first key that matches gives the fingerprint, a sequence of texts, in which `"{{ default }}"` is
    Sentry's own grouping, or a function of the exception that returns one or None.
    `per_fingerprint` is a limit such as `"10/minute"`, None for no limit; each of `workers`
    processes has an equal part of it, and at least one. It is not shared otherwise: an error of a
    kind that a process has not seen is sent at once, and nobody waits to hear whether another
    process has sent one.

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
        "_statuses",
        "_workers",
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
        workers: Callable[[], int] = lambda: 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        if isinstance(ignore, str):
            raise TypeError(
                f"ignore must be several exceptions, such as ({ignore!r},), got {ignore!r}"
            )
        names = frozenset(_name(rule, what="ignore") for rule in ignore)
        self._ignore = names if disconnects else names | DISCONNECTS
        self._disconnects = disconnects
        self._statuses = statuses(ignore_statuses, what="ignore_statuses")
        self._paths: PathRules[bool] = PathRules((rule, True) for rule in ignore_paths)
        self._fingerprints = tuple(
            (_name(rule, what="fingerprints"), _checked(rule, value))
            for rule, value in (fingerprints or {}).items()
        )
        if per_fingerprint is None:
            self._limit = None
        else:
            self._limit = Limit.parse(per_fingerprint, what="per_fingerprint")
        self._clock = clock
        self._workers = workers
        # By the hashes, since their texts may be a client's.
        self._kinds: OrderedDict[int, _Kind] = OrderedDict()

    def ignored(
        self, error: BaseException | None, scope: Mapping[str, Any], status: int | None = None
    ) -> str | None:
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
            return bool(faults.asked(error, "detail") == LITESTARS_WORDS)
        # A task group wraps what its tasks raise: it is ignored if all of that is. (Python 3.10 has
        # no such class.)
        within = faults.asked(error, "exceptions")
        return (
            isinstance(within, tuple)
            and bool(within)
            and all(isinstance(each, BaseException) and self.ignores(each) for each in within)
        )

    def fingerprint(self, error: BaseException) -> list[str] | None:
        """The fingerprint by rule, None for Sentry's own grouping.

        A function of the user's that raises gives None.
        """
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
                if made is None:
                    return None
                return [str(part) for part in made]
            except faults.SIGNALS:
                raise
            except BaseException as fault:
                faults.note(
                    f"the fingerprint for {name}", fault, "Sentry groups the error by itself"
                )
                return None
        return None

    def admit(self, event: Mapping[str, Any], place: str | None = None) -> Admission:
        """Count an event that is about to be sent, and say whether it may be.

        Never raises for odd events.
        """
        key = hash(kind_of(event, place))
        now = self._clock()
        with self._lock:
            kind = self._kind(key)
            news = now - kind.sent >= NEWS
            if kind.bucket is not None and not kind.bucket.take():
                kind.suppressed += 1
                return Admission(admitted=False, suppressed=0, news=news)
            suppressed, kind.suppressed = kind.suppressed, 0
            kind.before, kind.sent = kind.sent, now
            return Admission(admitted=True, suppressed=suppressed, news=news)

    def put_back(self, event: Mapping[str, Any], suppressed: int, place: str | None = None) -> None:
        """An admitted event was not sent after all: the next of its kind has to tell of it, too."""
        with self._lock:
            kind = self._kinds.get(hash(kind_of(event, place)))
            if kind is not None:
                kind.suppressed += suppressed + 1
                kind.sent = kind.before

    def _kind(self, key: int) -> _Kind:
        kind = self._kinds.get(key)
        if kind is not None:
            self._kinds.move_to_end(key)
            return kind
        while len(self._kinds) >= MAX_KINDS:
            self._kinds.popitem(last=False)
        bucket = None
        if self._limit is not None:
            part = Limit(
                count=max(1, self._limit.count // self._workers()), seconds=self._limit.seconds
            )
            bucket = TokenBucket(part, clock=self._clock, slots=SLOTS)
        self._kinds[key] = kind = _Kind(bucket)
        return kind


def is_cancellation(error: BaseException) -> bool:
    """Whether an exception is how an event loop ends a task."""
    return not CANCELLATIONS.isdisjoint(_names(error))


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
    raise TypeError(
        f"{what} takes exception classes or their names, such as ValueError or 'ValueError', got "
        f"{rule!r}"
    )


def _checked(rule: ExceptionRule, value: Any) -> Fingerprint:
    if callable(value):
        return value  # type: ignore[no-any-return]
    if isinstance(value, (list, tuple)) and value and all(isinstance(part, str) for part in value):
        return tuple(value)
    raise TypeError(
        f"the fingerprint for {rule!r} must be a list of texts, such as ['{{{{ default }}}}', "
        "'payments'], "
        f"or a function of the exception, got {value!r}"
    )
