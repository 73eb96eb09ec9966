from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_sentry._sampling.adaptive import Adaptive
from asgi_sentry._sampling.budgets import allowed, period_at
from asgi_sentry._sampling.rate import PERIODS, Limit, Rate
from asgi_sentry._sampling.redis.leased_budget import LeasedBudget
from asgi_sentry._sampling.redis.leases import LeasedWindow, SharedTarget
from asgi_sentry._sampling.redis.script import GRACE, LEASE, Answer
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry._sampling.sampler import PathSampler
from tests.redis_server import BINARY, Server, until
from tests.strategies import Clock

pytestmark = [
    pytest.mark.service("redis-server"),
    pytest.mark.skipif(BINARY is None, reason="no redis-server"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.kill()


class Lender:
    """The script on a real Redis, in whose place a test sets the time."""

    SCRIPT = LEASE.replace("redis.call('TIME')", "{ARGV[16], '0'}")

    def __init__(self, server: Server) -> None:
        assert self.SCRIPT != LEASE
        self.client = server.client()
        self.client.flushall()
        self.now = datetime(2026, 3, 1, tzinfo=timezone.utc).timestamp()

    def call(self, asker: Any, worker: str) -> Answer:
        arguments = [*asker.ask(worker), f"{self.now:.6f}"]
        answer = Answer.read(self.client.eval(self.SCRIPT, 2, "limit", "workers", *arguments))
        asker.answer(answer)
        return answer


@pytest.fixture
def lender(server: Server) -> Iterator[Lender]:
    made = Lender(server)
    yield made
    made.client.close()


class Skewed(Clock):
    """A monotonic clock that has nothing in common with the server's but its pace."""

    def __init__(self, lender: Lender, skew: float) -> None:
        self.lender, self.skew = lender, skew

    def __call__(self) -> float:
        return self.lender.now + self.skew


def settled(lender: Lender, askers: list[Any]) -> None:
    """Let the grace of a new lender go by, so that leases begin."""
    for n, asker in enumerate(askers):
        lender.call(asker, str(n))
    lender.now += 2 * GRACE
    for _ in range(2):  # once to be shared again, and once to lease
        for n, asker in enumerate(askers):
            lender.call(asker, str(n))


# What happens next: to which worker, what (requests, or a call of the script), and after how many seconds.
steps = st.lists(
    st.tuples(st.integers(0, 2), st.integers(-1, 12), st.sampled_from([0.0, 0.0, 0.0, 0.125, 0.5, 2.0, 7.5])),
    max_size=150,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60), steps)
def test_windows_overshoot_by_no_more_than_workers_times_lease(lender: Lender, count: int, steps: list[Any]) -> None:
    lender.client.flushall()
    limit = Limit(count=count, seconds=10.0)
    gates = [LeasedWindow("x", limit, clock=Skewed(lender, 1_000_000.0 * n)) for n in range(3)]
    settled(lender, gates)
    lease = max(1, -(-count // (8 * 3)))
    taken: list[float] = []
    for worker, what, gap in steps:
        lender.now += gap
        if what < 0:
            # A worker that was not heard of for long is not counted, and leases are larger then.
            lease = max(lease, lender.call(gates[worker], str(worker)).lease)
        else:
            taken += [lender.now for _ in range(what) if gates[worker].take()]
    for start in taken:
        assert sum(start <= time < start + limit.seconds for time in taken) <= count + 3 * lease


def test_a_window_is_used_to_the_last_by_one_worker_as_by_many(lender: Lender) -> None:
    gates = [LeasedWindow("x", Limit(count=100, seconds=10.0), clock=Skewed(lender, n)) for n in range(3)]
    settled(lender, gates)
    taken = 0
    for _ in range(1_000):
        taken += gates[0].take()
        lender.call(gates[0], "0")
    assert 98 <= taken <= 100  # each of the others holds one


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60), st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 12), st.integers(0, 3)), max_size=150))
def test_budgets_are_never_over_and_never_ahead_of_their_line(lender: Lender, count: int, steps: list[Any]) -> None:
    lender.client.flushall()
    lender.now = datetime(2026, 2, 28, 23, 59, tzinfo=timezone.utc).timestamp()
    limit = Limit(count=count, seconds=PERIODS["month"])
    budgets = [
        LeasedBudget("x", limit, clock=Skewed(lender, 5_000.0 * n), wall=Skewed(lender, 86_400.0 * 40 * (n - 1)))
        for n in range(3)  # the second has the right time, the others are off by forty days
    ]
    settled(lender, budgets)
    spent: dict[float, int] = {}
    for worker, what, gap in steps:
        lender.now += (0, 1, 40, 86_400 * 3)[gap]
        if what < 0:
            lender.call(budgets[worker], str(worker))
        else:
            period = period_at(limit, lender.now)
            spent[period.start] = spent.get(period.start, 0) + sum(budgets[worker].take() for _ in range(what))
            assert spent[period.start] <= allowed(count, period, lender.now)


