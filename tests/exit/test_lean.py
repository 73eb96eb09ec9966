"""The lean sender sends what the SDK's own does, and loses nothing that that would not, whatever the host does."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import anyio
import pytest
import sentry_sdk
import urllib3
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import HttpTransport

import asgi_sentry
from asgi_sentry._exit import lean
from asgi_sentry._exit.door import Door

Behaviour = Callable[["Host", socket.socket, bytes, bytes], bool]


class Host:
    """A host on loopback that does what a test tells it to, a behaviour for each request; the last one goes on."""

    def __init__(self, *behaviours: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.behaviours = list(behaviours) or [answer()]
        self.requests: list[tuple[bytes, bytes]] = []
        self.connections = 0
        self.hold = threading.Event()
        self._tls = tls
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            self._open.append(sock)
            with sock, sock.makefile("rb") as file:
                while True:
                    head = b""
                    while not head.endswith(b"\r\n\r\n"):
                        line = file.readline()
                        if not line:
                            return
                        head += line
                    length = int(next(x for x in head.lower().split(b"\r\n") if x.startswith(b"content-length"))[15:])
                    behaviour = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
                    body = b"" if getattr(behaviour, "refuses", False) else file.read(length)
                    self.requests.append((head, body))
                    if not behaviour(self, sock, head, body):
                        return
        except OSError:
            return

    def close(self) -> None:
        self.hold.set()
        self._socket.close()
        for sock in self._open:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)  # wakes whoever reads from it
        for thread in self._threads[1:]:
            thread.join(5)

    def events(self) -> list[dict[str, Any]]:
        return [item for _, body in self.requests for item in items(body) if "event_id" in item]

    def reports(self) -> dict[tuple[str, str], int]:
        found: dict[tuple[str, str], int] = {}
        for _, body in self.requests:
            for item in items(body):
                for each in item.get("discarded_events", ()):
                    key = each["category"], each["reason"]
                    found[key] = found.get(key, 0) + each["quantity"]
        return found


def items(body: bytes) -> list[dict[str, Any]]:
    lines = gzip.decompress(body).split(b"\n") if body else []
    return [json.loads(line) for line in lines[1:] if line.startswith(b"{") and b'"type":"event","length"' not in line]


def answer(status: int = 200, *headers: str, body: bytes = b"{}", closes: bool = False) -> Behaviour:
    def behave(host: Host, sock: socket.socket, head: bytes, sent: bytes) -> bool:
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", *headers, "", ""]
        sock.sendall("\r\n".join(lines).encode() + body)
        return not closes

    return behave


def hang(host: Host, sock: socket.socket, head: bytes, body: bytes) -> bool:
    host.hold.wait(10)
    return False


def reset(host: Host, sock: socket.socket, head: bytes, body: bytes) -> bool:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
    return False


def garbage(host: Host, sock: socket.socket, head: bytes, body: bytes) -> bool:
    sock.sendall(b"\x00\xffno HTTP at all\r\n\r\n")
    return False


def drip(host: Host, sock: socket.socket, head: bytes, body: bytes) -> bool:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 1_000:
        if host.hold.wait(0.02):
            return False
        sock.sendall(bytes([byte]))
    return False


def refuse(host: Host, sock: socket.socket, head: bytes, body: bytes) -> bool:
    sock.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    return False


refuse.refuses = True  # type: ignore[attr-defined]


@pytest.fixture
def host() -> Iterator[Callable[..., Host]]:
    made: list[Host] = []

    def make(*behaviours: Behaviour, **options: Any) -> Host:
        made.append(Host(*behaviours, **options))
        return made[-1]

    yield make
    close()
    for each in made:
        each.close()


def start(host: Host, transport: Any = "lean", scheme: str = "http", **options: Any) -> Any:
    settings = asgi_sentry.Settings(dsn=f"{scheme}://key@127.0.0.1:{host.port}/1", traces_sample_rate=1.0)
    close()
    asgi_sentry.init(settings, transport=transport, default_integrations=False, **options)
    return sentry_sdk.get_client().transport


def close() -> None:
    """Close the client, and wait for its thread, whose end closes the connection."""
    transport = sentry_sdk.get_client().transport
    thread = transport._worker._thread if transport is not None else None  # type: ignore[attr-defined]
    sentry_sdk.get_client().close(timeout=2)
    if thread is not None:
        thread.join(10)


def send(count: int = 1, text: str = "hello") -> None:
    for number in range(count):
        sentry_sdk.capture_message(f"{text} {number}")
    sentry_sdk.flush(timeout=10)


def test_requests_are_sent_over_one_connection(host: Any) -> None:
    there = host()
    transport = start(there)
    assert isinstance(transport, sentry_sdk.transport.HttpTransport)
    assert isinstance(transport._pool, lean.LeanPool)
    send(20)
    assert [event["message"] for event in there.events()] == [f"hello {number}" for number in range(20)]
    assert there.connections == 1
    head = there.requests[0][0].decode()
    assert head.startswith("POST /api/1/envelope/ HTTP/1.1\r\n")
    assert f"Host: 127.0.0.1:{there.port}\r\n" in head
    assert "X-Sentry-Auth: Sentry sentry_key=key" in head


def test_the_two_transports_send_the_same(host: Any) -> None:
    seen = []
    for transport in ("lean", None, HttpTransport):
        there = host()
        start(there, transport)
        send(3)
        heads = [
            sorted(
                line.split(b":")[0].lower()
                for line in head.split(b"\r\n")[1:]
                if line and not line.lower().startswith(b"accept-encoding")
            )
            for head, _ in there.requests
        ]
        seen.append((heads, [sorted(event) for event in there.events()]))
    assert seen[0] == seen[1] == seen[2]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        (answer(413), "send_error"),
        (refuse, "send_error"),
        (answer(500), "network_error"),
        (answer(400, body=b"x" * 200_000), "network_error"),
        (reset, "network_error"),
        (garbage, "network_error"),
        (answer(200, body=b"short", closes=True), None),
        (answer(429, "Retry-After: 0"), None),
    ],
    ids=["413", "413 before the body", "500", "400 with a long body", "reset", "garbage", "closes", "429"],
)
@pytest.mark.parametrize("transport", ["lean", None, HttpTransport])
def test_a_fault_costs_and_counts_what_it_does_with_the_sdks(
    host: Any, behaviour: Behaviour, reason: str | None, transport: Any
) -> None:
    there = host(behaviour, answer())
    transport = start(there, transport)
    sentry_sdk.capture_message("the one")
    sentry_sdk.flush(timeout=10)
    transport._disabled_until.clear()  # of a 429
    send(2)
    assert [event["message"] for event in there.events()][-2:] == ["hello 0", "hello 1"]
    assert there.reports() == ({("error", reason): 1} if reason else {})


def test_a_host_that_hangs_is_waited_for_so_long(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for behaviour in (hang, drip):
        there = host(behaviour, answer())
        transport = start(there)
        transport._pool._timeout = 0.3
        send(2)
        there.hold.set()
        assert [event["message"] for event in there.events()][-1] == "hello 1"
        assert transport._discarded_events or there.reports() == {("error", "network_error"): 1}


@pytest.mark.skipif(sentry_sdk.VERSION.startswith("3"), reason="version 3 has no transactions")
def test_limits_of_the_hosts_hold(host: Any) -> None:
    there = host(answer(200, "X-Sentry-Rate-Limits: 60:error:organization"), answer())
    transport = start(there)
    sentry_sdk.capture_message("first")
    sentry_sdk.flush(timeout=10)
    send(3)
    with sentry_sdk.start_transaction(name="goes on"):
        pass
    sentry_sdk.flush(timeout=10)
    assert [event.get("message") or event["transaction"] for event in there.events()] == ["first", "goes on"]
    assert there.reports() == {("error", "ratelimit_backoff"): 3}
    assert transport.is_healthy() is False


@pytest.mark.parametrize("transport", ["lean", None, HttpTransport])
@pytest.mark.parametrize("debug", [False, True])
def test_what_was_lost_is_told_along_with_what_is_sent(
    host: Any, transport: Any, debug: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(logging.Logger, "handle", lambda self, record: lines.append(record.msg))
    there = host()
    transport = start(there, transport, debug=debug)
    transport.record_lost_event("sample_rate", "error", quantity=7)
    transport._last_client_report_sent -= 31
    sentry_sdk.capture_message("one")
    sentry_sdk.flush(timeout=10)
    assert len(there.requests) == 1
    assert [event["message"] for event in there.events()] == ["one"]
    assert there.reports() == {("error", "sample_rate"): 7}
    told = any(line.startswith("Sending envelope") for line in lines)
    assert told or not debug  # who wants to hear of it does


@pytest.mark.parametrize("transport", ["lean", None, HttpTransport])
def test_an_envelope_of_which_nothing_is_left_is_not_sent(
    host: Any, transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Any, *args: Any, **options: Any) -> Any:
        raise ValueError

    there = host()
    transport = start(there, transport)
    HttpTransport.capture_envelope(transport, Envelope())
    with monkeypatch.context() as patch:
        patch.setattr(Door, "_scrub_event", fail)
        sentry_sdk.capture_message("can't be scrubbed")
        transport._worker.flush(10)
    assert there.requests == []
    send(1)
    assert [event["message"] for event in there.events()] == ["hello 0"]
    assert there.reports() == {("error", "internal_sdk_error"): 1}


@pytest.mark.parametrize("transport", ["lean", None, HttpTransport])
def test_a_thread_that_gets_behind_is_left_nothing_to_scrub(
    host: Any, transport: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scrubbed_by: list[str] = []
    scrub = Door._scrub_event

    def scrub_event(self: Door, event: dict[str, Any]) -> None:
        scrubbed_by.append(threading.current_thread().name)
        scrub(self, event)

    monkeypatch.setattr(Door, "_scrub_event", scrub_event)
    there, here = host(), threading.current_thread().name
    transport = start(there, transport, transport_queue_size=40, traces_sample_rate=0.0)
    began, go = threading.Event(), threading.Event()
    transport._worker.submit(lambda: (began.set(), go.wait(10)))
    assert began.wait(10)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asgi_sentry.capture_message("hello")

    async def requests() -> None:
        for _ in range(30):
            await asgi_sentry.testing.request(asgi_sentry.SentryMiddleware(app))

    anyio.run(requests)
    at_once = len(scrubbed_by)
    go.set()
    sentry_sdk.flush(timeout=10)
    assert set(scrubbed_by[:at_once]) == {here}
    assert scrubbed_by[at_once:] == ["sentry-sdk.BackgroundWorker"] * 10  # of forty that may wait
    assert len([event for event in there.events() if "message" in event]) == 30
    assert {reason for _, reason in there.reports()} <= {"sample_rate"}  # of the transactions


def test_a_limit_that_is_over_is_over(host: Any) -> None:
    there = host()
    transport = start(there)
    now = datetime.now(timezone.utc)
    transport._disabled_until["error"] = now - timedelta(seconds=1)
    send(1, "over")
    transport._disabled_until["error"] = now + timedelta(seconds=100)
    send(1, "not over")
    transport._disabled_until.clear()
    send(1, "none")
    assert [event["message"] for event in there.events()] == ["over 0", "none 0"]
    assert there.reports() == {("error", "ratelimit_backoff"): 1}


def test_a_connection_that_was_closed_while_idle_costs_nothing(host: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lean, "_IDLE", 0.0)  # seconds, after which it is looked at
    there = host(answer(closes=True))  # without saying so
    start(there)
    for number in range(5):
        send(1, f"idle {number}")
    assert len(there.events()) == 5
    assert there.reports() == {}


def test_a_connection_that_is_closed_in_the_moment_of_its_use_is_made_anew(
    host: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lean, "_is_readable", lambda sock: False)
    there = host(answer(closes=True))
    start(there)
    for number in range(5):
        send(1, f"raced {number}")
    assert len(there.events()) == 5
    assert there.reports() == {}


def test_a_head_is_made_anew_for_another_request(host: Any) -> None:
    there, other = host(), host()
    pool = lean.LeanPool(None)
    for address in (f"127.0.0.1:{there.port}/a", f"127.0.0.1:{there.port}/b?c", f"127.0.0.1:{other.port}/b?c"):
        for headers in ({"X-A": "1"}, {"X-A": "2"}):
            for body in (b"12", b"123"):
                assert pool.request("POST", f"http://{address}", body, headers).status == 200
    pool._drop()
    heads = [head.split(b"\r\n")[:4] for head, _ in (*there.requests, *other.requests)]
    assert heads == [
        [b"POST %b HTTP/1.1" % path, b"Host: 127.0.0.1:%d" % port, b"X-A: %d" % value, b"Content-Length: %d" % size]
        for path, port in ((b"/a", there.port), (b"/b?c", there.port), (b"/b?c", other.port))
        for value in (1, 2)
        for size in (2, 3)
    ]


def test_a_redirect_is_followed_as_by_the_sdk(host: Any) -> None:
    other = host()
    there = host(answer(307, f"Location: http://127.0.0.1:{other.port}/api/1/envelope/"))
    start(there)
    send(1)
    assert [event["message"] for event in other.events()] == ["hello 0"]


def test_a_proxy_is_the_sdks_own_affair(host: Any) -> None:
    proxy = host()
    there = host()
    transport = start(there, http_proxy=f"http://127.0.0.1:{proxy.port}")
    assert isinstance(transport._pool, urllib3.ProxyManager)
    send(1)
    assert proxy.requests[0][0].startswith(b"POST http://127.0.0.1")
    assert there.requests == []


def test_nothing_is_lost_under_load_that_the_sdks_own_would_not_lose(host: Any) -> None:
    sent = {}
    for transport in ("lean", None, HttpTransport):
        there = host()
        start(there, transport, transport_queue_size=1_000)
        threads = [threading.Thread(target=send, args=(50, f"thread {each}")) for each in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sentry_sdk.flush(timeout=20)
        sent[transport] = len(there.events())
        assert there.reports() == {}
    assert sent == {"lean": 400, None: 400, HttpTransport: 400}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child_has_a_connection_of_its_own(host: Any) -> None:
    there = host()
    script = f"""
