"""The scopes that a request starts with, at a tenth of the cost of the SDK's own forks.

What most requests have no use for (their trace, their span, their session, the list of their event
processors) is made once something asks.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, Protocol

from asgi_sentry._sdk.bare import take_over, unset
from asgi_sentry._sdk.fork import (
    RequestScope,
    Watched,
    fork,
    has_known_slots,
    new,
)
from asgi_sentry._sdk.names import Scope, has, sdk_scope
from asgi_sentry._sdk.sessions import RequestSession
from asgi_sentry._sdk.unsent import UnsampledSpan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.trace_context import TraceContext

    Processor = Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any] | None]

_ScopeType: Any = getattr(sdk_scope, "ScopeType", None)


class Owner(Protocol):
    """Whose scopes they are: what a scope asks of its request, once something asks the scope."""

    view: ClientView
    began: float
    """By the monotonic clock."""

    @property
    def context(self) -> TraceContext:
        """The trace that the request continues, or begins."""

    @property
    def unsampled(self) -> bool:
        """Whether it was decided that the request is no transaction, and that it has no span."""

    @property
    def process(self) -> Processor:
        """Goes over each event of the request, after the processors of all other scopes."""


def _owner_of(scope: Any) -> Owner | None:
    """Whose scope it is; None for a copy that the SDK made of one, which has all that it needs."""
    owner: Owner | None = vars(scope).get("owner")
    return owner


# What these make they put there by `setdefault`, since threads of the app's may ask for it at the
# same time; and what is set on a scope itself comes before them.


class _Trace:
    """The trace of a scope's request."""

    __slots__ = ()

    def __get__(self, scope: Any, kind: type) -> Any:
        owner = None if scope is None else _owner_of(scope)
        if owner is None:
            return None
        return vars(scope).setdefault("_propagation_context", owner.context)


class _SpanOfUnsampled:
    """The span of a request that is not sampled."""

    __slots__ = ()

    def __get__(self, scope: Any, kind: type) -> Any:
        owner = None if scope is None else _owner_of(scope)
        if owner is None or not owner.unsampled:
            return None
        return vars(scope).setdefault("_span", UnsampledSpan(owner.context))


class _Processors:
    """The event processors of a current scope: its request's."""

    __slots__ = ()

    def __get__(self, scope: Any, kind: type) -> Any:
        if scope is None:
            return self
        owner = _owner_of(scope)
        own = [] if owner is None else [owner.process]
        return vars(scope).setdefault("_event_processors", own)


# Without traces that we know, the SDK makes them.
_trace = _Trace() if has("traces") else None


class CurrentScope(RequestScope):
    """A request's current scope."""

    _type = getattr(_ScopeType, "CURRENT", None)
    _propagation_context: Any = _trace
    _span = _SpanOfUnsampled()
    _event_processors: Any = _Processors()
    owner: Owner


class IsolationScope(RequestScope):
    """A request's isolation scope."""

    _type = getattr(_ScopeType, "ISOLATION", None)
    _propagation_context: Any = _trace
    owner: Owner
    tracks: bool
    """Whether the request has a session that is not made yet."""
    _own_session: Any = None

    @property  # it can be set, too
    def _session(self) -> Any:
        owner = _owner_of(self)
        if owner is None or not self.tracks:
            return self._own_session
        session = vars(self).setdefault("_own_session", RequestSession(owner.view, owner.began))
        self.tracks = False
        return session

    @_session.setter
    def _session(self, session: Any) -> None:
        self.tracks, self._own_session = False, session


def forks(here: Any, around: Any) -> tuple[Any, Any]:
    """What a request starts with: forks of the scopes around it.

    Without what is of none: what was noted outside of every request, and a span of the
    surroundings (a server's, a test's), which is not the parent of a request's.

    Args:
        here: the current scope.
        around: the isolation scope.
    """
    if not (unset(here) and unset(around)):
        return _detached(fork(here, CurrentScope), fork(around, IsolationScope))
    current, isolation = new(CurrentScope), new(IsolationScope)
    take_over(current, here)
    take_over(isolation, around, but="_breadcrumbs")
    if around._last_event_id is not None:
        isolation._last_event_id = around._last_event_id
    return current, isolation


def _detached(current: Any, isolation: Any) -> tuple[Any, Any]:
    current._span = isolation._span = None
    isolation._breadcrumbs = deque()
    isolation._n_breadcrumbs_truncated = 0
    return current, isolation


def _whole_forks(here: Any, around: Any) -> tuple[Any, Any]:
    """The same by the SDK's own forks."""
    pair = here.__copy__(), around.__copy__()
    for each in pair:
        if type(each) is Scope:
            each.__class__ = Watched
    return _detached(*pair)


# A release of the SDK whose scopes hold anything else gets its own, slower forks.
if not has_known_slots:
    forks = _whole_forks
