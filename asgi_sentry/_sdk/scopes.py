"""The isolation and current scope of one request."""

from __future__ import annotations

import sys
import weakref
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _state as state
from asgi_sentry._sdk.bare import Bare, around_now, here_now, set_around, set_here
from asgi_sentry._sdk.fork import Still, new
from asgi_sentry._sdk.names import (
    NoOpStreamedSpan,
    Scope,
    StreamedSpan,
    _asgi_middleware_applied,
    has,
)
from asgi_sentry._sdk.request_scopes import CurrentScope, IsolationScope, forks
from asgi_sentry._sdk.sessions import RequestSession, count_session, count_well
from asgi_sentry._sdk.trace_context import TraceContext
from asgi_sentry._sdk.unsent import UnsampledSpan, silence

if TYPE_CHECKING:
    from contextvars import ContextVar

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.request_scopes import Owner
    from asgi_sentry._sdk.root_span import Root


# Who looks after the request. With True the SDK's own ASGI middleware says that it does, and one
# that stands further in starts nothing where there is anything true: so our record stands here, and
# has no need of a variable of its own.
OWNER: ContextVar[Any] = _asgi_middleware_applied
NOBODY = False
"""What `OWNER` holds where nobody does."""

_own = OWNER.set

# The same of the SDK's WSGI middleware, of an app that is mounted within ours: it has a variable of
# its own. Without it a mounted Flask app makes a transaction that no filter, rate or budget knows
# of, beside ours.
_WSGI = "sentry_sdk.integrations.wsgi"  # loaded where an integration has need of it
_wsgi_owned: Any = None  # the variable, once that is loaded


def _find_wsgi() -> bool:
    """Look for that variable in the module, which is loaded; whether it is there."""
    global _wsgi_owned  # noqa: PLW0603 - a name of the process; each finds the same
    _wsgi_owned = getattr(sys.modules[_WSGI], "_wsgi_middleware_applied", None)
    return _wsgi_owned is not None


def _forget_wsgi() -> None:
    global _wsgi_owned  # noqa: PLW0603 - the same
    _wsgi_owned = None


state.register("_sdk.scopes: the variable of the WSGI middleware", _forget_wsgi)

# Without traces that we know, a scope's own is the SDK's to make.
_BARE = Bare if has("traces") else None


class Scopes:
    """The isolation and current scope of one request, and the way back to those around it."""

    _around: Any
    _here: Any
    current: Any
    isolation: Any
    bare: bool
    """Whether nothing was set on the scopes around: then these two hold nothing but their owner."""
    displaced: TraceContext | None = None
    """The trace of the SDK's own middleware, where that stands around us."""
    _entered: Any
    _back: tuple[Scope, Scope] | None  # None: to the surroundings

    def __init__(self, owner: Owner, entered: Any = NOBODY, outer: Scopes | None = None) -> None:
        """Fork the scopes around.

        Args:
            owner: of the request, for `OWNER` and for what is made once something asks for it.
            entered: what `OWNER` holds by now.
            outer: of the request in whose context this one is made, by a call within the process,
                say. Then it is the surroundings of that one that are forked: what it put on its
                scopes is its own.
        """
        here = here_now() or Scope.get_current_scope()
        around = around_now() or Scope.get_isolation_scope()
        self._entered, self._back, self.bare = entered, None, True
        if entered is not NOBODY:
            if outer is not None:
                self._back = here, around
                here, around = outer._here, outer._around
            elif entered and has("traces", "transactions", "spans"):
                self.displaced = _displace_sdk_middleware()
        self._here = here
        self._around = around
        if here.__class__ is _BARE and around.__class__ is _BARE:
            self.current = current = new(CurrentScope)
            self.isolation = isolation = new(IsolationScope)
            current.owner = isolation.owner = owner
            isolation.tracks = False
        else:
            current, isolation = self._filled(owner, outer)
        set_here(current)
        set_around(isolation)
        _own(owner)
        if _wsgi_owned is not None or (_WSGI in sys.modules and _find_wsgi()):
            _wsgi_owned.set(True)

    def _filled(self, owner: Owner, outer: Scopes | None) -> tuple[Any, Any]:
        """Both, with what the scopes around hold."""
        self.current, self.isolation = current, isolation = forks(self._here, self._around)
        self.bare = isinstance(self._here, Still) and isinstance(self._around, Still)
        if outer is not None:
            isolation._session = None
        # Not by `add_event_processor`, which throws all processors away where there are more than
        # twenty.
        current._event_processors = [*current._event_processors, owner.process]
        if current.__class__ is CurrentScope:
            current.owner = isolation.owner = owner
            isolation.tracks = False
        else:
            self.bare = False
        return current, isolation

    def leave(self) -> None:
        """Restore the scopes of before, and let go of all others.

        By value, not by token: the context may not be the one of the start.
        """
        set_here(self._here)
        set_around(self._around)
        _own(self._entered)
        if _wsgi_owned is not None:
            _wsgi_owned.set(self._back is not None)
        self.current = self.isolation = None
        if self._back is not None:
            set_here(self._back[0])
            set_around(self._back[1])
            self._back = self._entered = None

    def release(self) -> None:
        """Let go of all scopes but those that surround every request.

        Call nothing else afterwards.
        """
        self.current = self.isolation = self._back = self._entered = None

    def propagate(self, context: TraceContext) -> None:
        """Let everything within the request, spans or not, continue this trace."""
        if not has("traces"):
            self.isolation.set_new_propagation_context()
            return
        # Set on both: streaming looks at the current scope first, classic mode at the isolation
        # scope.
        self.current._propagation_context = self.isolation._propagation_context = context

    def forget_span(self) -> None:
        """Have no span on the current scope, as at the beginning; a root has been discarded."""
        if isinstance(self.current, CurrentScope):
            vars(self.current).pop("_span", None)
        else:
            self.current._span = None

    def go_on(self, view: ClientView, context: TraceContext, root: Root) -> None:
        """After the root span's end, let what still runs for the request continue its trace."""
        if view.streaming:
            span: Any = NoOpStreamedSpan(
                scope=self.current,
                trace_id=context.trace_id,
                parent_span_id=context.parent_span_id,
                baggage=context.baggage,
                sampled=root.sampled,
            )
            span._scope = None  # it is never ended; and it would hold the scope that holds it
        elif root.recording:
            self.current._span = UnsampledSpan(context)

    def start_session(self, view: ClientView, began: float) -> None:
        """Start a release-health session, unless the SDK's own middleware around us did so.

        Args:
            view: the client's.
            began: when the request did, by the monotonic clock.
        """
        isolation = self.isolation
        if isolation._session is not None or isolation._force_auto_session_tracking is False:
            return
        if isolation.__class__ is IsolationScope:  # which makes it when it is asked for
            isolation.tracks = True
        else:
            isolation._session = RequestSession(view, began)

    def drop_session(self) -> None:
        """Forget the session of this request, whoever started it: it is not counted."""
        if self.bare and not self.isolation.tracks and self.isolation._own_session is None:
            return
        self.isolation._session = None
        if self.displaced is not None:
            self._around._session = None

    def crash_session(self) -> None:
        """Count the session as crashed, where no error says so."""
        session = self.isolation._session
        if session is not None and session.status == "ok":
            session.status = "crashed"
            session.errors += 1

    def end_session(self, view: ClientView, began: float) -> None:
        """Count the session that `start_session` began.

        One that the surroundings began is theirs to end.

        Args:
            view: the client's.
            began: when the request did, by the monotonic clock.
        """
        isolation = self.isolation
        if isolation.__class__ is IsolationScope and isolation.tracks:
            isolation.tracks = False
            count_well(view, began)
            return
        session = isolation._session
        if session is None or session is self._around._session:
            return
        isolation._session = None
        count_session(view, session)


