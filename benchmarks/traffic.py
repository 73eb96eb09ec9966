"""The requests that are measured, and the driver that makes them without a server."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gc
import json
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

TRACE_ID = "771a43a4192642f0b136d5159a501700"
_BAGGAGE = (
    f"other-vendor=1,sentry-trace_id={TRACE_ID},sentry-sample_rand=0.421337,sentry-sample_rate=0.5,"
    "sentry-environment=production,sentry-release=web%401,sentry-public_key=49d0f7386ad645858ae85020e393bef3,"
    "sentry-transaction=%2Fcheckout,sentry-sampled={sampled}"
)

# What a browser sends to an API behind a proxy, as servers hand it on.
HEADERS = [
    (b"host", b"shop.example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
    (b"accept", b"application/json, text/plain, */*"),
    (b"accept-language", b"en-US,en;q=0.5"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"referer", b"https://shop.example.com/basket"),
    (b"authorization", b"Bearer 0123456789abcdef0123456789abcdef"),
    (b"cookie", b"sessionid=3f0c8a1db5e94b0e9d6c; theme=dark; csrftoken=9a8b7c6d5e4f3a2b1c0d"),
    (b"x-request-id", b"0a4f1c2e-5b6d-4c3a-9f8e-7d6c5b4a3f2e"),
    (b"x-forwarded-for", b"203.0.113.7"),
    (b"x-forwarded-proto", b"https"),
    (b"connection", b"keep-alive"),
]
# What of these must not be in anything that is sent.
SECRETS = ("0123456789abcdef0123456789abcdef", "3f0c8a1db5e94b0e9d6c")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One kind of request, and what is to come of it."""

    name: str
    folder: str  # of the path, or the path itself where that has no id
    parent: str  # the decision that comes in, where trace headers do
    goes_on: str  # the flag of outgoing headers
    transactions: int
    errors: int

    def path(self, number: int) -> str:
        """Of one request: each asks for an order of its own."""
        return f"{self.folder}/{number}" if self.folder in RATES else self.folder


# The parent says the opposite where the path decides, and the same where the parent does.
CASES = {
    case.name: case
    for case in (
        Case(name="excluded", folder="/health", parent="1", goes_on="0", transactions=0, errors=0),
        Case(name="unsampled", folder="/api/rare", parent="0", goes_on="0", transactions=0, errors=0),
        Case(name="sampled", folder="/api/orders", parent="1", goes_on="1", transactions=1, errors=0),
        Case(name="error", folder="/api/broken", parent="0", goes_on="0", transactions=0, errors=1),
    )
}

# The rates by folder that all variants are set up for. One in a thousand million is rolled, and practically never
# sampled.
NEVER_BY_DICE = 1e-9
RATES = {"/api/rare": NEVER_BY_DICE, "/api/broken": NEVER_BY_DICE, "/api/orders": 1.0, "/api/tenth": 0.1}
ORDER = "{order}"  # in the routes of those folders
EXCLUDED = ("/health", "/healthz", "/livez", "/readyz", "/ping", "/metrics", "/docs", "/redoc", "/openapi.json")
EXCLUDED_BELOW = ("/static/", "/_next/")


class User:
    """What an authentication middleware leaves in the scope."""

    is_authenticated = True

    def __init__(self, identity: str) -> None:
        self.identity = self.display_name = identity


def headers(case: Case, *, trace: bool, number: int = 12) -> list[tuple[bytes, bytes]]:
    """`number` headers of a request, and two more where a trace comes in."""
    made = HEADERS[:number] + [(f"x-extra-{i}".encode(), b"some value") for i in range(number - len(HEADERS))]
    if not trace:
        return made
    sampled = "true" if case.parent == "1" else "false"
    incoming = [
        (b"sentry-trace", f"{TRACE_ID}-2222222222222222-{case.parent}".encode()),
        (b"baggage", _BAGGAGE.format(sampled=sampled).encode()),
    ]
    return made + incoming


def scope_of(case: Case, *, trace: bool, user: User | None = None, number: int = 12) -> dict[str, Any]:
    """An ASGI scope as uvicorn makes it, with a user as an authentication middleware adds one."""
    path = case.path(1)
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers(case, trace=trace, number=number),
        "client": ("10.0.0.9", 50000),
        "server": ("10.0.0.1", 8000),
        "state": {},  # servers give each request its own, and Litestar writes into it
    }
    if user is not None:
        scope["user"] = user
    return scope


_dice = random.Random(1)
_OWN = {
    b"authorization": lambda: b"Bearer %032x" % _dice.getrandbits(128),
    b"cookie": lambda: b"sessionid=%020x; theme=dark; csrftoken=%020x" % (_dice.getrandbits(80), _dice.getrandbits(80)),
    b"x-request-id": lambda: b"%032x" % _dice.getrandbits(128),
    b"x-forwarded-for": lambda: b"203.0.113.%d" % _dice.getrandbits(8),
}


def _basic() -> bytes:
    """Basic authorization, of somebody with a password."""
    pair = b"customer-%d:%020x" % (_dice.getrandbits(30), _dice.getrandbits(80))
    return b"Basic " + base64.b64encode(pair)


