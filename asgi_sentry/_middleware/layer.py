"""The base of all layers.

A layer is a plan with one part filled in, and an app to pass requests on to. Whichever layer is
outermost opens the request record and carries out the joined plan of all. It knows the layers below
it from the start: `survey` looks down the `app` attributes, by which middlewares hold what they
wrap, other people's too. So five layers that stand together cost one: the outermost calls the app
below the last of them. A layer that can't be seen from above (behind a router, or in a closure)
joins when the request reaches it.
"""

from __future__ import annotations

import inspect
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakSet

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._middleware.shutdown import flush, flushing
from asgi_sentry._request.facts import trouble_of
from asgi_sentry._request.failures import note_cancelled
from asgi_sentry._request.messages import Through, tap, watch
from asgi_sentry._request.record import KEY, RequestRecord, hidden_record
from asgi_sentry._request.reported import LIFESPAN, Lifespan, reported, watch_lifespan

if TYPE_CHECKING:
    from asgi_sentry._request.plan import Plan
    from asgi_sentry.types import ASGIApp, Receive, Scope, Send

OWNER, NOBODY = sdk.OWNER, sdk.NOBODY  # one look less
_layers: WeakSet[Layer] = WeakSet()
_DEEPEST = 64  # middlewares looked through; a stack is a dozen


