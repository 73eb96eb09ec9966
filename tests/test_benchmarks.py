"""The benchmarks' own logic, and each part of them in its smallest form. None is about how long a thing takes."""

from __future__ import annotations

import asyncio
import base64
import gzip
import http.client
import importlib.util
import json
import random
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
import sentry_sdk

if sentry_sdk.VERSION.startswith("3"):
    pytest.skip("the benchmarks' other side is version 2 of the SDK", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
pytest.importorskip("benchmarks.captured")

from benchmarks import (
    blocking,
    bodies,
    captured,
    costs,
    gate,
    growth,
    harness,
    layers,
    load,
    machine,
    results,
    sent,
    server,
    servers,
    sink,
    start,
    wire,
)
from benchmarks.gate import Threshold
from benchmarks.guards import Guard, GuardError, Tally, check_shape
from benchmarks.harness import BenchmarkError, Log, Process, Result, Spread, ratios, table
from benchmarks.steps import longest
from benchmarks.traffic import CASES, SECRETS, TRACE_ID, document, several, with_documents
from benchmarks.transport import Bench

# -- figures ---------------------------------------------------------------------------------------------------------


def test_a_spread_is_the_median_between_the_10th_and_the_90th_percentile():
    spread = Spread.of([100.0, *range(1, 10), 50.0])
    assert spread == Spread(median=6, low=2, high=50)
    assert Spread.of([3.0]) == Spread(median=3.0, low=3.0, high=3.0)


@pytest.mark.parametrize(
    ("spread", "text"),
    [
        (Spread(median=1.25, low=1, high=2), "1.2 (1.0..2.0)"),
        (Spread(median=250.4, low=99.6, high=300), "250 (100..300)"),
    ],
)
def test_a_spread_shows_no_digits_that_say_nothing(spread, text):
    assert spread.show() == text


def test_ratios_are_taken_round_by_round():
    """One slow round of both changes neither the ratio nor its median."""
    assert ratios([80.0, 800.0, 90.0], [8.0, 80.0, 9.0]) == [10.0, 10.0, 10.0]


def test_a_denominator_within_the_noise_makes_no_miracle():
    assert ratios([1.0], [-0.3]) == [20.0]


def test_a_table_is_markdown_and_aligned():
    assert table("Costs", ["", "µs"], [["ours", "7.5"], ["theirs", "75"]]).splitlines() == [
        "### Costs",
        "",
        "|        | µs  |",
        "| ------ | --- |",
        "| ours   | 7.5 |",
        "| theirs | 75  |",
    ]


def test_a_further_layer_is_what_five_cost_beyond_one():
    found = {(name, False): [10.0, 20.0] for name in "fsuhb"} | {("fsuhb", False): [12.0, 22.0]}
    assert layers.each_further(found, trace=False) == [0.5, 0.5]
    assert layers.over_one_alone(found, trace=False) == [1.2, 1.1]


def test_the_table_of_costs_has_a_row_for_each_case_and_no_column_for_who_is_absent():
    names = ("bare", "ours", "sdk")
    found = {
        (name, "excluded", trace): [value, value]
        for trace in (False, True)
        for name, value in zip(names, (1.0, 8.0, 80.0), strict=True)
    }
    made = costs.report(found, "raw ASGI")
    header, _, *lines = made.tables[0].splitlines()[2:]
    assert [cell.strip() for cell in header.strip("|").split("|")] == [
        "request",
        "bare app",
        "asgi-sentry",
        "sentry-sdk",
        "sentry-sdk ÷ asgi-sentry",
    ]
    assert [line.split("|")[1].strip() for line in lines] == ["excluded, no trace", "excluded, trace"]
    assert made.data["excluded, trace"]["sdk / ours"].median == 10.0


# -- what is written -------------------------------------------------------------------------------------------------


def _found():
    spread = Spread(median=8.0, low=7.0, high=9.0)
    figures = {"excluded, no trace": {"bare": spread, "ours": spread, "sdk": spread, "sdk / ours": spread}}
    return {"costs": {"method": "as it was", "not measured": {"datadog": "not installed"}, "figures": figures}}


def test_figures_are_written_with_method_machine_and_versions_and_as_a_chart(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    written = results.write(_found(), machine.facts(), Log(), quick=True)
    data = json.loads((tmp_path / "results" / "results.json").read_text())
    assert data["quick"] is True
    assert {"python", "cores", "processor", "load", "versions"} <= set(data["machine"])
    assert data["machine"]["versions"]["sentry-sdk"] == sentry_sdk.VERSION
    part = data["parts"]["costs"]
    assert part["method"] == "as it was"
    assert part["not measured"] == {"datadog": "not installed"}
    assert part["figures"]["excluded, no trace"]["ours"] == {"median": 8.0, "low": 7.0, "high": 9.0}
    chart = tmp_path / "results" / "costs.png"
    assert chart in written
    assert chart.read_bytes().startswith(b"\x89PNG")


def test_no_matplotlib_is_no_chart_and_no_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    log = Log()
    assert [path.name for path in results.write(_found(), machine.facts(), log, quick=True)] == ["results.json"]
    assert "the chart" in log.absent


def test_the_page_gets_the_tables_between_its_marks(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- results -->\nold\n<!-- end of results -->\nafter\n")
    results.write_page("new\n")
    assert page.read_text() == "before\n<!-- results -->\nnew\n<!-- end of results -->\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="to put the results between"):
        results.write_page("new")


def test_the_page_has_these_marks():
    text = (Path(results.__file__).parent / "README.md").read_text()
    assert text.count("<!-- results -->") == text.count("<!-- end of results -->") == 1


def test_who_is_missing_is_named_beside_the_tables():
    shown = list(results.shown(Result(method="as it was", tables=["a table"], data={}), {"datadog": "not installed"}))
    assert shown == ["a table", "*as it was*\n", "Not measured: ddtrace (not installed).\n"]


# -- the gate --------------------------------------------------------------------------------------------------------

LIMITS = {
    "fast": Threshold(what="fast", least=8.0, target="at least 10", reason="less a margin"),
    "small": Threshold(what="small", most=2.0, target="at most 1", reason="less a margin"),
}


def take(fast=9.0, small=1.0):
    return {"fast": Spread.of([fast]), "small": Spread.of([small])}


@pytest.mark.parametrize(
    ("measured", "number", "missed"),
    [
        ([take()], 1, []),
        ([take(fast=8.0, small=2.0)], 1, []),
        ([take(fast=7.9), take(), take()], 3, []),
        ([take(fast=7.9), take(fast=7.9)], 2, ["fast"]),
        ([take(fast=7.9), take(), take(fast=7.9)], 3, ["fast"]),
        ([take(small=2.1), take(small=2.1)], 2, ["small"]),
        ([take(fast=7.9), take(small=2.1), take()], 3, []),
    ],
)
def test_a_figure_fails_that_misses_its_threshold_in_two_of_three_takes(measured, number, missed):
    made = iter(measured)
    takes = gate.decide(lambda: next(made), LIMITS)
    assert len(takes) == number
    assert gate.failed(takes, LIMITS) == missed
    verdicts = {row[0]: row[3] for row in gate.rows(takes, LIMITS)}
    assert verdicts == {key: "FAILED" if key in missed else "holds" for key in LIMITS}


def test_the_median_counts_and_not_a_round_that_was_off():
    wild = {"fast": Spread.of([9.0, 9.0, 0.1]), "small": Spread.of([1.0, 1.0, 50.0])}
    assert gate.failed([wild, wild], LIMITS) == []


@pytest.mark.parametrize(("fast", "code"), [(9.0, 0), (2.0, 1)])
def test_the_gate_ends_with_1_where_a_figure_has_failed(fast, code, capsys, monkeypatch):
    monkeypatch.setattr(gate, "THRESHOLDS", LIMITS)
    monkeypatch.setattr(gate, "PARTS", (lambda log: take(fast=fast),))
    assert gate.main(Log()) == code
    assert ("FAILED" in capsys.readouterr().out) == bool(code)


@pytest.mark.parametrize("key", gate.THRESHOLDS)
def test_each_threshold_is_one_bound_with_its_reason(key):
    threshold = gate.THRESHOLDS[key]
    assert (threshold.least is None) != (threshold.most is None)
    assert threshold.reason
    worse = threshold.least / 2 if threshold.least is not None else threshold.most * 2
    assert not threshold.holds(worse)


# -- guards ----------------------------------------------------------------------------------------------------------


def guard(**options):
    return Guard(None, CASES["sampled"], trace=True, scrubs=True, **options)


def payload(**changed):
    made = {
        "type": "transaction",
        "request": {"method": "GET", "url": "http://x/api/orders/1", "headers": {"user-agent": "x"}},
        "contexts": {"trace": {"trace_id": TRACE_ID}},
        "user": {"id": "alice"},
        "tags": {"team": "shop", "hook": "ran"},
    }
    return {**made, **changed}


OUTGOING = [{"sentry-trace": f"{TRACE_ID}-1111111111111111-1", "baggage": f"sentry-trace_id={TRACE_ID}"}]


def test_a_guard_has_nothing_to_say_of_what_is_right():
    assert list(guard().check_payload(payload(), OUTGOING, user="alice")) == []
    assert list(guard()._check_outgoing(OUTGOING)) == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"request": {}}, "without the request's method"),
        ({"request": {"method": "GET", "url": "http://x/api/orders/1"}}, "without the request's headers"),
        ({"contexts": {"trace": {"trace_id": "0" * 32}}}, "in the trace"),
        ({"user": {"id": "bob"}}, "of the user"),
        ({"tags": {"team": "shop"}}, "past the processor or the hook"),
        ({"extra": SECRETS[0]}, "with the secret"),
        ({"type": None}, "without the app's frame"),
    ],
)
def test_a_guard_sees_what_is_wrong_in_what_is_sent(changed, complaint):
    assert any(complaint in said for said in guard().check_payload(payload(**changed), OUTGOING, user="alice"))


