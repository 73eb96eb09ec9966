"""Forks of scopes that hold what somebody sets on them, and the scopes around requests."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import (
    VERSION_3,
    NonRecordingClient,
    Scope,
    Span,
    _asgi_middleware_applied,
)

if TYPE_CHECKING:
    from collections.abc import Callable

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


class Watched(Scope):
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

    def start_child_span(self, instrumenter: str = "sentry", **kwargs: Any) -> Any:
        """As the SDK's `start_span`, at half of its cost.

        That makes a scope for just as long as a span is being made.
        """
        span = self._span
        if not isinstance(span, Span) or kwargs.get("description") is not None:
            return super().start_span(instrumenter, **kwargs)
        kwargs.setdefault("scope", self)
        return span.start_child(instrumenter, **kwargs)

    # As it is called in version 3, and before.
    start_span = start_streamed_span if VERSION_3 else start_child_span  # type: ignore[assignment]


def watch_clients() -> None:
    """Look at each client that is set for the whole process, as a later `sentry_sdk.init` does."""
    scope = None
    if hasattr(Scope, "get_global_scope"):
        scope = Scope.get_global_scope()
    if type(scope) is Scope:
        scope.__class__ = Watched


class RequestScope(Watched):
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


COLLECTED = tuple(
    name for name, value in vars(RequestScope).items() if isinstance(value, _Container)
)
_REFERENCES = {
    name: value
    for name, value in vars(RequestScope).items()
    if name not in COLLECTED and not name.startswith("__")
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
new = object.__new__
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


def settled(scope: Any) -> bool:
    """Whether nothing is set on a scope, which is then watched."""
    if type(scope) is Scope:
        _set(scope, "__class__", Still)  # first watched, then looked at
        if type(scope.client) is not NonRecordingClient or _may_be_set(scope) != _NOTHING:
            _set(scope, "__class__", Scope)
    return type(scope) is Still


def collect(into: Any, source: Any) -> None:
    """Copy what a scope has collected."""
    for name in COLLECTED:
        collected = getattr(source, name)
        if collected:
            setattr(into, name, collected.copy())


def fork(scope: Any, kind: type[RequestScope] = RequestScope) -> Any:
    """What `Scope.fork` makes, whatever is set on the scope."""
    made = new(kind)
    for (name, default), value in zip(_REFERENCES.items(), _references(scope), strict=True):
        if value is not default:
            setattr(made, name, value)
    if made._flags is not None:
        made._flags = deepcopy(made._flags)
    collect(made, scope)
    return made


# Otherwise a release of the SDK has scopes that hold anything else.
has_known_slots = {*_REFERENCES, *COLLECTED} == {*getattr(Scope, "__slots__", ())}

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
