"""The one module that knows sentry-sdk from the inside.

Everything that is not public in the SDK, and everything that differs between its classic mode, its streaming mode
and version 3 (which only streams), is used here and nowhere else. `tests/test_sdk.py` states what is relied on, so
that a release of the SDK that moves any of it fails there, by name.
"""

from __future__ import annotations

import asyncio
import inspect
import math
import os
import random
import re
import sys
import time
import uuid
from collections import deque
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import cached_property
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import unquote

import sentry_sdk
from sentry_sdk import scope as sdk_scope
from sentry_sdk import traces, transport
from sentry_sdk.client import NonRecordingClient as _NoClient
from sentry_sdk.consts import DEFAULT_OPTIONS
from sentry_sdk.integrations import DidNotEnable
from sentry_sdk.integrations import logging as sdk_logging
from sentry_sdk.integrations.asgi import _asgi_middleware_applied
from sentry_sdk.scope import Scope, _current_scope, _isolation_scope
from sentry_sdk.serializer import (
    CYCLE_MARKER,
    MAX_DATABAG_BREADTH,
    MAX_DATABAG_DEPTH,
    global_repr_processors,
    serialize,
)
from sentry_sdk.session import Session
from sentry_sdk.tracing_utils import (
    SENTRY_TRACE_REGEX,
    Baggage,
    PropagationContext,
    _generate_sample_rand,
    _should_continue_trace,
    has_tracing_enabled,
)
from sentry_sdk.utils import event_from_exception, format_timestamp

from asgi_sentry import _faults as faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextvars import ContextVar

    Processor = Callable[[dict[str, Any], Mapping[str, Any]], dict[str, Any] | None]

try:  # version 2: transactions beside streamed spans
    from sentry_sdk.traces import NoOpStreamedSpan, StreamedSpan
    from sentry_sdk.tracing import NoOpSpan, Transaction, _SpanRecorder
    from sentry_sdk.tracing_utils import has_span_streaming_enabled
except ImportError:  # version 3: streamed spans alone, under the shorter names
    StreamedSpan, NoOpStreamedSpan = traces.Span, traces.NoOpSpan  # type: ignore[misc,attr-defined]
    NoOpSpan = Transaction = None  # type: ignore[assignment,misc]

    def has_span_streaming_enabled(options: dict[str, Any] | None) -> bool:
        """Version 3 knows no other mode."""
        return options is not None


# Our own log lines are for the log: as events, breadcrumbs or logs they would come back to the hooks that wrote them.
for _ignore in ("ignore_logger", "ignore_logger_for_events", "ignore_logger_for_sentry_logs"):  # by version
    for _pattern in ("asgi_sentry", "asgi_sentry.*"):
        getattr(sdk_logging, _ignore, lambda _: None)(_pattern)

ORIGIN = "auto.http.asgi_sentry"  # https://develop.sentry.dev/sdk/telemetry/traces/trace-origin/
# What the layers do in their place. https://docs.sentry.io/platforms/python/integrations/
_INTEGRATIONS = (
    ("starlette", "StarletteIntegration"),
    ("fastapi", "FastApiIntegration"),
    ("litestar", "LitestarIntegration"),
)


@dataclass(frozen=True, slots=True, eq=False)
class ClientView:
    """What a request needs to know of the SDK's client, read once per client instead of once per request."""

    client: Any
    streaming: bool
    tracing: bool  # False: trace headers go on, but there are no transactions
    sampler: Callable[[dict[str, Any]], Any] | None
    rate: Any
    sessions: bool
    org: str | None  # of the DSN: a trace of another organisation is not continued
    strict: bool  # nor one that names none, where exactly one of both sides does
    door: Any  # the door that `asgi_sentry.init` set before the transport; None with a plain `sentry_sdk.init`
    profiled: bool  # some profiler may want to know when a transaction starts
    max_spans: int  # of a transaction
    hooked: frozenset[str | None]  # the types of events (`transaction`; None: errors) that a hook of the user's sees
    scrubs: bool  # a scrubber of the user's goes over events before they are serialized
    patched: bool  # the SDK's own framework integrations are on, and rename transactions
    unsampled: dict[str, Root] = field(default_factory=dict)  # the roots of what is not sampled, by reason

    def downsample(self) -> int:
        """How many times the SDK's backpressure handling halves every sample rate at the moment."""
        monitor = self.client.monitor
        return monitor.downsample_factor if monitor is not None else 0

    def lose(self, reason: str, category: str, quantity: int = 1) -> None:
        """Count a loss for the SDK's client report."""
        if self.client.transport is not None:
            self.client.transport.record_lost_event(reason, data_category=category, quantity=quantity)


_HOOKS: dict[str | None, str] = {None: "before_send", "transaction": "before_send_transaction"}
_PROFILING = (
    *("profiles_sample_rate", "profiles_sampler", "profile_session_sample_rate", "profile_lifecycle"),
    *("continuous_profiling_auto_start", "profiler_mode"),
)
_last_view: ClientView | None = None


