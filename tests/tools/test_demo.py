"""The demo: it finds what it planted in any shape, counts what arrived, and fails when something contradicts."""

from __future__ import annotations

import base64
import contextlib
import importlib
import io
import json
import os
import random
import re
import signal
import subprocess
import sys
import urllib.request
from collections import Counter
from urllib.parse import quote_plus

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from asgi_sentry.tools import demo
from asgi_sentry.tools.demo import shop
from asgi_sentry.tools.demo.planting import Planter, search
from asgi_sentry.tools.demo.run import run
from asgi_sentry.tools.demo.shop_routes import APPS, DEFAULT_RATE, RATES, ROUTES, excluded, route_of
from asgi_sentry.tools.demo.tally import settle
from asgi_sentry.tools.demo.traffic import Driven, plan, plan_twice
from asgi_sentry.tools.sink import Envelope, Item, Received, Sink

ENCODINGS = {
    "plain": lambda text: text,
    "upper case": str.upper,
    "url": quote_plus,
    "json": json.dumps,
    "json in json": lambda text: json.dumps(json.dumps(text)),
    "repr": repr,
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64, urlsafe and unpadded": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
}


def planted(count: int = 1, seed: int = 0) -> tuple[list[str], dict[str, str]]:
    planter = Planter(random.Random(seed))
    return [planter.secret(f"place {number}") for number in range(count)], planter.planted


# -- the search --------------------------------------------------------------------------------------------------------


@given(st.text(max_size=50), st.text(max_size=50), st.sampled_from(sorted(ENCODINGS)), st.integers(0, 2**32))
@example("ab", "", "base64", 0)
@example("a", "b", "base64", 0)
@example("", "c", "base64", 0)
def test_a_secret_is_found_in_any_encoding_wherever_it_stands(before, after, encoding, seed):
    (secret,), places = planted(seed=seed)
    data = b'{"x": "' + ENCODINGS[encoding](before + secret + after).encode("utf-8", "replace") + b'"}'
    findings = search(data, places)
    assert (set(findings.secrets), findings.fragments) == ({secret}, ())
    assert findings.by_place(places) == Counter({"place 0": 1})


@given(st.integers(7, 33), st.booleans(), st.integers(0, 2**32))
def test_a_piece_of_a_secret_is_found_too(length, from_the_end, seed):
    (secret,), places = planted(seed=seed)
    piece = secret[-length:] if from_the_end else secret[:length]
    findings = search(b"..." + piece.encode() + b"...", places)
    assert (findings.secrets, findings.count) == ({}, 1)


@given(st.lists(st.text() | st.binary().map(lambda data: base64.b64encode(data).decode())))
def test_nothing_is_found_where_nothing_is(texts):
    _, places = planted(5)
    assert search("\n".join(texts).encode("utf-8", "replace"), places).count == 0


def test_secrets_are_distinct():
    secrets, places = planted(5000)
    assert len(set(secrets)) == len(places) == 5000


# -- the traffic -------------------------------------------------------------------------------------------------------


@given(st.integers(0, 200), st.integers(0, 2**32))
def test_the_plan_has_so_many_requests_over_all_routes_and_each_secret_in_one_of_them(count, seed):
    dice = random.Random(seed)
    planter = Planter(dice)
    requests = plan(count, dice, planter)
    assert len(requests) == count
    assert len({request.route for request in requests}) >= min(count, len(ROUTES))
    carried = [repr(request.options) for request in requests]
    for secret, place in planter.planted.items():
        text = base64.b64encode(f"admin:{secret}".encode()).decode() if place.endswith("basic") else secret
        assert sum(text in options for options in carried) == 1


def test_the_same_seed_asks_the_same_questions():
    def questions(seed):
        dice = random.Random(seed)
        return [(r.path, r.method, str(r.options)) for r in plan(100, dice, Planter(dice))]

    assert questions(3) == questions(3) != questions(4)


