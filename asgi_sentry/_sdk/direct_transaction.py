"""A transaction of a request, which takes the direct lane where it can."""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry._counters import count_lane
from asgi_sentry._sdk.bare import around_now, here_now
from asgi_sentry._sdk.by_hand import capture_event
from asgi_sentry._sdk.constant_parts import constant_parts
from asgi_sentry._sdk.direct_event import DirectEvent, shown
from asgi_sentry._sdk.fork import is_blank
from asgi_sentry._sdk.lane import Merged, sent
from asgi_sentry._sdk.names import (
    Client,
    Scope,
    Span,
    Transaction,
    _SpanRecorder,
    disable_capture_event,
    sdk_scope,
)
from asgi_sentry._sdk.serializer import SEPARATES, is_flat
from asgi_sentry._sdk.span_slots import are_known, thread_data
from asgi_sentry._sdk.times import written

if TYPE_CHECKING:
    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.threads import Threads

# What the lane stands for. One that was replaced, by a test or by another tool, is to be called;
# ours passes on what comes with a scope.
_CAPTURE, _APPLY = getattr(Scope, "capture_event", None), getattr(Scope, "apply_to_event", None)
_PREPARE = getattr(Client, "_prepare_event", None)
_CLIENTS = frozenset({getattr(Client, "capture_event", None), capture_event})


def _are_the_sdks_own() -> bool:
    return (
        Scope.capture_event is _CAPTURE
        and Scope.apply_to_event is _APPLY
        and Client._prepare_event is _PREPARE
        and Client.capture_event in _CLIENTS
    )


class Recorder(_SpanRecorder):
    """The spans of a transaction. Each is added in the thread that starts it.

    It is given its id here, at a tenth of what the SDK's way to make one costs.
    """

    __slots__ = ("_threads",)

    def __init__(self, maxlen: int, threads: Threads) -> None:
        super().__init__(maxlen)
        self._threads = threads

    def add(self, span: Span) -> None:
        if span._span_id is None:
            span._span_id = os.urandom(8).hex()
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
            self._span_recorder = Recorder(maxlen, self.threads)

    def start_child(self, instrumenter: str = "sentry", **kwargs: Any) -> Any:
        """As the SDK's, which takes three times as long for a child as most are."""
        recorder = self._span_recorder
        if (
            recorder is None
            or not are_known
            or self.view.profiled
            or kwargs.keys() - _USUAL
            or instrumenter != self.view.client.options["instrumenter"]
        ):
            return super().start_child(instrumenter, **kwargs)
        made: Any = object.__new__(Span)
        made._trace_id, made._span_id = self._trace_id, os.urandom(8).hex()
        made.parent_span_id, made.same_process_as_parent = self.span_id, True
        made.sampled, made.op = self.sampled, kwargs.get("op")
        made.description, made.origin = kwargs.get("name") or None, kwargs.get("origin", "manual")
        made.scope, made.hub, made.status, made.timestamp = kwargs.get("scope"), None, None, None
        made._tags, made._measurements, made._flags, made._flags_capacity = {}, {}, {}, 10
        made._containing_transaction, made._span_recorder = self, None
        made._data = thread_data()
        made.start_timestamp = datetime.now(timezone.utc)
        made._start_timestamp_monotonic_ns = time.perf_counter_ns()
        recorder.add(made)
        return made

    def stand_in(self, scope: Scope) -> None:
        """Stand in a scope of a request, until the end.

        As `__enter__` has it, for a scope in which no span stands yet.
        """
        scope._span = self
        scope._transaction = self.name
        scope._transaction_info = {"source": self.source}
        self._context_manager_state = (scope, None)

    def stand_down(self) -> None:
        """End, and leave the scope. As `__exit__` has it where nothing was raised."""
        state: Any = self._context_manager_state
        scope, before = state
        del self._context_manager_state
        self.finish(scope)
        scope._span = before

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
            return sent(self.view, *way)
        except Exception as exc:
            faults.note("the direct lane", exc, "a transaction is lost")
            self.view.lose("internal_sdk_error", "transaction")
            self.view.lose("internal_sdk_error", "span", len(way[0].get("spans") or ()) + 1)
            return None

    def _prepared(self, given: Any, end_timestamp: Any) -> tuple[DirectEvent, Merged] | None:
        """The event and the scopes that it is of; None where the general way is the right one.

        Changes nothing else.
        """
        here, around, everywhere = here_now(), around_now(), sdk_scope._global_scope
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
            or not _are_the_sdks_own()
        ):
            return None
        scopes = (here,) if around is here else (around, here)
        if everywhere is not None:
            scopes = (everywhere, *scopes)
        merged = Merged(scopes, tuple(each for each in scopes if not is_blank(each)))
        for each in merged.with_data:
            if (
                each._attachments
                or each._n_breadcrumbs_truncated
                or each._gen_ai_original_message_count
                or each._gen_ai_conversation_id
            ):
                return None
        spans = recorder.spans
        if spans and any(
            isinstance(span.op, str) and span.op.startswith(("gen_ai.", "ai.")) for span in spans
        ):
            return None
        Span.finish(self, scope, end_timestamp)
        finished = [span for span in spans if span.timestamp is not None]
        event = None
        dropped = len(spans) - len(finished) + recorder.dropped_spans
        if not dropped:
            event = self._composed(finished, merged)
        if event is None:
            event = self._as_the_sdk_has_it(finished)
        elif not (event.is_seen_by_nobody and self._is_alone(here, around, everywhere)):
            event = shown(event, self, finished)
        if dropped > 0:
            event["_dropped_spans"] = dropped
        return event, merged

    def _as_the_sdk_has_it(self, finished: list[Span]) -> DirectEvent:
        event = DirectEvent(
            type="transaction",
            transaction=self.name,
            transaction_info={"source": self.source},
            contexts={**self._contexts, "trace": self.get_trace_context()},
            tags=self._tags,
            timestamp=self.timestamp,
            start_timestamp=self.start_timestamp,
            spans=[span.to_json() for span in finished],
            measurements=self._measurements,
        )
        event.same = event.composed = None
        profile = self.get_profile_context()
        if profile is not None:
            event["contexts"]["profile"] = profile
        return event

    @staticmethod
    def _is_alone(here: Any, around: Any, everywhere: Any) -> bool:
        """Whether no scope has a processor but ours."""
        return (
            len(here._event_processors) == 1
            and not around._event_processors
            and (everywhere is None or not everywhere._event_processors)
        )

    def _composed(self, finished: list[Span], merged: Merged) -> DirectEvent | None:
        """The event in its plain form, without what is the same in each of a client's.

        None where any part of it may be more than plain.
        """
        tags, data, contexts = self._tags, self._data, self._contexts
        options = self.view.client.options
        hook = options["before_send_transaction"]
        same = constant_parts(self.view)
        if merged.with_data:
            if any(map(_has_more, merged.with_data)):
                return None
            tags = {**tags, **merged.all("_tags")}
        if (
            same is None
            or (hook is not None and not getattr(hook, SEPARATES, False))
            or options.get("max_value_length") is not None
            or self._measurements
            or self._flags
            or "profiler_id" in data
            or not is_flat(tags)
            or not is_flat(data)
            or not _are_of_a_status(contexts)
            or not all(map(_is_plain_span, finished))
        ):
            return None
        trace: dict[str, Any] = {
            "trace_id": self._trace_id,
            "span_id": self.span_id,
            "parent_span_id": self.parent_span_id,
            "op": self.op,
            "description": self.description,
            "origin": self.origin,
        }
        if self.status:
            trace["status"] = self.status
        trace["dynamic_sampling_context"] = self._sampling()
        if data:
            trace["data"] = data.copy()
        event = DirectEvent(
            type="transaction",
            transaction=self.name,
            transaction_info={"source": self.source},
            contexts={**contexts, "trace": trace},
            tags=tags,
            timestamp=written(self.timestamp),  # type: ignore[arg-type]  # it has ended
            start_timestamp=written(self.start_timestamp),
            spans=[_plain_span(span) for span in finished],
            measurements={},
        )
        event.same, event.composed = same, None
        user = merged.last("_user")
        if user is not None:
            event["user"] = user.copy()
        return event

    def _sampling(self) -> dict[str, Any]:
        """The dynamic sampling context.

        What the SDK makes of the trace if it began here, and nobody has asked for its baggage yet.
        https://develop.sentry.dev/sdk/telemetry/traces/dynamic-sampling-context/.
        """
        baggage = self._baggage
        if baggage is not None and (not baggage.mutable or baggage.sentry_items.keys() - _DICE):
            return dict(self.get_baggage().dynamic_sampling_context())
        options, dsn = self.view.client.options, self.view.client.parsed_dsn
        items = OwnSampling(trace_id=self._trace_id, sample_rand=f"{self._sample_rand:.6f}")
        if options["environment"]:
            items["environment"] = options["environment"]
        if options["release"]:
            items["release"] = options["release"]
        if dsn:
            items["public_key"] = dsn.public_key
            if dsn.org_id:
                items["org_id"] = dsn.org_id
        if self.source != "url":
            items["transaction"] = self.name
        if self.sample_rate is not None:
            items["sample_rate"] = str(self.sample_rate)
        items["sampled"] = "true"
        return items


