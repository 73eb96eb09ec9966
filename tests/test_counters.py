"""What `counters()` tells: each request and each error once, by what became of it."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest

import asgi_sentry
from asgi_sentry import ErrorPolicyMiddleware, PathSamplingMiddleware, Rate, TransactionFilterMiddleware
from asgi_sentry.keep import errors, status
from tests import apps
from tests.strategies import Clock
from tests.traffic import answering, broken, drive, keeping, respond, sampled_by, trace


def counted(kind: str, action: Any) -> dict[str, int]:
    """What an action added."""
    before = Counter(asgi_sentry.counters()[kind])
    action()
    return dict(Counter(asgi_sentry.counters()[kind]) - before)


def limited(**options: Any) -> Any:
    return lambda app: sampled_by(app, Clock(), **options)


REQUESTS: dict[str, tuple[Any, Any, Any, dict[str, int]]] = {
    "sampled": (partial(PathSamplingMiddleware, default=1.0), respond, [()] * 2, {"sampled": 2}),
    "dice": (partial(PathSamplingMiddleware, default=0.5), respond, [trace(1, rand=0.9)], {"dice": 1}),
    "parent": (partial(PathSamplingMiddleware, default=0.5), respond, [trace(1, sampled="-0")], {"parent": 1}),
    "parent, without rules": (PathSamplingMiddleware, respond, [trace(1, sampled="-0")], {"parent": 1}),
    "sdk": (PathSamplingMiddleware, respond, [trace(1, rand=0.9)], {"sdk": 1}),
    "a rate of 0": (partial(PathSamplingMiddleware, default=0), respond, [()], {"excluded": 1}),
    "filter": (partial(TransactionFilterMiddleware, exclude=("/work",)), respond, [()], {"excluded": 1}),
    "at_most": (limited(rates={"/work": Rate(at_most="1/hour")}), respond, [()] * 3, {"sampled": 1, "at_most": 2}),
    "budget": (limited(rates={"/work": 1.0}, budget="1/hour"), respond, [()] * 3, {"sampled": 1, "budget": 2}),
    "adaptive": (limited(rates={"/work": Rate.adaptive("1/month")}), respond, [()] * 50, {}),
}


@pytest.mark.parametrize("case", REQUESTS)
def test_transactions(start, mode, case):
    start(asgi_sentry.Settings(dsn="http://publickey@localhost/1", traces_sample_rate=0.5))
    build, app, traces, expected = REQUESTS[case]
    stack = build(app)
    found = counted("transactions", lambda: drive(stack, list(traces)))
    assert sum(found.values()) == len(traces)
    if case == "adaptive":
        assert set(found) == {"sampled", "adaptive"}
    else:
        assert found == expected


def test_what_the_end_decided(start, mode):
    if mode == "stream":
        pytest.skip("streaming sends spans as they end")
    start()
    kept = keeping(errors(), keep_at_most="1/hour")(broken)
    assert counted("transactions", lambda: drive(kept, [trace(1)] * 3)) == {"kept": 1, "dice": 2}
    scans = TransactionFilterMiddleware(answering(404), statuses=(404,))
    assert counted("transactions", lambda: drive(scans, [trace(1)] * 2)) == {"status": 2}
    both = keeping(status(404))(scans)
    assert counted("transactions", lambda: drive(both, [trace(1)])) == {"dice": 1}


ERRORS: dict[str, tuple[dict[str, Any], str, int, dict[str, int]]] = {
    "sent": ({}, "/boom", 2, {"sent": 2}),
    "repeated": ({}, "/logged-in-thread", 1, {"sent": 1, "repeated": 1}),
    "exception": ({"ignore": (RuntimeError,)}, "/boom", 2, {"exception": 2}),
    "status": ({"ignore_statuses": (500,)}, "/boom", 1, {"status": 1}),
    "path": ({"ignore_paths": ("/boom",)}, "/boom", 1, {"path": 1}),
    "limit": ({"per_fingerprint": "1/hour"}, "/boom", 3, {"sent": 1, "limit": 2}),
    "budget": ({"error_budget": "1/month"}, "/boom", 3, {"sent": 1, "budget": 2}),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(start, mode, case):
    start()
    arguments, path, times, expected = ERRORS[case]
    app = ErrorPolicyMiddleware(apps.starlette_app(), **arguments)
    assert counted("errors", lambda: drive(app, [()] * times, path)) == expected
