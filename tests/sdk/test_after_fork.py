"""Forks: no lock that was held hangs the child, and nothing of the parent's is sent twice."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.transport import HttpTransport

import asgi_sentry
from asgi_sentry import PathSamplingMiddleware, Rate
from asgi_sentry._sdk.names import has
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN
from tests.traffic import broken, respond

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

NOTHING = "http://key@127.0.0.1:9/1"  # nobody listens there


def in_child(action: Callable[[], str], *, seconds: float = 60.0) -> str:
    """What an action says in a forked child; `hangs` if it says nothing."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(write, action().encode())
        except BaseException as exc:
            os.write(write, f"{type(exc).__name__}: {exc}".encode())
        finally:
            os._exit(0)
    os.close(write)
    timer = threading.Timer(seconds, os.kill, (pid, signal.SIGKILL))
    timer.start()
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read().decode()
    os.waitpid(pid, 0)
    timer.cancel()
    return said or "hangs"


def locks() -> dict[str, Any]:
    """Every lock of ours and of the SDK's client that a request may need."""
    client = sentry_sdk.get_client()
    worker = client.transport._worker
    found = {
        "sessions, thread": client.session_flusher._thread_lock,
        "sessions, counts": client.session_flusher._aggregate_lock,
        "worker": worker._lock,
    }
    if hasattr(worker._queue, "mutex"):
        found["queue"] = worker._queue.mutex
    if client.monitor is not None:
        found["backpressure"] = client.monitor._thread_lock
    for name in ("log_batcher", "metrics_batcher", "span_batcher"):
        batcher = getattr(client, name, None)
        if batcher is not None:
            found[name] = batcher._lock
    return found


def holding(lock: Any, action: Callable[[], Any]) -> Any:
    """While another thread holds a lock."""
    held, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            held.set()
            enough.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(30)
    try:
        return action()
    finally:
        enough.set()
        thread.join()


def serve(app: Any) -> str:
    """A few requests, and one that fails."""

    async def run() -> int:
        statuses = [(await request(app, path="/work")).status for _ in range(3)]
        asgi_sentry.capture_message("hello")
        return statuses.count(200)

    return str(anyio.run(run))


NAMES = ("sessions, thread", "sessions, counts", "worker", "queue", "backpressure", "log_batcher", "metrics_batcher")


@pytest.mark.skipif(not has("sessions"), reason="this SDK has its sessions elsewhere")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("transport", [HttpTransport, None, "lean"])
def test_no_lock_that_was_held_hangs_a_child(name: str, transport: Any) -> None:
    # Version 3 has no such option: logs are always on.
    options = {} if sentry_sdk.VERSION.startswith("3") else {"enable_logs": True}
    asgi_sentry.init(
        asgi_sentry.Settings(dsn=NOTHING, release="app@1", traces_sample_rate=1.0), transport=transport, **options
    )
    app = asgi_sentry.wrap(respond)
    serve(app)
    lock = locks().get(name)
    if lock is None:
        pytest.skip("this SDK has none")
    assert holding(lock, lambda: in_child(lambda: serve(app))) == "3"
    assert serve(app) == "3"  # and in the parent all is as it was


def test_no_lock_of_a_limit_hangs_a_child(start: Any) -> None:
    start()
    app = PathSamplingMiddleware(respond, rates={"/work": Rate(at_most="100/second")}, budget="1000/hour")
    serve(app)
    for lock in (
        app._plan.samplers[0].match({"path": "/work", "type": "http"}).bucket._lock,
        app._plan.budgets[0].gate._lock,
    ):
        assert holding(lock, lambda: in_child(lambda: serve(app))) == "3"


def test_counters_begin_at_zero(start: Any) -> None:
    start()
    app = asgi_sentry.wrap(respond)
    serve(app)
    told = in_child(lambda: f"{serve(app)} {sum(asgi_sentry.counters()['transactions'].values())}")
    assert told == "3 3"
    assert sum(asgi_sentry.counters()["transactions"].values()) >= 3


class Held(HttpTransport):
    """The SDK's own, whose sending a test holds up."""

    go = threading.Event()
    sent: list[bytes] = []  # noqa: RUF012 - of one process

    def _send_request(self, body: bytes, *_: Any, **__: Any) -> None:
        self.go.wait(10)
        Held.sent.append(body)


def test_what_the_parent_had_pending_is_the_parents() -> None:
    Held.go.clear()
    Held.sent.clear()
    asgi_sentry.init(asgi_sentry.Settings(dsn=NOTHING, traces_sample_rate=0.0), transport=Held)
    for _ in range(5):
        asgi_sentry.capture_message("of the parent")
    sentry_sdk.get_client().transport.record_lost_event("sample_rate", "error", quantity=7)

    def child() -> str:
        Held.go.set()
        sentry_sdk.capture_message("of the child")
        sentry_sdk.flush(5)
        time.sleep(0)
        return str(len(Held.sent))

    assert in_child(child) == "1"
    assert not sentry_sdk.get_client().transport._worker._queue.empty()
    Held.go.set()
    sentry_sdk.flush(5)
    assert len(Held.sent) >= 5


@pytest.mark.parametrize("when", ["before", "after", "both"])
def test_init_before_and_after_a_fork(when: str) -> None:
    """An app that is preloaded, one that is not, and a hook that starts Sentry again in each worker."""

    def begin() -> RecordingTransport:
        transport = RecordingTransport()
        asgi_sentry.init(asgi_sentry.Settings(dsn=DSN, release="app@1", traces_sample_rate=1.0), transport=transport)
        return transport

    made = begin() if when != "after" else None
    app = asgi_sentry.wrap(broken)

    def child() -> str:
        transport = made if when == "before" else begin()
        assert transport is not None

        async def run() -> None:
            with pytest.raises(RuntimeError):
                await request(app, path="/work")

        anyio.run(run)
        sentry_sdk.flush(2)
        return f"{len(transport.items('event'))} {len(transport.items('transaction'))}"

    assert in_child(child) == ("1 1" if not sentry_sdk.VERSION.startswith("3") else "1 0")
