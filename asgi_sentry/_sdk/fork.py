"""Forks of the SDK's scopes, made at a third of the SDK's own cost."""

from __future__ import annotations

from collections import deque
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import VERSION_3, Scope, _asgi_middleware_applied

if TYPE_CHECKING:
    from collections.abc import Callable


_BY_REFERENCE = (
    *(
        "_level",
        "_name",
        "_fingerprint",
        "_transaction",
        "_user",
        "_n_breadcrumbs_truncated",
        "_gen_ai_conversation_id",
    ),
    *(
        "_should_capture",
        "_span",
        "_server_segment_span",
        "_session",
        "_force_auto_session_tracking",
        "_profile",
    ),
    *("_propagation_context", "client", "_type", "_last_event_id"),
)
_COPIED = (
    *(
        "_transaction_info",
        "_tags",
        "_contexts",
        "_extras",
        "_breadcrumbs",
        "_gen_ai_original_message_count",
    ),
    *("_event_processors", "_error_processors", "_attachments", "_flags", "_attributes"),
)


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


class _Fork(_Watched):
    """A fork of a scope, whose containers hide the slots of the SDK's."""

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


def _fork(scope: Scope) -> Scope:
    """What `Scope.fork` makes, at a third of its cost.

    Most of what a scope holds is empty, and `deepcopy` is slow. The two forks of a request are the
    largest part of what it costs when nothing is sent.
    """
    fork: Any = _new(_Fork)
    source: Any = scope
    fork._level = source._level
    fork._name = source._name
    fork._fingerprint = source._fingerprint
    fork._transaction = source._transaction
    fork._user = source._user
    fork._n_breadcrumbs_truncated = source._n_breadcrumbs_truncated
    fork._gen_ai_conversation_id = source._gen_ai_conversation_id
    fork._should_capture = source._should_capture
    fork._span = source._span
    fork._server_segment_span = source._server_segment_span
    fork._session = source._session
    fork._force_auto_session_tracking = source._force_auto_session_tracking
    fork._profile = source._profile
    fork._propagation_context = source._propagation_context
    fork.client = source.client
    fork._type = source._type
    fork._last_event_id = source._last_event_id
    fork._flags = None if source._flags is None else deepcopy(source._flags)
    if source._transaction_info:
        fork._transaction_info = source._transaction_info.copy()
    if source._tags:
        fork._tags = source._tags.copy()
    if source._contexts:
        fork._contexts = source._contexts.copy()
    if source._extras:
        fork._extras = source._extras.copy()
    if source._breadcrumbs:
        fork._breadcrumbs = source._breadcrumbs.copy()
    if source._gen_ai_original_message_count:
        fork._gen_ai_original_message_count = source._gen_ai_original_message_count.copy()
    if source._event_processors:
        fork._event_processors = source._event_processors.copy()
    if source._error_processors:
        fork._error_processors = source._error_processors.copy()
    if source._attachments:
        fork._attachments = source._attachments.copy()
    if source._attributes:
        fork._attributes = source._attributes.copy()
    return fork  # type: ignore[no-any-return]


def is_blank(scope: Any) -> bool:
    """Whether nothing was set on a scope of what an event takes from one."""
    if type(scope) is _Fork:
        if not _COLLECTED.isdisjoint(vars(scope)):
            return False
    elif (
        scope._tags
        or scope._contexts
        or scope._extras
        or scope._attachments
        or scope._gen_ai_original_message_count
    ):
        return False
    return (
        scope._user is None
        and scope._level is None
        and scope._fingerprint is None
        and not scope._n_breadcrumbs_truncated
        and not scope._gen_ai_conversation_id
    )


_COLLECTED = frozenset(
    {"_tags", "_contexts", "_extras", "_attachments", "_gen_ai_original_message_count"}
)
_new = object.__new__
# A release of the SDK whose scopes hold anything else gets its own, slower fork.
has_known_slots = {*_BY_REFERENCE, *_COPIED} == {*getattr(Scope, "__slots__", ())}


def _whole_fork(scope: Scope) -> Scope:
    """The SDK's own fork, looked at in the same way."""
    fork: Scope = scope.__copy__()
    if type(fork) is Scope:
        fork.__class__ = _Watched
    return fork


fork_scope: Callable[[Scope], Scope] = _fork if has_known_slots else _whole_fork
