"""The scopes that a request starts with, at a sixth of the cost of the SDK's own forks.

What most requests have no use for, their span and their session, is made once something asks.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.fork import (
    RequestScope,
    Still,
    Watched,
    collect,
    fork,
    has_known_slots,
    new,
    settled,
)
from asgi_sentry._sdk.names import Scope, sdk_scope
from asgi_sentry._sdk.sessions import RequestSession
from asgi_sentry._sdk.unsent import UnsampledSpan

if TYPE_CHECKING:
    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.trace_context import TraceContext

_ScopeType: Any = getattr(sdk_scope, "ScopeType", None)


class _SpanOfUnsampled:
    """The span of a request that is not sampled, made once something asks for it."""

    __slots__ = ()

    def __get__(self, scope: Any, owner: type) -> Any:
        if scope is None or scope.unsampled is None:
            return None
        return vars(scope).setdefault("_span", UnsampledSpan(scope.unsampled))


class CurrentScope(RequestScope):
    """A request's current scope."""

    _type = getattr(_ScopeType, "CURRENT", None)
    _span = _SpanOfUnsampled()
    unsampled: TraceContext | None = None
    """The trace of a request that is not sampled."""


class IsolationScope(RequestScope):
    """A request's isolation scope."""

    _type = getattr(_ScopeType, "ISOLATION", None)
    tracked: tuple[ClientView, float] | None = None
    """Of what the request's session is made once something asks for it; None: it was, or is not."""
    _own_session: Any = None

    @property  # it can be set, too
    def _session(self) -> Any:
        tracked = self.tracked
        if tracked is None:
            return self._own_session
        # By `setdefault`, since threads of the app's may ask for it at the same time.
        session = vars(self).setdefault("_own_session", RequestSession(*tracked))
        self.tracked = None
        return session

    @_session.setter
    def _session(self, session: Any) -> None:
        self.tracked, self._own_session = None, session


def forks(here: Any, around: Any) -> tuple[Any, Any]:
    """What a request starts with: forks of the scopes around it, at a sixth of the SDK's cost.

    Without what is of none: what was noted outside of every request, and a span of the
    surroundings (a server's, a test's), which is not the parent of a request's.

    Args:
        here: the current scope; the event processors of its fork are the caller's to set.
        around: the isolation scope.
    """
    if not (here.__class__ is around.__class__ is Still or (settled(here) and settled(around))):
        return _detached(fork(here, CurrentScope), fork(around, IsolationScope))
    current, isolation = new(CurrentScope), new(IsolationScope)
    if (
        here._tags
        or here._contexts
        or here._extras
        or here._attributes
        or here._breadcrumbs
        or here._error_processors
        or here._attachments
        or here._transaction_info
        or here._gen_ai_original_message_count
    ):
        collect(current, here)
    if (
        around._tags
        or around._contexts
        or around._extras
        or around._attributes
        or around._event_processors
        or around._error_processors
        or around._attachments
        or around._transaction_info
        or around._gen_ai_original_message_count
        or around._last_event_id
    ):
        collect(isolation, around)
        isolation._last_event_id = around._last_event_id
        isolation._breadcrumbs = deque()
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