@pytest.mark.parametrize(
    ("outgoing", "complaint"),
    [
        ([], "no outgoing trace header"),
        ([{**OUTGOING[0], "sentry-trace": f"{TRACE_ID}-1111111111111111-0"}], "goes on as -0"),
        ([{**OUTGOING[0], "sentry-trace": f"{'0' * 32}-1111111111111111-1"}], "goes on in the trace"),
        ([{**OUTGOING[0], "baggage": ""}], "the outgoing baggage"),
    ],
)
def test_a_guard_sees_what_is_wrong_in_what_goes_on(outgoing, complaint):
    assert any(complaint in said for said in guard()._check_outgoing(outgoing))


@pytest.fixture(scope="module")
def shaped():
    """A request with spans, a tag, a body and a password, its body, and what is sent of it."""
    [scope] = several(CASES["sampled"], 1, trace=False, basic=True, spans=2, tag="blue")
    [body] = with_documents([scope], 100)
    payload = {
        "spans": [{"op": "middleware"}, {"op": "db"}, {"op": "db"}],
        "tags": {"shelf": "blue"},
        "request": {"data": json.loads(body), "headers": {"authorization": "[Filtered]"}},
    }
    return scope, body, payload


def of_shape(shaped, *, scrubs=True, attaches=True, **changed):
    scope, body, payload = shaped
    found = {"transaction": [{**payload, **changed}], "event": []}
    return list(check_shape(found, scope, body, scrubs=scrubs, attaches=attaches))


