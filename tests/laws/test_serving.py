"""Law 3: servers that log what an app raises, on the command line, make no second event of it, and tell no secret."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
from typing import Any

import httpx
import pytest
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from asgi_sentry.tools.sink import Sink
from tests.laws.test_servers import eventually, free_port, wait_for

TOKEN = "qZ81mm20aaXkP7vW"
PASSWORD = "tr0ub4dor-and-three"
COMMANDS = {
    "uvicorn": ["uvicorn", "tests.served:app", "--port", "{port}"],
    "hypercorn": ["hypercorn", "tests.served:app", "--bind", "127.0.0.1:{port}"],
    "granian": ["granian", "tests.served:app", "--interface", "asgi", "--port", "{port}"],
    "daphne": ["daphne", "tests.served:app", "-p", "{port}"],
}
BODY = {"password": PASSWORD, "note": "hello"}
# What each sends, whether its request is known, and who says that nobody handled it.
EXPECTED = {
    "raised": (True, False),
    "task": (True, True),
    "thread": (True, False),
    "finalizer": (True, False),
    "worker": (False, True),  # it is of no request
    "pooled": (True, True),
}


@contextlib.contextmanager
def served(server: str, sink: Sink) -> Any:
    port = free_port()
    command = [part.format(port=port) for part in COMMANDS[server]]
    environ = {**os.environ, "SENTRY_DSN": sink.dsn, "SENTRY_TRACES_SAMPLE_RATE": "1", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [sys.executable, "-m", *command], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(30):  # one with all extras starts within seconds, on a busy machine too
            with contextlib.suppress(AssertionError):
                wait_for(port)
                break
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def events(sink: Sink) -> list[dict[str, Any]]:
    return [item.json() for received in sink.received for item in received.envelope.items if item.kind == "event"]


def value(event: dict[str, Any]) -> str:
    return str(event["exception"]["values"][-1]["value"])


@pytest.mark.parametrize("server", COMMANDS)
def test_each_failure_is_reported_once(server):
    if importlib.util.find_spec(server) is None:
        pytest.skip(f"{server} is not installed")
    with Sink() as sink, served(server, sink) as port:
        headers = {"authorization": f"Bearer {TOKEN}"}
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, trust_env=False, timeout=30) as client:
            for way in EXPECTED:
                client.post(f"/fails/{way}", json=BODY, headers={"connection": "close"})
            assert client.get("/refuses", headers={"connection": "close"}).status_code == 503
        with connect(f"ws://127.0.0.1:{port}/ws", proxy=None, additional_headers=headers) as websocket:
            websocket.send("talked")
            with contextlib.suppress(WebSocketException):
                websocket.recv()
        eventually(lambda: len(events(sink)) >= len(EXPECTED) + 2)
        threading.Event().wait(0.5)  # for what must not come
    sent = {value(event).split(" ")[0]: event for event in events(sink)}
    assert sorted(value(event) for event in events(sink)) == sorted(
        [*(f"{way} [Filtered]" for way in EXPECTED), "refused Bearer [Filtered]", "websocket talked"]
    )
    for way, (known, handled) in EXPECTED.items():
        event = sent[way]
        assert event["exception"]["values"][-1]["mechanism"]["handled"] is handled, way
        assert event["exception"]["values"][-1]["stacktrace"]["frames"][-1]["function"] == "fail"
        assert ("request" in event) == known, way
        if known:
            assert event["transaction"] == "POST /fails/{way}"
            assert event["user"] == {"id": "ada"}
            assert event["request"]["data"] == {"password": "[Filtered]", "note": "hello"}
    names = [
        item.json()["transaction"]
        for received in sink.received
        for item in received.envelope.items
        if item.kind == "transaction"
    ]
    assert sorted(names) == [*["GET /refuses"], *["POST /fails/{way}"] * len(EXPECTED), "WS /ws"] or not names
    everything = json.dumps([item.json() for received in sink.received for item in received.envelope.items])
    assert TOKEN not in everything
    assert PASSWORD not in everything
