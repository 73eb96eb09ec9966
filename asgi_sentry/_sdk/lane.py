"""The direct lane: a transaction's way from its end to the transport, without the SDK's detour.

`Transaction.finish` merges three scopes into a fourth, applies that to the event, and has the
client prepare and serialize it. All of this is done here for a transaction as most are: nothing
attached, no profile, no scrubber of the user's, no Spotlight. Processors and hooks are called in
the SDK's own order, with an event that looks as the SDK's does: first those of the process, then of
the global, the isolation and the current scope; then the event is made plain; then comes
`before_send_transaction`. What the lane can't do, and whatever fails in it before a processor was
called, goes the general way; `counters()` says how many took which.
"""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import sentry_sdk
from sentry_sdk.envelope import Envelope

from asgi_sentry import _faults as faults
from asgi_sentry._counters import count_lane
from asgi_sentry._sdk.by_hand import capture_event
from asgi_sentry._sdk.fork import is_blank
from asgi_sentry._sdk.names import (
    SDK_INFO,
    AnnotatedValue,
    Client,
    Scope,
    Span,
    Transaction,
    _current_scope,
    _isolation_scope,
    _SpanRecorder,
    disable_capture_event,
    global_event_processors,
    handle_in_app,
    sdk_scope,
)
from asgi_sentry._sdk.serializer import DirectEvent, serialized, written
from asgi_sentry._sdk.sessions import RequestSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.threads import Threads

_OPTIONS = ("release", "environment", "server_name", "dist")
_WITH_STACKS = ("stacktrace", "threads", "exception")
# What the lane stands for. One that was replaced, by a test or by another tool, is to be called;
# ours passes on what comes with a scope.
_KNOWN = tuple(
    (cls, name, (getattr(cls, name, None), capture_event))
    for cls, name in (
        (Scope, "capture_event"),
        (Scope, "apply_to_event"),
        (Client, "capture_event"),
        (Client, "_prepare_event"),
    )
)


class _Merged(NamedTuple):
    """The scopes of a transaction, from the outermost in."""

    scopes: tuple[Any, ...]
    with_data: tuple[Any, ...]  # those of them that something was set on

    def last(self, name: str) -> Any:
        """What the innermost scope says that says anything."""
        for scope in reversed(self.with_data):
            value = getattr(scope, name)
            if value is not None:
                return value
        return None

    def all(self, name: str) -> dict[str, Any]:
        """What all of them say together."""
        joined: dict[str, Any] = {}
        for scope in self.with_data:
            joined.update(getattr(scope, name))
        return joined


class _Recorder(_SpanRecorder):
    """The spans of a transaction. Each is added in the thread that starts it."""

    __slots__ = ("_threads",)

    def __init__(self, maxlen: int, threads: Threads) -> None:
        super().__init__(maxlen)
        self._threads = threads

    def add(self, span: Span) -> None:
        super().add(span)
        self._threads.look()