def test_what_a_shaped_request_should_send_is_right(shaped):
    assert of_shape(shaped) == []


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"spans": [{"op": "db"}]}, "1 of the app's spans, expected 2"),
        ({"tags": None}, "the tag None"),
        ({"request": {}}, "the body"),
        ({"request": {"data": {"orders": [{"id": -1}]}}}, "the body of another request"),
        ({"attaches": False}, "the body"),
    ],
)
def test_a_guard_sees_what_a_shaped_request_lacks(shaped, changed, complaint):
    assert any(complaint in said for said in of_shape(shaped, **changed))


@pytest.mark.parametrize("part", ["the header", "the password"])
def test_a_guard_sees_the_password_of_a_shaped_request(shaped, part):
    header = dict(shaped[0]["headers"])[b"authorization"].decode().removeprefix("Basic ")
    secret = header if part == "the header" else base64.b64decode(header).decode().partition(":")[2]
    assert len(of_shape(shaped, extra=f"a {secret} b")) == 1
    assert of_shape(shaped, extra=f"a {secret} b", scrubs=False) == []


def test_a_guard_wants_one_item_of_a_shaped_request(shaped):
    scope, body, payload = shaped
    for found in ({"transaction": [], "event": []}, {"transaction": [payload], "event": [payload]}):
        [said] = check_shape(found, scope, body, scrubs=True, attaches=True)
        assert "expected 1" in said


class Counted:
    """A transport as far as a tally reads it."""

    def __init__(self):
        self.sent = {}
        self.lost = {}

    def losses(self):
        return dict(self.lost)