def several(
    case: Case, requests: int, *, trace: bool, number: int = 12, basic: bool = False, **extra: Any
) -> list[dict[str, Any]]:
    """Scopes as alike as those of real traffic: each has a path, credentials, a user, a query and a trace of its own.

    So nothing is cheap by being remembered from the request before.

    Args:
        case: what becomes of them.
        requests: how many.
        trace: whether a trace comes in.
        number: of headers.
        basic: whether they authorize by name and password in place of a token.
        extra: further keys of each scope.
    """
    like = {**scope_of(case, trace=trace, number=number), **extra}
    values = {**_OWN, b"authorization": _basic} if basic else _OWN
    own = [(place, name, values[name]) for place, (name, _) in enumerate(like["headers"]) if name in values]
    rolled = b"sample_rand=0.421337"
    made = []
    for _ in range(requests):
        scope = like.copy()
        scope["state"] = {}
        scope["path"] = path = case.path(_dice.getrandbits(30))
        scope["raw_path"] = path.encode()
        scope["headers"] = found = like["headers"].copy()
        for place, name, value in own:
            found[place] = (name, value())
        if trace:
            trace_id = b"%032x" % _dice.getrandbits(128)
            rand = b"sample_rand=0.%06d" % _dice.randrange(10**6)
            found[-2:] = [
                (name, value.replace(TRACE_ID.encode(), trace_id).replace(rolled, rand)) for name, value in found[-2:]
            ]
        scope["user"] = User(f"user-{_dice.getrandbits(30)}")
        scope["query_string"] = b"q=blue+socks&page=%d" % _dice.getrandbits(20)
        scope["client"] = ("10.0.0.9", 20_000 + _dice.getrandbits(15))
        made.append(scope)
    return made


_EMPTY = {"type": "http.request", "body": b"", "more_body": False}


async def receive() -> dict[str, Any]:
    """Of a request without a body."""
    return _EMPTY


async def send(message: dict[str, Any]) -> None:
    """Of a server that drops what it is given."""


class Upload:
    """The `receive` of a request with a body of so many bytes, in chunks as servers read them from a socket."""

    CHUNK = 65_536

    def __init__(self, size: int) -> None:
        self._left = size

    async def __call__(self) -> dict[str, Any]:
        step = min(self._left, self.CHUNK)
        self._left -= step
        # A chunk of its own each, as from a socket: whoever keeps it pays for it.
        return {"type": "http.request", "body": b"a" * step, "more_body": self._left > 0}


COLD = 3


async def drive(
    app: Any,
    scopes: list[dict[str, Any]],
    bodies: Sequence[Callable[[], Any]] | None = None,
    clock: Callable[[], float] = time.process_time,
) -> float:
    """Seconds of processor time for one request, over all of these one after another.

    `bodies` are what `receive` is for each; without them they have none.

    Of the process with all its threads: neither what else runs on the machine counts, nor is work hidden by being
    moved to another thread, unless it is told by another clock. The garbage that the requests make is collected
    within, and none from before. The first `COLD` are not timed: collecting has emptied the processor's caches, which
    costs short blocks more than long ones.
    """
    failures = 0
    pairs = list(zip(scopes, bodies or [receive] * len(scopes), strict=True))
    gc.collect()
    before = 0.0
    for number, (scope, body) in enumerate(pairs):
        if number == COLD:
            before = clock()
        try:
            await app(scope, body, send)
        except ValueError:
            failures += 1
    spent = clock() - before
    if failures not in {0, len(scopes)}:
        raise RuntimeError(f"{failures} of {len(scopes)} requests failed, on {scopes[0]['path']}")
    return spent / (len(scopes) - COLD)


async def together(app: Any, scopes: list[dict[str, Any]], in_flight: int) -> float:
    """The same with so many requests in flight at once, a task each, as a server has them."""
    gc.collect()
    before = time.process_time()
    for first in range(0, len(scopes), in_flight):
        await asyncio.gather(*(app(scope, receive, send) for scope in scopes[first : first + in_flight]))
    return (time.process_time() - before) / len(scopes)


def document(size: int) -> bytes:
    """A JSON document of about so many bytes, with values that no other has."""
    orders = []
    length = 0
    while length < size:
        number = _dice.getrandbits(30)
        orders.append({"id": number, "name": f"customer {number}", "note": "please ring twice", "paid": True})
        length += len(json.dumps(orders[-1])) + 2
    return json.dumps({"orders": orders}).encode()


class Document:
    """The `receive` of a request with this body."""

    def __init__(self, body: bytes) -> None:
        self._chunks = [body[at : at + Upload.CHUNK] for at in range(0, len(body), Upload.CHUNK)] or [b""]
        self._chunks.reverse()

    async def __call__(self) -> dict[str, Any]:
        chunk = self._chunks.pop()
        return {"type": "http.request", "body": chunk, "more_body": bool(self._chunks)}


def posted(scopes: list[dict[str, Any]], size: int) -> list[dict[str, Any]]:
    """The same requests with a JSON body of so many bytes announced."""
    for scope in scopes:
        scope["method"] = "POST"
        scope["headers"] += [(b"content-type", b"application/json"), (b"content-length", str(size).encode())]
    return scopes


def with_documents(scopes: list[dict[str, Any]], size: int) -> list[bytes]:
    """A JSON document of about so many bytes for each of these requests, which are told its length."""
    bodies = [document(size) for _ in scopes]
    for scope, body in zip(scopes, bodies, strict=True):
        posted([scope], len(body))
    return bodies


async def upload(app: Any, scopes: list[dict[str, Any]], bodies: Sequence[Callable[[], Any]]) -> float:
    """Seconds of processor time for one request with a body, which is what its `receive` gives."""
    gc.collect()
    before = time.process_time()
    for scope, receive in zip(scopes, bodies, strict=True):
        with contextlib.suppress(ValueError):  # the app's own, where a case is to fail
            await app(scope, receive, send)
    return (time.process_time() - before) / len(scopes)