def test_shares_are_percent_and_every_path_belongs_to_its_route():
    assert sum(route.share for route in ROUTES) == 100
    dice = random.Random(1)
    assert all(route_of(request.path) == request.route for request in plan(200, dice, Planter(dice)))
    assert [route.rule for route in ROUTES if excluded(route.rule)] == ["/health", "/docs", "/static/app.css"]
    assert set(RATES) <= {route.rule for route in ROUTES}
    assert 0 < DEFAULT_RATE < 1


# -- the count ---------------------------------------------------------------------------------------------------------


def received(app: str, kind: str, payload: dict) -> Received:
    raw = json.dumps(payload).encode()
    envelope = Envelope(headers={}, items=(Item(headers={"type": kind}, payload=raw),))
    return Received(prefix=f"/{app}", project="1", key="k", raw=raw, envelope=envelope)


def at(path: str, **more: object) -> dict:
    return {"request": {"url": f"http://127.0.0.1:1{path}"}, **more}


def lost(quantity: int, category: str = "transaction") -> dict:
    return {"discarded_events": [{"reason": "sample_rate", "category": category, "quantity": quantity}]}


def good_run() -> tuple[dict[str, Driven], list[Received]]:
    asked = Driven(
        requests=Counter({"/health": 3, "/orders/{order_id}": 5, "/fail": 1}), failures=Counter({"/fail": 1})
    )
    meta = {"request": {"data": {"password": {"": {"rem": [["@password", "x"], ["@email", "x"]]}}}}}
    arrived = [
        received("fastapi", "transaction", at("/orders/1")),
        received("fastapi", "transaction", at("/orders/2?x=1")),
        received("fastapi", "event", at("/fail", _meta=meta)),
        received("fastapi", "client_report", lost(5)),
        received("fastapi", "client_report", lost(2)),
        received("fastapi", "client_report", lost(9, "span")),
    ]
    return {"fastapi": asked}, arrived


def test_what_was_asked_stands_beside_what_arrived():
    asked, arrived = good_run()
    result = settle(asked, arrived, {})
    assert result.problems == ()
    counted = {row.route: row[2:] for row in result.rows if row.requests}
    # requests, transactions, excluded, sampled out, errors
    assert counted == {"/health": (3, 0, 3, 0, 0), "/orders/{order_id}": (5, 2, 0, 3, 0), "/fail": (1, 0, 0, 1, 1)}
    assert result.redactions == Counter({"@password": 1, "@email": 1})
    assert result.kinds == Counter({"client_report": 3, "transaction": 2, "event": 1})


def streamed(path: str, *, segment: bool = True) -> dict:
    return {"is_segment": segment, "attributes": {"url.full": {"value": f"http://h{path}", "type": "string"}}}


@pytest.mark.parametrize(("discarded", "agree"), [(6, False), (7, True), (12, True)])
def test_streamed_segments_count_as_transactions(discarded, agree):
    """An unsampled request reports its inner spans too, so there may be more of them than requests."""
    asked, arrived = good_run()
    spans = [streamed("/orders/1"), streamed("/orders/1", segment=False), streamed("/orders/2")]
    arrived[:2] = [received("fastapi", "span", {"items": spans})]
    arrived[2:] = [received("fastapi", "client_report", lost(discarded, "span"))]
    result = settle(asked, arrived, {})
    (row,) = (row for row in result.rows if row.route.startswith("/orders"))
    assert (row.requests, row.transactions) == (5, 2)
    assert (result.problems == ()) == agree


def leak(asked, arrived, places):
    places["zqplantaaaaaaaaaaaaaaaaaaaatnalpqz"] = "cookie"
    arrived.append(received("fastapi", "session", {"x": "zqplantaaaaaaaaaaaaaaaaaaaatnalpqz"}))


