"""Requests with traces of their own, sent to a stack one after the other, and what Sentry was told of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import sentry_sdk

from asgi_sentry import PathSamplingMiddleware
from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request.plan import Allowance, Plan
from asgi_sentry._sampling.budgets import Budget
from asgi_sentry._sampling.late import LateDecisions
from asgi_sentry._sampling.rate import Limit
from asgi_sentry._sampling.sampler import PathSampler
from asgi_sentry.testing import RecordingTransport, request
from tests.strategies import Clock

TRACE, PARENT = "0123456789abcdef0123456789abcdef", "fedcba9876543210"


def trace(
    number: int, *, sampled: str = "", rate: float | None = None, rand: float | None = None
) -> list[tuple[str, str]]:
    """Trace headers of a trace with this number; `sampled` is `-0` or `-1`."""
    trace_id = f"{number:032x}"
    items = {"sample_rate": rate, "sample_rand": None if rand is None else f"{rand:.6f}"}
    baggage = [f"sentry-trace_id={trace_id}", *(f"sentry-{k}={v}" for k, v in items.items() if v is not None)]
    return [("sentry-trace", f"{trace_id}-{PARENT}{sampled}"), ("baggage", ",".join(baggage))]


def seeded(count: int, *, seed: int = 4) -> list[list[tuple[str, str]]]:
    """Headers of so many traces whose dice are fixed."""
    dice = random.Random(seed)
    return [trace(dice.getrandbits(128)) for _ in range(count)]


async def respond(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def answering(code: int) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": code, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


async def broken(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("boom")


def drive(app: Any, every: list[Any], path: str = "/work", *, before: Callable[[int], Any] = lambda _: None) -> None:
    """One request for each of the headers; what they raise is theirs."""

    async def run() -> None:
        for number, headers in enumerate(every):
            before(number)
            try:
                await request(app, path=path, headers=headers)
            except RuntimeError as exc:
                if str(exc) != "boom":
                    raise

    anyio.run(run)


def sent(transport: RecordingTransport) -> list[dict[str, Any]]:
    """The trace headers of the envelopes with root spans: what Sentry extrapolates by."""
    sentry_sdk.flush()
    headers = []
    for envelope in transport.envelopes:
        for item in envelope.items:
            payload: Any = item.payload.json
            roots = 1 if item.type == "transaction" else 0
            if item.type == "span":
                roots = sum(bool(span["is_segment"]) for span in payload["items"])
            headers += [envelope.headers["trace"]] * roots if roots else []
    return headers


def rates(transport: RecordingTransport) -> list[float | None]:
    return [float(each["sample_rate"]) if "sample_rate" in each else None for each in sent(transport)]


def extrapolated(transport: RecordingTransport) -> float:
    return sum(1 / rate for rate in rates(transport) if rate is not None)


def lost(transport: RecordingTransport) -> dict[tuple[str, str], int]:
    sentry_sdk.flush()
    counted: Counter[tuple[str, str]] = Counter()
    for reason, category, quantity in transport.lost:
        counted[reason, category] += quantity
    return dict(counted)


def sampled_by(app: Any, clock: Clock, rates: Any = None, *, budget: str | None = None, keep: Any = (), **options: Any):
    """`PathSamplingMiddleware` with a clock that a test sets."""
    keep_at_most = options.pop("keep_at_most", "10/second")
    sampler = PathSampler(rates or {}, clock=clock, **options)
    late = LateDecisions(keep, keep_at_most, clock=clock)
    limit = None if budget is None else Limit.parse(budget, what="budget")
    return Layer(
        app,
        Plan(
            samplers=(sampler,),
            late=late or None,
            budgets=() if limit is None else (Allowance(gate=Budget(limit, clock=clock)),),
        ),
    )


NEVER: dict[str, Any] = {"default": 1e-9, "parent": "ignore"}


def keeping(*rules: Any, **options: Any) -> Any:
    return partial(PathSamplingMiddleware, keep=rules, **{**NEVER, **options})
