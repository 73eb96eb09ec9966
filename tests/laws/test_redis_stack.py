"""Limits and budgets of four processes that share them by a real Redis, which dies and comes back."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

import asgi_sentry
from asgi_sentry import Settings
from asgi_sentry import _setup as setup
from asgi_sentry._sampling.redis.shared import SharedLimits
from tests.conftest import DSN
from tests.redis_server import BINARY, Server, until

pytestmark = [pytest.mark.service("redis-server"), pytest.mark.skipif(BINARY is None, reason="no redis-server")]

WORKERS, LIMIT, BUDGET = 4, 40, 60

WORKER = """
import json, sys, threading
import anyio
import asgi_sentry
from asgi_sentry import Rate, Settings
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry.testing import RecordingTransport, request

main, asked_by_requests = threading.main_thread(), 0
def counted(name):
    inner = getattr(SharedLimits, name)
    def call(self, *arguments):
        global asked_by_requests
        asked_by_requests += threading.current_thread() is main
        return inner(self, *arguments)
    setattr(SharedLimits, name, call)
counted("_call"), counted("refresh")

async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

transport = RecordingTransport()
asgi_sentry.init(Settings(dsn="http://publickey@localhost/1", traces_sample_rate=1.0), transport=transport)
sharing = SharedLimits(sys.argv[1], workers=int(sys.argv[2]))
sharing.start()
if sys.argv[4] == "limit":
    options = {"rates": {"/work": Rate(at_most=sys.argv[3] + "/hour")}}
else:
    options = {"default": 1.0, "budget": sys.argv[3] + "/month"}
app = asgi_sentry.PathSamplingMiddleware(app, sharing=sharing, **options)

async def serve(count):
    return [(await request(app, path="/work")).status for _ in range(count)].count(200)

for line in sys.stdin:
    answered = anyio.run(serve, int(line))
    sent = sum(item.type == "transaction" for envelope in transport.envelopes for item in envelope.items)
    told = {"answered": answered, "sent": sent, "asked": asked_by_requests, "connected": sharing.connected}
    print(json.dumps(told), flush=True)
"""


class Crowd:
    """Worker processes with the same stack, each asked for so many requests at a time."""

    def __init__(self, url: str, count: int, what: str) -> None:
        arguments = [sys.executable, "-c", WORKER, url, str(WORKERS), str(count), what]
        self.processes = [
            subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(WORKERS)
        ]
        self.last: list[dict[str, Any]] = []

    def ask(self, each: int = 10) -> list[dict[str, Any]]:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.write(f"{each}\n")
            process.stdin.flush()
        self.last = [json.loads(process.stdout.readline()) for process in self.processes if process.stdout]
        assert [told["answered"] for told in self.last] == [each] * WORKERS  # whatever Redis does
        assert [told["asked"] for told in self.last] == [0] * WORKERS  # by a request: that is the other thread's
        return self.last

    @property
    def sent(self) -> int:
        return sum(told["sent"] for told in self.last)

    def are(self, *, connected: bool) -> bool:
        return all(told["connected"] is connected for told in self.ask())

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.communicate()


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.kill()


@pytest.mark.parametrize(("what", "whole"), [("limit", LIMIT), ("budget", BUDGET)])
def test_four_processes_share_through_the_death_of_redis(server, what, whole):
    """Neither is ever exceeded."""
    crowd = Crowd(server.url, whole, what)
    most = whole
    try:
        until(lambda: crowd.ask() and crowd.sent >= 1)
        server.kill()
        until(lambda: crowd.are(connected=False))
        for _ in range(20):
            crowd.ask()
        assert crowd.sent <= most
        server.start()
        until(lambda: crowd.are(connected=True))
        for _ in range(50):
            crowd.ask()
        assert 1 <= crowd.sent <= most
    finally:
        crowd.end()


def test_the_whole_of_a_limit_is_used(server):
    crowd = Crowd(server.url, LIMIT, "limit")
    try:
        until(lambda: crowd.ask() and crowd.sent == LIMIT)
        for _ in range(20):
            crowd.ask()
        assert crowd.sent <= LIMIT
    finally:
        crowd.end()


def test_without_redis_from_the_start_each_has_its_share():
    server = Server()
    server.kill()  # a port where nobody listens
    crowd = Crowd(server.url, LIMIT, "limit")
    try:
        until(lambda: crowd.are(connected=False))
        until(lambda: crowd.ask() and crowd.sent == LIMIT)
        crowd.ask(50)
        assert [told["sent"] for told in crowd.last] == [LIMIT // WORKERS] * WORKERS
    finally:
        crowd.end()


def test_without_a_dsn_nobody_calls_redis(monkeypatch):
    """Neither at the start nor at the end of the process."""
    started, at_exit = [], []
    monkeypatch.setattr(SharedLimits, "start", lambda self: started.append(self.connected))
    monkeypatch.setattr(setup.atexit, "register", at_exit.append)
    for settings, calls in [({}, 0), ({"dsn": DSN}, 1)]:
        setup.wrap(answer, Settings(redis_url="redis://localhost/0", budget="10/month", **settings))
        assert (len(started), len(at_exit)) == (calls, calls)


def test_without_redis_py_an_app_is_served_and_each_process_has_its_part(monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "redis", None)
    settings = Settings(dsn=DSN, redis_url="redis://localhost/0", budget="1000/month", workers=4)
    assert setup.wrap(answer, settings)
    assert asgi_sentry.budgets()["budget"].count == 250
    assert "pip install 'asgi-sentry[redis]'" in caplog.text


async def answer(scope: Any, receive: Any, send: Any) -> None:
    """Nothing."""
