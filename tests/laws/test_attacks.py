"""Nobody stalls it: whatever a request holds within a server's limits, reporting it is cheap, and grows as it does.

Time is processor time, the least of several tries, and each bound is generous: what is quadratic takes a hundred times
as long as is allowed here.
"""

from __future__ import annotations

import asyncio
import base64
import json
import time

import pytest

import asgi_sentry
from asgi_sentry import Settings
from asgi_sentry.testing import RecordingTransport, request

pytestmark = pytest.mark.untraced

TOKEN = b"qHd7wLmPz3xVbN5k"
FORGED = [
    (b"sentry-trace", b"0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-1"),
    (b"host", b"x"),
    (b"authorization", b"Bearer " + TOKEN),
]
JSON = (b"content-type", b"application/json")
SERVERS_LIMIT = 64_000  # bytes of headers
BODY = 16_000


def addresses(count: int) -> bytes:
    return b", ".join(b"10.0.%d.%d" % (number % 256, number // 256 % 256) for number in range(count))


def repeated(piece: bytes, size: int) -> bytes:
    return (piece * (size // len(piece) + 1))[:size]


ATTACKS = {  # what of a request, by its size
    "x-forwarded-for": lambda size: {"headers": [(b"x-forwarded-for", addresses(size // 10))]},
    "forwarded": lambda size: {"headers": [(b"forwarded", repeated(b"for=10.0.0.1;by=[::1],", size))]},
    "cookie headers": lambda size: {"headers": [(b"cookie", b"a%d=b" % number) for number in range(size // 10)]},
    "a token in base64": lambda size: {"headers": [(b"x-data", base64.b64encode(repeated(TOKEN, size * 3 // 4)))]},
    "cookies times headers": lambda size: {
        "headers": [(b"cookie", b"; ".join(b"session%d=Q1corecore%03dx" % (n, n) for n in range(size // 50)))]
        + [(b"x-h%d" % n, b"Q1corecore%03d" % n) for n in range(size // 40)]
    },
    "denied cookies": lambda size: {"headers": [(b"cookie", b"; ".join(b"pin=a%05dx" % n for n in range(size // 12)))]},
    "values within each other": lambda size: {
        "headers": [(b"cookie", b"; ".join(b"token=%s" % (b"ab1" * n) for n in range(3, int((size / 3) ** 0.5))))]
    },
    "values that begin alike": lambda size: {
        "headers": [(b"cookie", b"; ".join(b"sid=%s%04d" % (b"abc1" * 15, n) for n in range(size // 140)))]
        + [(b"x-%d" % n, b"abc1" * 900) for n in range(size // 8000)]
    },
    "values that are longer than what is like them": lambda size: {
        "headers": [(b"cookie", b"; ".join(b"pin=%sX" % (b"ab1" * n) for n in range(30, 30 + size // 640)))]
        + [(b"x-%d" % n, repeated(b"ab1" * 29 + b"-", 5000)) for n in range(size // 10_000)]
    },
    "values cut off again and again": lambda size: {
        "headers": [(b"cookie", b"; ".join(b"sid=aZ9bY8cX%04d%s" % (n, b"7q" * 9) for n in range(size // 90)))]
        + [(b"x-%d" % n, repeated(b"aZ9bY8cX" * 5 + b"...", 500)) for n in range(size // 1000)]
    },
    "tokens as subprotocols": lambda size: {
        "headers": [(b"sec-websocket-protocol", b", ".join(b"q%05dZ9aY8bX7cW6d" % n for n in range(size // 24)))]
    },
    "many headers": lambda size: {"headers": [(b"x-%d" % n, b"token=abc%d" % n) for n in range(size // 20)]},
    "entities": lambda size: {"headers": [(b"x-a", repeated(b"&amp;", size))]},
    "signs of addresses": lambda size: {"headers": [(b"x-a", repeated(b"a@", size))]},
    "tokens begun": lambda size: {"headers": [(b"x-a", repeated(b"eyJ", size))]},
    "percent signs": lambda size: {"query": b"a=" + repeated(b"%25", size)},
    "fields of a query": lambda size: {"query": b"&".join(b"token%d=abcdef%d" % (n, n) for n in range(size // 20))},
    "subprotocols": lambda size: {"headers": [(b"sec-websocket-protocol", repeated(b"bearer, ", size))]},
}
BODIES = {
    "containers within containers": lambda size: b'{"token":' * (size // 12) + b"1" + b"}" * (size // 12),
    "open containers": lambda size: repeated(b'{"a":', size),
    "many keys": lambda size: json.dumps({f"k{number}": 1 for number in range(size // 12)}).encode(),
    "many passwords": lambda size: json.dumps({f"password{n}": f"v{n}x9" for n in range(size // 26)}).encode(),
    "dots": lambda size: json.dumps({"a": "..." * (size // 3)}).encode(),
    "backslashes": lambda size: json.dumps({"a": "\\" * (size // 2)}).encode(),
    "JSON in JSON": lambda size: json.dumps(
        {"a": json.dumps([{"password": f"x{n}y"} for n in range(size // 30)])}
    ).encode(),
}  # fmt: skip


async def failing(scope, receive, send):
    body = (await receive()).get("body", b"")
    headers = scope["headers"]
    raise ValueError(f"no {len(body)} {str(headers)[:100]}")


def spent(parts: dict) -> float:
    """Seconds of processor time for one failing request and its report."""
    transport = RecordingTransport()
    asgi_sentry.init(
        Settings(dsn="http://key@127.0.0.1:9/1", environment="test", release="1", traces_sample_rate=0.0),
        transport=transport,
    )
    app = asgi_sentry.wrap(failing)
    headers = [*FORGED, *parts.pop("headers", [])]
    best = 9.0
    for _ in range(4):
        start = time.process_time()
        with pytest.raises(ValueError, match="no "):
            asyncio.run(request(app, "POST", "/x", headers=headers, **parts))
        best = min(best, time.process_time() - start)
    assert len(transport.items("event")) == 4
    return best


MOST = 0.25  # five times what the law allows, for slow machines under load
QUADRUPLED = 7  # what is linear takes four times as long for four times as much; what is quadratic sixteen times


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_head_within_a_servers_limits_is_reported_cheaply(attack):
    small, large = spent(ATTACKS[attack](SERVERS_LIMIT // 4)), spent(ATTACKS[attack](SERVERS_LIMIT))
    assert large < MOST
    assert large < small * QUADRUPLED


@pytest.mark.parametrize("attack", ATTACKS)
def test_beyond_it_costs_little_more(attack):
    if "sub" in attack or "query" in attack or "percent" in attack:
        pytest.skip("no server takes it")
    assert spent(ATTACKS[attack](1_000_000)) < 2 * MOST


@pytest.mark.parametrize("attack", BODIES)
def test_a_body_within_its_limit_is_reported_cheaply(attack):
    small = spent({"headers": [JSON], "body": BODIES[attack](BODY // 4)})
    large = spent({"headers": [JSON], "body": BODIES[attack](BODY)})
    assert large < MOST
    assert large < small * QUADRUPLED
