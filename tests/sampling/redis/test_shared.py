"""Shared limits with threads, processes, forks, and a server that dies, hangs and comes back."""

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

from asgi_sentry._sampling.budgets import allowed, period_at
from asgi_sentry._sampling.rate import PERIODS, Limit, Rate
from asgi_sentry._sampling.redis.leased_window import LeasedWindow
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry._sampling.sampler import PathSampler
from tests.redis_server import BINARY, Server, until

pytestmark = [
    pytest.mark.untraced,
    pytest.mark.service("redis-server"),
    pytest.mark.skipif(BINARY is None, reason="no redis-server"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.kill()


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
            limits.close()
            # What was held went back.
            assert int(client.hget("{asgi-sentry:thread}:error_budget:0", "spent")) == budget.status().spent
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
    # The gate reads its clock before the test does, who may be interrupted in between.
    assert worst <= 200 + 4, f"{worst} in one second"


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


def _burn(url: str, stop: Any, results: Any) -> None:
    """Take whenever there is something to take; the times are read before the gate reads its own."""
    import time

    limits = SharedLimits(url, namespace="exact")
    gate = limits.gate("at_most", Limit(count=5, seconds=2.0))
    limits.start()
    taken = []
    while not stop.is_set():
        before = time.monotonic()
        if gate.take():
            taken.append((before, time.monotonic()))
        stop.wait(0.005)
    limits.close()
    results.put(taken)


def test_more_processes_than_tokens_and_a_server_that_forgets() -> None:
    """Five in two seconds, and never a sixth, by eight processes."""
    server = Server()
    context = multiprocessing.get_context("spawn")
    stop, results = context.Event(), context.Queue()
    workers = [context.Process(target=_burn, args=(server.url, stop, results)) for _ in range(8)]
    try:
        for worker in workers:
            worker.start()
        with server.client() as client:
            until(lambda: client.zcard("{asgi-sentry:exact}:workers") == 8, seconds=60)
            for forget in (lambda: None, client.flushall, client.script_flush):
                forget()
                stop.wait(4.5)
        stop.set()
        gathered = [results.get(timeout=60) for _ in workers]
    finally:
        stop.set()
        for worker in workers:
            worker.join(30)
            worker.kill()
        server.kill()
    taken = sorted(moment for times in gathered for moment in times)
    # The sixth is taken two seconds after the first, by clocks read around it.
    for n in range(len(taken) - 5):
        assert taken[n + 5][1] - taken[n][0] >= 2.0
    assert len(taken) >= 10