class OwnSampling(dict[str, Any]):
    """A dynamic sampling context of which nothing came in with the request."""

    __slots__ = ()


_USUAL = frozenset({"name", "op", "origin", "scope"})  # of what a child is given
_DICE = frozenset({"sample_rand"})


def _are_of_a_status(contexts: dict[str, Any]) -> bool:
    """Whether a transaction has no context but the one that a status makes, with nothing else."""
    if not contexts:
        return True
    response = contexts.get("response")
    return (
        len(contexts) == 1
        and response.__class__ is dict
        and len(response) == 1
        and response.get("status_code").__class__ is int
    )


def _has_more(scope: Any) -> bool:
    """Whether more than tags and a user was set on a scope."""
    return bool(
        scope._contexts
        or scope._extras
        or scope._level is not None
        or scope._fingerprint is not None
        or not (scope._user is None or is_flat(scope._user))
    )


def _is_plain_span(span: Span) -> bool:
    return (
        span.__class__ is Span
        and not span._measurements
        and not span._flags
        and is_flat(span._data)
        and is_flat(span._tags)
        and span.op.__class__ is str
        and (span.description is None or span.description.__class__ is str)
    )


def _plain_span(span: Span) -> dict[str, Any]:
    """What `to_json` makes of a span, in its plain form."""
    made: dict[str, Any] = {
        "trace_id": span.trace_id,
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id,
        "same_process_as_parent": span.same_process_as_parent,
        "op": span.op,
        "description": span.description,
        "start_timestamp": written(span.start_timestamp),
        "timestamp": written(span.timestamp),  # type: ignore[arg-type]  # it has ended
        "origin": span.origin,
    }
    tags = span._tags
    if span.status:
        made["status"] = span.status
        tags = {**tags, "status": span.status}
    if tags:
        made["tags"] = dict(tags)
    if span._data:
        made["data"] = span._data.copy()
    return made