import os, asgi_sentry, sentry_sdk
settings = asgi_sentry.Settings(dsn="http://key@127.0.0.1:{there.port}/1")
asgi_sentry.init(settings, transport="lean", default_integrations=False)
sentry_sdk.capture_message("before"); sentry_sdk.flush(timeout=10)
child = os.fork()
sentry_sdk.capture_message("child" if child == 0 else "parent"); sentry_sdk.flush(timeout=10)
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=60)
    assert sorted(event["message"] for event in there.events()) == ["before", "child", "parent"]
    assert there.connections == 2


@pytest.mark.parametrize("transport", ["lean", None, HttpTransport])
def test_what_is_pending_when_the_program_ends_is_sent(host: Any, transport: Any) -> None:
    there = host()
    name = "HttpTransport" if transport is HttpTransport else repr(transport)
    script = f"""
import asgi_sentry, sentry_sdk
from sentry_sdk.transport import HttpTransport
asgi_sentry.init(asgi_sentry.Settings(dsn="http://key@127.0.0.1:{there.port}/1"), transport={name})
for number in range(30):
    sentry_sdk.capture_message(f"last {{number}}")
"""
    subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, timeout=60)
    assert [event["message"] for event in there.events()] == [f"last {number}" for number in range(30)]


# --- TLS ---------------------------------------------------------------------------------------------------------


