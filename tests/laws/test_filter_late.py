"""The filter's other half: agents, bots, and statuses, of which a request's end decides."""

from __future__ import annotations

from functools import partial

import pytest

from asgi_sentry import PROBE_USER_AGENTS, TransactionFilterMiddleware
from asgi_sentry.keep import errors
from tests.conftest import transactions
from tests.traffic import answering, drive, keeping, lost, respond, sent, trace

SCANS = partial(TransactionFilterMiddleware, statuses=(404,))


@pytest.mark.parametrize("code", [200, 404, 500])
def test_a_status_drops_its_transaction_and_counts_it(start, mode, code):
    transport = start()
    drive(SCANS(answering(code)), [trace(1)])
    dropped = code == 404 and mode == "classic"  # streamed spans are on their way by then
    assert [root["status"] for root in transactions(transport)] == [code] * (not dropped)
    counted = {("event_processor", "transaction"): 1, ("event_processor", "span"): 1}
    assert lost(transport) == (counted if dropped else {})


def test_what_the_dice_dropped_is_counted_for_the_dice(start, mode):
    """Also where it is recorded, since its end may decide to keep it; and an error that is a scan is dropped."""
    transport = start()
    drive(keeping(errors())(SCANS(answering(404))), [trace(1), trace(2)])
    assert sent(transport) == []
    assert {reason for reason, _ in lost(transport)} == {"sample_rate"}


@pytest.mark.parametrize(
    ("options", "agent", "kept"),
    [
        ({"user_agents": PROBE_USER_AGENTS}, "kube-probe/1.31", False),
        ({"user_agents": PROBE_USER_AGENTS}, "GoogleHC/1.0", False),
        ({"user_agents": PROBE_USER_AGENTS}, "ELB-HealthChecker/2.0", False),
        ({"user_agents": PROBE_USER_AGENTS}, "Mozilla/5.0 Firefox/140.0", True),
        ({"user_agents": PROBE_USER_AGENTS}, "Mozilla/5.0 (compatible; Googlebot/2.1)", True),
        ({"bots": True}, "Mozilla/5.0 (compatible; Googlebot/2.1)", False),
        ({"bots": True}, "kube-probe/1.31", True),
        ({"bots": True, "user_agents": ("curl",)}, "curl/8", False),
        ({}, "kube-probe/1.31", True),
    ],
)
def test_agents(start, mode, options, agent, kept):
    transport = start()
    drive(TransactionFilterMiddleware(respond, **options), [[("User-Agent", agent), *trace(1, sampled="-1")]])
    assert len(sent(transport)) == kept
    assert bool(lost(transport)) == (not kept)