CONTRADICTIONS = {
    "1 planted secrets": leak,
    "client reports that arrived say 8": lambda asked, arrived, _: arrived.append(
        received("fastapi", "client_report", lost(1))
    ),
    "client reports that arrived say 5": lambda asked, arrived, _: arrived.pop(4),
    "/fail: 1 requests failed, but 0 errors": lambda asked, arrived, _: arrived.pop(2),
    "/fail: 1 requests failed, but 2 errors": lambda asked, arrived, _: arrived.append(arrived[2]),
    "no transaction or no error": lambda asked, arrived, _: arrived.clear(),
    "1 transactions of an excluded path": lambda asked, arrived, _: arrived.append(
        received("fastapi", "transaction", at("/health"))
    ),
    "/nowhere: arrived without": lambda asked, arrived, _: arrived.append(
        received("fastapi", "transaction", at("/nowhere"))
    ),
    "/login: 2 requests were answered with 404": lambda asked, _, __: asked["fastapi"].unexpected.update(
        {("/login", 404): 2}
    ),
    "/login: 1 requests were answered with a broken connection": lambda asked, _, __: asked[
        "fastapi"
    ].unexpected.update({("/login", 0): 1}),
}


@pytest.mark.parametrize("problem", sorted(CONTRADICTIONS))
def test_every_contradiction_is_a_problem(problem):
    asked, arrived = good_run()
    places: dict[str, str] = {}
    CONTRADICTIONS[problem](asked, arrived, places)
    problems = settle(asked, arrived, places).problems
    assert [text for text in problems if problem in text], problems


# -- the apps ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("app", APPS)
def test_each_app_answers_every_planned_request_as_planned(app):
    built = importlib.import_module(f"asgi_sentry.tools.demo.app_{app}").build({"database_url": "postgres://db/shop"})
    dice = random.Random(7)
    requests = plan(700, dice, Planter(dice))
    seen = Counter()
    with TestClient(built, raise_server_exceptions=False) as client:
        for request in requests:
            fails = request.route == "/fail" or "fail" in request.options["params"]
            seen[request.route, fails] += 1
            if request.route != "/ws":
                answer = client.request(request.method, request.path, **request.options)
                assert answer.status_code == 500 if fails else answer.is_success, request
                continue
            with contextlib.suppress(
                shop.ShopError, WebSocketDisconnect
            ):  # as it comes out of the app, or as its close
                with client.websocket_connect(request.path, params=request.options["params"]) as socket:
                    socket.send_text("hello")
                    assert socket.receive_text() == "HELLO"
                assert not fails
    assert {route for route, fails in seen if not fails} == {route.rule for route in ROUTES} - {"/fail"}
    assert {"/api/chat", "/api/voice", "/login", "/upload", "/fail"} <= {route for route, fails in seen if fails}


# -- the whole ---------------------------------------------------------------------------------------------------------


def shown(**arguments: object) -> tuple[int, list[str]]:
    console = Console(file=io.StringIO(), width=80)
    code = run(console=console, **arguments)
    return code, console.file.getvalue().splitlines()


def test_the_demo_shows_that_no_secret_is_sent():
    code, lines = shown(requests=150, seed=5)
    *_, last = lines
    assert last.startswith("secrets planted ")
    assert last.endswith(", found in what was sent 0")
    assert not [line for line in lines if line.startswith(("FAILED", "LEAKED"))]
    assert code == 0
    table = [line for line in lines if line.startswith("│")]
    for app in APPS:
        assert any(app in line for line in table)
    assert any("@password" in line for line in table)
    assert not [line for line in lines if "\u2026" in line]  # nothing is cut off in a terminal of 80 columns
    counted = lines[next(n for n, line in enumerate(lines) if line.startswith("What became of transactions")) :]
    assert next(line for line in counted if "all" in line).split() == ["│", "all", "│", "150", "│"]


def test_the_demo_shows_the_same_where_spans_are_streamed(tmp_path, monkeypatch):
    replace_in_the_apps(
        tmp_path,
        monkeypatch,
        "import functools, asgi_sentry\n"
        "asgi_sentry.init = functools.partial(asgi_sentry.init, trace_lifecycle='stream')\n",
    )
    code, lines = shown(requests=150, seed=5)
    assert lines[-1].endswith(", found in what was sent 0")
    assert code == 0
    (kinds,) = (line for line in lines if line.startswith("items arrived"))
    assert "span" in kinds
    assert "transaction" not in kinds


