"""sentry-sdk in its default configuration: a rate, and nothing else that a team would have to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sentry_sdk

from benchmarks.contenders import COMMON, DSN
from benchmarks.contenders.sdk import around
from benchmarks.transport import Bench

if TYPE_CHECKING:
    from benchmarks.contenders import Build


def make(build: Build, dsn: str = DSN, *, rate: float = 1.0, transport: Any = Bench) -> Any:
    """No hooks, no sampler, no scrubber but the SDK's own, and no user."""
    sentry_sdk.init(dsn=dsn, transport=transport, traces_sample_rate=rate, **COMMON)
    return around(build())