def view() -> ClientView | None:
    """The client's view, or None where nothing could be sent: no client, no DSN, or closed."""
    global _last_view  # noqa: PLW0603 - a cache of one; a lost race costs one more reading
    here, around, everywhere = _current_scope.get(), _isolation_scope.get(), sdk_scope._global_scope
    if (
        here is None
        or around is None
        or everywhere is None
        or not type(here.client) is type(around.client) is _NoClient
    ):
        client = sentry_sdk.get_client()
    else:  # what it would find: a client of a scope's own is rare
        client = everywhere.client
    if client.transport is None:
        return None
    last = _last_view
    if last is not None and last.client is client:
        return last
    options = client.options
    experiments = options.get("_experiments") or {}
    _last_view = last = ClientView(
        client=client,
        streaming=has_span_streaming_enabled(options),
        tracing=has_tracing_enabled(options),
        sampler=options["traces_sampler"] if callable(options.get("traces_sampler")) else None,
        rate=options.get("traces_sample_rate"),
        sessions=bool(options.get("auto_session_tracking") and options.get("release")),
        org=getattr(client.parsed_dsn, "org_id", None),
        strict=bool(options.get("strict_trace_continuation")),
        door=getattr(client.transport, "asgi_sentry_door", None),
        profiled=_may_profile(options),
        max_spans=experiments.get("max_spans") or 1_000,  # as the SDK has it
        hooked=frozenset(kind for kind, hook in _HOOKS.items() if options.get(hook) is not None),
        scrubs=bool(options.get("event_scrubber")),
        patched=any(client.get_integration(name) is not None for name, _ in _INTEGRATIONS),
    )
    return last


def _may_profile(options: Mapping[str, Any]) -> bool:
    """Whether any option of the profilers is set: `profile_lifecycle`, for one, says "manual" where nobody did."""
    experiments = options.get("_experiments") or {}
    differs = any(options.get(option) != DEFAULT_OPTIONS.get(option) for option in _PROFILING)
    return differs or any(experiments.get(option) for option in _PROFILING)


def supports(option: str) -> bool:
    """Whether the installed SDK has this `init` option."""
    return option in DEFAULT_OPTIONS


def streams(options: Mapping[str, Any]) -> bool:
    """Whether `sentry_sdk.init` with these options would stream spans."""
    return has_span_streaming_enabled({**DEFAULT_OPTIONS, **options})


def framework_integrations() -> list[Any]:
    """The SDK's own integrations for the frameworks that are installed, for its `disabled_integrations`."""
    found = []
    for module, name in _INTEGRATIONS:
        try:
            found.append(getattr(import_module(f"sentry_sdk.integrations.{module}"), name))
        except DidNotEnable:  # the framework is not installed
            continue
    return found


def default_transport(options: Mapping[str, Any]) -> type[Any]:
    """The class of transport that the SDK would take for these options, with none given."""
    experiments = options.get("_experiments") or {}
    if experiments.get("transport_async") and _can_send_async(options):
        return transport.AsyncHttpTransport
    return transport.Http2Transport if experiments.get("transport_http2") else transport.HttpTransport


def _can_send_async(options: Mapping[str, Any]) -> bool:
    """The SDK's own conditions, of `make_transport`; it looks at the integration's name as well."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    named = any(type(each).__name__ == "AsyncioIntegration" for each in options.get("integrations") or ())
    return named and bool(getattr(transport, "ASYNC_TRANSPORT_AVAILABLE", False))


class _GuardedSpotlight:
    """Spotlight, the SDK's local viewer, gets each envelope before the transport does: it needs the door as well."""

    def __init__(self, inner: Any, door: Any) -> None:
        self._inner = inner
        self._door = door

    def capture_envelope(self, envelope: Any) -> None:
        cleaned = self._door.clean(envelope, lambda *_, **__: None)
        if cleaned is not None:
            self._inner.capture_envelope(cleaned)


def guard_spotlight(door: Any) -> None:
    """Set the door before Spotlight, where it is on."""
    client = sentry_sdk.get_client()
    if client.spotlight is not None:
        client.spotlight = _GuardedSpotlight(client.spotlight, door)  # type: ignore[assignment]


# --- scopes ------------------------------------------------------------------------------------------------------


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
    *("_should_capture", "_span", "_server_segment_span", "_session", "_force_auto_session_tracking", "_profile"),
    *("_propagation_context", "client", "_type", "_last_event_id"),
)
_COPIED = (
    *("_transaction_info", "_tags", "_contexts", "_extras", "_breadcrumbs", "_gen_ai_original_message_count"),
    *("_event_processors", "_error_processors", "_attachments", "_flags", "_attributes"),
)


class _Container:
    """What a scope collects in, made once something is put there: of a request's scopes most stay empty.

    No data descriptor, so that what is set on the scope itself comes first.
    """

    __slots__ = ("_kind", "_name")

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, scope: Any, owner: type) -> Any:
        # By `setdefault`, since threads of the app's may ask for it at the same time.
        return self if scope is None else vars(scope).setdefault(self._name, self._kind())


