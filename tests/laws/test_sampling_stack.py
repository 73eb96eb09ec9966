"""Sampling as a stack does it: which requests become transactions, and the rate that travels with them."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
import sentry_sdk
from litestar import Litestar, Request, get
from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Mount, Route

import asgi_sentry
from asgi_sentry import PathSamplingMiddleware, Rate, Settings, TransactionFilterMiddleware
from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request import ending, messages, record
from asgi_sentry._request.plan import Allowance, Plan
from asgi_sentry._sampling.budgets import Budget
from asgi_sentry._sampling.ledger import SPREAD
from asgi_sentry._sampling.rate import Limit
from asgi_sentry.keep import errors, slower_than, status
from asgi_sentry.testing import request
from tests import apps
from tests.conftest import DSN, transactions
from tests.strategies import Clock
from tests.traffic import (
    answering,
    broken,
    drive,
    extrapolated,
    keeping,
    lost,
    rates,
    respond,
    sampled_by,
    seeded,
    sent,
    trace,
)

# -- the effective rate ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.25, Rate(0.25), Rate(0.25, at_most="1000/second")])
def test_dice_travel_with_their_rate(start, mode, rate):
    transport = start()
    drive(PathSamplingMiddleware(respond, default=rate), [trace(1, rand=0.2), trace(2, rand=0.3), ()])
    found = sent(transport)
    assert {each["trace_id"] for each in found} >= {f"{1:032x}"}
    assert f"{2:032x}" not in {each["trace_id"] for each in found}
    assert {each.get("sampled") for each in found} <= {"true", None}  # an incoming one is not added to
    assert set(rates(transport)) == {0.25}
    assert found[0]["sample_rand"] == "0.200000"


def test_the_sdks_own_rate_and_sampler_travel_too(start, mode):
    transport = start(Settings(dsn=DSN, traces_sample_rate=0.5))
    drive(PathSamplingMiddleware(respond, rates={"/other": 0.1}), [trace(1, rand=0.4), trace(2, rand=0.6)])
    assert rates(transport) == [0.5]
    transport = start(traces_sampler=lambda _: 0.75)
    drive(PathSamplingMiddleware(respond), [trace(1, rand=0.74), trace(2, rand=0.76)])
    assert rates(transport) == [0.75]


def test_an_inherited_decision_travels_with_the_parents_rate(start, mode):
    transport = start()
    app = PathSamplingMiddleware(respond, default=0.5)
    drive(app, [trace(1, sampled="-1", rate=0.125, rand=0.9), trace(2, sampled="-0", rate=0.125, rand=0.01)])
    assert rates(transport) == [0.125]
    transport.clear()
    drive(app, [trace(3, sampled="-1")])  # of which the parent said no rate
    assert rates(transport) == [None]


def test_a_parent_can_be_ignored(start, mode):
    transport = start()
    app = PathSamplingMiddleware(respond, default=0.5, parent="ignore")
    drive(app, [trace(1, sampled="-1", rand=0.9), trace(2, sampled="-0", rand=0.01)])
    (one,) = sent(transport)
    assert (one["trace_id"], float(one["sample_rate"])) == (f"{2:032x}", 0.5)


@pytest.mark.parametrize("sampled", ["", "-0", "-1"])
@pytest.mark.parametrize("parent", ["inherit", "ignore"])
@pytest.mark.parametrize("rule", [{"rates": {"/work": 0}}, {"rates": {"/w*": Rate(0)}}, {"default": 0.0}])
def test_a_rate_of_zero_excludes_whatever_the_parent_said(start, mode, rule, parent, sampled):
    transport = start()
    drive(PathSamplingMiddleware(respond, parent=parent, **rule), [trace(1, sampled=sampled, rand=0.0)] * 3)
    assert sent(transport) == []
    assert transport.items("sessions") == []


@pytest.mark.parametrize("parent", ["inherit", "ignore"])
def test_at_most_holds_against_forced_decisions(start, mode, parent):
    transport = start()
    clock = Clock()
    app = sampled_by(respond, clock, {"/work": Rate(0.5, at_most="3/minute")}, parent=parent)

    def tick(number: int) -> None:
        clock.now = number * 0.5

    drive(app, [trace(n, sampled="-1", rate=0.5, rand=0.01) for n in range(1, 241)], before=tick)
    assert len(sent(transport)) == 6  # in two minutes
    # Each stands for the forced ones that were not sent, at the rate that the parents had.
    assert sum(0.5 / rate for rate in rates(transport)) <= 240
    assert extrapolated(transport) > 2 * 6
    assert lost(transport)["sample_rate", "span"] == 234


def test_a_limit_that_an_outsider_used_up_does_not_distort_the_others(start, mode):
    """Forced requests and diced ones have accounts of their own."""
    transport = start()
    clock = Clock()
    app = sampled_by(respond, clock, {"/work": Rate(1.0, at_most="1000/minute")})
    drive(app, [trace(n, sampled="-1", rate=0.01) for n in range(1, 50)])
    drive(app, [trace(n) for n in range(100, 110)])
    assert Counter(rates(transport)) == {0.01: 49, 1.0: 10}


# -- extrapolation: the sum of 1 / rate is the number that was offered ----------------------------------------------


@pytest.mark.untraced
def test_dice_extrapolate_to_what_was_offered(start, mode):
    """The kept are binomial: n = 2000, p = 0.2, so that the extrapolated count has a standard error of 89.

    The seed is fixed; by chance a right rate would be off by four of these with a probability of 0.006 %.
    """
    transport = start()
    drive(PathSamplingMiddleware(respond, default=0.2), seeded(2_000))
    assert set(rates(transport)) == {0.2}
    assert abs(extrapolated(transport) - 2_000) < 4 * (2_000 * 0.8 / 0.2) ** 0.5


LIMITS: dict[str, Any] = {
    "at_most": {"rates": {"/work": Rate(1.0, at_most="1/second")}},
    "at_most with dice": {"rates": {"/work": Rate(0.5, at_most="1/second")}},
    "at_least": {"rates": {"/work": Rate(0.0, at_least="1/second")}},
    "budget": {"rates": {"/work": 1.0}, "budget": "3600/hour"},
    "budget with dice": {"rates": {"/work": 0.5}, "budget": "3600/hour"},
}


@pytest.mark.untraced
@pytest.mark.parametrize("limit", LIMITS)
def test_limits_extrapolate_to_what_was_offered(start, mode, limit):
    """3000 requests over ten minutes, evenly, of which some 600 can be kept.

    What is not accounted for is the debt of the last ones, some `SPREAD` kept requests' worth (of 5 each), and the
    dice: 3000 at 0.5 have a standard error of 55.
    """
    transport = start()
    clock = Clock()
    app = sampled_by(respond, clock, **LIMITS[limit])

    def tick(number: int) -> None:
        clock.now = number * 0.2

    drive(app, seeded(3_000), before=tick)
    kept = rates(transport)
    assert 400 <= len(kept) <= 1_000
    dice = 4 * (3_000 * 0.5 / 0.5) ** 0.5 if "dice" in limit else 0
    assert (
        abs(extrapolated(transport) - 3_000)
        <= 2 * SPREAD * 3_000 / len(kept) + 0.1 * 3_000 * (limit == "budget") + dice
    )


def test_a_budget_extrapolates_inherited_decisions_too(start, mode):
    """The parent's rate, times the part that the budget let through."""
    transport = start()
    clock = Clock()
    app = sampled_by(respond, clock, {"/other": 1.0}, budget="100/hour")
    drive(
        app, [trace(n, sampled="-1", rate=0.5) for n in range(1, 201)], before=lambda n: setattr(clock, "now", 18.0 * n)
    )
    kept = len(rates(transport))
    assert 90 <= kept <= 100
    assert abs(extrapolated(transport) - 400) <= 2 * SPREAD * 400 / kept


