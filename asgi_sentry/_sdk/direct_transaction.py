"""A transaction of a request, which takes the direct lane where it can."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry._counters import count_lane
from asgi_sentry._sdk.by_hand import capture_event
from asgi_sentry._sdk.fork import is_blank
from asgi_sentry._sdk.lane import Merged, sent
from asgi_sentry._sdk.names import (
    Client,
    Scope,
    Span,
    Transaction,
    _current_scope,
    _isolation_scope,
    _SpanRecorder,
    disable_capture_event,
    sdk_scope,
)
from asgi_sentry._sdk.serializer import DirectEvent

if TYPE_CHECKING:
    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.threads import Threads

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
            return sent(self.view.client, *way)
        except Exception as exc:
            faults.note("the direct lane", exc, "a transaction is lost")
            self.view.lose("internal_sdk_error", "transaction")
            self.view.lose("internal_sdk_error", "span", len(way[0].get("spans") or ()) + 1)
            return None

    def _prepared(self, given: Any, end_timestamp: Any) -> tuple[dict[str, Any], Merged] | None:
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