@pytest.mark.parametrize(
    ("sent", "lost", "complaint"),
    [
        ({"transaction": 10}, {}, None),
        ({"transaction": 9}, {}, "9 of transaction in 10"),
        ({"transaction": 10, "event": 1}, {}, "1 of event in 10"),
        ({"transaction": 10}, {("error", "queue_overflow"): 1}, "1 of other losses in 10"),
    ],
)
def test_a_tally_counts_what_was_sent_and_lost(sent, lost, complaint, monkeypatch):
    transport = Counted()
    monkeypatch.setattr(Bench, "last", transport)
    tally = Tally()
    transport.sent, transport.lost = sent, lost
    if complaint is None:
        tally.check(CASES["sampled"], 10)
    else:
        with pytest.raises(GuardError, match=complaint):
            tally.check(CASES["sampled"], 10)


# -- the wire --------------------------------------------------------------------------------------------------------

ENVELOPE = (
    b'{"event_id":"a"}\n'
    b'{"type":"transaction","length":21}\n{"event_id":"t1"}\n\n\n\n\n'
    b'{"type":"session"}\n{"sid":1}\n'
    b'{"type":"transaction","length":17}\n{"event_id":"t2"}'
)


def test_the_items_of_an_envelope_are_told_apart_with_and_without_their_length():
    assert [(header["type"], json.loads(payload)) for header, payload in sink.items(ENVELOPE)] == [
        ("transaction", {"event_id": "t1"}),
        ("session", {"sid": 1}),
        ("transaction", {"event_id": "t2"}),
    ]


