"""ddtrace's middleware, with a sampling rule; it has no exclusion by path. Traces are dropped before their encoding."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from benchmarks.traffic import NEVER_BY_DICE

# Read at import.
os.environ.update(
    DD_TRACE_SAMPLING_RULES=json.dumps([{"sample_rate": NEVER_BY_DICE}]),
    DD_TRACE_STARTUP_LOGS="false",
    DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
    DD_REMOTE_CONFIGURATION_ENABLED="false",
    DD_CRASHTRACKING_ENABLED="false",
    DD_SERVICE="shop",
)

from ddtrace.contrib.asgi import TraceMiddleware
from ddtrace.trace import TraceFilter, tracer

if TYPE_CHECKING:
    from benchmarks.contenders import Build


class _Drop(TraceFilter):
    def process_trace(self, trace: list[Any]) -> None:
        return None


def make(build: Build) -> Any:
    tracer.configure(trace_processors=[_Drop()])
    return TraceMiddleware(build())


def probe(case: str) -> str | None:
    """What is wrong from within the app."""
    return None if tracer.current_span() is not None else "no span"
