"""What passes between the server and the app, looked at.

Bodies, the status, and the exception behind a failure.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry._request.afterwards import Afterwards
from asgi_sentry._request.body_copy import BodyCopy
from asgi_sentry._request.facts import Handled, trouble_of
from asgi_sentry._request.head import header
from asgi_sentry._request.logged import is_answer
from asgi_sentry._scrubbing.bodies.multipart import boundary_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asgi_sentry._request.facts import Facts
    from asgi_sentry.types import Message, Receive, Send

_RESPONSE_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})
# How a response may end otherwise, and what says that it does not yet:
# https://asgi.readthedocs.io/en/latest/extensions.html
_OTHER_ENDS = {
    "http.response.trailers": "more_trailers",
    "http.response.zerocopysend": "more_body",
    "http.response.pathsend": "",
}
# What the closing codes of a server's fault say in HTTP's terms:
# https://www.iana.org/assignments/websocket/
_FAULTS = {1011: 500, 1012: 503, 1013: 503, 1014: 502}


def _coroutine_mark() -> tuple[str, Any]:
    """The attribute by which a function passes for a coroutine function, and its value.

    asgiref's adapter for WSGI apps warns of a `send` that does not.
    """

    def marked() -> None:
        """It takes the mark."""

    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(marked)
    else:  # before Python 3.12, as asgiref does
        mark = getattr(asyncio.coroutines, "_is_coroutine", None)
        # There is no other way.
        marked._is_coroutine = mark  # type: ignore[attr-defined]  # noqa: SLF001
    ((name, value),) = vars(marked).items()
    return name, value


_MARK, _MARKED = _coroutine_mark()


def _handled_now() -> BaseException | None:
    return sys.exc_info()[1]


# The exception that is being handled, if any is.
handled_now: Callable[[], BaseException | None] = getattr(sys, "exception", _handled_now)


def _end(facts: Facts) -> None:
    facts.ended = monotonic()
    facts.afterwards = Afterwards()


async def tap(facts: Facts, receive: Receive) -> Message:
    """The same messages; what the app reads of a body is copied, up to the limit."""
    message = await receive()
    try:
        if message.get("body"):  # of nothing else do we keep anything; most requests have none
            if facts.body is None:
                # The copy is asked for the boundary by the headers alone: with the facts it would
                # be in a circle.
                headers = facts.scope.get("headers") or ()
                facts.body = BodyCopy(facts.plan.bodies[0].max_bytes, partial(_boundary, headers))
            facts.body.feed(message)
    except Exception as exc:
        faults.note("copying the request's body", exc, "events go without it")
    return message


def _boundary(headers: Any) -> bytes | None:
    return boundary_of(header({"headers": headers}, b"content-type") or "")


class Through(partial[Any]):
    """What the app is given to receive or to send by: a function of this module, and what it needs.

    That is the facts, and the server's `receive` or `send`. Not a method of the facts: they may
    outlive the request, and would keep what is the server's. And made without a step in Python,
    since each request has some.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        """As a function's, as which an app's variables show it: not what it holds."""
        return f"<function {self.func.__qualname__} at {id(self):#x}>"


setattr(Through, _MARK, _MARKED)


def watches(send: Send, facts: Facts) -> bool:
    """Whether this `send` is one that was made here, for the request of these facts."""
    return isinstance(send, Through) and send.args[0] is facts


def watch(facts: Facts, send: Send, message: Message) -> Awaitable[None]:
    """The same messages; the status and the exception behind a failure are noted as they pass."""
    try:
        kind = message["type"]
        if kind == "http.response.body":
            if facts.recorded and not message.get("more_body"):
                _end(facts)
        elif kind == "http.response.start":
            status = message.get("status")
            if status.__class__ is not int:
                status = _number(status)
            facts.answered = status
            if status in facts.plan.failures:
                trouble_of(facts).failed = True
                note_handled(facts, status)
        elif kind in _OTHER_ENDS:
            if facts.recorded and not message.get(_OTHER_ENDS[kind]):
                _end(facts)
        elif _see(facts, message):
            facts.shaken()
    except Exception as exc:
        faults.note("looking at a response", exc, "its status may be missing")
    return send(message)  # for the app to await, without a frame of ours in between


def overhear(facts: Facts, send: Send, message: Message) -> Awaitable[None]:
    """For a layer further in: the same messages.

    The exception behind a failure is noted where it is in hand. A middleware in between may run the
    app in a task of its own (Starlette's `BaseHTTPMiddleware`), and in the outermost layer's task
    that exception can't be seen.
    """
    try:
        kind = message["type"]
        if kind in _RESPONSE_STARTS:
            note_handled(facts, _number(message.get("status")))
        elif kind == "websocket.close":
            note_handled(facts, _status_of_close(message.get("code", 1000)))
    except Exception as exc:
        faults.note("looking at a response", exc, "the error behind it may be missing")
    return send(message)


def _see(facts: Facts, message: Message) -> bool:
    """Look at a message of a websocket; whether it is the end of a handshake, or of the whole."""
    kind = message["type"]
    if kind == "websocket.http.response.start":
        facts.answered = status = _number(message.get("status"))
        note_handled(facts, status)
    elif kind == "websocket.accept":
        facts.answered = 101
    elif kind == "websocket.close":
        if facts.answered is None:
            # What a server answers for a close before the handshake, as ASGI has it.
            facts.answered = 403
        note_handled(facts, _status_of_close(message.get("code", 1000)))
    else:
        return False
    return True


def note_handled(facts: Facts, status: int | None) -> None:
    """Hold the exception in hand, if it is the one behind a failure with this status.

    Frameworks answer from within their `except` block, so the exception in hand is the one behind
    the answer.
    """
    kind, exc, traceback = sys.exc_info()
    if kind is None or exc is facts.entered_with or not isinstance(exc, Exception):
        return
    meant = is_answer(exc)
    own = faults.asked(exc, "status_code")
    if facts.websocket and meant and isinstance(own, int):  # Litestar closes alike for each
        status = own
    if status in facts.plan.failures:
        # A bare 500 is what a framework answers when nobody handles an exception that is not an
        # answer itself, nor says so of the app's own.
        by_intent = status != 500 or meant or own == status
        trouble_of(facts).handled = Handled((kind, exc, traceback), by_intent)


def _number(status: Any) -> int | None:
    """A response's status; None for one that is no number, which is the server's to refuse."""
    try:
        return int(status)
    except (TypeError, ValueError, OverflowError):
        return None


def _status_of_close(code: int) -> int | None:
    """The HTTP status that a websocket's closing code stands for.

    None for one that is no server's fault. Codes from 4000 on are the app's own; by custom, and in
    Litestar, they are 4000 plus a status.
    """
    if code >= 4000:
        return code - 4000
    return _FAULTS.get(code)