class DirectTransaction(Transaction):
    """A transaction of a request, which takes the direct lane where it can.

    What is its own is on the class until it is set: `Transaction` has slots, and so has this.
    """

    __slots__ = ("threads", "view")
    view: ClientView
    threads: Threads

    def init_span_recorder(self, maxlen: int) -> None:
        """Record its spans, and where they are started."""
        if self._span_recorder is None:
            self._span_recorder = _Recorder(maxlen, self.threads)

    def finish(
        self, scope: Any = None, end_timestamp: Any = None, *, hub: Any = None, **further: Any
    ) -> str | None:
        """End it and send it."""
        if self.timestamp is not None or not self.sampled:
            return super().finish(scope, end_timestamp, hub=hub, **further)
        way = None
        if self.view.direct and hub is None and not further:
            try:
                way = self._prepared(scope, end_timestamp)
            except Exception as exc:
                faults.note("the direct lane", exc, "the transaction goes the general way")
                self.timestamp = None
        if way is None:
            count_lane("general")
            return super().finish(scope, end_timestamp, hub=hub, **further)
        count_lane("direct")
        # As the SDK does it: spans know their transaction, and it is part of a circle.
        self._span_recorder = None
        try:
            return _sent(self.view.client, *way)
        except Exception as exc:
            faults.note("the direct lane", exc, "a transaction is lost")
            self.view.lose("internal_sdk_error", "transaction")
            self.view.lose("internal_sdk_error", "span", len(way[0].get("spans") or ()) + 1)
            return None

    def _prepared(self, given: Any, end_timestamp: Any) -> tuple[dict[str, Any], _Merged] | None:
        """The event and the scopes that it is of; None where the general way is the right one.

        Changes nothing else.
        """
        here, around, everywhere = (
            _current_scope.get(),
            _isolation_scope.get(),
            sdk_scope._global_scope,
        )
        scope = given or self.scope or here
        client = self.view.client
        recorder = self._span_recorder
        if (
            (scope is not here and scope is not around)
            or here is None
            or around is None
            or recorder is None
            or self._profile is not None
            or not self.name
            or sentry_sdk.get_client() is not client
            or disable_capture_event.get(False)
            or self._data.get("http.response.status_code")
            in client.options["trace_ignore_status_codes"]
            or any(getattr(cls, name) not in known for cls, name, known in _KNOWN)
        ):
            return None
        scopes = (here,) if around is here else (around, here)
        if everywhere is not None:
            scopes = (everywhere, *scopes)
        merged = _Merged(scopes, tuple(each for each in scopes if not is_blank(each)))
        for each in merged.with_data:
            if (
                each._attachments
                or each._n_breadcrumbs_truncated
                or each._gen_ai_original_message_count
                or each._gen_ai_conversation_id
            ):
                return None
        spans = recorder.spans
        if any(
            isinstance(span.op, str) and span.op.startswith(("gen_ai.", "ai.")) for span in spans
        ):
            return None
        Span.finish(self, scope, end_timestamp)
        finished = [span.to_json() for span in spans if span.timestamp is not None]
        event: dict[str, Any] = DirectEvent(
            type="transaction",
            transaction=self.name,
            transaction_info={"source": self.source},
            contexts={**self._contexts, "trace": self.get_trace_context()},
            tags=self._tags,
            timestamp=self.timestamp,
            start_timestamp=self.start_timestamp,
            spans=finished,
            measurements=self._measurements,
        )
        dropped = len(spans) - len(finished) + recorder.dropped_spans
        if dropped > 0:
            event["_dropped_spans"] = dropped
        profile = self.get_profile_context()
        if profile is not None:
            event["contexts"]["profile"] = profile
        return event, merged


def _sent(client: Any, event: dict[str, Any], merged: _Merged) -> str | None:
    """Apply, process, serialize and send an event: `Scope.capture_event`, from there on."""
    lose = client.transport.record_lost_event
    made = os.urandom(16).hex()
    # A random UUID (RFC 9562, 5.4), which costs a fifth of what `uuid4` does.
    event["event_id"] = event_id = f"{made[:12]}4{made[13:16]}8{made[17:]}"
    hint: dict[str, Any] = {"attachments": []}
    spans_before = len(event["spans"])
    _apply(event, merged)
    processed = _processed(event, hint)
    if processed is None:
        lose("event_processor", data_category="transaction")
        lose("event_processor", data_category="span", quantity=spans_before + 1)
        return None
    event = processed
    _count_spans(client, event, spans_before)
    _complete(client, event)
    plain = serialized(event, client)
    session = next(
        (each._session for each in reversed(merged.scopes) if each._session is not None), None
    )
    hook = client.options["before_send_transaction"]
    if hook is not None and plain.get("type") == "transaction":
        hooked = _hooked(hook, plain, hint, lose)
        if hooked is None:
            return None
        plain = hooked
    if session is not None and type(session) is not RequestSession:
        client._update_session_from_event(session, event)
    trace_context = plain.get("contexts", {}).get("trace") or {}
    headers: dict[str, Any] = {
        "event_id": plain["event_id"],
        "sent_at": written(datetime.now(timezone.utc)),
    }
    sampling = trace_context.pop("dynamic_sampling_context", {})
    if sampling:
        headers["trace"] = sampling
    envelope = Envelope(headers=headers)
    envelope.add_transaction(plain)  # type: ignore[arg-type]  # its events are TypedDicts
    for attachment in hint.get("attachments") or ():
        envelope.add_item(attachment.to_envelope_item())
    client.transport.capture_envelope(envelope)
    return event_id