def test_an_adaptive_rate_learns_its_routes_and_extrapolates(start, mode):
    """Also from requests that were not sampled, of which all but a few are."""
    transport = start()
    clock = Clock()
    routes = [
        Route("/busy/{id}", lambda _: PlainTextResponse("")),
        Route("/rare/{id}", lambda _: PlainTextResponse("")),
    ]
    app = sampled_by(Starlette(routes=routes), clock, {"/**": Rate.adaptive("2/second")})
    traces = seeded(1_500)

    async def run() -> None:
        for number, headers in enumerate(traces):
            clock.now = number / 25
            await request(app, path="/rare/1" if number % 100 == 99 else f"/busy/{number}", headers=headers)

    anyio.run(run)
    names = Counter(root["name"] for root in transactions(transport))
    assert names["GET /rare/{id}"] >= 8  # of 15
    assert 90 <= names["GET /busy/{id}"] <= 260  # of 1485, at 2 a second for a minute and a first burst
    assert abs(extrapolated(transport) - 1_500) < 300


# -- adaptive rates: templates are told apart at the head, wherever the layer and the app are mounted ---------------


def item(_: Any) -> JSONResponse:
    return JSONResponse({})


@get("/items/{number:int}", sync_to_thread=False)
def litestar_item(request: Request[Any, Any, Any]) -> dict[str, int]:
    return {"id": request.path_params["number"]}


