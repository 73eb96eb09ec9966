"""Spans that are never sent: the one of an unsampled request, and those that are silenced."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import (
    NoOpSpan,
    NoOpStreamedSpan,
    StreamedSpan,
    Transaction,
    _SpanRecorder,
)
from asgi_sentry._sdk.options import ORIGIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry._sdk.names import Baggage
    from asgi_sentry._sdk.trace_context import TraceContext


def silence(span: Any) -> None:
    """Make a root span end without being sent and without an outcome."""
    if isinstance(span, NoOpStreamedSpan):
        span._finished = True
    elif isinstance(span, StreamedSpan):
        span._end_timestamp = span._start_timestamp
    elif isinstance(span, Transaction):
        span.sampled = False
        span._span_recorder = _SpanRecorder(maxlen=0)


class UnsampledSpan(NoOpSpan):
    """The root of an unsampled request, and each span below it: one object that does nothing.

    A `Transaction` that is started only to be thrown away is most of what an unsampled request
    costs with the SDK. Propagation comes from the `DecidedContext` on the scope, except where the
    SDK asks the span.
    """

    # What follows hides the base's slots; its `__dict__` takes what app code sets on it, as on any
    # span.
    __slots__ = ("_context",)

    # Not by the base's constructor, which reads two clocks and the active thread for a span that is
    # never sent.
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

    def __enter__(self) -> UnsampledSpan:  # noqa: PYI034 - typing.Self is newer than 3.10
        return self

    def __exit__(self, ty: object, value: object, tb: object) -> None:
        return None

    def start_child(self, instrumenter: str = "", **kwargs: Any) -> UnsampledSpan:
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
