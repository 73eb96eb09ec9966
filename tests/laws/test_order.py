"""Law 2: the order of the layers changes what a request costs, never what is sent."""

from __future__ import annotations

import difflib
import itertools
import json
import logging
import random
import re
import uuid
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry import Rate
from asgi_sentry._sdk import classic, streamed
from asgi_sentry.testing import RecordingTransport, request
from tests import apps, quick
from tests.conftest import V3

if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.untraced

PARENT = "0123456789abcdef0123456789abcdef-0123456789abcdef"


def layers() -> list[tuple[type, dict[str, Any]]]:
    """The five policy layers, each with something to say."""
    return [
        (asgi_sentry.TransactionFilterMiddleware, {"user_agents": ("kube-probe",)}),
        (
            asgi_sentry.PathSamplingMiddleware,
            {
                "rates": {
                    "/echo": Rate(1.0, at_most="2/hour"),
                    "/health/**": 1.0,
                    "/http-404": 0,
                    "/items/{id}": 0.5,
                    "/ws/**": Rate(0.9, at_most="9/hour"),
                }
            },
        ),
        (asgi_sentry.UserContextMiddleware, {"client_ip": "truncate"}),
        (asgi_sentry.HeaderScrubbingMiddleware, {"deny": ("x-internal",)}),
        (asgi_sentry.BodyScrubbingMiddleware, {"attach": "always"}),
    ]


@pytest.fixture(autouse=True)
def _ids_with_a_letter(monkeypatch):
    """No span id is a card number by chance: what the scrubber makes of such a one is tested with it."""
    count = itertools.count(1)
    monkeypatch.setattr("uuid.uuid4", lambda: uuid.UUID(hex=f"fa{next(count):014x}" * 2))
    monkeypatch.setattr("os.urandom", lambda size: bytes.fromhex("fa") + next(count).to_bytes(size - 1, "big"))


@pytest.fixture(autouse=True)
def _no_span_by_the_clock(monkeypatch):
    """What a framework does after the response takes long enough for a span of its own where the machine is busy."""
    for module in (classic, streamed):
        monkeypatch.setattr(module, "WORTH_A_SPAN", 60.0)


ORDERS = list(itertools.permutations(range(5)))
STEP = 1 if quick.WHOLE else 8  # all of them cost minutes


def _trace(decision: str, rand: float) -> list[tuple[str, str]]:
    return [
        ("sentry-trace", PARENT + decision),
        ("baggage", f"sentry-trace_id={PARENT[:32]},sentry-sample_rand={rand:.6f},other=1"),
    ]


SECRET = ("authorization", "Bearer taint-5ecret-value")
JSON = ("content-type", "application/json")
TRAFFIC: list[tuple[str, str, list[tuple[str, str]], bytes]] = [
    ("GET", "/health", [], b""),
    ("GET", "/items/1", [*_trace("", 0.4), ("x-internal", "5ecret")], b""),
    ("GET", "/items/2", _trace("", 0.6), b""),
    ("GET", "/items/3", _trace("-1", 0.6), b""),
    ("GET", "/items/4", _trace("-0", 0.1), b""),
    ("GET", "/echo", [*_trace("", 0.6), ("user-agent", "kube-probe/1")], b""),
    ("POST", "/echo", [*_trace("", 0.6), JSON], b'{"password": "by-body-5ecret", "city": "Ulm"}'),
    ("POST", "/echo", _trace("-1", 0.6), b"plain"),
    ("POST", "/echo", _trace("-1", 0.6), b"plain"),
    ("HEAD", "/boom", [], b""),
    ("POST", "/boom", [*_trace("-1", 0.6), SECRET, JSON], b'{"password": "by-body-5ecret", "city": "Ulm"}'),
    ("GET", "/health/boom", _trace("-1", 0.6), b""),
    ("GET", "/http-404", _trace("-1", 0.6), b""),
    ("GET", "/http-500", _trace("-0", 0.6), b""),
    ("GET", "/work", [*_trace("-1", 0.6), SECRET], b""),
    ("GET", "/nowhere", [], b""),
]
SHORT = [TRAFFIC[at] for at in (0, 3, 6, 7, 8, 10, 12)]


@asgi_sentry.trace_function(op="work")
def step() -> None:
    """A span of its own."""


def work(_: Any) -> None:
    """Something of everything that can be sent."""
    asgi_sentry.set_user_context(user_id=42, email="someone@example.com")
    asgi_sentry.add_breadcrumb("token=5ecret-in-a-crumb")
    sentry_sdk.set_tag("shop", "ulm")
    logging.getLogger("shop").error("refused taint-5ecret-value")
    step()