def post(port, bodies):
    """Over one connection: the status of each answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    statuses = []
    try:
        for encoding, body in bodies:
            headers = {"Content-Encoding": encoding} if encoding else {}
            connection.request("POST", "/api/7/envelope/", body=body, headers=headers)
            with connection.getresponse() as answer:
                statuses.append((answer.status, answer.read()))
    finally:
        connection.close()
    return statuses


@pytest.fixture(scope="module")
def listening():
    process = Process("sink", "loopback", module=wire.SINK)
    try:
        process.await_start()
        yield process
    finally:
        process.close()


def test_the_sink_keeps_a_connection_and_counts_what_came_by_project(listening):
    sent = [(None, ENVELOPE), ("gzip", gzip.compress(ENVELOPE))]
    assert post(listening.tell("port"), sent) == [(200, b"{}")] * 2
    counts = listening.tell("counts", project="7")
    assert counts["requests"] == 2
    assert counts["connections"] == 1
    assert counts["encodings"] == ["gzip", "identity"]
    assert counts["bytes"] == sum(len(body) for _, body in sent)
    assert counts["items"] == {"transaction": 4, "session": 2}
    assert counts["transactions"] == 2  # by their ids
    assert listening.tell("last", project="7") == {"event_id": "t2"}
    assert listening.tell("counts", project="8")["requests"] == 0


def test_the_sink_refuses_what_declares_no_length(listening):
    before = listening.tell("counts", project="7")
    connection = http.client.HTTPConnection("127.0.0.1", listening.tell("port"), timeout=10)
    try:
        connection.request("GET", "/api/7/envelope/")
        assert connection.getresponse().status == 411
    finally:
        connection.close()
    assert listening.tell("counts", project="7") == before


class Told:
    """A process whose answers are given, by command, one after another."""

    def __init__(self, **answers):
        self.answers = {command: list(given) for command, given in answers.items()}

    def tell(self, do, **_):
        return self.answers[do].pop(0)


def a_sender(before, after, **answers):
    counts = [{"transactions": before}, {"transactions": after}]
    answers = {"block": [[1.0, 9.0]], "one": [None], "last": [payload()], **answers}
    told = Told(counts=counts, **answers)
    return wire.Sender(name="ours", process=told, sink=told, project="7")


def test_a_round_counts_if_all_of_it_came_to_the_sink():
    assert a_sender(5, 15).block(10) == (1.0, 9.0)


@pytest.mark.parametrize("after", [14, 16])
def test_a_round_ends_the_run_of_which_the_sink_got_something_else(after):
    with pytest.raises(BenchmarkError, match=f"ours: {after - 5} transactions at the sink, of 10 requests"):
        a_sender(5, after).block(10)


def test_what_arrives_is_what_the_sink_got():
    assert a_sender(5, 12, rush=[None]).rush(10, 500) == 0.7


def test_a_transaction_is_looked_at_as_it_came_to_the_sink():
    a_sender(5, 6).check()
    with pytest.raises(BenchmarkError, match="with the secret"):
        a_sender(5, 6, last=[payload(extra=SECRETS[1])]).check()
    with pytest.raises(BenchmarkError, match="not one transaction"):
        a_sender(5, 5).check()


def test_the_table_of_the_wire_sets_each_beside_the_sdk_that_does_the_same_job():
    def over(value, encoding):
        return wire.Measured(over=[value] * 2, bare=[1.0] * 2, kilobytes=1.25, encodings=[encoding], connections=1)

    found = {
        "ours_plain": over(10.0, "gzip"),
        "ours": over(20.0, "gzip"),
        "sdk_same": over(40.0, "br"),
        "sdk": over(50.0, "br"),
        "sdk_plain": over(30.0, "br"),
    }
    made = wire.report(found, {"sdk_same": dict.fromkeys(wire.PACES, 0.7)}, 4)
    assert made.tables[1].count("70.0%") == len(wire.PACES)
    assert made.data["sdk_same"]["arrived"][500] == 0.7
    assert [made.data[name]["same job / this"].median for name in ("ours_plain", "ours")] == [4.0, 2.5]
    assert [made.data[name]["default / this"].median for name in ("ours_plain", "ours")] == [3.0, 1.5]
    assert made.data["sdk"]["same job / this"] is None
    assert "with orjson" in made.method or "without orjson" in made.method
    assert json.loads(json.dumps(made.data, default=results._plain))


def test_the_wire_is_measured():
    found = wire.measure(("ours_plain_lean", "sdk_same"), 1, 60, Log())
    assert [len(measured.over) for measured in found.values()] == [1, 1]
    assert {measured.connections for measured in found.values()} == {1}
    parts = wire.arrived(("ours_plain_lean",), 0.1, Log())
    assert parts["ours_plain_lean"].keys() == {*wire.PACES}


# -- traffic ---------------------------------------------------------------------------------------------------------


def test_no_request_is_like_another():
    made = several(CASES["sampled"], 50, trace=True)
    for told in (
        [scope["path"] for scope in made],
        [str(scope["headers"]) for scope in made],
        [scope["query_string"] for scope in made],
        [scope["user"].identity for scope in made],
    ):
        assert len(set(told)) == 50
    assert {len(scope["headers"]) for scope in made} == {14}


def test_no_authorization_and_no_body_is_like_another():
    made = several(CASES["sampled"], 50, trace=False, basic=True)
    assert len({dict(scope["headers"])[b"authorization"] for scope in made}) == 50
    told = with_documents(made, 500)
    assert len(set(told)) == 50
    lengths = [int(dict(scope["headers"])[b"content-length"]) for scope in made]
    assert lengths == [len(body) for body in told]


@pytest.mark.parametrize("size", [10, 1_000, 100_000])
def test_a_document_has_about_the_size_it_should(size):
    body = document(size)
    assert size <= len(body) <= size + 150
    assert json.loads(body)["orders"]


def test_the_longest_step_is_between_two_waits():
    async def app(scope, receive, send):
        if scope["long"]:
            sum(range(200_000))
        await asyncio.sleep(0)

    async def measured():
        return await longest(app, [{"long": False}, {"long": True}, {"long": False}], lambda: None)

    processor, wall = asyncio.run(measured())
    assert len(processor) == len(wall) == 3
    assert max(processor) == processor[1]


# -- parts, with figures that are given --------------------------------------------------------------------------------


class Given(Process):
    """A contender's process that is none: answers as a worker would."""

    absent = "datadog"

    def __init__(self, contender, framework):
        self.contender, self.skipped = contender, None

    def await_start(self):
        if self.contender == self.absent:
            self.skipped = "not installed"

    def close(self):
        pass

    def tell(self, do, **command):
        over = 80.0 if self.contender.startswith("sdk") else 8.0
        return {"guard": None, "steps": [[over, over], [over, over]]}.get(do, [1.0, 1.0 + over])


@pytest.fixture
def given(monkeypatch):
    monkeypatch.setattr(harness, "Process", Given)


