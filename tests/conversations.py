"""Made-up ASGI conversations: odd scopes, messages in any order, faults and cancellation at any await.

A conversation is plain data, and is held once with the bare app and once with a stack around it. Nothing runs on an
event loop: the coroutines are driven by hand, one `await` at a time, so that a cancellation can be thrown in at each
of them, thousands of conversations take a second, and several can be interleaved step by step.
"""

from __future__ import annotations

import asyncio
import contextvars
import copy
import logging
import random
import types
from collections.abc import Callable, Coroutine, Iterator, MutableMapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import sentry_sdk
from hypothesis import strategies as st

import asgi_sentry

HERE = Path(asgi_sentry.__file__).parent


class Chooser(Protocol):
    """Where choices come from: dice, or a strategy that can shrink what fails."""

    def one(self, options: Sequence[Any]) -> Any: ...
    def below(self, limit: int) -> int: ...


class Dice:
    """Choices by a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def one(self, options: Sequence[Any]) -> Any:
        return self._random.choice(options)

    def below(self, limit: int) -> int:
        return self._random.randrange(limit)


class Drawn:
    """Choices that hypothesis draws."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw

    def one(self, options: Sequence[Any]) -> Any:
        return self._draw(st.sampled_from(options))

    def below(self, limit: int) -> int:
        return self._draw(st.integers(0, limit - 1))


