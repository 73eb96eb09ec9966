"""Root spans of the streaming mode: segments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import NoOpStreamedSpan, StreamedSpan
from asgi_sentry._sdk.options import ORIGIN
from asgi_sentry._sdk.unsent import silence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._sdk.client_view import ClientView
    from asgi_sentry._sdk.scopes import Scopes
    from asgi_sentry._sdk.trace import TraceContext


class StreamedRoot:
    """Streaming mode: the segment, sampled or not."""

    __slots__ = ("_segment", "sampled")
    may_be_decided_late = has_request_section = False
    hides_its_trace = True

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
        silence(self._segment)