class PublicScopes(Scopes):
    """The same by public calls alone, for an SDK whose scopes have moved.

    Isolation, and our processor. There is no span to hang on these scopes and no session: the
    client's view says that there are none.
    """

    bare = False

    def __init__(self, owner: Owner, entered: Any = NOBODY, outer: Scopes | None = None) -> None:
        """Isolate; see the base.

        The SDK's own isolation is a fork of the scopes around, an outer request's too.
        """
        self._entered = entered
        self._way_back = sentry_sdk.isolation_scope()
        self.isolation = self._way_back.__enter__()
        self.isolation.add_event_processor(owner.process)
        self.current = sentry_sdk.get_current_scope()
        _own(owner)
        if _wsgi_owned is not None or (_WSGI in sys.modules and _find_wsgi()):
            _wsgi_owned.set(True)

    def leave(self) -> None:
        """Restore the surroundings."""
        _own(self._entered)
        if _wsgi_owned is not None:
            _wsgi_owned.set(self._entered.__class__ is not bool)
        self._way_back.__exit__(None, None, None)
        self.release()

    def release(self) -> None:
        """Let go of the scopes."""
        self.current = self.isolation = None
        self._way_back = self._entered = None  # type: ignore[assignment]

    def propagate(self, context: TraceContext) -> None:
        """Let the request have a trace of its own."""
        self.isolation.set_new_propagation_context()

    def go_on(self, view: ClientView, context: TraceContext, root: Root) -> None:
        """Nothing: there was no root."""

    def start_session(self, view: ClientView, began: float) -> None:
        """Nothing: there are no sessions."""

    def drop_session(self) -> None:
        """Nothing, for the same reason."""

    def end_session(self, view: ClientView, began: float) -> None:
        """Nothing, for the same reason."""


if not has("scopes"):
    Scopes = PublicScopes  # type: ignore[misc]


def processors(scope: Any) -> list[Any]:
    """The event processors of a scope."""
    processors: list[Any] = getattr(scope, "_event_processors", None) or []
    return processors


def is_last_processor(processor: Any) -> bool:
    """Whether no event processor comes after this one."""
    last = processors(sentry_sdk.get_current_scope())
    return bool(last) and last[-1] == processor


def _displace_sdk_middleware() -> TraceContext:
    """The SDK's own ASGI middleware stands around us: silence its root span, and hand on its trace.

    It cannot be asked not to start one, and two transactions for one request would be billed twice.
    The span is made to end without being sent and without an outcome: ours counts for the request.
    """
    # By now perhaps a child, of a middleware of the framework's.
    span: Any = Scope.get_current_scope()._span
    if isinstance(span, StreamedSpan):
        silence(span._segment)
    elif span is not None:
        silence(span.containing_transaction)
    return TraceContext.of(Scope.get_isolation_scope().get_active_propagation_context())


def django_request() -> Any:
    """The request of Django's, on whose behalf the caller runs; None where there is none.

    The SDK's integration keeps it in an event processor, which takes the user from it if personal
    data may be sent.
    """
    for scope in (Scope.get_isolation_scope(), Scope.get_current_scope()):
        for each in reversed(processors(scope)):
            if getattr(each, "__name__", "") in {
                "asgi_request_event_processor",
                "wsgi_request_event_processor",
            }:
                for cell in each.__closure__ or ():
                    held = cell.cell_contents
                    found = held
                    if isinstance(held, weakref.ref):
                        found = held()
                    if hasattr(found, "META"):
                        return found
    return None