@pytest.mark.usefixtures("given")
@pytest.mark.parametrize(
    "run", [costs.run, costs.run_frameworks, layers.run, blocking.run, growth.run, bodies.run, sent.run]
)
@pytest.mark.parametrize("quick", [True, False])
def test_each_part_gives_tables_their_method_and_data(run, quick):
    made = run(Log(), quick=quick)
    assert made.method
    assert made.tables
    assert json.loads(json.dumps(made.data, default=results._plain))


@pytest.mark.usefixtures("given")
def test_a_contender_that_is_not_installed_is_named_and_the_others_measured(capsys):
    log = Log()
    made = costs.run(log, quick=True)
    assert log.absent == {"datadog": "not installed"}
    assert capsys.readouterr().err == "skipped datadog: not installed\n"
    assert set(made.data["unsampled, no trace"]) == {"bare", "ours", "sdk", "noop", "otel", "elastic", "sdk / ours"}


@pytest.mark.usefixtures("given")
def test_the_gate_takes_its_figures_from_there():
    found = gate.of_requests(Log())
    assert {key: spread.median for key, spread in found.items()} == {
        **dict.fromkeys(("excluded", "unsampled", "sampled", "error"), 10.0),
        "no DSN": 1.0,
    }
    assert gate.of_layers(Log())["layers"].median == 1.0
    assert gate.of_the_loop(Log())["blocked"].median == 10.0


SHARED_AT_A_TENTH = ["0.90 (0.90..0.90)", "0.95 (0.95..0.95)", "0.60 (0.60..0.60)"]
SHARED = [SHARED_AT_A_TENTH[0], "-", SHARED_AT_A_TENTH[2]]  # where nothing is sent no hook is called


class Answering:
    """A server that is none: it takes a second of processor time for any load."""

    def __init__(self, contender):
        self.contender = contender


@pytest.fixture
def served(monkeypatch):
    """Loads are given: the bare app answers a thousand requests, others fewer."""
    started = []

    @contextmanager
    def begin(kind, contenders, framework, log):
        started.append(kind)
        yield [] if kind == "granian" else [Answering(name) for name in contenders]

    def loaded(running, traffic, rounds, seconds):
        found = {}
        for one in running:
            measured = found[one.contender] = servers.Measured()
            for _ in range(rounds):
                requests = {"bare": 1_000, "ours": 900, "ours_plain": 950, "sdk": 600}.get(one.contender, 500)
                measured.loads.append(load.Load(requests=requests, seconds=1, failed=0, p50=1, p90=2, p99=3))
                measured.spent.append(1.0)
        return found

    monkeypatch.setattr(servers, "servers", begin)
    monkeypatch.setattr(servers, "measure", loaded)
    return started


def test_each_server_s_share_of_the_bare_app_is_in_one_table_with_the_targets(served):
    made = servers.run(Log(), quick=False)
    assert served == ["uvicorn-h11", "uvicorn-uvloop", "granian"]
    title, _, _, _, *rows = made.tables[-1].strip().splitlines()
    assert "share of the bare app's requests per processor second" in title
    assert [[cell.strip() for cell in row.strip("| ").split("|")] for row in rows] == [
        ["uvicorn with h11, rate 0.1, no trace", "1000 (1000..1000)", *SHARED_AT_A_TENTH, "0.7 (0.85)"],
        ["uvicorn with h11, unsampled, no trace", "1000 (1000..1000)", *SHARED, "0.85 (0.93)"],
        ["uvicorn with uvloop and httptools, rate 0.1, no trace", "1000 (1000..1000)", *SHARED_AT_A_TENTH, "-"],
        ["uvicorn with uvloop and httptools, unsampled, no trace", "1000 (1000..1000)", *SHARED, "-"],
    ]
    assert json.loads(json.dumps(made.data, default=results._plain))


@pytest.mark.usefixtures("served")
def test_few_servers_are_loaded_where_it_is_to_be_quick():
    made = servers.run(Log(), quick=True)
    assert len(made.tables) == 2


def test_a_server_without_its_parts_is_named_with_what_is_missing(monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "httptools" else found(name))
    log = Log()
    with servers.servers("uvicorn-uvloop", ("ours",), "fastapi", log) as running:
        assert running == []
    assert log.absent == {"uvicorn with uvloop and httptools": "not installed: httptools"}


