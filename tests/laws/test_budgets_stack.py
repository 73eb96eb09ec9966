"""Budgets in a stack: never over, warned of twice, told by `budgets()`; and profiles, which are a share of a share."""

from __future__ import annotations

import logging

import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry import ErrorPolicyMiddleware, PathSamplingMiddleware, Settings
from asgi_sentry.keep import errors
from tests.conftest import DSN
from tests.strategies import Clock
from tests.traffic import broken, drive, keeping, lost, respond, sampled_by, sent, trace


@pytest.mark.parametrize("sampled", ["", "-1"])
def test_never_over_and_warned_of_at_80_and_100_percent(start, mode, sampled, caplog):
    transport = start()
    clock = Clock()
    clock.now = 3_599.0  # at the end of a period all of it may be spent
    app = sampled_by(respond, clock, budget="20/hour")
    drive(app, [trace(n, sampled=sampled) for n in range(1, 51)])
    assert len(sent(transport)) == 20
    assert [message.split("%")[0] for message in caplog.messages if "budget" in message] == [
        "budget: 80 ",
        "budget: 100 ",
    ]
    assert lost(transport)["sample_rate", "span"] == 30
    clock.now = 3_600.0
    drive(app, [trace(n) for n in range(1, 51)])
    assert len(sent(transport)) == 20 + 2  # a tenth may run ahead of the even line


def test_late_decisions_spend_the_same_budget(start, mode):
    if mode == "stream":
        pytest.skip("streaming sends spans as they end")
    transport = start()
    app = keeping(errors(), budget="10/month")(broken)
    before = asgi_sentry.budgets()["budget"].available
    drive(app, [trace(n) for n in range(1, 31)])
    assert len(sent(transport)) == before
    assert asgi_sentry.budgets()["budget"].available == 0


def test_errors_and_transactions_have_budgets_of_their_own(start, mode):
    transport = start()
    settings = Settings(dsn=DSN, budget="5/month", error_budget="3/month")
    app = asgi_sentry.wrap(broken, settings)
    before = asgi_sentry.budgets()
    drive(app, [()] * 10)
    assert len(transport.items("event")) == before["error_budget"].available
    assert len(sent(transport)) == before["budget"].available
    after = asgi_sentry.budgets()
    assert {name: (status.available, status.count) for name, status in after.items()} == {
        "budget": (0, 5),
        "error_budget": (0, 3),
    }
    assert lost(transport)["event_processor", "error"] == 10 - before["error_budget"].available


async def shop(scope, receive, send):
    """Logs what a client sent; and one path fails."""
    if scope["path"] == "/db":
        raise RuntimeError("boom")
    logging.getLogger("shop").error(f"no such item: {scope['path']}")  # noqa: G004 - as people do
    await respond(scope, receive, send)


def ask_for(app, paths):
    for path in paths:
        drive(app, [()], path=path)


@pytest.mark.parametrize("options", [{"per_fingerprint": "10/minute"}, {"error_budget": "60/month"}])
def test_a_flood_of_one_kind_hides_no_other(start, mode, options):
    """By texts that differ, and by sheer number."""
    transport = start()
    app = ErrorPolicyMiddleware(shop, **options)
    ask_for(app, [f"/{n}" for n in range(80)])
    flood = len(transport.items("event"))
    assert 1 <= flood <= 60
    ask_for(app, ["/db"])
    assert transport.items("event")[-1]["exception"]["values"][-1]["type"] == "RuntimeError"
    if "per_fingerprint" in options:
        assert flood == 10
    else:
        assert asgi_sentry.budgets()["error_budget"].spent == flood + 1


def test_messages_by_hand_are_of_a_kind_by_their_place(start, mode):
    transport = start()

    async def app(scope, receive, send):
        asgi_sentry.capture_message(f"hello {scope['path']}")
        sentry_sdk.capture_message(f"hello {scope['path']}")
        await respond(scope, receive, send)

    ask_for(ErrorPolicyMiddleware(app, per_fingerprint="3/minute"), [f"/{n}" for n in range(10)])
    assert len(transport.items("event")) == 2 * 3


def test_ignored_errors_spend_nothing(start, mode):
    start()
    app = ErrorPolicyMiddleware(broken, ignore=(RuntimeError,), error_budget="5/month")
    drive(app, [()] * 10)
    assert asgi_sentry.budgets()["error_budget"].spent == 0


def test_workers_have_equal_shares(start, mode):
    start()
    asgi_sentry.wrap(respond, Settings(dsn=DSN, budget="1000/month", workers=4))
    assert asgi_sentry.budgets()["budget"].count == 250


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_profiles_are_a_share_of_sampled_transactions(start, mode, share):
    """No DeprecationWarning, which would fail this test."""
    settings = Settings(dsn=DSN, release="app@1", traces_sample_rate=1.0, profiles_sample_rate=share)
    transport = start(settings)
    options = sentry_sdk.get_client().options
    if mode == "stream":
        assert options["profile_session_sample_rate"] == (share or None)
        return
    assert options["profiles_sample_rate"] == (share or None)

    async def busy(scope, receive, send):
        for _ in range(60_000):
            str(scope)[:1]
        await respond(scope, receive, send)

    drive(PathSamplingMiddleware(busy, default=1.0), [trace(1)])
    assert len(transport.items("transaction")) == 1
    assert len(transport.items("profile")) == share