def replace_in_the_apps(tmp_path, monkeypatch, code: str) -> None:
    """Run some code at the start of each app's process."""
    (tmp_path / "sitecustomize.py").write_text(code)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def test_the_demo_tells_what_the_plain_sdk_sends(tmp_path, monkeypatch):
    """Its counterpart: the same traffic at the same apps, with nothing of ours around them."""
    replace_in_the_apps(
        tmp_path,
        monkeypatch,
        "import asgi_sentry, sentry_sdk\n"
        "asgi_sentry.init = lambda **options: sentry_sdk.init(traces_sample_rate=0.5, **options)\n"
        "asgi_sentry.wrap = lambda app: app\n",
    )
    code, lines = shown(requests=150, seed=5)
    assert code == 1
    found = int(lines[-1].rsplit(" ", 1)[1].replace(",", ""))
    assert found > 50
    assert any(line.startswith("LEAKED") for line in lines)
    assert any("/health" in line and "excluded path arrived" in line for line in lines)


def test_with_a_dsn_everything_is_sent_on_to_it():
    with Sink() as target:
        code, lines = shown(requests=60, seed=5, dsn=target.dsn)
        assert code == 0, lines
        kinds = Counter(item.kind for item in target.items())
        assert {(received.prefix, received.project) for received in target.received} == {("", "1")}
    assert f"items arrived: {', '.join(f'{kind} {count}' for kind, count in kinds.most_common())}" in lines
    assert min(kinds["transaction"], kinds["event"], kinds["client_report"]) >= 1


@pytest.mark.measured_processes
def test_served_it_leaves_a_page_on_what_was_sent_and_on_what_the_sdk_alone_sends():
    command = [sys.executable, "-m", "asgi_sentry.tools.cli", "demo", "--serve", "--requests", "40"]
    # A shell that starts the tests in the background has them, and so what they start, ignore an interrupt.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    finally:
        signal.signal(signal.SIGINT, before)

    def page(path: str) -> str:
        with urllib.request.urlopen(url + path) as answer:
            return answer.read().decode()

    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if "the page on all this" in line:
                break
        url = re.search(r"(http://127\.0\.0\.1:\d+)/", line)[1]
        overview, compared = page("/"), page("/compare")
        pairs = re.findall(r"/compare/(\d+)", compared)
        # Each app is asked for 10 routes and fails in 5; of the SDK alone 15 transactions and 6 errors come of it.
        assert len(pairs) == 3 * 21
        assert compared.count(">not sent<") == 3 * 3  # what is excluded
        sides = page(f"/compare/{pairs[0]}").split('data-side="ours"')
        assert "zqplant" in "".join(sides)
        assert all("zqplant" not in side.split("data-side")[0] for side in sides[1:])
        for route in ("GET /health", "POST /api/chat", "WS /ws"):
            assert route in overview
        assert "transactions: excluded" in overview
        for kind in ("error", "transaction", "session", "report"):
            assert "/items/" in page(f"/items?kind={kind}")
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=60)
        assert process.returncode == 0, "".join(said) + rest
    finally:
        process.kill()
        process.communicate()


def test_what_is_served_and_not_does_not_change_the_questions():
    def questions(twice: bool) -> list[str]:
        dice = random.Random(3)
        planter = Planter(dice)
        requests = plan(30, dice, planter)
        return [str(r) for r in requests] + ([str(r) for r in plan_twice(dice, planter)] if twice else [])

    alone, more = questions(twice=False), questions(twice=True)
    assert more[:30] == alone
    assert len(more) == 30 + 15
    assert len({re.search(r"'sentry-trace': '(\w{32})-\w{16}-1'", one)[1] for one in more[30:]}) == 15


def test_an_app_that_does_not_start_is_told_with_its_log(tmp_path, monkeypatch):
    from asgi_sentry.tools.demo.run import DemoError

    (tmp_path / "uvicorn.py").write_text("raise ImportError('broken on purpose')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(DemoError, match=r"(?s)the fastapi app did not start.*broken on purpose"):
        shown(requests=3)


def test_missing_packages_are_named_without_importing_any(monkeypatch):
    assert demo.missing() == []
    monkeypatch.setitem(sys.modules, "rich", None)
    monkeypatch.setattr(demo, "find_spec", lambda name: None if name in {"rich", "python_multipart"} else object())
    assert demo.missing() == ["python-multipart", "rich"]