def certificates(folder: Path) -> tuple[Path, Path, Path]:
    """A certificate authority, and a certificate and a key for 127.0.0.1."""

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder, timeout=60)

    try:
        openssl("version")
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("there is no openssl")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    ca = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test", "-days", "2", *ca)
    openssl("req", *key, "-keyout", "host.key", "-out", "host.csr", "-subj", "/CN=host")
    (folder / "ext").write_text("subjectAltName=IP:127.0.0.1\n")
    openssl(
        *("x509", "-req", "-in", "host.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"),
        *("-out", "host.pem", "-days", "2", "-extfile", "ext"),
    )
    return folder / "ca.pem", folder / "host.pem", folder / "host.key"


def test_the_hosts_certificate_is_verified(host: Any, tmp_path: Path) -> None:
    authority, certificate, key = certificates(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    there = host(tls=context)
    start(there, scheme="https", ca_certs=str(authority))
    send(3)
    assert [event["message"] for event in there.events()] == ["hello 0", "hello 1", "hello 2"]
    assert there.connections == 1
    stranger = host(tls=context)
    transport = start(stranger, scheme="https")  # the authority is not known
    dropped: list[str] = []
    transport.on_dropped_event = dropped.append
    send(1)
    assert stranger.requests == []
    assert dropped[0] == "network"


def test_another_word_for_a_transport_is_refused() -> None:
    with pytest.raises(ValueError, match="lean"):
        asgi_sentry.init(asgi_sentry.Settings(dsn="http://key@localhost/1"), transport="fat")
