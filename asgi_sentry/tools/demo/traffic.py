"""Real HTTP requests at the demo's apps, with secrets where clients put them, all counted."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import websockets

from asgi_sentry.tools.demo.shop_routes import ROUTES

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from asgi_sentry.tools.demo.planting import Planter

_CONCURRENCY = 12  # requests in flight at each app
_TIMEOUT = 30.0  # seconds to wait for any answer
_FAILING = 0.08  # share of the requests to routes that can fail which do
_CAN_FAIL = frozenset({"/api/chat", "/api/voice", "/login", "/upload", "/ws"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One request as it will be sent."""

    route: str
    method: str
    path: str
    options: dict[str, Any]
    """Arguments of `httpx.AsyncClient.request`; for a websocket only `params` and `headers`."""


@dataclass(slots=True)
class Driven:
    """What one app was asked and what it answered, per route."""

    requests: Counter[str] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    """Answers of 500 and more, and websockets closed for an error."""
    unexpected: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Other answers that are not 2xx, by route and status (0: none at all).

    The demo's own fault.
    """

    def add(self, other: Driven) -> None:
        """Count what was asked in another course, too."""
        self.requests += other.requests
        self.failures += other.failures
        self.unexpected += other.unexpected


def plan(count: int, dice: random.Random, planter: Planter) -> list[Planned]:
    """So many requests, spread over the routes by their shares.

    Every route has at least one of them.
    """
    rules = [route.rule for route in ROUTES]
    picked = rules[:count] + dice.choices(
        rules, [route.share for route in ROUTES], k=max(0, count - len(rules))
    )
    dice.shuffle(picked)
    return [_planned(rule, dice, planter) for rule in picked]


def plan_twice(dice: random.Random, planter: Planter) -> list[Planned]:
    """Requests to be sent to two apps: to each route one, and one that fails where it can.

    Each carries a trace of its own that says it is sampled, by which the two reports of a request
    are found again.
    """
    made = [_planned(route.rule, dice, planter, fails=False) for route in ROUTES]
    made += [_planned(rule, dice, planter, fails=True) for rule in sorted(_CAN_FAIL)]
    for request in made:
        trace = f"{dice.getrandbits(128):032x}-{dice.getrandbits(64):016x}-1"
        request.options["headers"]["sentry-trace"] = trace
    return made


def method_of(rule: str) -> str:
    """How a route is asked."""
    if rule == "/ws":
        return "WS"
    if rule in _CAN_FAIL:
        return "POST"
    return "GET"


def _planned(
    rule: str, dice: random.Random, planter: Planter, *, fails: bool | None = None
) -> Planned:
    secret = planter.secret
    params: dict[str, str] = {}
    options: dict[str, Any] = {"params": params, "headers": _headers(dice, planter)}
    path, method = rule.replace("{order_id}", str(dice.randrange(10**6))), "POST"
    if rule == "/api/chat":
        tool = {
            "url": f"https://svc:{secret('URL in JSON')}@tools.example.com/v1",
            "auth": {"token": secret("JSON, nested")},
        }
        options["json"] = {
            "user": f"user-{dice.randrange(500)}",
            "messages": [
                {"role": "user", "content": f"mail me at {secret('e-mail in JSON')}@example.com"}
            ],
            "tools": [tool],
            "password": secret("JSON"),
        }
    elif rule == "/api/voice":
        params["token"] = secret("query")
        options["content"] = dice.randbytes(600)
        options["headers"]["Content-Type"] = "audio/ogg"
    elif rule == "/login":
        options["data"] = {
            "username": f"user-{dice.randrange(500)}",
            "password": secret("form") + '&"é/+',
        }
    elif rule == "/upload":
        options["data"] = {"share_password": secret("multipart")}
        options["files"] = {"file": ("notes.txt", dice.randbytes(400), "text/plain")}
    elif rule == "/ws":
        params["access_token"] = secret("query")
    else:
        method = "GET"
        params["api_key"] = secret("query")
    if fails is None:
        fails = rule in _CAN_FAIL and dice.random() < _FAILING
    if fails:
        params["fail"] = "1"
    if rule == "/fail" or "fail" in params:
        # Uvicorn closes a connection on which the app raised; a client that reuses it meets the
        # close by chance.
        options["headers"]["Connection"] = "close"
    return Planned(route=rule, method=method, path=path, options=options)


def _headers(dice: random.Random, planter: Planter) -> dict[str, str]:
    """What a browser and an API client send.

    One sort of credentials each time, and always a session cookie.
    """
    secret = planter.secret
    headers = {
        "Cookie": f"theme=dark; session={secret('cookie')}",
        "User-Agent": "asgi-sentry-demo",
        "Referer": f"https://shop.example.com/?reset_token={secret('header Referer')}",
    }
    choice = dice.randrange(4)
    if choice == 0:
        headers["Authorization"] = f"Bearer {secret('header Authorization, bearer')}"
    elif choice == 1:
        basic = f"admin:{secret('header Authorization, basic')}".encode()
        headers["Authorization"] = "Basic " + base64.b64encode(basic).decode()
    elif choice == 2:
        headers["X-Api-Key"] = secret("header X-Api-Key")
    else:
        headers["X-Auth-Token"] = secret("header X-Auth-Token")
    return headers


async def drive(port: int, requests: list[Planned], on_answer: Callable[[], object]) -> Driven:
    """Send the requests to the app at a port of loopback, some at a time.

    `on_answer` is called after each.
    """
    driven, waiting = Driven(), iter(requests)

    async def work(client: httpx.AsyncClient) -> None:
        for request in waiting:  # shared by the workers, so that each request is sent once
            driven.requests[request.route] += 1
            status = await (
                _talk(port, request) if request.route == "/ws" else _ask(client, request)
            )
            if status >= 500:
                driven.failures[request.route] += 1
            elif not 200 <= status < 300:
                driven.unexpected[request.route, status] += 1
            on_answer()

    limits = httpx.Limits(max_connections=_CONCURRENCY, max_keepalive_connections=_CONCURRENCY)
    base = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(
        base_url=base, timeout=_TIMEOUT, limits=limits, trust_env=False
    ) as client:
        await asyncio.gather(*(work(client) for _ in range(_CONCURRENCY)))
    return driven


async def _ask(client: httpx.AsyncClient, request: Planned) -> int:
    """The status of the answer; 0 if there was none."""
    try:
        answer = await client.request(request.method, request.path, **request.options)
    except httpx.TransportError:
        return 0
    return answer.status_code


async def _talk(port: int, request: Planned) -> int:
    """Open a websocket, send a message, await the answer.

    200 if it is right, 500 if the app failed.
    """
    query = httpx.QueryParams(request.options["params"])
    headers = {
        k: v for k, v in request.options["headers"].items() if k not in {"User-Agent", "Connection"}
    }
    url = f"ws://127.0.0.1:{port}{request.path}?{query}"
    message = json.dumps({"say": "hello"})
    try:
        async with websockets.connect(url, additional_headers=headers, proxy=None) as socket:
            await socket.send(message)
            answer = await asyncio.wait_for(socket.recv(), _TIMEOUT)
            if answer == message.upper():
                return 200
            return 400
    except websockets.ConnectionClosedError:
        return 500
    except (
        OSError,
        asyncio.TimeoutError,
        websockets.ConnectionClosed,
        websockets.InvalidHandshake,
    ):
        return 0
