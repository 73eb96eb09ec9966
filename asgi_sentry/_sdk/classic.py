"""Root spans of the classic mode: transactions."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.begin_transaction import transaction_of
from asgi_sentry._sdk.names import Baggage, records_lost
from asgi_sentry._sdk.options import ORIGIN
from asgi_sentry._sdk.profiles import thread_of
from asgi_sentry._sdk.root_span import BACKGROUND, WORTH_A_SPAN, SpanOfRoot, on_the_spans_clock
from asgi_sentry._sdk.threads import Threads
from asgi_sentry._sdk.unsent import silence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.scopes import Scopes
    from asgi_sentry._sdk.trace_context import TraceContext


class TransactionRoot(SpanOfRoot):
    """Classic mode, sampled, or recorded until its end decides."""

    __slots__ = ("_ended", "_reason", "_view", "threads")
    recording = True
    may_be_decided_late = has_request_section = hides_its_trace = has_span = True

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
        self._ended: float | None = None
        self._view, self._reason = view, reason
        self.threads = Threads()
        self._span = transaction_of(view, context, self.threads, op=op, name=name, sampled=sampled)
        # One that is not sampled, but may be kept at its end, goes on as `-0` to whom it calls, and
        # yet its spans are recorded.
        if sampled and view.profiled:
            self._start_profiled(scopes, context, asgi_scope)
        else:  # all that `start_transaction` would do yet
            self._span.stand_in(scopes.current)

    def _start_profiled(
        self, scopes: Scopes, context: TraceContext, asgi_scope: Mapping[str, Any]
    ) -> None:
        """Have the SDK start the transaction, for the sake of its profilers."""
        transaction = self._span
        baggage = transaction._baggage
        incoming = baggage.sentry_items.get("sample_rate") if baggage is not None else None
        scopes.current.start_transaction(
            transaction, custom_sampling_context={"asgi_scope": asgi_scope}
        )
        # A forced decision is taken by the SDK for a rate of 1, in the baggage also; the effective
        # rate is known here.
        transaction.sample_rate = context.rate
        if baggage is not None:
            if incoming is None:
                baggage.sentry_items.pop("sample_rate", None)
            else:
                baggage.sentry_items["sample_rate"] = incoming
        transaction.__enter__()

    @property
    def sampled(self) -> bool:
        return bool(self._span.sampled)

    @property
    def source(self) -> str:
        return str(getattr(self._span.source, "value", self._span.source))

    @source.setter
    def source(self, source: str) -> None:
        self._span.source = source

    def set_status(self, status: int) -> None:
        self._span.set_http_status(status)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        for key, value in attributes.items():
            self._span.set_data(key, value)

    def ran(self, function: Any) -> None:
        profile = getattr(self._span, "_profile", None)
        # An integration that stays on, such as Django's, may have asked the thread itself.
        if profile is not None and profile.active_thread_id is not None:
            return
        worker = self.threads.of(function)
        if worker is None and profile is not None:
            worker = thread_of(profile, function)
        if worker is None:
            return
        if profile is not None:
            profile.active_thread_id = worker.ident
        self._span.set_data("thread.id", str(worker.ident))
        self._span.set_data("thread.name", worker.name)

    def ended(
        self, at: float, until: float, failure: BaseException | None, *, worked: bool
    ) -> None:
        self._ended = at
        transaction = self._span
        at_ns = on_the_spans_clock(at)
        so_far = (at_ns - transaction._start_timestamp_monotonic_ns) / 1e9
        end = transaction.start_timestamp + timedelta(seconds=so_far)
        recorder = transaction._span_recorder
        later = [
            span
            for span in (recorder.spans if recorder is not None else ())
            if span is not transaction
            and span._start_timestamp_monotonic_ns >= at_ns
            and span.parent_span_id == transaction.span_id
        ]
        long = worked and until - at >= WORTH_A_SPAN
        if not (long or failure is not None or later):
            return
        background = transaction.start_child(
            op=BACKGROUND, name=BACKGROUND, start_timestamp=end, origin=ORIGIN
        )
        for span in later:
            span.parent_span_id = background.span_id
        if failure is not None:
            background.set_status("internal_error")
        background.finish(end_timestamp=end + timedelta(seconds=until - at))

    def finish(self, exc: BaseException | None) -> None:
        if self._ended is not None:  # it takes its end from this clock
            ago = time.monotonic() - self._ended
            self._span._start_timestamp_monotonic_ns += int(ago * 1e9)
        if not self.sampled:
            self.drop(self._reason)
        elif exc is None and not self._view.profiled:
            self._span.stand_down()
        else:
            self._span.__exit__(type(exc) if exc is not None else None, exc, None)

    def keep(self, rate: float) -> None:
        transaction = self._span
        transaction.sampled, transaction.sample_rate = True, rate
        # As it was when somebody was called; this is for the envelope.
        if transaction._baggage is not None:
            items = {
                **transaction._baggage.sentry_items,
                "sampled": "true",
                "sample_rate": str(rate),
            }
            transaction._baggage = Baggage(items, mutable=transaction._baggage.mutable)

    def drop(self, reason: str) -> None:
        recorder = self._span._span_recorder
        spans = len(recorder.spans) if recorder is not None else 0
        self.discard()
        self._view.lose(reason, "transaction")
        self._view.lose(reason, "span", spans + 1)

    def discard(self) -> None:
        silence(self._span)
        self._span.__exit__(None, None, None)


_REPORTS = "send_client_reports"


class UnsampledRoot:
    """Classic mode, excluded or not sampled: one for all requests of a client and a reason."""

    __slots__ = ("_lose", "_of_span", "_of_transaction", "_reason", "_view")
    name = source = ""
    sampled = recording = hides_its_trace = has_span = False
    may_be_decided_late = has_request_section = True
    threads = None

    def __init__(self, view: ClientView, reason: str) -> None:
        self._view, self._reason = view, reason
        self._of_transaction, self._of_span = ("transaction", reason), ("span", reason)
        # The SDK's own method of the SDK's own transport, which does no more than what `finish`
        # does itself: two calls less for each request.
        lose: Any = getattr(view.client.transport, "record_lost_event", None)
        self._lose: Any = None
        if getattr(lose, "__func__", None) is records_lost and lose.__self__.options[_REPORTS]:
            self._lose = lose

    def set_status(self, status: int) -> None:
        """Nothing: it is not sent."""

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Nothing: it is not sent."""

    def keep(self, rate: float) -> None:
        """Nothing: it was not recorded."""

    def ran(self, function: Any) -> None:
        """Nothing: it is not sent."""

    def ended(
        self, at: float, until: float, failure: BaseException | None, *, worked: bool
    ) -> None:
        """Nothing: it is not sent."""

    def finish(self, exc: BaseException | None) -> None:
        # What the SDK counts for a sampler that returns 0.
        transport: Any = self._view.client.transport
        if transport is None:
            return
        lose = transport.record_lost_event
        if lose == self._lose:
            lost = transport._discarded_events
            lost[self._of_transaction] += 1
            lost[self._of_span] += 1
            return
        lose(self._reason, "transaction")
        lose(self._reason, "span")

    def drop(self, reason: str) -> None:
        """Nothing: it was not recorded, and it is counted for its own reason."""
        self.finish(None)

    def discard(self) -> None:
        """Nothing was started."""
