"""What arrives at Sentry of 200 requests if the server is told to end right after them, by server and signal.

Each request is a transaction, every tenth raises, and each logs a line: 200 transactions, 20 errors and 200 logs. The
stand-in for Sentry answers at once. A server that is not installed is passed over.

    python -m benchmarks.signals [--sdk]        with --sdk: sentry-sdk alone, for comparison
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import importlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

REQUESTS = 200
PATIENCE = 15.0
APP = """
import logging, os
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

DSN = os.environ["TEST_DSN"]
if os.environ["TEST_OURS"] == "1":
    import asgi_sentry
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0), enable_logs=True)
else:
    import sentry_sdk
    sentry_sdk.init(dsn=DSN, traces_sample_rate=1.0, enable_logs=True)

async def work(request):
    logging.getLogger("shop").warning("order %s", request.path_params["n"])
    if request.path_params["n"] % 10 == 0:
        raise ValueError("broken")
    return PlainTextResponse("ok")

app = Starlette(routes=[Route("/work/{n:int}", work)])
if os.environ["TEST_OURS"] == "1":
    app = asgi_sentry.wrap(app)
"""
SERVERS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {  # what has to be installed, and the command
    "uvicorn": (("uvicorn",), ("uvicorn", "shop:app", "--port", "{port}")),
    "uvicorn, 2 workers": (("uvicorn",), ("uvicorn", "shop:app", "--port", "{port}", "--workers", "2")),
    "gunicorn": (
        ("gunicorn", "uvicorn_worker"),
        ("gunicorn", "shop:app", "-k", "uvicorn_worker.UvicornWorker", "-w", "2", "-b", "127.0.0.1:{port}"),
    ),
    "gunicorn, preload": (
        ("gunicorn", "uvicorn_worker"),
        (
            "gunicorn",
            "shop:app",
            "-k",
            "uvicorn_worker.UvicornWorker",
            "-w",
            "2",
            "--preload",
            "-b",
            "127.0.0.1:{port}",
        ),
    ),
    "hypercorn": (("hypercorn",), ("hypercorn", "shop:app", "-b", "127.0.0.1:{port}")),
    "granian": (("granian",), ("granian", "--interface", "asgi", "shop:app", "--port", "{port}")),
    "daphne": (("daphne",), ("daphne", "-p", "{port}", "shop:app")),
}
DECODE: dict[str | None, Callable[[bytes], bytes]] = {None: bytes, "gzip": gzip.decompress}
if importlib.util.find_spec("brotli") is not None:  # which the SDK prefers where it is installed
    DECODE["br"] = importlib.import_module("brotli").decompress
STARTS = {"gunicorn": "gunicorn.app.wsgiapp", "daphne": "daphne"}  # modules to run, where the name is none


class Sentry:
    """Counts the items of what it gets."""

    def __init__(self) -> None:
        self.items: Counter[str] = Counter()
        sentry = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                sentry.read(DECODE[self.headers.get("content-encoding")](body))
                self.send_response(200)
                self.send_header("content-length", "2")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://key@127.0.0.1:{self._server.server_address[1]}/1"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def read(self, body: bytes) -> None:
        _, _, rest = body.partition(b"\n")
        while rest:
            line, _, rest = rest.partition(b"\n")
            if not line:
                continue
            header = json.loads(line)
            length = header.get("length")
            payload, rest = (rest[:length], rest[length + 1 :]) if length is not None else rest.split(b"\n", 1)
            self.items[header["type"]] += len(json.loads(payload)["items"]) if header["type"] == "log" else 1

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def measure(command: tuple[str, ...], end: signal.Signals, *, ours: bool) -> dict[str, object]:
    """One server, one signal."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    sentry = Sentry()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "shop.py").write_text(APP)
        name, *rest = (part.format(port=port) for part in command)
        environ = {**os.environ, "TEST_DSN": sentry.dsn, "TEST_OURS": str(int(ours))}
        environ["PYTHONPATH"] = os.pathsep.join((folder, str(Path.cwd()), environ.get("PYTHONPATH", "")))
        process = subprocess.Popen(
            [sys.executable, "-m", STARTS.get(name, name), *rest],
            cwd=folder,
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_for(port)
            for n in range(REQUESTS):
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
                connection.request("GET", f"/work/{n}")
                connection.getresponse().read()
                connection.close()
            began = time.monotonic()
            process.send_signal(end)
            code: object = process.wait(PATIENCE)
            seconds = time.monotonic() - began
        except subprocess.TimeoutExpired:
            code, seconds = "hangs", PATIENCE
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    sentry.close()
    found = sentry.items
    return {
        "transactions": found["transaction"],
        "errors": found["event"],
        "logs": found["log"],
        "exit": code,
        "seconds": round(seconds, 1),
    }


def wait_for(port: int) -> None:
    """Until somebody listens."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the server does not listen")


def main() -> int:
    """A table, a row for each server and signal."""
    parser = argparse.ArgumentParser(description="what arrives of 200 requests at the end of a server")
    parser.add_argument("--sdk", action="store_true", help="sentry-sdk alone")
    ours = not parser.parse_args().sdk
    print(f"{'server':<20} {'signal':<8} {'transactions':>12} {'errors':>7} {'logs':>6} {'exit':>6} {'seconds':>8}")
    for server, (needed, command) in SERVERS.items():
        if any(importlib.util.find_spec(name) is None for name in needed):
            print(f"{server:<20} not installed")
            continue
        for end in (signal.SIGTERM, signal.SIGINT):
            row = measure(command, end, ours=ours)
            print(
                f"{server:<20} {end.name:<8} {row['transactions']:>12} {row['errors']:>7} {row['logs']:>6} "
                f"{row['exit']!s:>6} {row['seconds']:>8}",
                flush=True,
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