class _Fork(Scope):
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
    """What `Scope.fork` makes, at a third of its cost: most of what a scope holds is empty, and `deepcopy` is slow.

    The two forks of a request are the largest part of what it costs when nothing is sent.
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


_new = object.__new__
# A release of the SDK whose scopes hold anything else gets its own, slower fork.
fork_scope: Callable[[Scope], Scope] = _fork if {*_BY_REFERENCE, *_COPIED} == {*Scope.__slots__} else Scope.__copy__


# Who looks after the request. With True the SDK's own ASGI middleware says that it does, and one that stands further in
# starts nothing where there is anything true: so our record stands here, and has no need of a variable of its own.
OWNER: ContextVar[Any] = _asgi_middleware_applied


class Scopes:
    """The isolation and current scope of one request, forked from the ones around it, and the way back to those."""

    __slots__ = ("_around", "_entered", "_outer_current", "_outer_isolation", "current", "displaced", "isolation")
    _around: tuple[Scope, Scope]

    def __init__(self, owner: object, processor: Processor, outer: Scopes | None = None) -> None:
        """Fork the scopes around.

        Args:
            owner: of the request, for `OWNER`.
            processor: goes over each event of the request, after the processors of all other scopes.
            outer: of the request in whose context this one is made, by a call within the process, say. Then it is the
                surroundings of that one that are forked: what it put on its scopes is its own.
        """
        self._outer_current = here = _current_scope.get() or Scope.get_current_scope()
        self._outer_isolation = around = _isolation_scope.get() or Scope.get_isolation_scope()
        self._entered = entered = OWNER.get(False)
        self.displaced: TraceContext | None = None
        if outer is not None:
            self._around = here, around = outer._around
        else:
            self._around = here, around
            if entered:
                self.displaced = _displace_sdk_middleware()
        self.current = current = fork_scope(here)
        self.isolation = isolation = fork_scope(around)
        if around._breadcrumbs:  # what was noted outside of every request is of none
            isolation._breadcrumbs = deque()
        isolation._n_breadcrumbs_truncated = 0
        if outer is not None:
            isolation._session = None
        # A span of the surroundings (a server's, a test's) is not the parent of a request's.
        current._span = isolation._span = None
        # Not by `add_event_processor`, which throws all processors away where there are more than twenty.
        current._event_processors = [*here._event_processors, processor]  # type: ignore[list-item]  # its events are TypedDicts
        _current_scope.set(current)
        _isolation_scope.set(isolation)
        OWNER.set(owner)

    def leave(self) -> None:
        """Restore the surroundings' scopes. By value, not by token: the context may not be the one of the start."""
        _current_scope.set(self._outer_current)
        _isolation_scope.set(self._outer_isolation)
        OWNER.set(self._entered)

    def release(self) -> None:
        """Let go of all scopes but those that surround every request; call nothing else afterwards."""
        self.current = self.isolation = self._outer_current = self._outer_isolation = self._entered = None  # type: ignore[assignment]

    def propagate(self, context: TraceContext) -> None:
        """Let everything within the request, spans or not, continue this trace."""
        # Set on both: streaming looks at the current scope first, classic mode at the isolation scope.
        self.current._propagation_context = self.isolation._propagation_context = context

    def go_on(self, view: ClientView, context: TraceContext, root: Root) -> None:
        """After the root span's end, let what still runs for the request continue its trace, and start no new one."""
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
            self.current._span = _UnsampledSpan(context)

    def start_session(self, view: ClientView) -> None:
        """Start a release-health session, unless the SDK's own middleware around us did so already."""
        if self.isolation._session is None and self.isolation._force_auto_session_tracking is not False:
            self.isolation._session = _RequestSession(view)

    def drop_session(self) -> None:
        """Forget the session of this request, whoever started it: it is not counted."""
        self.isolation._session = None
        if self.displaced is not None:
            self._around[1]._session = None

    def end_session(self, view: ClientView) -> None:
        """Count the session that `start_session` began; one that the surroundings began is theirs to end."""
        session = self.isolation._session
        if session is None or session is self._around[1]._session:
            return
        self.isolation._session = None
        _count_session(view, session)


class _RequestSession(Session):
    """A session that is counted with all others of its minute, as those of requests are.

    What all of them have alike is on the class, and what such a session never sends is not made: a random id and the
    readings of a clock. https://develop.sentry.dev/sdk/telemetry/sessions/#session-aggregates-payload
    """

    sid = uuid.UUID(int=0)
    status = "ok"
    session_mode = "request"
    errors = 0
    did = duration = user_agent = ip_address = None

    def __init__(self, view: ClientView) -> None:
        self.began = time.time()
        options = view.client.options
        self.release, self.environment = options["release"], options["environment"]

    @cached_property
    def started(self) -> datetime:  # type: ignore[override]  # it can be set, too
        return datetime.fromtimestamp(self.began, timezone.utc)

    @cached_property
    def timestamp(self) -> datetime:  # type: ignore[override]
        return self.started


class _Bucket(NamedTuple):
    """Where the SDK counts the sessions that began in one minute."""

    pending: dict[Any, Any]  # all buckets since the last flush, which makes a new dictionary
    minute: float
    counts: dict[str, Any]


_bucket: _Bucket | None = None


