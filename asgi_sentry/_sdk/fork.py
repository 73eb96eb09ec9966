"""Forks of the SDK's scopes, made at a sixth of the SDK's own cost."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import (
    VERSION_3,
    NonRecordingClient,
    Scope,
    _asgi_middleware_applied,
    sdk_scope,
)
from asgi_sentry._sdk.sessions import RequestSession
from asgi_sentry._sdk.unsent import UnsampledSpan

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.trace_context import TraceContext

# Called with each client that is set on a scope of a request.
on_client: list[Callable[[Any], None]] = []
# Called with a scope of a request, and the op and origin of what is started on it; gives what
# stands in its place.
on_transaction: list[Callable[[Any, Any, Any], Any]] = []
on_segment: list[Callable[[Any, Any, Any], Any]] = []


def _in_place(looks: list[Callable[[Any, Any, Any], Any]], scope: Any, op: Any, origin: Any) -> Any:
    return next((inner for look in looks if (inner := look(scope, op, origin)) is not None), None)


class _Container:
    """What a scope collects in, made once something is put there.

    Of a request's scopes most stay empty. No data descriptor, so that what is set on the scope
    itself comes first.
    """

    __slots__ = ("_kind", "_name")

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, scope: Any, owner: type) -> Any:
        # By `setdefault`, since threads of the app's may ask for it at the same time.
        if scope is None:
            return self
        return vars(scope).setdefault(self._name, self._kind())


class _Watched(Scope):
    """A scope of a request: what is set or started on it is looked at."""

    __slots__ = ()

    def set_client(self, client: Any = None) -> None:
        """As the SDK's.

        A second client of a request is to be behind a door, for logs and metrics too.
        """
        # One that is set for the whole process, outside of requests, is the app's new main client.
        if self is not Scope.get_global_scope() or _asgi_middleware_applied.get(False):
            for look in on_client:
                look(client)
        super().set_client(client)

    def start_transaction(self, transaction: Any = None, *args: Any, **kwargs: Any) -> Any:
        """As the SDK's.

        A request that is ours has one already, beside which no integration's stands.
        """
        if transaction is None:
            op, origin = (kwargs.get("op"), kwargs.get("origin"))
        else:
            op, origin = (getattr(transaction, "op", None), getattr(transaction, "origin", None))
        inner = _in_place(on_transaction, self, op, origin)
        if inner is None:
            return super().start_transaction(transaction, *args, **kwargs)
        return inner

    def start_streamed_span(
        self, name: str, attributes: Any, parent_span: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """The same for a segment, which is a span without a parent."""
        if parent_span is None and attributes:
            op, origin = attributes.get("sentry.op"), attributes.get("sentry.origin")
            inner = _in_place(on_segment, self, op, origin)
            if inner is not None:
                return inner
        start: Any = super().start_span if VERSION_3 else super().start_streamed_span
        return start(name, attributes, parent_span, *args, **kwargs)

    if VERSION_3:
        start_span = start_streamed_span  # type: ignore[assignment]  # as it is called there


def watch_clients() -> None:
    """Look at each client that is set for the whole process, as a later `sentry_sdk.init` does."""
    scope = None
    if hasattr(Scope, "get_global_scope"):
        scope = Scope.get_global_scope()
    if type(scope) is Scope:
        scope.__class__ = _Watched


class RequestScope(_Watched):
    """A scope of a request, whose attributes hide the slots of the SDK's.

    What nobody has set is on the class, and what it would collect in is made when it is asked for:
    the two scopes of a request are a large part of what it costs when nothing is sent, and most of
    what they may hold they never do.
    """

    _level = _name = _fingerprint = _transaction = _user = None
    _span = _server_segment_span = _session = _profile = _propagation_context = None
    _force_auto_session_tracking = _last_event_id = _flags = _type = None
    _gen_ai_conversation_id = None
    _n_breadcrumbs_truncated = 0
    _should_capture = True
    client = NonRecordingClient()

    _transaction_info = _Container(dict)
    _tags = _Container(dict)
    _contexts = _Container(dict)
    _extras = _Container(dict)
    _breadcrumbs = _Container(deque)
    _gen_ai_original_message_count = _Container(dict)
    _event_processors = _Container(list)
    _error_processors = _Container(list)
    _attachments = _Container(list)
    _attributes = _Container(dict)


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


_COLLECTED = tuple(
    name for name, value in vars(RequestScope).items() if isinstance(value, _Container)
)
_REFERENCES = {
    name: value
    for name, value in vars(RequestScope).items()
    if name not in _COLLECTED and not name.startswith("__")
}
_references = attrgetter(*_REFERENCES)
# Of a scope on which nothing is set; but for those that each scope has.
_UNSET = {
    name: value
    for name, value in _REFERENCES.items()
    if name not in {"client", "_type", "_propagation_context", "_last_event_id"}
}
_may_be_set = attrgetter(*_UNSET)
_NOTHING = tuple(_UNSET.values())
_new = object.__new__
_set = object.__setattr__


class Still(Scope):
    """A scope around requests on which nothing is set, but for what it collects.

    So nobody has to look at each of its references for each request that forks it. The first that
    is set makes it an ordinary scope again.
    """

    __slots__ = ()

    def __setattr__(self, name: str, value: Any) -> None:
        # First set, then told: whoever settles it meanwhile sees the one or the other.
        _set(self, name, value)
        if name in _UNSET or name == "client":
            _set(self, "__class__", Scope)


def _settled(scope: Any) -> bool:
    """Whether nothing is set on a scope, which is then watched."""
    if type(scope) is Scope:
        _set(scope, "__class__", Still)  # first watched, then looked at
        if type(scope.client) is not NonRecordingClient or _may_be_set(scope) != _NOTHING:
            _set(scope, "__class__", Scope)
    return type(scope) is Still


def forks(here: Any, around: Any) -> tuple[Any, Any]:
    """What a request starts with: forks of the scopes around it, at a sixth of the SDK's cost.

    Without what is of none: what was noted outside of every request, and a span of the
    surroundings (a server's, a test's), which is not the parent of a request's.

    Args:
        here: the current scope; the event processors of its fork are the caller's to set.
        around: the isolation scope.
    """
    if not (here.__class__ is around.__class__ is Still or (_settled(here) and _settled(around))):
        return _detached(_fork(here, CurrentScope), _fork(around, IsolationScope))
    current, isolation = _new(CurrentScope), _new(IsolationScope)
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
        _collect(current, here)
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
        _collect(isolation, around)
        isolation._last_event_id = around._last_event_id
        isolation._breadcrumbs = deque()
    return current, isolation


def _detached(current: Any, isolation: Any) -> tuple[Any, Any]:
    current._span = isolation._span = None
    isolation._breadcrumbs = deque()
    isolation._n_breadcrumbs_truncated = 0
    return current, isolation


def _collect(fork: Any, source: Any) -> None:
    """Copy what a scope has collected."""
    for name in _COLLECTED:
        collected = getattr(source, name)
        if collected:
            setattr(fork, name, collected.copy())


def _fork(scope: Any, kind: type[RequestScope] = RequestScope) -> Any:
    """What `Scope.fork` makes, whatever is set on the scope."""
    fork = _new(kind)
    for (name, default), value in zip(_REFERENCES.items(), _references(scope), strict=True):
        if value is not default:
            setattr(fork, name, value)
    if fork._flags is not None:
        fork._flags = deepcopy(fork._flags)
    _collect(fork, scope)
    return fork


def _whole_forks(here: Any, around: Any) -> tuple[Any, Any]:
    """The same by the SDK's own forks."""
    pair = here.__copy__(), around.__copy__()
    for fork in pair:
        if type(fork) is Scope:
            fork.__class__ = _Watched
    return _detached(*pair)


# A release of the SDK whose scopes hold anything else gets its own, slower forks.
has_known_slots = {*_REFERENCES, *_COLLECTED} == {*getattr(Scope, "__slots__", ())}
if not has_known_slots:
    forks = _whole_forks

# What an event takes from a scope.
_DATA = frozenset(
    {
        *("_tags", "_contexts", "_extras", "_attachments", "_gen_ai_original_message_count"),
        *("_user", "_level", "_fingerprint", "_n_breadcrumbs_truncated", "_gen_ai_conversation_id"),
    }
)


def is_blank(scope: Any) -> bool:
    """Whether nothing was set on a scope of what an event takes from one."""
    if isinstance(scope, RequestScope) and _DATA.isdisjoint(vars(scope)):
        return True
    return not (
        scope._tags
        or scope._contexts
        or scope._extras
        or scope._attachments
        or scope._gen_ai_original_message_count
        or scope._user is not None
        or scope._level is not None
        or scope._fingerprint is not None
        or scope._n_breadcrumbs_truncated
        or scope._gen_ai_conversation_id
    )
