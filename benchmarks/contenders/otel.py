"""OpenTelemetry's middleware, with a tracer that samples by the parent, else one in a thousand million."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.util.http import parse_excluded_urls

from benchmarks.traffic import EXCLUDED, EXCLUDED_BELOW, NEVER_BY_DICE

if TYPE_CHECKING:
    from benchmarks.contenders import Build


def make(build: Build) -> Any:
    excluded = ",".join([f"{path}$" for path in EXCLUDED] + list(EXCLUDED_BELOW))
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(NEVER_BY_DICE)))
    return OpenTelemetryMiddleware(build(), excluded_urls=parse_excluded_urls(excluded), tracer_provider=provider)


def probe(case: str) -> str | None:
    """What is wrong from within the app."""
    span = trace.get_current_span()
    if case == "excluded":
        return "a span on an excluded path" if span.get_span_context().is_valid else None
    if span.is_recording() or not span.get_span_context().is_valid:
        return "expected a span that is not recorded and goes on"
    return None