class Mapping(MutableMapping[str, Any]):
    """A scope that is no dict."""

    def __init__(self, held: dict[str, Any]) -> None:
        self.held = held

    def __getitem__(self, key: str) -> Any:
        return self.held[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.held[key] = value

    def __delitem__(self, key: str) -> None:
        del self.held[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.held)

    def __len__(self) -> int:
        return len(self.held)


class ReadOnly(dict[str, Any]):
    """A scope that can't be written to."""

    def __setitem__(self, key: str, value: Any) -> None:
        raise TypeError("read only")


class Hostile:
    """A value that raises whatever is asked of it."""

    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    def __iter__(self) -> Iterator[Any]:
        raise RuntimeError("no items")

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return 1

    def __deepcopy__(self, memo: object) -> Hostile:
        return self


HOSTILE = Hostile()
ODD: list[Any] = [None, 7, -1, 1.5, "", "text", b"", b"\xff", [], {}, (), True, [None], [(b"a",)], {"a": HOSTILE}]
ODD += ["\udcff", "a" * 5000, b"b" * 5000, [[]] * 3, object, HOSTILE]

HEADERS: list[Any] = [
    [],
    [(b"host", b"a"), (b"authorization", b"Bearer kT9vQ2mXw7Lp4Rz8")],
    [(b"sentry-trace", b"0123456789abcdef0123456789abcdef-0123456789abcdef-1"), (b"baggage", b"sentry-sample_rate=1")],
    [(b"sentry-trace", b"0-0-0"), (b"baggage", b"=,;=%,sentry-sample_rand=x")],
    [(b"baggage", b"sentry-sample_rate=1e999,sentry-sample_rand=nan")],
    [
        (b"content-type", b"application/json"),
        (b"content-length", b"-5"),
        (b"cookie", b"a=b; ; =; sid=kT9vQ2mXw7Lp4Rz8"),
    ],
    [[b"x-list", b"not a tuple"]],
    [("x-text", "no bytes")],
    [(b"one",)],
    [(b"a", b"b", b"c")],
    [None],
    ((b"x-tuple", b"1"),),
    {b"x": b"y"},
    b"host: a",
    None,
    HOSTILE,
    [(b"\xff\xfe", b"\x00"), (b"", b"")],
    [(b"host", b"a")] * 300,
]
PATHS: list[Any] = ["/", "/health", "/items/7", "/p/1", "", "no/slash", "//", "/\x00", "/é", "/" + "x" * 3000]


def make_scope(choose: Chooser) -> dict[str, Any]:
    """A scope, mostly right, with keys missing, odd, and unheard of."""
    kind = choose.one(["http", "http", "http", "http", "websocket", "websocket", "lifespan", "odd", None, 7, b"http"])
    scope: dict[str, Any] = {
        "type": kind,
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": choose.one(["GET", "POST", "HEAD", "OPTIONS", "get", "X Y"]),
        "scheme": "http",
        "path": choose.one(PATHS),
        "raw_path": b"/",
        "query_string": choose.one([b"", b"a=1", b"token=kT9vQ2mXw7Lp4Rz8", b"%", b"&&=&", b"\xff"]),
        "root_path": choose.one(["", "", "/", "/items", "items/"]),
        "headers": choose.one(HEADERS),
        "client": choose.one([None, ("127.0.0.1", 5), ["::1", 0], ("unix", None)]),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    for _ in range(choose.below(4)):
        key = choose.one([*scope, "user", "auth", "route", "endpoint", "path_params", "path_template", "router", "app"])
        if choose.below(2):
            scope.pop(key, None)
        else:
            scope[key] = choose.one(ODD)
    if choose.below(20) == 0:
        scope["asgi_sentry"] = choose.one(ODD)
    return scope


MESSAGES: list[Any] = [
    {"type": "http.request", "body": b"", "more_body": False},
    {"type": "http.request", "body": b'{"password": "kT9vQ2mXw7Lp4Rz8"', "more_body": True},
    {"type": "http.request", "body": b"}", "more_body": False},
    {"type": "http.request"},
    {"type": "http.disconnect"},
    {"type": "websocket.connect"},
    {"type": "websocket.receive", "text": "hello"},
    {"type": "websocket.receive", "bytes": b"x", "text": None},
    {"type": "websocket.disconnect", "code": 1006},
    {"type": "lifespan.startup"},
    {"type": "lifespan.shutdown"},
    {"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]},
    {"type": "http.response.start", "status": 404, "headers": []},
    {"type": "http.response.start", "status": 503, "headers": []},
    {"type": "http.response.start", "status": 200, "trailers": True},
    {"type": "http.response.body", "body": b"x", "more_body": True},
    {"type": "http.response.body", "body": b"y", "more_body": False},
    {"type": "http.response.body"},
    {"type": "http.response.trailers", "headers": [], "more_trailers": False},
    {"type": "http.response.push", "path": "/x", "headers": []},
    {"type": "http.response.pathsend", "path": "/x"},
    {"type": "http.response.debug", "info": {}},
    {"type": "websocket.accept"},
    {"type": "websocket.send", "text": "hello"},
    {"type": "websocket.close", "code": 1011, "reason": "no"},
    {"type": "websocket.http.response.start", "status": 403, "headers": []},
    {"type": "websocket.http.response.body", "body": b""},
    {"type": "lifespan.startup.complete"},
    {"type": "lifespan.startup.failed", "message": "no"},
    {"type": "lifespan.shutdown.complete"},
]
INCOMING, OUTGOING = MESSAGES[:11], MESSAGES[11:]


def make_message(choose: Chooser, usual: Sequence[Any]) -> Any:
    if choose.below(12) == 0:
        return choose.one(ODD)
    message = dict(choose.one(usual if choose.below(6) else MESSAGES))
    if choose.below(6) == 0:
        key = choose.one(["type", "status", "body", "more_body", "headers", "code", "text"])
        if choose.below(2):
            message.pop(key, None)
        else:
            message[key] = choose.one(ODD)
    return message


class Failure(Exception):
    """What apps, and servers, raise here."""


class Stop(BaseException):
    """What is no `Exception`, such as a signal."""


Step = tuple[str, Any]


@dataclass(frozen=True, kw_only=True)
class Conversation:
    """What a server and an app say to each other, and where it breaks off."""

    scope: dict[str, Any] = field(repr=False)
    scope_type: Callable[[dict[str, Any]], MutableMapping[str, Any]]
    incoming: tuple[Any, ...] = field(repr=False)
    steps: tuple[Step, ...]
    receive_fails: int
    """At which call the server's `receive` raises; far off if never."""
    send_fails: int
    cancelled: int
    """At which await a cancellation comes."""


def make(choose: Chooser) -> Conversation:
    """A conversation of chosen parts."""
    steps: list[Step] = []
    if choose.below(3):  # most answer as the protocol has it
        steps += [("receive", None), ("send", dict(choose.one(OUTGOING[:3]))), ("send", dict(OUTGOING[5]))]
    for _ in range(choose.below(6)):
        what = choose.one(["receive", "receive", "send", "send", "send", "pause", "log", "guarded", "handled", "tag"])
        steps.insert(choose.below(len(steps) + 1), (what, make_message(choose, OUTGOING)))
    if choose.below(5) == 0:
        steps.append((choose.one(["raise", "raise from", "stop", "close"]), None))
    return Conversation(
        scope=make_scope(choose),
        scope_type=choose.one([dict] * 12 + [Mapping, ReadOnly]),
        incoming=tuple(make_message(choose, INCOMING) for _ in range(choose.below(5))),
        steps=tuple(steps),
        receive_fails=choose.below(4) if choose.below(10) == 0 else 99,
        send_fails=choose.below(4) if choose.below(10) == 0 else 99,
        cancelled=1 + choose.below(12) if choose.below(5) == 0 else 999,
    )


@st.composite
def conversations(draw: st.DrawFn) -> Conversation:
    """The same, drawn, so that one that fails is made small."""
    return make(Drawn(draw))


@types.coroutine
def pause() -> Any:
    """An await that the driver sees."""
    return (yield)


class Held:
    """One conversation on its way: what the app saw, what the server saw, and how it ended."""

    def __init__(self, what: Conversation, stack: Callable[[Any], Any] | None) -> None:
        self.what = what
        self.scope = what.scope_type(copy.deepcopy(what.scope))
        self.before = dict(self.scope)
        self.said: list[Any] = []
        self.ended: Any = None
        self._calls = {"receive": 0, "send": 0}
        self._raised: list[BaseException] = []
        self._await = 0
        self._context = contextvars.copy_context()
        app = self._app if stack is None else stack(self._app)
        self._around: Any = None
        self._coroutine: Coroutine[Any, Any, Any] = self._context.run(self._start, app)

    def _start(self, app: Any) -> Coroutine[Any, Any, Any]:
        self._around = (sentry_sdk.get_isolation_scope(), sentry_sdk.get_current_scope())
        return app(self.scope, self._receive, self._send)

    # --- the server ---

    async def _receive(self) -> Any:
        number = self._called("receive")
        await pause()
        if number == self.what.receive_fails:
            raise self._made(OSError("receive"))
        return self.what.incoming[number] if number < len(self.what.incoming) else {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        number = self._called("send")
        self.said.append(("server", self._name(message)))
        await pause()
        if number == self.what.send_fails:
            raise self._made(OSError("send"))

    def _called(self, what: str) -> int:
        self._calls[what] += 1
        return self._calls[what] - 1

    # --- the app ---

    async def _app(self, scope: Any, receive: Any, send: Any) -> None:
        gained = [key for key in scope if key not in self.before]
        self.said.append(("scope", scope is self.scope, [key for key in gained if key != "asgi_sentry"]))
        for what, message in self.what.steps:
            if what == "receive":
                self.said.append(("app", self._name(await receive())))
            elif what == "send":
                await send(message)
            elif what == "guarded":
                try:
                    await send(message)
                except OSError as exc:
                    self.said.append(("caught", str(exc)))
            elif what == "handled":  # as frameworks answer
                try:
                    raise self._made(Failure("handled"))
                except Failure:
                    await send(dict(OUTGOING[2]))
            elif what == "log":
                logging.getLogger("tests.conversations").error("it failed")
            elif what == "tag":
                asgi_sentry.set_user_context(5)
                sentry_sdk.set_tag("a", "b")
            elif what == "pause":
                await pause()
            elif what == "raise":
                raise self._made(Failure("boom"))
            elif what == "raise from":
                try:
                    raise self._made(Failure("cause"))
                except Failure as exc:
                    raise self._made(ValueError("boom")) from exc
            elif what == "stop":
                raise self._made(Stop("stop"))
            else:
                return

    def _made(self, exc: BaseException) -> BaseException:
        self._raised.append(exc)
        return exc

    def _name(self, message: Any) -> Any:
        """Which message it is, by identity; ours would be a stranger."""
        known = [*self.what.incoming, *(each for _, each in self.what.steps)]
        for at, each in enumerate(known):
            if each is message:
                return at
        return message if type(message) is dict else "a stranger"

    # --- the driver ---

    def step(self) -> bool:
        """Go on to the next await; whether there is one."""
        number, self._await = self._await, self._await + 1
        try:
            if number == self.what.cancelled:
                self._context.run(self._coroutine.throw, self._made(asyncio.CancelledError()))
            else:
                self._context.run(self._coroutine.send, None)
        except StopIteration as end:
            self.ended = ("returned", end.value)
        except BaseException as exc:
            self.ended = ("raised", any(exc is each for each in self._raised), _shape(exc))
        else:
            return True
        self._look_around()
        return False

    def _look_around(self) -> None:
        around = self._context.run(lambda: (sentry_sdk.get_isolation_scope(), sentry_sdk.get_current_scope()))
        restored = all(one is other for one, other in zip(around, self._around, strict=True))
        after = dict(self.scope)
        left = {key for key in after.keys() | self.before.keys() if after.get(key) is not self.before.get(key)}
        self.said.append(("left", restored, sorted(left - {"asgi_sentry"})))

    @property
    def observed(self) -> tuple[Any, ...]:
        """All that the app and the server can tell."""
        return (self.said, self.ended)


def _shape(exc: BaseException | None, depth: int = 4) -> Any:
    """An exception with what hangs on it, and the frames that it came through, ours left out."""
    if exc is None or depth == 0:
        return None
    frames, at = [], exc.__traceback__
    while at is not None:
        path = at.tb_frame.f_code.co_filename
        if not Path(path).is_relative_to(HERE) and at.tb_frame.f_code.co_name not in {"step", "foreign"}:
            frames.append(at.tb_frame.f_code.co_name)
        at = at.tb_next
    inner = (_shape(exc.__cause__, depth - 1), _shape(exc.__context__, depth - 1), exc.__suppress_context__)
    return type(exc).__name__, str(exc), tuple(frames), inner


def hold(each: Sequence[Conversation], stack: Callable[[Any], Any] | None, turns: Chooser | None = None) -> list[Any]:
    """What is observed of these conversations, one after the other or, by `turns`, step by step in any order."""
    held = [Held(one, stack) for one in each]
    going = list(held)
    while going:
        at = turns.below(len(going)) if turns else 0
        if not going[at].step():
            del going[at]
    return [one.observed for one in held]


def foreign_layer(app: Any) -> Any:
    """Somebody else's middleware, which nobody can look through."""

    async def foreign(scope: Any, receive: Any, send: Any) -> Any:
        return await app(scope, receive, send)

    return foreign
