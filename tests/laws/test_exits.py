"""Ways in which a process starts, runs its loops and ends: nothing hangs, nothing is said, nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.redis_server import BINARY, Server

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.untraced

# Without what other libraries have integrations for: to look for those is half of what a start costs.
COMMON = """
import asyncio, sys, threading
import sentry_sdk
import asgi_sentry
from asgi_sentry import Settings
from asgi_sentry.testing import RecordingTransport, request

transport = RecordingTransport()
settings = Settings(dsn="http://key@localhost/1", release="app@1", traces_sample_rate=1.0)
asgi_sentry.init(settings, transport=transport, auto_enabling_integrations=False)

async def app(scope, receive, send):
    if scope["path"] == "/boom":
        raise ValueError("boom")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})

app = asgi_sentry.wrap(app)

async def serve(path="/work"):
    try:
        return (await request(app, path=path)).status
    except ValueError:
        return 500

def sent(kind):
    sentry_sdk.flush()
    return len(transport.items(kind))
"""

SCRIPTS = {
    "plain": "print(asyncio.run(serve()), asyncio.run(serve('/boom')), sent('event'))",
    "a loop within a loop": """
async def outer():
    found = []
    def inner():
        found.append(asyncio.run(serve("/boom")))
    await asyncio.to_thread(inner)  # as a library does that is not async itself
    return [await serve(), *found]
print(*asyncio.run(outer()), sent("event"))
""",
    "a loop in each of several threads": """
found = []
async def many():
    return [await serve("/boom" if n % 2 else "/work") for n in range(10)]
threads = [threading.Thread(target=lambda: found.extend(asyncio.run(many()))) for _ in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert found.count(200) == found.count(500) == 20
print(200, 500, sent("event") // 20)
""",
    "the module is loaded again": """
import importlib, pathlib, tempfile
folder = pathlib.Path(tempfile.mkdtemp())
(folder / "shop.py").write_text('''
import asgi_sentry
from asgi_sentry import Settings
from __main__ import settings, transport
asgi_sentry.init(settings, transport=transport, auto_enabling_integrations=False)
async def plain(scope, receive, send):
    raise ValueError("boom")
app = asgi_sentry.wrap(plain)
''')
sys.path.insert(0, str(folder))
import shop
for _ in range(3):
    shop = importlib.reload(shop)
app = shop.app
print(200, asyncio.run(serve()), sent("event"))
""",
}
FLAGS = {"plain": (), "optimised": ("-O",), "development": ("-X", "dev", "-W", "error")}


def run(script: str, *flags: str, arguments: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *flags, "-c", script, *arguments],
        env=environ,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What stands in its log beside the line at start, and beside asyncio's that a busy machine is slow."""
    known = ("Sentry initialized", "Executing <")
    return [line for line in done.stderr.splitlines() if not any(text in line for text in known)]


@pytest.mark.costly
@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("name", SCRIPTS)
def test_a_process_ends_in_silence(name: str, flags: str) -> None:
    done = run(COMMON + SCRIPTS[name], *FLAGS[flags])
    assert (done.returncode, said(done)) == (0, [])
    assert done.stdout.split() == ["200", "500", "1"]


def test_a_spawned_process(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(COMMON + SCRIPTS["plain"].replace("print(", "def work(): print("))
    script = """
import multiprocessing, sys
sys.path.insert(0, sys.argv[1])
import shop
if __name__ == "__main__":
    context = multiprocessing.get_context("spawn")
    for _ in range(2):
        process = context.Process(target=shop.work)
        process.start()
        process.join(30)
        assert process.exitcode == 0
"""
    main = tmp_path / "main.py"
    main.write_text(script)
    done = subprocess.run(
        [sys.executable, str(main), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (done.returncode, said(done)) == (0, [])
    assert done.stdout.split() == ["200", "500", "1"] * 2


LEASES = """
settings = Settings(dsn="http://key@localhost/1", budget="1000/hour", redis_url=sys.argv[1], redis_namespace="exit")
async def plain(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
app = asgi_sentry.wrap(plain, settings)
for _ in range(500):
    asyncio.run(serve())
    if sent("transaction"):
        break
    threading.Event().wait(0.02)
print(sent("transaction"), flush=True)
"""
ENDS = {"the end": "", "exit": "sys.exit(0)", "an exit in a request": "raise SystemExit(0)"}


@pytest.mark.service("redis-server")
@pytest.mark.skipif(BINARY is None, reason="no redis-server")
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("redis", ["answers", "hangs"])
def test_the_thread_of_leases_keeps_no_process(end: str, redis: str) -> None:
    server = Server()
    try:
        script = COMMON + LEASES
        if redis == "hangs":
            script += "\nimport os, signal; os.kill(int(sys.argv[2]), signal.SIGSTOP)\n"
        assert server.process is not None
        done = run(script + ENDS[end], arguments=(server.url, str(server.process.pid)))
        assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
        assert "Traceback" not in done.stderr
        server.go_on()
        if redis == "answers":
            with server.client() as client:
                assert client.zcard("{asgi-sentry:exit}:workers") == 0
                assert client.hget("{asgi-sentry:exit}:budget:3600", "spent") == b"1"
    finally:
        server.kill()