@given(st.integers(946_684_800, 4_102_444_799), st.sampled_from(sorted(PERIODS)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_script_has_the_same_calendar(lender: Lender, now: int, period: str) -> None:
    lender.client.flushall()
    lender.now = float(now)
    limit = Limit(count=10, seconds=PERIODS[period])
    answer = lender.call(LeasedBudget("x", limit, clock=Skewed(lender, 0), wall=Skewed(lender, 0)), "0")
    assert (answer.start, answer.end) == period_at(limit, now)


def test_a_budget_goes_on_with_its_share_and_tells_when_the_lender_is_back(lender: Lender) -> None:
    lender.now += 20 * 86_400
    limit = Limit(count=3_100, seconds=PERIODS["month"])
    budgets = [LeasedBudget("x", limit, clock=Skewed(lender, n), wall=Skewed(lender, n)) for n in range(2)]
    settled(lender, budgets)
    line = allowed(3_100, period_at(limit, lender.now), lender.now)
    for budget in budgets:
        budget.ask("lost on the way")
        budget.lost()
        assert not budget.shared
    alone = [sum(budget.take() for _ in range(5_000)) for budget in budgets]
    assert all(line / 2 - 35 <= spent <= line / 2 for spent in alone)
    for n, budget in enumerate(budgets):
        answer = lender.call(budget, str(n))
        assert budget.shared
    assert sum(alone) <= answer.used <= line  # what they held when the lender was lost counts as spent
    assert budgets[1].status().remaining == 3_100 - answer.used


@pytest.mark.parametrize("skew", [-40, 0, 40])
def test_a_wall_clock_that_is_wrong_by_days_costs_nothing(lender: Lender, skew: int) -> None:
    lender.now += 20 * 86_400
    limit = Limit(count=3_100, seconds=PERIODS["month"])
    budget = LeasedBudget("x", limit, clock=Skewed(lender, 7), wall=Skewed(lender, skew * 86_400.0))
    settled(lender, [budget])
    spent = 0
    for _ in range(200):
        spent += sum(budget.take() for _ in range(20))
        lender.call(budget, "0")
    assert spent == allowed(3_100, period_at(limit, lender.now), lender.now)


def test_what_was_spent_survives_a_lender_that_forgets_everything(lender: Lender) -> None:
    lender.now += 20 * 86_400
    limit = Limit(count=3_100, seconds=PERIODS["month"])
    budgets = [LeasedBudget("x", limit, clock=Skewed(lender, n), wall=Skewed(lender, n)) for n in range(3)]
    settled(lender, budgets)
    spent = 0
    for n in range(100):
        spent += sum(budgets[n % 3].take() for _ in range(7))
        lender.call(budgets[n % 3], str(n % 3))
    lender.client.flushall()
    settled(lender, budgets)
    answer = lender.call(budgets[0], "0")
    assert answer.used >= spent > 500
    for n in range(1_000):
        spent += budgets[n % 3].take()
        lender.call(budgets[n % 3], str(n % 3))
    assert spent <= allowed(3_100, period_at(limit, lender.now), lender.now)


@pytest.mark.parametrize("loss", ["gone", "forgets"])
def test_losing_the_lender_in_mid_period_lets_little_through_twice(lender: Lender, loss: str) -> None:
    limit = Limit(count=400, seconds=10.0)
    gates = [LeasedWindow("x", limit, clock=Skewed(lender, 100 * n)) for n in range(4)]
    settled(lender, gates)
    taken: list[float] = []
    for step in range(2_000):  # a hundred seconds at twice the limit, lost after forty, back after seventy
        lender.now += 0.05
        away = loss == "gone" and 800 <= step < 1_400
        if loss == "forgets" and step == 800:
            lender.client.flushall()
        for n, gate in enumerate(gates):
            taken += [lender.now] * gate.take()
            if not gate.due(gate._clock()):
                continue
            if not away:
                lender.call(gate, str(n))
            elif step % 20 == 0:
                gate.ask(str(n))
                gate.lost()
    worst = max(sum(start <= time < start + limit.seconds for time in taken) for start in taken[::7])
    lease = 400 // (8 * 4) + 1
    assert worst <= 400 + 4 * lease
    assert len(taken) >= 0.7 * 10 * 400  # it costs a period of caution at each change, and no more


def test_targets_go_where_the_traffic_is(lender: Lender) -> None:
    limit = Limit(count=20, seconds=1.0)
    adaptives = [Adaptive(limit, clock=Skewed(lender, n)) for n in range(3)]
    targets = [
        SharedTarget("x", limit, adaptive, workers=3, clock=Skewed(lender, n)) for n, adaptive in enumerate(adaptives)
    ]
    assert [adaptive.target for adaptive in adaptives] == pytest.approx([20 / 3] * 3)
    for adaptive, traffic in zip(adaptives, (30.0, 10.0, 0.0), strict=True):
        adaptive._rest.traffic = traffic
    for _ in range(2):
        for n, target in enumerate(targets):
            lender.call(target, str(n))
    assert [adaptive.target for adaptive in adaptives] == pytest.approx([15, 5, 20 / 30])
    lender.now += 60
    lender.call(targets[1], "1")  # the others were not heard of for a minute
    assert adaptives[1].target == pytest.approx(20)
    targets[0].lost()
    assert adaptives[0].target == pytest.approx(20 / 3)


# --- with threads, processes, and a server that dies ---


def test_decisions_never_wait_and_the_thread_does_the_rest(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    limits = SharedLimits(server.url, namespace="thread")
    try:
        sampler = PathSampler({"/x": Rate(at_most="100000/day"), "/y": Rate.adaptive("5/second")}, sharing=limits)
        state = sampler.match({"type": "http", "method": "GET", "path": "/x"})
        assert state is not None
        budget = limits.budget("error_budget", Limit(count=31_000, seconds=PERIODS["month"]))

        def sampled() -> bool:
            return sampler.choose(state, sample_rand=0.5, parent_sampled=None).sampled

        with caplog.at_level(logging.INFO):
            until(sampled)
            until(lambda: budget.take() and budget.shared)
            server.kill()
            until(lambda: sampled() and not limits.connected)
            until(lambda: not budget.shared)
            assert budget.take()
            assert sampled()
            server.start()
            until(lambda: sampled() and limits.connected)
            until(lambda: budget.take() and budget.shared)
        texts = [record.getMessage() for record in caplog.records if "sampling" in record.name]
        assert [text.split(",")[0] for text in texts] == ["limits are not shared", "Redis is back"]
        assert str(server.port) not in caplog.text
        limits._stop.set()  # its thread would go on leasing while we look
        limits._event.set()
        assert limits._thread is not None
        limits._thread.join()
        with server.client() as client:
            held = int(client.hget("{asgi-sentry:thread}:error_budget", "spent"))
            limits.close()
            assert int(client.hget("{asgi-sentry:thread}:error_budget", "spent")) <= held
            assert client.zcard("{asgi-sentry:thread}:workers") == 0
    finally:
        limits.close()
        server.kill()


def test_a_server_that_hangs_is_as_good_as_gone() -> None:
    server = Server()
    limits = SharedLimits(server.url, namespace="slow")
    gate = limits.gate("at_most", Limit(count=1_000_000, seconds=86_400.0))
    assert server.process is not None
    try:
        until(gate.take)
        server.process.send_signal(signal.SIGSTOP)
        until(lambda: gate.take() and not limits.connected)
        until(gate.take)
        server.process.send_signal(signal.SIGCONT)
        until(lambda: gate.take() and limits.connected and gate.shared)
    finally:
        limits.close()
        server.kill()


def test_a_server_that_was_never_there(caplog: pytest.LogCaptureFixture) -> None:
    server = Server()
    server.kill()
    limits = SharedLimits(server.url, workers=4)
    budget = limits.budget("budget", Limit(count=4_000, seconds=1e6))
    gate = limits.gate("at_most", Limit(count=40, seconds=1e6))
    with caplog.at_level(logging.INFO):
        assert not limits.refresh()
        assert not limits.refresh()
    assert len([record for record in caplog.records if "sampling" in record.name]) == 1
    assert not gate.shared
    assert not budget.shared
    assert sum(budget.take() for _ in range(5_000)) <= 1_000
    limits.close()


def _spend(url: str, n: int, skew: float, counts: Any, stop: Any, results: Any) -> None:
    """Take as much as a limit and a budget give, and tell how much that is while at it."""
    import time

    limits = SharedLimits(url, namespace="four", clock=lambda: time.monotonic() + skew, wall=lambda: time.time() + skew)
    gate = limits.gate("at_most", Limit(count=200, seconds=1.0))
    budget = limits.budget("budget", Limit(count=10_000, seconds=PERIODS["month"]))
    taken, spent = [], 0
    while not stop.is_set():
        for _ in range(50):
            if gate.take():
                taken.append(time.monotonic())
                counts[n] += 1
            spent += budget.take()
        stop.wait(0.002)  # leave some of the machine to the others
    limits.close()
    results.put((taken, spent))


def test_four_processes_a_server_killed_and_brought_back_and_clocks_that_disagree() -> None:
    server = Server()
    context = multiprocessing.get_context("spawn")
    counts, stop, results = context.Array("i", 4), context.Event(), context.Queue()
    workers = [
        context.Process(target=_spend, args=(server.url, n, skew, counts, stop, results))
        for n, skew in enumerate((0, 0, 86_400.0 * 40, -5e5))
    ]

    def every_worker_takes(more: int) -> None:
        before = list(counts)
        until(lambda: all(now - then >= more for now, then in zip(counts, before, strict=True)), seconds=60)

    try:
        for worker in workers:
            worker.start()
        every_worker_takes(100)
        server.kill()
        every_worker_takes(100)
        server.start()
        every_worker_takes(200)
        stop.set()
        gathered = [results.get(timeout=60) for _ in workers]
    finally:
        stop.set()
        for worker in workers:
            worker.join(30)
            worker.kill()
        server.kill()
    now = datetime.now(timezone.utc).timestamp()
    line = allowed(10_000, period_at(Limit(count=1, seconds=PERIODS["month"]), now), now)
    assert all(spent for _, spent in gathered)
    assert sum(spent for _, spent in gathered) <= line
    taken = sorted(time for times, _ in gathered for time in times)
    worst, first = 0, 0
    for last, time in enumerate(taken):
        while time - taken[first] >= 1.0:
            first += 1
        worst = max(worst, last - first + 1)
    # Workers x lease, and what a worker took between reading the test's clock and the gate's own.
    assert worst <= 200 + 4 * 7 + 8, f"{worst} in one second"


def _child(limits: SharedLimits, gate: LeasedWindow, answers: Any) -> None:
    until(gate.take)
    answers.put((limits._worker, os.getpid()))
    limits.close()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_is_a_worker_of_its_own(server: Server) -> None:
    limits = SharedLimits(server.url, namespace="fork")
    gate = limits.gate("at_most", Limit(count=1_000, seconds=60.0))
    until(gate.take)
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    child = context.Process(target=_child, args=(limits, gate, answers))
    child.start()
    worker, pid = answers.get()
    child.join(30)
    assert worker != limits._worker
    assert pid == child.pid
    assert child.exitcode == 0
    limits.close()
    answers.close()


@pytest.mark.parametrize("url", ["http://u:hunter2@h/", "hunter2", "redis://:hunter2@h:port/0", 5])
def test_a_bad_url_is_refused_without_its_password(url: Any) -> None:
    with pytest.raises(ValueError, match="URL of Redis") as raised:
        SharedLimits(url)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_without_redis_py_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(RuntimeError, match=r"pip install 'asgi-sentry\[redis\]'"):
        SharedLimits("redis://localhost")


def test_where_no_thread_can_be_started_each_process_goes_on_alone(
    server: Server, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    limits = SharedLimits(server.url, namespace="threadless", workers=2)
    gate = limits.gate("at_most", Limit(count=10, seconds=1e6))
    assert sum(gate.take() for _ in range(20)) == 5
    assert "limits are not shared" in caplog.text


def test_a_childs_uses_are_its_own(lender: Lender) -> None:
    limit = Limit(count=31_000, seconds=PERIODS["month"])
    clock = Skewed(lender, 0)
    window, budget = LeasedWindow("w", limit, clock=clock), LeasedBudget("b", limit, clock=clock, wall=clock)
    target = SharedTarget("t", limit, Adaptive(limit, clock=clock), clock=clock)
    settled(lender, [window])
    lender.client.flushall()
    settled(lender, [budget])
    assert window.take()
    assert budget.take()
    for asker in (window, budget, target):
        asker.forget()
        assert asker.due(clock())
        _, _, _, _, generation, _, since, used, *_ = asker.ask("child")
        assert (generation, since, used) == ("", 0, 0)