@pytest.mark.parametrize("kind", [kind for kind in servers.KINDS if kind != "granian"])
def test_uvicorn_runs_on_what_its_name_says(kind):
    """What it needs is what it is told to run on; without a choice it picks by itself."""
    told = server.UVICORN[kind]
    assert {name for name in told.values() if name != "asyncio"} == set(servers.KINDS[kind].needs) - {"uvicorn"}


def test_the_start_is_measured(monkeypatch):
    monkeypatch.setattr(start, "STATEMENTS", {"import json": "import json"})
    monkeypatch.setattr(start, "own_modules", lambda runs: [("asgi_sentry", 1.0)])
    assert set(start.run(Log(), quick=True).data["times"]) == {"import json"}


# -- the same, measured, in the smallest form ------------------------------------------------------------------------

ALL_THAT_A_WORKER_DOES = (
    ("guard", {"case": "error", "trace": True}),
    ("block", {"case": "excluded", "trace": True}),
    ("block", {"case": "sampled", "trace": False, "spans": 2, "number": 40}),
    ("block", {"case": "error", "trace": False, "frames": 3}),
    ("block", {"case": "sampled", "trace": False, "body": 500, "tag": "blue", "basic": True}),
    ("crowd", {"case": "unsampled", "requests": 10}),
    ("body", {"case": "unsampled", "size": 100_000, "repeat": 2}),
    ("memory", {"case": "unsampled", "size": 100_000}),
    ("document", {"case": "error", "size": 1_000}),
    ("steps", {"case": "sampled"}),
)


def test_a_worker_measures_what_it_is_told():
    process = Process("ours", "raw")
    try:
        process.await_start()
        answers = [process.tell(do, **command) for do, command in ALL_THAT_A_WORKER_DOES]
    finally:
        process.close()
    assert answers[0] is None
    assert [len(answer) for answer in answers[1:]] == [2] * (len(ALL_THAT_A_WORKER_DOES) - 1)


def test_costs_are_measured_on_a_framework_that_the_sdk_patches():
    found = costs.measure(("ours", "sdk"), "fastapi", 1, Log(), cases=("unsampled",))
    assert set(found) == {(name, "unsampled", trace) for name in ("bare", "ours", "sdk") for trace in (False, True)}


def test_what_is_sent_is_measured_beside_the_sdk_doing_the_same_job_and_as_it_comes():
    """On a framework each of them attaches the body, and its guard wants to see it."""
    rows = [row for row in sent.ROWS if row.shape.get("body")]
    found = sent.measure("fastapi", 1, Log(), rows)
    assert list(found) == ["block", "loop"]
    for by_row in found.values():
        assert [set(columns) for columns in by_row.values()] == [{"bare", "ours", "same", "default"}]
    made = sent.report(found, "fastapi", rows)
    assert [table.splitlines()[-1].split("|")[-2].strip() for table in made.tables] == ["3 (4)"] * 2


def test_a_contender_that_sends_something_else_than_it_should_ends_the_run():
    """Scrubbing turns a token into another tag than the app has set."""
    process = Process("ours_plain", "raw")
    try:
        process.await_start()
        process.tell("look", case="sampled", trace=False, spans=3)
        with pytest.raises(BenchmarkError, match="the tag"):
            process.tell("look", case="sampled", trace=False, tag=f"Bearer {SECRETS[0]}")
    finally:
        process.close()


def test_a_server_is_loaded_without_wrk(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert load.generator() != "wrk"
    with servers.servers("uvicorn-h11", ("ours",), "fastapi", Log()) as running:
        for traffic in (servers.RATE_OF_A_TENTH_TRACE, servers.ERROR):
            [one] = servers.measure(running, traffic, 1, 0.5)["ours"].loads
            assert one.requests > one.failed == 0
            assert one.p50 <= one.p90 <= one.p99


def test_what_a_contender_fails_at_ends_the_run():
    process = Process("noop", "raw")
    try:
        process.await_start()
        with pytest.raises(BenchmarkError, match="noop on raw: KeyError"):
            process.tell("block", case="no such case", trace=False)
    finally:
        process.close()


def test_an_error_is_captured_as_the_sdk_serialises_it():
    text = captured.capture()
    one, other = (captured.another(text, random.Random(seed)) for seed in (1, 2))
    assert len(one["exception"]["values"][0]["stacktrace"]["frames"]) == 40
    assert one["request"]["headers"]["authorization"].startswith("Bearer")
    assert one["request"]["url"] != other["request"]["url"]