_NOISE = [
    # Which callables of ours a foreign middleware is handed down is what the order is; and so is which layer it holds.
    (re.compile(r"<(?:bound method|function|coroutine object) .*? at 0x[0-9a-f]+>+"), "<callable>"),
    (re.compile(r"<asgi_sentry\._middleware\.\w+\.\w+ object at 0x[0-9a-f]+>"), "<layer>"),
    (re.compile(r" at 0x[0-9a-f]+"), ""),
    (re.compile(r"\d{4}-\d\d-\d\d[T ][\d:.,]+Z?"), "<time>"),
]
_TIMES = {"start_timestamp", "timestamp", "end_timestamp", "thread.id", "sent_at", "started", "thread_id"}


def normal(value: Any, ids: dict[str, str]) -> Any:
    """A payload with ids numbered by their first appearance, and without times and addresses in memory."""
    if isinstance(value, dict):
        kept = {key: inner for key, inner in value.items() if key not in _TIMES}
        # The order of keys says nothing.
        return {key: normal(kept[key], ids) for key in sorted(kept)}
    if isinstance(value, (list, tuple)):
        return [normal(inner, ids) for inner in value]
    if not isinstance(value, str):
        return value
    for pattern, instead in _NOISE:
        value = pattern.sub(instead, value)
    return re.sub(r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b", lambda m: ids.setdefault(m[0], f"id{len(ids)}"), value)


def _rolled(trace: dict[str, Any] | None) -> dict[str, Any] | None:
    """Envelope headers without the dice of traces that begin here."""
    if trace is None or trace["trace_id"] == PARENT[:32]:
        return trace
    return {**trace, "sample_rand": "<rolled>"}


def observed(transport: RecordingTransport) -> str:
    """All that was sent and counted since the last call, in one text."""
    sent = []
    for envelope in transport.envelopes:
        for item in envelope.items:
            payload = json.loads(item.get_bytes())
            # How entries share a batch is the flushing thread's matter.
            for entry in payload.get("items", [payload]):
                sent.append([item.type, _rolled(envelope.headers.get("trace")), entry])
    lost = sorted(transport.lost)
    transport.clear()
    sent.sort(key=lambda each: each[0])  # what kind is flushed first is chance too
    ids: dict[str, str] = {}
    return json.dumps([normal(sent, ids), lost], indent=1, default=str)


async def drive(app: Any, traffic: list[Any], *, sockets: bool = False) -> None:
    for method, path, headers, body in traffic:
        try:
            await request(app, method, path, headers=headers, body=body, query=b"page=2&token=by-query-5ecret")
        except RuntimeError as exc:
            assert str(exc) == "boom"  # noqa: PT017 - the app's own; anything else is a failure of ours
        sentry_sdk.flush()
    if sockets:
        for path in ("/ws/talk", "/ws/refuse", "/ws/boom-before", "/ws/boom-after"):
            await apps.converse(app, path, "hello", headers=[*_trace("", 0.6), SECRET])
            sentry_sdk.flush()


def outside(app: Any, order: list[Any]) -> Any:
    return asgi_sentry.compose(app, *(partial(cls, **arguments) for cls, arguments in order))


def with_between(between: Any, at: int, app: Any, order: list[Any]) -> Any:
    """Another's middleware between the layers."""
    stack = [partial(cls, **arguments) for cls, arguments in order]
    return asgi_sentry.compose(app, *stack[:at], between, *stack[at:])


def _run(app: Any, traffic: list[Any], *, sockets: bool = False) -> None:
    anyio.run(partial(drive, app, traffic, sockets=sockets))


def differing(transport: RecordingTransport, stacks: Any, traffic: list[Any], *, sockets: bool = False) -> list[Any]:
    """The orders, of (order, app) pairs, whose items are not those of the first."""
    expected, wrong = None, []

    async def all_of_them() -> None:
        nonlocal expected
        for order, app in stacks:
            await drive(app, traffic, sockets=sockets)
            seen = observed(transport)
            expected = expected or seen
            if seen != expected:
                wrong.append(
                    (order, "\n".join(difflib.unified_diff(expected.split("\n"), seen.split("\n"), lineterm="")))
                )

    anyio.run(all_of_them)
    assert expected is not None
    return wrong


def _arranged(order: Iterable[int]) -> list[Any]:
    made = layers()
    return [made[at] for at in order]


def test_there_are_120_orders_and_each_part_of_the_traffic_is_seen(start, mode):
    """The comparison below would be empty if nothing were sent."""
    # Version 3 shows more of the variables of this module, which hold what other requests send.
    shown = {} if not V3 else {"include_local_variables": False, "include_source_context": False}
    transport = start(enable_logs=True, **shown)
    _run(outside(apps.starlette_app(work=work), layers()), TRAFFIC, sockets=True)
    seen = observed(transport)
    assert len(set(ORDERS)) == 120
    assert '"boom"' in seen
    assert "Ulm" in seen
    assert '"127.0.0.0"' in seen
    assert '"42"' in seen
    assert "5ecret" not in seen
    assert seen.count('"POST /echo"') >= 2


def test_all_orders_send_the_same(start, mode):
    # Frames' variables are most of the cost; the tests below have them.
    transport = start(enable_logs=True, include_local_variables=False, include_source_context=False)
    app = apps.starlette_app(work=work)
    stacks = ((order, outside(app, _arranged(order))) for order in ORDERS[::STEP])
    assert differing(transport, stacks, TRAFFIC, sockets=True) == []


@pytest.mark.parametrize("between", [apps.Foreign, apps.hiding, apps.Base], ids=["foreign", "closure", "base"])
def test_all_orders_send_the_same_with_others_between_them(start, mode, between):
    transport = start(enable_logs=True)
    app = apps.starlette_app(work=work)
    for at in (1, 3):
        stacks = ((order, with_between(between, at, app, _arranged(order))) for order in ORDERS[at :: 4 * STEP])
        assert differing(transport, stacks, SHORT) == []


@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_all_orders_send_the_same_where_some_layers_are_within_the_framework(start, mode, framework):
    """By `add_middleware` and by Litestar's `DefineMiddleware`, where the outer layers can't see them."""
    transport = start(enable_logs=True)
    build = apps.FRAMEWORKS[framework]

    def split(order: Any, at: int) -> Any:
        arranged = _arranged(order)
        return outside(build(arranged[at:], work=work), arranged[:at])

    # Where all of them are within, an error is reported further in, with fewer of the framework's frames.
    for places, step in (((0,), 4), ((1, 2, 4), 11)):
        stacks = (((order, at), split(order, at)) for at in places for order in ORDERS[at :: step * STEP])
        assert differing(transport, stacks, SHORT) == []


@pytest.mark.parametrize("websockets", ["handshake", "lifetime", "off"])
def test_where_the_root_stands_is_all_the_same(start, mode, websockets):
    """`SentryMiddleware` says how websockets are sent, from whichever place."""
    transport = start(include_local_variables=False)
    app = apps.starlette_app(work=work)
    root = (asgi_sentry.SentryMiddleware, {"websockets": websockets, "failed_request_status_codes": {500}})

    def placed(at: int, between: Any) -> Any:
        made = layers()
        stack = [partial(cls, **arguments) for cls, arguments in [*made[:at], root, *made[at:]]]
        return asgi_sentry.compose(app, *stack[:3], *between, *stack[3:])

    for between in ([], [apps.hiding]):
        stacks = ((at, placed(at, between)) for at in range(6))
        assert differing(transport, stacks, [*SHORT, ("GET", "/teapot", [], b"")], sockets=True) == []


def seven() -> list[tuple[type, dict[str, Any]]]:
    """All layers: the five, the root, and the policy of errors, which refuses one of them and groups another."""
    policy = {
        "ignore_paths": ("/http-500",),
        "fingerprints": {"builtins.RuntimeError": ["boom"]},
        "per_fingerprint": "9/hour",
    }
    root = {"websockets": "lifetime", "failed_request_status_codes": {500}}
    return [*layers(), (asgi_sentry.ErrorPolicyMiddleware, policy), (asgi_sentry.SentryMiddleware, root)]


def some_orders(count: int) -> list[tuple[int, ...]]:
    """Of the 5,040: each layer at each place once, and so many by fixed dice."""
    turned = [tuple((at + by) % 7 for at in range(7)) for by in range(7)]
    dice = random.Random(7)
    return [*turned, *(tuple(dice.sample(range(7), 7)) for _ in range(count))]


def test_all_seven_layers_send_the_same_in_orders_of_a_sample(start, mode):
    transport = start(enable_logs=True, include_local_variables=False, include_source_context=False)
    app = apps.starlette_app(work=work)
    stacks = ((order, outside(app, [seven()[at] for at in order])) for order in some_orders(60 // STEP))
    assert differing(transport, stacks, [*SHORT, ("GET", "/http-500", [], b"")], sockets=True) == []
