"""Elastic's agent, with `transaction_ignore_urls` and one rate; what it would send is dropped before it is queued."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import elasticapm
from elasticapm import Client
from elasticapm.contrib.asgi import ASGITracingMiddleware
from elasticapm.traces import execution_context

from benchmarks.traffic import EXCLUDED, EXCLUDED_BELOW, NEVER_BY_DICE

if TYPE_CHECKING:
    from benchmarks.contenders import Build


def _ignored() -> str:
    """Matched on the whole URL, query included."""
    return ",".join([*(f"*{p},*{p}?*" for p in EXCLUDED), *(f"*{p}*" for p in EXCLUDED_BELOW)])


def make(build: Build) -> Any:
    Client(
        service_name="shop",
        transaction_ignore_urls=_ignored(),
        transaction_sample_rate=NEVER_BY_DICE,
        disable_send=True,
        metrics_interval="0ms",
        central_config=False,
        cloud_provider="none",
        instrument=False,
    )
    return ASGITracingMiddleware(build())


def probe(case: str) -> str | None:
    """What is wrong from within the app."""
    transaction = execution_context.get_transaction()
    if case == "excluded":
        return None if transaction is None else "a transaction on an excluded path"
    if transaction is None or transaction.is_sampled:
        return f"expected an unsampled transaction, got {transaction}"
    return None if elasticapm.get_trace_parent_header() else "no trace goes on"