class Layer:
    """An ASGI3 middleware. Subclasses only say what they want, as a plan."""

    def __init__(self, app: ASGIApp, own: Plan) -> None:
        check_app(app, type(self).__name__)
        self.app = app
        self._own = own
        _layers.add(self)
        self._look_down()

    def _look_down(self) -> None:
        self._plan, self._target = survey(self)
        self._has_say_at_the_end = self._plan.late is not None or any(
            each.statuses for each in self._plan.filters
        )

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        __tracebackhide__ = True  # the SDK leaves our frame out of the app's tracebacks
        if scope.get("type") not in ("http", "websocket"):
            say_at_start(self._plan)
            if scope.get("type") == "lifespan" and LIFESPAN.get() is None:
                return await self._live(scope, receive, send)
            return await self.app(scope, receive, send)
        owner = OWNER.get(NOBODY)
        if owner is not NOBODY or KEY in scope:
            record = scope.get(KEY)
            if record.__class__ is not RequestRecord:
                record = hidden_record(scope)
            if record is not None and not record.closed:  # a copy of it may outlive its request
                receive, send = self._joined(record, scope, receive, send)
                return await self.app(scope, receive, send)
        record = self._opened(scope, owner)
        if record is None:
            return await self._target(scope, receive, send)
        if record.plan.bodies:
            receive = Through(tap, record, receive)
        try:
            return await self._target(scope, receive, Through(watch, record, send))
        except Exception as exc:
            trouble_of(record).failure = exc
            raise
        except BaseException as exc:
            note_cancelled(record, exc)
            raise
        finally:
            record.close()

    def _joined(
        self, record: RequestRecord, scope: Scope, receive: Receive, send: Send
    ) -> tuple[Receive, Send]:
        """What the app gets by a layer further in."""
        try:
            if record.meet(self._own, scope):
                receive = Through(tap, record, receive)
            send = record.overhear(send)
            if self._has_say_at_the_end:
                say_at_start(self._plan)
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("joining a request", exc, "the layer has no effect on it")
        return receive, send

    async def _live(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve the lifespan, and report once what it fails with."""
        __tracebackhide__ = True
        lifespan, token = watch_lifespan()

        def failed() -> None:
            exc = sys.exc_info()[1]  # a framework sends the message from within its `except` block
            if isinstance(exc, Exception):
                _report_lifespan(lifespan, exc)

        try:
            return await self.app(scope, receive, flushing(send, failed))
        except Exception as exc:
            if _report_lifespan(lifespan, exc):
                await _flush_quietly()
            raise
        finally:
            if lifespan.logged is not None:
                _report_lifespan(lifespan, lifespan.logged)
            with suppress(ValueError):  # where the lifespan ends in another context
                LIFESPAN.reset(token)

    def _opened(self, scope: Scope, within: Any) -> RequestRecord | None:
        """The record of a new request; None where Sentry is off.

        Args:
            scope: of the request.
            within: what `OWNER` holds.
        """
        # A method of its own. Where the app is called from within our `except`, a fault of ours
        # becomes the context of the app's exceptions.
        try:
            view = sdk.view()
            if view is None:
                return None
            if view.door is None or self._has_say_at_the_end:
                say_at_start(self._plan)
            return RequestRecord(self._plan, view, scope, self._target, within)
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("opening a request", exc, "the request is served without Sentry")
            return None


def _report_lifespan(lifespan: Lifespan, exc: BaseException) -> bool:
    """Report what a lifespan failed with, once; whether that was done now."""
    try:
        view = sdk.view()
        if view is None:
            return False
        reported.note(exc)  # the server may log it, or what it makes of it
        if lifespan.knows(exc):
            return False
        lifespan.reported = exc
        reported.note_lifespan()
        sdk.capture_error(view, exc, handled=False)
    except faults.SIGNALS:
        raise
    except BaseException as fault:
        faults.note("reporting an error of the lifespan", fault, "it is lost")
    return True


async def _flush_quietly() -> None:
    try:
        await flush()
    except faults.SIGNALS:
        raise
    except Exception as exc:
        faults.note("flushing at the end", exc, "what was pending may be lost")


def look_down_again() -> None:
    """Have each layer see the ones below it anew: some of them want something else now."""
    for layer in list(_layers):
        layer._look_down()  # noqa: SLF001 - of this module


def say_at_start(plan: Plan) -> None:
    """Say once, at start, what a plain `sentry_sdk.init`, or the streaming mode, leaves open."""
    view = sdk.view()
    if view is None:
        return
    if not view.may_decide_late and (
        plan.late is not None or any(policy.statuses for policy in plan.filters)
    ):
        faults.once(
            "keep and statuses have no effect: they decide when a request has ended, and in "
            "streaming mode its spans "
            "are on their way by then. Use trace_lifecycle='static', or leave them out."
        )
    if view.door is None:
        faults.once(
            "Sentry was started by sentry_sdk.init: events and transactions of requests are "
            "scrubbed, but logs, "
            "metrics, streamed spans and what no request caused are not. Start it by "
            "asgi_sentry.init instead."
        )


class Survey(NamedTuple):
    """What a layer can see below it."""

    plan: Plan  # joined from it and all layers below
    target: ASGIApp  # the first app that is not a layer of ours


def survey(layer: Layer) -> Survey:
    """Look down the stack from this layer."""
    plan = layer._own  # noqa: SLF001 - of the same class
    target: Any = None
    below: Any = layer.app
    for _ in range(_DEEPEST):
        if isinstance(below, Layer):
            plan = plan.joined(below._own)  # noqa: SLF001 - of the same class
        elif target is None:
            target = below
        if inspect.isclass(below):  # an app of which each request is an instance
            break
        below = getattr(below, "app", None)
        # A router's `app` may be a method; an object that is not called to serve is no middleware.
        if below is None or inspect.ismethod(below) or not callable(below):
            break
    return Survey(plan, layer.app if target is None else target)


def check_app(app: object, user: str) -> None:
    """Refuse what is no ASGI3 app, before it fails at the first request.

    Raises:
        TypeError: it is not callable, a class whose instances can't be awaited, or takes other than
            three arguments.
    """
    remedy = f"{user} wraps an ASGI3 app: an `async def app(scope, receive, send)`"
    # An instance of a class such as Starlette's `HTTPEndpoint` is awaited: it is one request.
    if not callable(app) or (inspect.isclass(app) and not hasattr(app, "__await__")):
        raise TypeError(f"{remedy}, got {_shown(app)}")
    try:
        signature = inspect.signature(app)
    except (TypeError, ValueError):  # a builtin or an extension's: nothing to be seen
        return
    try:
        signature.bind({}, None, None)
    except TypeError:
        raise TypeError(f"{remedy}, got {_shown(app)}, which takes {signature}") from None


def _shown(app: object) -> str:
    if inspect.isclass(app):
        return f"the class {app.__qualname__}"
    return f"an object of type {type(app).__qualname__}"
