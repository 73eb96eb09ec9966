"""Root spans of the streaming mode: segments."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import NoOpStreamedSpan, StreamedSpan, traces
from asgi_sentry._sdk.options import ORIGIN
from asgi_sentry._sdk.root_span import BACKGROUND, WORTH_A_SPAN, SpanOfRoot
from asgi_sentry._sdk.threads import Threads
from asgi_sentry._sdk.unsent import silence

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.scopes import Scopes
    from asgi_sentry._sdk.trace_context import TraceContext


class StreamedRoot(SpanOfRoot):
    """Streaming mode: the segment, sampled or not."""

    __slots__ = ("_end", "sampled", "threads")
    may_be_decided_late = has_request_section = False
    hides_its_trace = has_span = True

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
        self.threads = Threads() if sampled else None
        self._end: datetime | None = None  # where it ended before it is finished
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
                # Of low quality: keeps the name out of the baggage.
                "sentry.segment.name.source": "url",
            },
        }
        # Built by hand, since the public `start_span` rolls the dice itself and can't be told the
        # decision.
        if sampled:
            self._span = StreamedSpan(**shared)
        else:
            # Without a name: the baggage would carry it, and it is none until the request is
            # routed.
            self._span = NoOpStreamedSpan(
                **{**shared, "name": None}, sampled=False, unsampled_reason=reason
            )

    @property
    def source(self) -> str:
        return str(self._span._attributes.get("sentry.segment.name.source", "custom"))

    @source.setter
    def source(self, source: str) -> None:
        self._span.set_attribute("sentry.segment.name.source", source)

    def set_status(self, status: int) -> None:
        self._span.set_attribute("http.response.status_code", status)
        self._span.status = "error" if status >= 400 else "ok"  # as the SDK maps it

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        self._span.set_attributes(dict(attributes))

    def ran(self, function: Any) -> None:
        # What is profiled all along has no samples of a request's own.
        worker = None if self.threads is None else self.threads.of(function)
        if worker is not None:
            self._span.set_attribute("thread.id", str(worker.ident))
            self._span.set_attribute("thread.name", worker.name)

    def ended(
        self, at: float, until: float, failure: BaseException | None, *, worked: bool
    ) -> None:
        segment: Any = self._span
        ago = time.monotonic() - at
        so_far = (time.perf_counter_ns() - segment._start_timestamp_monotonic_ns) / 1e9
        self._end = segment._start_timestamp + timedelta(seconds=so_far - ago)
        long = worked and until - at >= WORTH_A_SPAN
        if not (long or failure is not None):
            return
        attributes: dict[str, Any] = {"sentry.op": BACKGROUND, "sentry.origin": ORIGIN}
        background: Any = traces.start_span(
            BACKGROUND, attributes=attributes, parent_span=segment, active=False
        )
        background._start_timestamp = self._end
        background._start_timestamp_monotonic_ns -= int(ago * 1e9)
        if failure is not None:
            background.status = "error"
        background.end(self._end + timedelta(seconds=until - at))

    def finish(self, exc: BaseException | None) -> None:
        if exc is not None:
            self._span.status = "error"
        self._span.end(self._end)
        segment: Any = self._span
        # Its segment is itself, so that it would hold the scope until it is collected.
        segment._scope = None

    def keep(self, rate: float) -> None:
        """Nothing: its spans are sent, or not, as they end."""

    def drop(self, reason: str) -> None:
        """Nothing, for the same reason: it is sent."""
        self.finish(None)

    def discard(self) -> None:
        silence(self._span)