def _count_session(view: ClientView, session: Any) -> None:
    """Count a session that ended. The first of a minute by the SDK, and those that ended well like it beside it."""
    global _bucket  # noqa: PLW0603 - a cache of one; a lost race costs one call of the SDK's
    flusher = view.client.session_flusher
    well = session.status == "ok" and session.errors == 0 and type(session) is _RequestSession
    bucket = _bucket
    if well and bucket is not None and session.began // 60 == bucket.minute:
        with flusher._aggregate_lock:
            if flusher.pending_aggregates is bucket.pending:
                bucket.counts["exited"] = bucket.counts.get("exited", 0) + 1
                return
    if session.status == "ok":
        session.status = "exited"
    flusher.add_session(session)
    if well:
        pending = flusher.pending_aggregates
        same = pending.get(tuple(sorted(session.get_json_attrs(with_user_info=False).items())), {})
        counts = same.get(session.truncated_started)
        _bucket = None if counts is None else _Bucket(pending, session.began // 60, counts)


def _forget_bucket() -> None:
    global _bucket  # noqa: PLW0603
    _bucket = None


if hasattr(os, "register_at_fork"):  # the child's flusher has no thread until the SDK is called for a session
    os.register_at_fork(after_in_child=_forget_bucket)


def processors(scope: Any) -> list[Any]:
    """The event processors of a scope."""
    processors: list[Any] = scope._event_processors
    return processors


def _displace_sdk_middleware() -> TraceContext:
    """The SDK's own ASGI middleware stands around us: silence its root span, and hand on its trace.

    It cannot be asked not to start one, and two transactions for one request would be billed twice. The span is
    made to end without being sent and without an outcome: ours counts for the request.
    """
    span: Any = Scope.get_current_scope()._span  # by now perhaps a child, of a middleware of the framework's
    if isinstance(span, StreamedSpan):
        _silence(span._segment)
    elif span is not None:
        _silence(span.containing_transaction)
    return TraceContext.of(Scope.get_isolation_scope().get_active_propagation_context())


def _silence(span: Any) -> None:
    """Make a root span end without being sent and without an outcome."""
    if isinstance(span, NoOpStreamedSpan):
        span._finished = True
    elif isinstance(span, StreamedSpan):
        span._end_timestamp = span._start_timestamp
    elif Transaction is not None and isinstance(span, Transaction):
        span.sampled = False
        span._span_recorder = _SpanRecorder(maxlen=0)


# --- traces ------------------------------------------------------------------------------------------------------


_TRACE_HEADERS = frozenset({b"sentry-trace", b"baggage"})
_RAND = re.compile(r"(?:^|,)[ \t]*sentry-sample_rand=([0-9.]+)[ \t]*(?:,|$)")


def _is_ours_to_continue(view: ClientView, baggage: str | None) -> bool:
    """https://develop.sentry.dev/sdk/telemetry/traces/#stricttracecontinuation."""
    if view.org is None and not view.strict:
        return True
    if not view.strict and (baggage is None or "sentry-org_id" not in baggage):
        return True
    return _should_continue_trace(Baggage.from_incoming_header(baggage) if baggage else None)


def _parsed_baggage(header: str) -> Baggage:
    """What `Baggage.from_incoming_header` makes of it, at a third of its cost: it unquotes what has no quotes."""
    items: dict[str, str] = {}
    others: list[str] = []
    for part in header.split(","):
        if "=" in part:
            item = part.strip()
            key, _, value = item.partition("=")
            if key.startswith("sentry-"):
                name = key.split("-")[1]
                items[unquote(name) if "%" in name else name] = unquote(value) if "%" in value else value
            else:
                others.append(item)
    return Baggage(items, ",".join(others), mutable=not items)


class TraceContext(PropagationContext):
    """The trace of a request, and the decision about it: without a span on the scope it goes on as `-0` or `-1`.

    Headers are read, and ids and baggage made, when something asks for them: a request that is excluded, sends nothing
    and calls nobody never does.

    Args:
        view: the client's, which says whose traces are continued; None for a trace that begins here.
        headers: of the request, as ASGI has them.
    """

    __slots__ = (
        *("_header", "_headers", "_known", "_parent_sampled", "_parent_span_id", "_rand", "_view"),
        *("incoming", "rate", "sampled"),
    )

    def __init__(self, view: ClientView | None = None, headers: Iterable[tuple[bytes, bytes]] = ()) -> None:
        self._view = view
        self._headers: tuple[tuple[bytes, bytes], ...] | None = tuple(headers)  # None: they have been read
        self._trace_id = self._span_id = None
        self._parent_span_id: str | None = None
        self._parent_sampled: bool | None = None
        self.custom_sampling_context = None
        self.incoming = False  # whether the trace began elsewhere, once the headers have been read
        self.sampled: bool | None = None  # None: not decided, since tracing is off
        self.rate: float | None = None  # the effective one; None: the incoming one stays
        self._header: str | None = None  # the incoming baggage, until something asks for it
        self._known: Baggage | None = None
        self._rand: float | None = None

    def _read(self) -> None:
        """Find the trace that came in, in one pass over the headers.

        As `PropagationContext.from_incoming_data` reads them, less the cost: the baggage is parsed when it is asked
        for. https://develop.sentry.dev/sdk/telemetry/traces/#propagation
        """
        trace = baggage = None
        for name, value in self._headers or ():
            if name in _TRACE_HEADERS:  # one look at each of the others, not two
                text = value.decode("latin-1")
                if name == b"baggage":
                    baggage = text if baggage is None else f"{baggage},{text}"
                else:
                    trace = trace or text
        if trace is not None:
            self._continue(trace, baggage)
        self._headers = None  # last, since threads of the app's may ask at the same time: each finds the same

    def _continue(self, trace: str, baggage: str | None) -> None:
        match = SENTRY_TRACE_REGEX.match(trace)
        if match is None:
            if "," in trace:  # several headers, combined by a proxy: the first that is not empty
                trace = next((part.strip() for part in trace.split(",") if part.strip()), "")
            if trace.startswith("00-") and trace.endswith("-00"):  # https://www.w3.org/TR/trace-context/
                trace = trace[3:-3]
            match = SENTRY_TRACE_REGEX.match(trace)
        if match is None or self._view is None or not _is_ours_to_continue(self._view, baggage):
            return
        trace_id, self._parent_span_id, sampled = match.groups()
        if trace_id is not None:
            self._trace_id, self.incoming = trace_id, True
        if sampled:
            self._parent_sampled = sampled != "0"
        self._header = baggage

    @classmethod
    def of(cls, other: PropagationContext) -> TraceContext:
        """The same trace."""
        context = cls()
        context._headers = None
        context._trace_id = other.trace_id
        context._span_id = other._span_id
        context._parent_span_id = other.parent_span_id
        context._parent_sampled = other.parent_sampled
        context._known = other.baggage
        context.incoming = True
        return context

    @property
    def came_in(self) -> bool:
        """Whether the headers say of a trace that it goes on here."""
        if self._headers is not None:
            self._read()
        return self.incoming

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        if self._headers is not None:
            self._read()
        if self._trace_id is None:
            made = os.urandom(16).hex()  # random enough, at a fifth of the cost of uuid4
            if self._trace_id is None:  # by another thread meanwhile
                self._trace_id = made
        return self._trace_id

    @trace_id.setter
    def trace_id(self, value: str) -> None:
        if self._headers is not None:
            self._read()
        self._trace_id = value

    @property
    def parent_span_id(self) -> str | None:
        """16 hexadecimal digits; None where the trace begins here."""
        if self._headers is not None:
            self._read()
        return self._parent_span_id

    @parent_span_id.setter
    def parent_span_id(self, value: str | None) -> None:
        if self._headers is not None:
            self._read()
        self._parent_span_id = value

    @property
    def parent_sampled(self) -> bool | None:
        """What the parent decided."""
        if self._headers is not None:
            self._read()
        return self._parent_sampled

    @parent_sampled.setter
    def parent_sampled(self, value: bool | None) -> None:
        if self._headers is not None:
            self._read()
        self._parent_sampled = value

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits, for what has no span of its own."""
        if self._span_id is None:
            self._span_id = os.urandom(8).hex()
        return self._span_id

    @span_id.setter
    def span_id(self, value: str) -> None:
        self._span_id = value

    @property
    def baggage(self) -> Baggage | None:
        """The incoming baggage, parsed; with the effective rate where there is one."""
        if self._headers is not None:
            self._read()
        if self._header is not None:
            header, self._header = self._header, None
            self._known = _parsed_baggage(header)
            self._fill_sample_rand()
            self.note_rate()
        return self._known

    @baggage.setter
    def baggage(self, value: Baggage | None) -> None:
        if self._headers is not None:
            self._read()
        self._header, self._known = None, value

    def note_rate(self) -> None:
        """Put the effective rate into a baggage that is parsed already."""
        if self.rate is not None and self._known is not None:
            self._known.sentry_items["sample_rate"] = str(self.rate)

    def rand(self) -> float:
        """The trace's own dice, within [0, 1): its baggage's, else as every SDK of the trace makes them from its id.

        A trace that begins here rolls them, and passes them on by its baggage.
        """
        if self._rand is None:
            if self._headers is not None:
                self._read()
            rand = None
            if self._header is not None:
                found = _RAND.search(self._header)
                rand = _within_one(found[1]) if found is not None else None
            if rand is None and (self._header is not None or self._known is not None) and self.baggage is not None:
                rand = self.baggage._sample_rand()
            if rand is None and self.incoming:
                rand = _generate_sample_rand(self.trace_id)
            # Six digits, as the SDK makes and prints them: what is passed on is what was decided by.
            self._rand = int(random.random() * 1_000_000) / 1_000_000 if rand is None else rand  # noqa: S311 - a sample
        return self._rand

    def parent_rate(self) -> float | None:
        """The sample rate that came in, within (0, 1], if one did."""
        text = self.baggage.sentry_items.get("sample_rate") if self.baggage is not None else None
        try:
            rate = float(text) if text is not None else 0.0
        except ValueError:
            return None
        return rate if 0 < rate <= 1 else None

    def to_traceparent(self) -> str:
        """The `sentry-trace` header."""
        plain = f"{self.trace_id}-{self.span_id}"
        return plain if self.sampled is None else f"{plain}-{int(self.sampled)}"

    def get_baggage(self) -> Baggage:
        """The incoming baggage as it came, or the one of a trace that begins here, with the decision in it."""
        known = self.baggage
        if known is not None and not known.mutable:
            return known
        fresh = Baggage.populate_from_propagation_context(self)
        items = fresh.sentry_items
        if self.sampled is not None:
            items["sampled"] = "true" if self.sampled else "false"
            # Also where they were not rolled for the decision: whoever is called may decide anew, by the same dice.
            items["sample_rand"] = f"{self.rand():.6f}"
        if self.rate is not None:
            items["sample_rate"] = str(self.rate)
        if known is not None:
            items.update(known.sentry_items)
            fresh.third_party_items = known.third_party_items
        self._known = fresh
        return fresh

    def baggage_for_root(self) -> Baggage | None:
        """The baggage for the root span: of a trace that begins here just the dice, which the SDK completes."""
        known = self.baggage
        if known is None and self._rand is not None:
            return Baggage({"sample_rand": f"{self._rand:.6f}"})
        return known


def _within_one(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value < 1 else None


# --- root spans --------------------------------------------------------------------------------------------------


class Root(Protocol):
    """The root span of a request, in whatever form the SDK's mode wants it."""

    name: str
    source: str

    @property
    def sampled(self) -> bool:
        """Whether it is to be sent, as things stand."""

    @property
    def recording(self) -> bool:
        """Whether it may be sent yet, so that it is worth describing."""

    def set_status(self, status: int) -> None:
        """Note the HTTP status."""

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Attach what describes the request."""

    def finish(self, exc: BaseException | None) -> None:
        """End it: send what was sampled, count what was not."""

    def keep(self, rate: float) -> None:
        """Send it after all, as one of `1 / rate`."""

    def drop(self, reason: str) -> None:
        """End it without sending it, and count it and its spans as lost for this reason."""

    def discard(self) -> None:
        """Take it back as if it had never been started."""


def start_root(
    view: ClientView,
    scopes: Scopes,
    context: TraceContext,
    *,
    sampled: bool,
    rate: float | None,
    reason: str,
    op: str,
    name: str,
    asgi_scope: Mapping[str, Any],
    undecided: bool = False,
) -> Root:
    """Start the root span that the decision asks for, and let the request's scopes propagate it.

    Args:
        view: the client's.
        scopes: the request's.
        context: the trace to continue.
        sampled: the decision.
        rate: the effective sample rate, in [0, 1]; None: keep the one that came in.
        reason: what the client report says where it is not sampled.
        op: such as `http.server`.
        name: the name until the route is known.
        asgi_scope: for the user's `profiles_sampler`.
        undecided: record it even if it is not sampled: how the request ends decides. Not in streaming mode, which
            sends a span as soon as it ends.
    """
    context.sampled, context.rate = sampled, rate
    context.note_rate()
    scopes.propagate(context)
    if view.streaming:
        return _StreamedRoot(view, scopes, context, sampled=sampled, rate=rate, reason=reason, op=op, name=name)
    if sampled or undecided:
        return _TransactionRoot(
            view, scopes, context, sampled=sampled, reason=reason, op=op, name=name, asgi_scope=asgi_scope
        )
    return start_unsampled(view, scopes, context, rate, reason)


def start_unsampled(view: ClientView, scopes: Scopes, context: TraceContext, rate: float | None, reason: str) -> Root:
    """The same for what is most of the traffic, a request that is not sampled in classic mode, without the detour."""
    context.sampled, context.rate = False, rate
    if context._known is not None:
        context.note_rate()
    scopes.current._propagation_context = scopes.isolation._propagation_context = context
    scopes.current._span = _UnsampledSpan(context)
    root = view.unsampled.get(reason)
    if root is None:
        root = view.unsampled[reason] = _UnsampledRoot(view, reason)
    return root


class _TransactionRoot:
    """Classic mode, sampled, or recorded until its end decides."""

    __slots__ = ("_reason", "_transaction", "_view")
    recording = True

    def __init__(
        self,
        view: ClientView,
        scopes: Scopes,
        context: TraceContext,
        *,
        sampled: bool,
        reason: str,
        op: str,
        name: str,
        asgi_scope: Mapping[str, Any],
    ) -> None:
        baggage = context.baggage_for_root()
        transaction = Transaction(
            op=op,
            name=name,
            source="url",  # of low quality until the route is known: keeps the name out of the baggage
            origin=ORIGIN,
            baggage=baggage,
            parent_sampled=context.parent_sampled,
            trace_id=context.trace_id,
            parent_span_id=context.parent_span_id,
            same_process_as_parent=False,
            sampled=sampled,
        )
        self._transaction, self._view, self._reason = transaction, view, reason
        if not sampled or not view.profiled:
            # All that `start_transaction` would do yet, at a quarter of its cost. One that is not sampled, but may be
            # kept at its end, goes on as `-0` to whom it calls, and yet its spans are recorded.
            transaction.init_span_recorder(maxlen=view.max_spans)
            transaction.sample_rate = context.rate
            transaction.__enter__()
            return
        incoming = baggage.sentry_items.get("sample_rate") if baggage is not None else None
        scopes.current.start_transaction(transaction, custom_sampling_context={"asgi_scope": asgi_scope})
        # A forced decision is taken by the SDK for a rate of 1, in the baggage also; the effective rate is known here.
        transaction.sample_rate = context.rate
        if baggage is not None:
            if incoming is None:
                baggage.sentry_items.pop("sample_rate", None)
            else:
                baggage.sentry_items["sample_rate"] = incoming
        transaction.__enter__()

    @property
    def sampled(self) -> bool:
        return bool(self._transaction.sampled)

    @property
    def name(self) -> str:
        name: str = self._transaction.name
        return name

    @name.setter
    def name(self, name: str) -> None:
        self._transaction.name = name

    @property
    def source(self) -> str:
        return str(getattr(self._transaction.source, "value", self._transaction.source))

    @source.setter
    def source(self, source: str) -> None:
        self._transaction.source = source

    def set_status(self, status: int) -> None:
        self._transaction.set_http_status(status)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self._transaction.set_data(key, value)

    def finish(self, exc: BaseException | None) -> None:
        if self.sampled:
            self._transaction.__exit__(type(exc) if exc is not None else None, exc, None)
        else:
            self.drop(self._reason)

    def keep(self, rate: float) -> None:
        transaction = self._transaction
        transaction.sampled, transaction.sample_rate = True, rate
        if transaction._baggage is not None:  # as it was when somebody was called; this is for the envelope
            items = {**transaction._baggage.sentry_items, "sampled": "true", "sample_rate": str(rate)}
            transaction._baggage = Baggage(items, mutable=transaction._baggage.mutable)

    def drop(self, reason: str) -> None:
        recorder = self._transaction._span_recorder
        spans = len(recorder.spans) if recorder is not None else 0
        self.discard()
        self._view.lose(reason, "transaction")
        self._view.lose(reason, "span", spans + 1)

    def discard(self) -> None:
        _silence(self._transaction)
        self._transaction.__exit__(None, None, None)


if Transaction is not None:

    class _UnsampledSpan(NoOpSpan):
        """The root of an unsampled request, and each span below it: one object that does nothing.

        A `Transaction` that is started only to be thrown away is most of what an unsampled request costs with
        the SDK. Propagation comes from the `DecidedContext` on the scope, except where the SDK asks the span.
        """

        # What follows hides the base's slots; its `__dict__` takes what app code sets on it, as on any span.
        __slots__ = ("_context",)

        # Not by the base's constructor, which reads two clocks and the active thread for a span that is never sent.
        sampled = False
        parent_span_id = op = description = name = status = hub = scope = None
        start_timestamp = timestamp = _start_timestamp_monotonic_ns = None  # type: ignore[assignment]
        origin = ORIGIN
        same_process_as_parent = True
        _span_recorder = _containing_transaction = None
        _flags_capacity = 0
        _measurements: Any = MappingProxyType({})
        _tags = _data = _flags = _measurements

        def __init__(self, context: TraceContext) -> None:
            self._context = context

        @property  # type: ignore[misc]  # it can be set there
        def trace_id(self) -> str:
            return self._context.trace_id

        @property  # type: ignore[misc]
        def span_id(self) -> str:
            return self._context.span_id

        def __enter__(self) -> _UnsampledSpan:  # noqa: PYI034 - typing.Self is newer than 3.10
            return self

        def __exit__(self, ty: object, value: object, tb: object) -> None:
            return None

        def start_child(self, instrumenter: str = "", **kwargs: Any) -> _UnsampledSpan:
            return self

        def to_traceparent(self) -> str:
            return self._context.to_traceparent()

        def to_baggage(self) -> Baggage | None:
            return self._context.get_baggage()

        def iter_headers(self) -> Iterator[tuple[str, str]]:
            return self._context.iter_headers()

        _to_traceparent = to_traceparent
        get_baggage = _get_baggage = _to_baggage = to_baggage
        _iter_headers = iter_headers


class _UnsampledRoot:
    """Classic mode, excluded or not sampled: one for all requests of a client and a reason."""

    __slots__ = ("_reason", "_view")
    name = source = ""
    sampled = recording = False

    def __init__(self, view: ClientView, reason: str) -> None:
        self._view, self._reason = view, reason

    def set_status(self, status: int) -> None:
        """Nothing: it is not sent."""

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Nothing: it is not sent."""

    def keep(self, rate: float) -> None:
        """Nothing: it was not recorded."""

    def finish(self, exc: BaseException | None) -> None:
        # What the SDK counts for a sampler that returns 0.
        transport = self._view.client.transport
        if transport is not None:
            lose, reason = transport.record_lost_event, self._reason
            lose(reason, "transaction")
            lose(reason, "span")

    def drop(self, reason: str) -> None:
        """Nothing: it was not recorded, and it is counted for its own reason."""
        self.finish(None)

    def discard(self) -> None:
        """Nothing was started."""


class _StreamedRoot:
    """Streaming mode: the segment, sampled or not."""

    __slots__ = ("_segment", "sampled")

    @property
    def recording(self) -> bool:
        return self.sampled

    def __init__(
        self,
        view: ClientView,
        scopes: Scopes,
        context: TraceContext,
        *,
        sampled: bool,
        rate: float | None,
        reason: str,
        op: str,
        name: str,
    ) -> None:
        self.sampled = sampled
        shared: dict[str, Any] = {
            "name": name,
            "scope": scopes.current,
            "trace_id": context.trace_id,
            "parent_span_id": context.parent_span_id,
            "parent_sampled": context.parent_sampled,
            "baggage": context.baggage,
            "sample_rand": context.rand(),
            "sample_rate": view.rate if rate is None else rate,
            "attributes": {
                "sentry.op": op,
                "sentry.origin": ORIGIN,
                "sentry.segment.name.source": "url",  # of low quality: keeps the name out of the baggage
            },
        }
        # Built by hand, since the public `start_span` rolls the dice itself and can't be told the decision.
        if sampled:
            self._segment = StreamedSpan(**shared)
        else:
            # Without a name: the baggage would carry it, and it is none until the request is routed.
            self._segment = NoOpStreamedSpan(**{**shared, "name": None}, sampled=False, unsampled_reason=reason)

    @property
    def name(self) -> str:
        name: str = self._segment.name
        return name

    @name.setter
    def name(self, name: str) -> None:
        self._segment.name = name

    @property
    def source(self) -> str:
        return str(self._segment._attributes.get("sentry.segment.name.source", "custom"))

    @source.setter
    def source(self, source: str) -> None:
        self._segment.set_attribute("sentry.segment.name.source", source)

    def set_status(self, status: int) -> None:
        self._segment.set_attribute("http.response.status_code", status)
        self._segment.status = "error" if status >= 400 else "ok"  # as the SDK maps it

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._segment.set_attributes(dict(attributes))

    def finish(self, exc: BaseException | None) -> None:
        if exc is not None:
            self._segment.status = "error"
        self._segment.end()
        segment: Any = self._segment
        segment._scope = None  # its segment is itself, so that it would hold the scope until it is collected

    def keep(self, rate: float) -> None:
        """Nothing: its spans are sent, or not, as they end."""

    def drop(self, reason: str) -> None:
        """Nothing, for the same reason: it is sent."""
        self.finish(None)

    def discard(self) -> None:
        _silence(self._segment)


# --- events ------------------------------------------------------------------------------------------------------


def is_last_processor(processor: Any) -> bool:
    """Whether no event processor comes after this one."""
    processors = Scope.get_current_scope()._event_processors
    return bool(processors) and processors[-1] == processor


class PlainEvent(dict[str, Any]):
    """An event that we serialize, since most of what is in one is plain JSON already.

    The SDK's serializer is half of what a sampled request costs: it walks every value through four calls, for databags
    to trim and objects to describe, of which most events hold none. But it asks a value for its `__sentry_repr__`
    first, and the event itself is such a value.
    """

    __slots__ = ("_entered",)

    def __sentry_repr__(self) -> Any:
        if getattr(self, "_entered", False):
            return CYCLE_MARKER  # it stands in itself
        self._entered = True
        try:
            return serialized(self)
        finally:
            self._entered = False


class _NotPlainError(Exception):
    """A value that is not sent as it is."""


def serialized(event: Mapping[str, Any]) -> dict[str, Any]:
    """What the SDK's serializer makes of an event, at a tenth of its cost where all values are plain.

    A part of the event that holds anything else is left to it: it looks at nothing but the part and its place.
    """
    options = sentry_sdk.get_client().options
    limit = (options.get("max_value_length") or sys.maxsize) // 4  # of bytes, and a character is up to four
    whole_bodies = options.get("max_request_body_size") == "always"
    made: dict[str, Any] = {}
    meta: dict[str, Any] = {}
    for key, value in event.items():
        if key == "event_id" or (type(value) is str and len(value) <= limit):
            made[str(key)] = value  # a tagged id stays one
            continue
        try:
            made[str(key)] = _plain_part(key, value, limit, whole_bodies=whole_bodies)
        # Other threads may write into the app's own dicts; the SDK's serializer copies them first.
        except (_NotPlainError, RecursionError, RuntimeError):
            own = {option: options.get(option) for option in _OF_SERIALIZER}
            part: Any = serialize({key: value}, **own) or {str(key): None}
            meta.update(part.pop("_meta", None) or {})
            made.update(part)
    if meta:
        made["_meta"] = meta
    return made


def _plain_part(key: str, value: Any, limit: int, *, whole_bodies: bool) -> Any:
    """A part of an event; as the SDK has it, what stands at some places is a databag."""
    if global_repr_processors:  # they are to see every value of a databag, and of a span's data
        raise _NotPlainError
    if key == "extra":
        return _plain_bag(value, limit, MAX_DATABAG_DEPTH)
    if type(value) is dict:
        if key == "breadcrumbs" and type(value.get("values")) is list:
            crumbs = [_plain_bag(crumb, limit, MAX_DATABAG_DEPTH) for crumb in value["values"]]
            return {**_plain_dict({**value, "values": None}, limit), "values": crumbs}
        if key == "request" and not whole_bodies and value.get("data") is not None:
            return {**_plain_dict(value, limit), "data": _plain_bag(value["data"], limit, MAX_DATABAG_DEPTH)}
    return _plain(value, limit)


_OF_SERIALIZER = ("max_request_body_size", "max_value_length", "custom_repr")


def _plain(value: Any, limit: int) -> Any:
    kind = type(value)
    if kind is str:
        if len(value) > limit:
            raise _NotPlainError
        return value
    if value is None or kind is int or kind is bool:
        return value
    if kind is dict:
        return _plain_dict(value, limit)
    if kind is list or kind is tuple:
        return [
            each if each is None or (type(each) is str and len(each) <= limit) else _plain(each, limit)
            for each in value
        ]
    if kind is float and math.isfinite(value):
        return value
    if kind is datetime:
        if value.tzinfo is timezone.utc and value.year >= 1000:  # what `strftime` does not pad
            return value.isoformat(timespec="microseconds")[:-6] + "Z"  # in the place of +00:00, at a fifth of the cost
        return format_timestamp(value)
    if isinstance(value, str) and not hasattr(kind, "__sentry_repr__"):  # an enumeration's
        return _plain(str.__str__(value), limit)
    raise _NotPlainError


def _plain_dict(value: dict[Any, Any], limit: int) -> dict[str, Any]:
    made = {}
    for key, each in value.items():
        kind = type(each)  # the commonest kinds are told apart here, which saves most of the calls
        if kind is str:
            if len(each) > limit:
                raise _NotPlainError
            plain = each
        elif each is None or kind is int:
            plain = each
        else:
            plain = _plain(each, limit)
        made[key if type(key) is str else str(key)] = plain
    return made


def _plain_bag(value: Any, limit: int, depth: int) -> Any:
    """The same within a databag: nothing that the SDK would trim."""
    kind = type(value)
    if depth <= 0 or (kind in _CONTAINERS and len(value) > MAX_DATABAG_BREADTH):
        raise _NotPlainError
    if kind is dict:
        return {str(key): _plain_bag(each, limit, depth - 1) for key, each in value.items()}
    if kind is list or kind is tuple:
        return [_plain_bag(each, limit, depth - 1) for each in value]
    return _plain(value, limit)


_CONTAINERS = frozenset({dict, list, tuple})


# --- spans of the app's own functions ----------------------------------------------------------------------------


def span(op: str, name: str, *, active: bool = True) -> AbstractContextManager[Any]:
    """A span below the current one, as a context manager that raises nothing of its own; nothing outside of a trace.

    Args:
        op: such as `function`.
        name: of the span.
        active: whether spans started within it become its children. A generator's must not: between two values its
            consumer runs, in the same context.
    """
    current = view()
    if current is None:
        return nullcontext()
    try:
        parent: Any = Scope.get_current_scope()._span
        if parent is None:
            return nullcontext()
        if current.streaming:
            attributes: dict[str, Any] = {"sentry.op": op, "sentry.origin": "manual"}
            started: AbstractContextManager[Any] = traces.start_span(name, attributes=attributes, active=active)
        elif active:
            started = sentry_sdk.start_span(op=op, name=name)
        else:
            started = _Detached(parent.start_child(op=op, name=name))
    except Exception as exc:
        faults.note("starting a span", exc, "the function runs without one")
        return nullcontext()
    return started


class _Detached:
    """A classic span that is timed, but is nobody's current span."""

    __slots__ = ("_span",)

    def __init__(self, span: Any) -> None:
        self._span = span

    def __enter__(self) -> None:
        return None

    def __exit__(self, ty: type[BaseException] | None, value: BaseException | None, tb: object) -> None:
        if value is not None and not isinstance(value, GeneratorExit):
            self._span.set_status("internal_error")
        self._span.finish()


# --- errors ------------------------------------------------------------------------------------------------------


_TAKES_OPTIONS = "client_options" in inspect.signature(event_from_exception).parameters  # version 3 looks itself


def capture_error(view: ClientView, exc: BaseException, *, handled: bool) -> None:
    """Report an exception of a request, with its traceback, through every processor and hook."""
    options = {"client_options": view.client.options} if _TAKES_OPTIONS else {}
    event, hint = event_from_exception(exc, mechanism={"type": "asgi", "handled": handled}, **options)
    sentry_sdk.capture_event(event, hint=hint)
