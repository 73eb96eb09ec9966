"""What the tests of the sink share: a running one, and ways to send to it and to ask it."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asgi_sentry.tools.sink.serving import SinkServer
from asgi_sentry.tools.sink.store import Store

KEY = "Sentry sentry_key=abc, sentry_version=7"
Answer = tuple[int, dict[str, str], bytes]


@contextmanager
def serving(**options: Any) -> Iterator[SinkServer]:
    """A sink on a free port; options of the store by the names that it has."""
    stored = {name: options.pop(name) for name in ("path", "max_envelopes", "max_bytes") if name in options}
    with SinkServer(Store(**stored), **options) as server:
        yield server


def ask(
    server: SinkServer, path: str, body: bytes | None = None, *, method: str | None = None, **headers: str
) -> Answer:
    """One request; a header's underscores stand for hyphens, and an empty header is not sent."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        given = {name.replace("_", "-"): value for name, value in headers.items() if value}
        connection.request(method or ("GET" if body is None else "POST"), path, body, given)
        response = connection.getresponse()
        return response.status, {k.lower(): v for k, v in response.getheaders()}, response.read()
    finally:
        connection.close()


def envelope(*items: tuple[str, Any], headers: dict[str, Any] | None = None) -> bytes:
    """An envelope of JSON payloads (or bytes, as they are)."""
    lines = [json.dumps(headers or {}).encode()]
    for kind, payload in items:
        raw = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        lines += [json.dumps({"type": kind, "length": len(raw)}).encode(), raw]
    return b"\n".join(lines) + b"\n"


def send(
    server: SinkServer, *items: tuple[str, Any], sender: str = "", headers: dict[str, Any] | None = None
) -> Answer:
    """Send items in one envelope, as an SDK does."""
    prefix = f"/{sender}" if sender else ""
    body = envelope(*items, headers=headers)
    return ask(server, f"{prefix}/api/1/envelope/", body, X_Sentry_Auth=KEY)


def page(server: SinkServer, path: str) -> str:
    """A page that must be there."""
    status, _, body = ask(server, path)
    assert status == 200, (path, status)
    return body.decode()


def newest(server: SinkServer, kind: str) -> int:
    """The id of the newest entry of a kind."""
    assert server.state.store.settle()
    rows = server.state.store.ask("SELECT max(id) FROM entries WHERE kind = ?", kind)
    number: int = rows[0][0]
    return number