def routed(framework: str) -> Any:
    if framework == "litestar":
        return Litestar([litestar_item], openapi_config=None)
    if framework == "starlette":
        return Starlette(routes=[Route("/items/{number:int}", item), Route("/", item)])
    from fastapi import FastAPI

    app = FastAPI(openapi_url=None)

    @app.get("/items/{number}")
    def _(number: int) -> int:
        return number

    return app


def mounted(app: Any) -> Any:
    return Starlette(routes=[Mount("/tenants/{tenant}", app=app), Mount("/plain", app=app)])


PLACES: dict[str, tuple[Callable[[Any, Any], Any], dict[str, Any]]] = {
    "at the root": (lambda layer, app: layer(app), {"path": "/items/1"}),
    "behind a root path": (lambda layer, app: layer(app), {"path": "/api/items/1", "scope": {"root_path": "/api"}}),
    "around a mount": (lambda layer, app: layer(mounted(app)), {"path": "/tenants/7/items/1"}),
    "around a mount behind a root path": (
        lambda layer, app: layer(mounted(app)),
        {"path": "/api/tenants/7/items/1", "scope": {"root_path": "/api"}},
    ),
    "within a mount": (lambda layer, app: mounted(layer(app)), {"path": "/plain/items/1"}),
    "within a mount with a parameter": (lambda layer, app: mounted(layer(app)), {"path": "/tenants/7/items/1"}),
    "within a mount behind a root path": (
        lambda layer, app: mounted(layer(app)),
        {"path": "/api/tenants/7/items/1", "scope": {"root_path": "/api"}},
    ),
    "within a mount, further in": (
        lambda layer, app: asgi_sentry.SentryMiddleware(mounted(layer(app))),
        {"path": "/tenants/7/items/1"},
    ),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("framework", ["starlette", "fastapi", "litestar"])
def test_a_learned_template_is_found_by_the_next_request(start, mode, framework, place):
    """The account of its template says so: the requests are counted there, and not in the rest."""
    start()
    clock = Clock()
    made: list[Layer] = []

    def layer(app: Any) -> Any:
        made.append(sampled_by(app, clock, {"/**": Rate.adaptive("1/hour")}))
        return made[-1]

    build, asked = PLACES[place]
    app = build(layer, routed(framework))

    async def run() -> None:
        response = await request(app, **asked)
        assert response.status == 200
        clock.now += 2.0
        for _ in range(3):
            await request(app, **asked)

    anyio.run(run)
    (sampler,) = made[0]._own.samplers
    adaptive: Any = sampler.match({"type": "http", "path": "/x"}).adaptive
    (template,) = adaptive._templates.values()
    assert template.count == 3, list(adaptive._templates)
    assert adaptive._rest.count == 0


def test_what_no_route_matches_teaches_nothing(start, mode):
    start()
    app = PathSamplingMiddleware(routed("starlette"), default=Rate.adaptive("1/hour"))
    drive(app, [()] * 5, path="/nothing/here")
    state = app._own.samplers[0].match({"type": "http", "path": "/x"})
    assert state.adaptive._templates == {}


# -- processes decide alike --------------------------------------------------------------------------------------------

DECIDE = """
import json, sys, anyio
import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
transport = RecordingTransport()
asgi_sentry.init(asgi_sentry.Settings(dsn="http://publickey@localhost/1"), transport=transport)
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
app = asgi_sentry.PathSamplingMiddleware(app, rates={"/a": 0.3}, default=0.3)
async def run():
    for headers in json.load(sys.stdin):
        await request(app, path=sys.argv[1], headers=[tuple(pair) for pair in headers])
anyio.run(run)
print(json.dumps([e.headers["trace"]["trace_id"] for e in transport.envelopes if "trace" in e.headers]))
"""


def test_two_processes_decide_alike_for_the_same_trace(start, mode):
    traces = seeded(100)
    script = [sys.executable, "-c", DECIDE]
    runs = [
        subprocess.run([*script, path], input=json.dumps(traces), capture_output=True, text=True, check=True)
        for path in ("/a", "/b")
    ]
    first, second = (sorted(json.loads(run.stdout)) for run in runs)
    assert first == second
    assert 10 < len(first) < 60
    transport = start()
    drive(PathSamplingMiddleware(respond, default=0.3), traces)
    assert sorted(each["trace_id"] for each in sent(transport)) == first


# -- late decisions ----------------------------------------------------------------------------------------------------


@pytest.fixture
def classic(mode: str) -> None:
    if mode == "stream":
        pytest.skip("streaming sends spans as they end")


@pytest.mark.usefixtures("classic")
@pytest.mark.parametrize("path", ["/boom", "/http-500", "/teapot", "/boom-in-thread"])
@pytest.mark.parametrize("framework", apps.FRAMEWORKS)
def test_failed_requests_are_kept(start, framework, path):
    transport = start()
    app = keeping(errors())(apps.FRAMEWORKS[framework]())
    drive(app, [trace(1), trace(2)], path=path)
    drive(app, [trace(3)], path="/work")
    assert [root["name"] for root in transactions(transport)] == [f"GET {path}"] * 2
    assert rates(transport) == [1.0, 1.0]
    assert {each["sampled"] for each in sent(transport)} == {"true"}  # as Sentry is to see it


@pytest.mark.usefixtures("classic")
@pytest.mark.parametrize(("code", "kept"), [(200, False), (404, False), (429, True), (503, True)])
def test_statuses_are_kept(start, code, kept):
    transport = start()
    drive(keeping(status(429, "5xx"))(answering(code)), [trace(1)])
    assert [root["status"] for root in transactions(transport)] == [code] * kept
    data = [each["contexts"]["trace"]["data"] for each in transport.items("transaction")]
    assert [each["asgi_sentry.kept"] for each in data] == ["status(429, 5xx)"] * kept  # and says why


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that requests are measured by."""
    made = Clock()
    made.now = 1_000_000.0
    monkeypatch.setattr(ending, "time", SimpleNamespace(monotonic=made))
    for module in (messages, record):
        monkeypatch.setattr(module, "monotonic", made)
    return made


HIDDEN = {"in sight": lambda app: app, "further in": lambda app: asgi_sentry.SentryMiddleware(apps.hiding(app))}


@pytest.mark.usefixtures("classic")
@pytest.mark.parametrize("place", HIDDEN)
def test_slow_requests_are_kept(start, clock, place):
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        clock.now += float(scope["path"][1:])
        await respond(scope, receive, send)

    stack = HIDDEN[place](keeping(slower_than(1.5))(app))
    for seconds in ("0", "1.5", "1.75"):
        drive(stack, [trace(1)], path=f"/{seconds}")
    assert [event["request"]["url"] for event in transport.items("transaction")] == ["http://testserver/1.75"]


@pytest.mark.usefixtures("classic")
def test_the_time_in_outer_middlewares_counts_wherever_the_layer_stands(start, clock):
    transport = start()

    def slow(app: Any) -> Any:
        async def outer(scope: Any, receive: Any, send: Any) -> None:
            clock.now += 2.0
            await app(scope, receive, send)

        return outer

    drive(asgi_sentry.SentryMiddleware(slow(keeping(slower_than(1.5))(respond))), [trace(1)])
    assert len(transactions(transport)) == 1


@pytest.mark.usefixtures("classic")
@pytest.mark.parametrize("rate", [0.0, 1e-9])
def test_a_layer_further_in_keeps_what_the_sdks_rate_would_not(start, rate):
    """Law 2: the outer layer's decision was no, and it would be again."""
    transport = start(Settings(dsn=DSN, release="app@1", traces_sample_rate=rate))
    inner = PathSamplingMiddleware(broken, keep=(errors(),))
    for stack in (inner, asgi_sentry.SentryMiddleware(apps.hiding(inner))):
        transport.clear()
        drive(stack, [trace(1, rand=0.5)])
        assert len(transport.items("transaction")) == 1


@pytest.mark.usefixtures("classic")
def test_a_layer_further_in_that_keeps_does_not_ask_a_limit_twice(start):
    transport = start()
    clock = Clock()
    inner = PathSamplingMiddleware(respond, keep=(errors(),))
    app = sampled_by(apps.hiding(inner), clock, {"/work": Rate(1.0, at_most="4/minute")})
    drive(app, [trace(n) for n in range(1, 9)])
    assert rates(transport) == [1.0] * 4


@pytest.fixture(autouse=True)
def _no_span_by_the_clock(monkeypatch):
    """A busy machine makes no span of background work that took no time to speak of."""
    monkeypatch.setattr("asgi_sentry._sdk.classic.WORTH_A_SPAN", 60.0)


@pytest.mark.usefixtures("classic")
def test_what_is_kept_has_its_spans_and_what_it_called_was_told_no(start):
    transport = start()
    heard = []

    @asgi_sentry.trace_function
    def inner() -> None:
        heard.append((sentry_sdk.get_traceparent(), sentry_sdk.get_baggage()))

    @asgi_sentry.trace_function
    def outer() -> None:
        inner()

    def work(_: Any) -> None:
        outer()
        raise RuntimeError("boom")

    drive(keeping(errors())(apps.starlette_app(work=work)), [trace(1), ()])
    kept = transactions(transport)
    assert [[name.split(".")[-1] for name in root["spans"]] for root in kept] == [["outer", "inner"]] * 2
    for (traceparent, baggage), root in zip(heard, kept, strict=True):
        trace_id, _, decision = traceparent.split("-")
        assert (trace_id, decision) == (root["trace_id"], "0")
        assert "sentry-sampled=true" not in baggage


@pytest.mark.usefixtures("classic")
def test_a_sampled_request_that_a_rule_names_travels_with_the_rules_rate(start):
    transport = start()
    app = PathSamplingMiddleware(apps.starlette_app(), default=0.5, keep=(errors(),))
    drive(app, [trace(1, rand=0.1), trace(2, rand=0.9)], path="/boom")
    drive(app, [trace(3, rand=0.1), trace(4, rand=0.9)])
    drive(app, [trace(5, sampled="-1", rate=0.25), trace(6, sampled="-0", rate=0.25)], path="/boom")
    found = {int(each["trace_id"], 16): float(each["sample_rate"]) for each in sent(transport)}
    assert found == {1: 1.0, 2: 1.0, 3: 0.5, 5: 1.0, 6: 1.0}


@pytest.mark.usefixtures("classic")
def test_both_parts_extrapolate_to_their_own_number(start):
    """2000 requests, each fifth fails; dice of 0.1, 10 kept a minute at most, over an hour."""
    transport = start()
    clock = Clock()
    app = sampled_by(apps.starlette_app(), clock, {"/**": 0.1}, keep=(errors(),), keep_at_most="2/minute")
    traces = seeded(2_000)

    async def run() -> None:
        for number, headers in enumerate(traces):
            clock.now = number * 1.8
            with contextlib.suppress(RuntimeError):
                await request(app, path="/work" if number % 5 else "/boom", headers=headers)

    anyio.run(run)
    by_name: Counter[str] = Counter()
    for envelope in transport.envelopes:
        if envelope.get_transaction_event():
            by_name[envelope.get_transaction_event()["transaction"]] += 1 / float(
                envelope.headers["trace"]["sample_rate"]
            )
    assert abs(by_name["GET /work"] - 1_600) < 4 * (1_600 * 0.9 / 0.1) ** 0.5
    assert abs(by_name["GET /boom"] - 400) < 2 * SPREAD * 4


@pytest.mark.usefixtures("classic")
def test_with_a_budget_both_parts_extrapolate_to_their_own_number(start):
    """As above, and the budget allows for half of it. What it holds back of one part is not made up by the other."""
    transport = start()
    clock = Clock()
    app = sampled_by(
        apps.starlette_app(), clock, {"/**": 0.1}, keep=(errors(),), keep_at_most="1000/minute", budget="400/hour"
    )
    traces, failing = seeded(4_000), random.Random(5)  # at random, or each tenth would find a new token

    async def run() -> None:
        for number, headers in enumerate(traces):
            clock.now = number * 0.9
            with contextlib.suppress(RuntimeError):
                await request(app, path="/boom" if failing.random() < 0.1 else "/work", headers=headers)

    anyio.run(run)
    by_name: Counter[str] = Counter()
    for envelope in transport.envelopes:
        event = envelope.get_transaction_event()
        if event:
            by_name[event["transaction"]] += 1 / float(envelope.headers["trace"]["sample_rate"])
    assert len(transport.items("transaction")) <= 400
    # The dice: 3600 at 0.1 have a standard error of 180; a debt is open of what stands for `SPREAD` kept ones.
    assert abs(by_name["GET /work"] - 3_600) < 3 * 180 + SPREAD * 20
    assert abs(by_name["GET /boom"] - 400) < 2 * SPREAD * 4


@pytest.mark.usefixtures("classic")
def test_the_rest_is_counted_as_lost_with_its_spans(start):
    transport = start()

    @asgi_sentry.trace_function
    def span() -> None:
        """One."""

    app = keeping(errors())(apps.starlette_app(work=lambda _: [span() for _ in range(3)] and None))
    drive(app, [trace(1), trace(2)])
    assert transactions(transport) == []
    assert lost(transport) == {("sample_rate", "transaction"): 2, ("sample_rate", "span"): 2 * (3 + 1)}
    transport.clear()
    drive(app, [trace(3)], path="/boom")
    assert lost(transport) == {}


@pytest.mark.usefixtures("classic")
def test_no_more_than_the_limit_are_kept_late(start):
    transport = start()
    drive(keeping(errors(), keep_at_most="3/hour")(broken), [trace(n) for n in range(1, 11)])
    assert rates(transport) == [1.0] * 3
    assert lost(transport)["sample_rate", "transaction"] == 7


@pytest.mark.usefixtures("classic")
@pytest.mark.parametrize(
    "arrange",
    [
        lambda app: TransactionFilterMiddleware(keeping(errors())(app), exclude=("/boom",)),
        lambda app: keeping(errors())(TransactionFilterMiddleware(app, exclude=("/boom",))),
        lambda app: keeping(errors())(apps.hiding(TransactionFilterMiddleware(app, exclude=("/boom",)))),
        lambda app: TransactionFilterMiddleware(apps.hiding(keeping(errors())(app)), exclude=("/boom",)),
        keeping(errors(), rates={"/boom": 0}),
        lambda app: PathSamplingMiddleware(keeping(errors())(app), rates={"/boom": 0}),
    ],
)
def test_what_is_excluded_stays_excluded(start, arrange):
    transport = start()
    drive(arrange(apps.starlette_app()), [trace(1)], path="/boom")
    assert transport.items("transaction") == []
    assert len(transport.items("event")) == 1


@pytest.mark.usefixtures("classic")
@pytest.mark.parametrize(
    ("websockets", "path", "kept"),
    [
        ("handshake", "/ws/boom-before", True),
        ("handshake", "/ws/boom-after", False),  # its transaction ends before that
        ("lifetime", "/ws/boom-after", True),
        ("lifetime", "/ws/talk", False),
        ("off", "/ws/boom-before", False),
    ],
)
def test_websockets_are_kept_for_how_they_ended(start, websockets, path, kept):
    transport = start()
    app = asgi_sentry.SentryMiddleware(keeping(errors())(apps.starlette_app()), websockets=websockets)
    anyio.run(apps.converse, app, path, "hello")
    assert [root["name"] for root in transactions(transport)] == [f"WS {path}"] * kept


# -- streaming has no late decision, and says so --------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer", [keeping(errors()), partial(TransactionFilterMiddleware, statuses=(404,))], ids=["keep", "statuses"]
)
@pytest.mark.parametrize("way", ["lifespan", "request", "further in"])
def test_streaming_says_once_at_start_that_there_is_no_late_decision(start, mode, layer, way, caplog, monkeypatch):
    monkeypatch.setattr("asgi_sentry._faults._said", set())
    transport = start()
    app = layer(apps.starlette_app())
    if way == "further in":
        app = asgi_sentry.SentryMiddleware(apps.hiding(app))

    async def lifespan() -> None:
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> Any:
            return next(messages)

        async def send(_: Any) -> None:
            """Nobody listens."""

        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    for _ in range(2):
        if way == "lifespan":
            anyio.run(lifespan)
        else:
            drive(app, [trace(1)], path="/http-404")
    said = [message for message in caplog.messages if "streaming" in message]
    assert len(said) == (1 if mode == "stream" else 0)
    if mode == "stream":
        assert "keep" in said[0]
        assert "statuses" in said[0]
    assert transport.items("event") == []


# -- what each layer further in finds ----------------------------------------------------------------------------------


def test_a_budget_is_spent_once_for_a_request_that_is_decided_anew(start, mode):
    """The outer layer's budget, and then rates of a layer that it can't see."""
    transport = start()
    clock = Clock()
    allowed = Budget(Limit.parse("100/hour", what="budget"), clock=clock)
    clock.now = 3_599.0
    inner = PathSamplingMiddleware(respond, default=1.0)
    app = Layer(apps.hiding(inner), Plan(budgets=(Allowance(gate=allowed),)))
    drive(app, [trace(n) for n in range(1, 11)])
    assert len(sent(transport)) == 10
    assert allowed.status().spent == 10