def _apply(event: dict[str, Any], merged: _Merged) -> None:
    """`Scope.apply_to_event`, for a transaction."""
    if not merged.with_data:
        return
    contexts = merged.all("_contexts")
    if contexts:
        trace = event["contexts"]["trace"]
        event["contexts"].update(contexts)
        if event["contexts"].get("trace") is None:
            event["contexts"]["trace"] = trace
    level, fingerprint, user = (
        merged.last("_level"),
        merged.last("_fingerprint"),
        merged.last("_user"),
    )
    if level is not None:
        event["level"] = level
    if fingerprint is not None:
        event["fingerprint"] = fingerprint
    if user is not None:
        event["user"] = user
    event["tags"].update(merged.all("_tags"))
    extras = merged.all("_extras")
    if extras:
        event["extra"] = extras


def _processors() -> Iterator[Any]:
    """All event processors, in the SDK's order."""
    yield from global_event_processors
    for scope in (sdk_scope._global_scope, _isolation_scope.get(), _current_scope.get()):
        if scope is not None:
            yield from scope._event_processors


def _processed(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any] | None:
    """What the event processors leave of an event.

    One that raises is passed over, as the SDK does it.
    """
    for processor in _processors():
        made: dict[str, Any] | None = event
        try:
            made = processor(event, hint)
        except Exception as exc:
            faults.note("an event processor", exc, "the event goes on as it was")
        if made is None:
            return None
        event = made
    return event


def _count_spans(client: Any, event: dict[str, Any], before: int) -> None:
    """Count the spans that the recorder or a processor dropped.

    The event says how many there were.
    """
    lose = client.transport.record_lost_event
    left = before - len(event.get("spans") or ())
    dropped = event.pop("_dropped_spans", 0)
    if left > 0:
        lose("event_processor", data_category="span", quantity=left)
    if dropped > 0:
        lose("buffer_overflow", data_category="span", quantity=dropped)
    if dropped + left > 0:
        event["spans"] = AnnotatedValue(event.get("spans", []), {"len": before + dropped + left})


def _complete(client: Any, event: dict[str, Any]) -> None:
    """Put in what is the same for all events of a client."""
    options = client.options
    for key in _OPTIONS:
        if event.get(key) is None and options[key] is not None:
            event[key] = str(options[key]).strip()
    if event.get("sdk") is None:
        event["sdk"] = {**SDK_INFO, "integrations": sorted(client.integrations)}
    if event.get("platform") is None:
        event["platform"] = "python"
    if any(part in event for part in _WITH_STACKS):  # of a processor's
        exclude, include = options["in_app_exclude"], options["in_app_include"]
        handle_in_app(event, exclude, include, options["project_root"])  # type: ignore[arg-type]


def _hooked(
    hook: Any, event: dict[str, Any], hint: dict[str, Any], lose: Any
) -> dict[str, Any] | None:
    """What `before_send_transaction` leaves of an event. It fails closed, as with the SDK."""
    before, reason = len(event.get("spans") or ()), "before_send"
    made = None
    try:
        made = hook(event, hint)
    except Exception as exc:
        reason = "callback_error"
        faults.note("before_send_transaction", exc, "the transaction is not sent")
    if made is None:
        lose(reason=reason, data_category="transaction")
        lose(reason=reason, data_category="span", quantity=before + 1)
        return None
    left = before - len(made.get("spans") or ())
    if left > 0:
        lose(reason="before_send", data_category="span", quantity=left)
    return made  # type: ignore[no-any-return]
