"""The sink's pages as text: everything is escaped, each redaction has its rule and its place, forms are our own."""

from __future__ import annotations

import html
import json
import re
import time
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asgi_sentry
from asgi_sentry._scrubbing import FILTERED
from asgi_sentry.tools.sink.entries import KINDS
from asgi_sentry.tools.sink.examiner import OF_EACH
from asgi_sentry.tools.sink.pages import compare, formats, listing, overview, waterfall
from asgi_sentry.tools.sink.pages.charts import HEIGHT, stacked
from asgi_sentry.tools.sink.redactions import marks_of, untold_marks
from tests.quick import examples
from tests.tools.sinks import ask, newest, page, send, serving

PAGES = ("/", "/items", "/suspects", "/compare", "/backoff")
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'`{{7*7}}${7*7}javascript:alert(3)"


@pytest.fixture(scope="module")
def sink():
    with serving() as running:
        yield running


@pytest.fixture
def fresh():
    with serving() as running:
        yield running


def everywhere(text: str) -> dict:
    """An event with a text in each field that a page shows."""
    variables = {text: text, "list": [text, {text: text}], "number": 7, "none": None}
    frame = {
        "filename": text, "abs_path": text, "module": text, "function": text, "lineno": 3, "in_app": True,
        "pre_context": [text], "context_line": text, "post_context": [text], "vars": variables,
    }  # fmt: skip
    exception = {"type": text, "value": text, "module": text, "mechanism": {"type": text, "handled": False}}
    return {
        "event_id": text, "level": text, "platform": text, "release": text, "environment": text, "server_name": text,
        "transaction": text, "message": text, "logentry": {"message": text, "formatted": text, "params": [text]},
        "exception": {"values": [{**exception, "stacktrace": {"frames": [frame, frame]}}, exception]},
        "breadcrumbs": {"values": [{"timestamp": 1, "category": text, "level": text, "message": text,
                                    "data": {text: text}}]},
        "request": {"url": text, "method": text, "headers": {text: text}, "cookies": {text: text},
                    "data": {text: [text]}},
        "user": {"id": text, text: text}, "tags": {text: text}, "extra": {text: text}, "modules": {text: text},
        "contexts": {text: {text: text}, "trace": {"trace_id": "a" * 32, "span_id": text, "op": text, "status": text}},
        "sdk": {"name": text, "version": text}, "spans": [{"op": text, "description": text, "start_timestamp": 1,
        "timestamp": 2, "span_id": text}], "start_timestamp": 1, "timestamp": 2,
        "_meta": {"extra": {text: {"": {"rem": [[text, "x"]]}}}, "message": {"": {"rem": [[text, "x"]]}}},
    }  # fmt: skip


def of_every_kind(text: str) -> list[tuple[str, object]]:
    """Items of each kind with a text wherever it can stand."""
    attributes = {
        text: {"value": text, "type": text},
        "user.id": {"value": text},
        "sentry.segment.name": {"value": text},
    }
    entry = {"body": text, "name": text, "level": text, "trace_id": "a" * 32, "attributes": attributes, "unit": text,
             "value": 1, "type": text, "start_timestamp": 1, "end_timestamp": 2, "span_id": text}  # fmt: skip
    return [
        ("event", everywhere(text)),
        ("transaction", everywhere(text)),
        ("span", {"items": [entry, {**entry, "is_segment": True}]}),
        ("log", {"items": [entry]}),
        ("trace_metric", {"items": [entry]}),
        ("session", {"status": text, "did": text, "attrs": {"release": text, "environment": text}}),
        ("check_in", {"monitor_slug": text, "status": text, "environment": text}),
        ("client_report", {"discarded_events": [{"reason": text, "category": text, "quantity": 3}]}),
        ("attachment", text.encode("utf-8", "replace")),
        (text.replace("\\ud800", "") or "x", {"message": text}),
    ]


def every_page(server) -> list[str]:
    """The path of each page that there is."""
    assert server.state.store.settle()
    rows = server.state.store.ask("SELECT id, trace FROM entries")
    paths = [*PAGES, *(f"/items/{row['id']}" for row in rows), *(f"/items/{row['id']}/raw" for row in rows)]
    paths += [f"/items?kind={kind}" for kind in KINDS]
    paths += {f"/traces/{quote(row['trace'])}" for row in rows if row["trace"] and "/" not in row["trace"]}
    pairs = server.state.store.ask("SELECT id FROM entries WHERE sender LIKE 'plain/%'")
    return paths + [f"/compare/{row['id']}" for row in pairs]


# -- strangers ---------------------------------------------------------------------------------------------------------


def test_what_a_stranger_wrote_is_never_markup(fresh):
    for sender in ("shop", "plain/shop"):
        send(fresh, *of_every_kind(SCRIPT), sender=sender, headers={"event_id": SCRIPT, "trace": {"x": SCRIPT}})
    while fresh.state.examiner.look():
        pass
    paths = every_page(fresh)
    assert len(paths) > 40
    for path in paths:
        text = page(fresh, path)
        if path.endswith("/raw"):
            continue
        assert "<script>alert" not in text, path
        assert "<img" not in text, path
        tags = re.findall(r"<[a-z][^>]*>", text)
        assert not [tag for tag in tags if re.search(r"\son\w+\s*=", re.sub(r'"[^"]*"', '""', tag))], path
        assert not [tag for tag in tags if re.search(r'(?:href|src|action)="(?!/|\?|#)[^"]', tag)], path
        assert "49" not in re.findall(r"\{\{7\*7\}\}|\$\{49\}", text)
    assert html.escape(SCRIPT).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in page(
        fresh, f"/items/{newest(fresh, 'error')}"
    )


@pytest.mark.parametrize("path", [*PAGES, "/version", "/static/sink.js", "/items/999", "/nowhere"])
def test_every_answer_carries_the_policy(sink, path):
    _, headers, body = ask(sink, path)
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "*" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["x-frame-options"] == "DENY"
    for nonce in re.findall(r'nonce="([^"]*)"', body.decode()):
        assert f"script-src 'nonce-{nonce}'" in policy
    assert not re.search(r"<(?:script|style)(?![^>]*\bnonce=)", body.decode())
    assert ' style="' not in body.decode()


def test_a_nonce_is_used_once(sink):
    found = {re.search(r"nonce-([\w-]+)", ask(sink, "/")[1]["content-security-policy"])[1] for _ in range(5)}
    assert len(found) == 5


def test_a_payload_as_it_came_is_never_shown_in_place(sink):
    send(sink, ("attachment", b"<script>alert(1)</script>"))
    status, headers, body = ask(sink, f"/items/{newest(sink, 'attachment')}/raw")
    assert (status, body) == (200, b"<script>alert(1)</script>")
    assert headers["content-disposition"].startswith("attachment;")
    assert headers["content-type"] == "application/octet-stream"
    assert "sandbox" in headers["content-security-policy"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.just("\ud800")
    | st.just(FILTERED),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(everywhere("x"))) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=20,
)
SHAPES = sorted(everywhere("x"))


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(st.sampled_from([kind for kind, _ in of_every_kind("x")]), st.dictionaries(st.sampled_from(SHAPES), JSON), JSON)
def test_whatever_was_sent_can_be_looked_at(sink, kind, payload, value):
    whole = everywhere("x") | payload
    send(sink, (kind, whole), (kind, payload), (kind, value), (kind, {"items": [value, whole]}))
    assert sink.state.store.settle()
    last = sink.state.store.ask("SELECT max(id) FROM entries")[0][0]
    while sink.state.examiner.look(500):
        pass
    for path in [*PAGES, *(f"/items/{number}" for number in range(last - 4, last + 1))]:
        assert ask(sink, path)[0] == 200, path
    assert sink.state.store.failed is None


@pytest.mark.parametrize("depth", [30, 900])
def test_a_deep_or_a_wide_payload_is_cut_and_said_so(fresh, depth):
    deep: object = "end"
    for _ in range(depth):
        deep = {"a": deep}
    wide = {f"k{number}": "v" * 20 for number in range(20_000)}
    send(fresh, ("event", {"extra": {"deep": deep, "wide": wide}, "message": "m" * 100_000}))
    text = page(fresh, f"/items/{newest(fresh, 'error')}")
    assert "more; see the raw payload" in text
    assert len(text) < 1_500_000


# -- forms -------------------------------------------------------------------------------------------------------------

FORM = {"Content_Type": "application/x-www-form-urlencoded"}


def token(server) -> str:
    return re.search(r'name="token" value="([^"]+)"', page(server, "/backoff"))[1]


def begin(server, said: str, **headers: str) -> int:
    return ask(server, "/backoff", f"do=begin&status=503&{said}".encode(), **FORM | headers)[0]


def test_a_form_of_ours_begins_and_ends_an_outage(fresh):
    ours = token(fresh)
    own = f"http://127.0.0.1:{fresh.port}"
    assert begin(fresh, f"token={ours}&seconds=5&times=", Origin=own, Sec_Fetch_Site="same-origin") == 303
    assert (fresh.state.outages.now.status, fresh.state.outages.now.seconds) == (503, 5)
    assert "503" in page(fresh, "/items")  # each page says so
    assert ask(fresh, "/backoff", f"do=end&token={ours}".encode(), **FORM)[0] == 303
    assert fresh.state.outages.now is None


@pytest.mark.parametrize(
    ("said", "headers"),
    [
        ("", {}),
        ("token=wrong", {}),
        ("token=%C3%A9", {}),
        ("token={}", {"Origin": "http://evil.example.com"}),
        ("token={}", {"Origin": "null"}),
        ("token={}", {"Sec_Fetch_Site": "cross-site"}),
        ("token={}", {"Sec_Fetch_Site": "same-site"}),
    ],
)
def test_a_form_of_a_stranger_changes_nothing(fresh, said, headers):
    assert begin(fresh, said.format(token(fresh)), **headers) == 403
    assert fresh.state.outages.now is None


@pytest.mark.parametrize("said", ["status=302", "seconds=x", "delay=1e9", "times=0", "categories=%0d%0a", "seconds=-1"])
def test_a_form_that_makes_no_sense_is_told(fresh, said):
    body = f"token={token(fresh)}&do=begin&status=503&{said}".replace("status=503&status", "status").encode()
    status, _, answer = ask(fresh, "/backoff", body, **FORM)
    if "categories" in said:
        assert status == 303  # nothing but spaces is none
        return
    assert status == 400
    assert b"Not begun" in answer
    assert fresh.state.outages.now is None


def test_a_script_may_ask_for_an_outage_and_a_page_may_not(fresh):
    asked = json.dumps({"status": 429, "seconds": 3, "categories": ["error"], "times": 2}).encode()
    kind = {"Content_Type": "application/json"}
    assert ask(fresh, "/backoff", asked, **kind, Origin="http://evil.example.com")[0] == 403
    assert ask(fresh, "/backoff", asked, Content_Type="text/plain")[0] == 403
    assert ask(fresh, "/backoff", method="OPTIONS", Origin="http://evil.example.com")[0] in {404, 405}
    assert fresh.state.outages.now is None
    assert ask(fresh, "/backoff", asked, **kind)[0] == 200
    assert fresh.state.outages.now.categories == ("error",)
    for wrong in (b"[]", b"{", b'{"status": "x"}', b'{"status": 503, "more": 1}', b'{"status": 503, "categories": 7}'):
        assert ask(fresh, "/backoff", wrong, **kind)[0] == 400
    assert ask(fresh, "/backoff", b'{"status": null}', **kind)[0] == 200
    assert fresh.state.outages.now is None
    assert ask(fresh, "/backoff", b"x" * 10_000, **kind)[0] == 413


# -- redactions --------------------------------------------------------------------------------------------------------


def scrubbed() -> dict:
    event = {
        "message": "mail bob@example.com",
        "request": {"headers": {"X-Api-Key": "hunter2hunter2"}, "data": {"list": [{"password": "hunter2"}]}},
        "exception": {"values": [{"type": "E", "value": "https://u:hunter2pw@example.com/",
                      "stacktrace": {"frames": [{"function": "f", "lineno": 1, "filename": "a.py", "in_app": True,
                                                 "context_line": "x", "vars": {"token": "abcdefgh12"}}]}}]},
    }  # fmt: skip
    asgi_sentry.Scrubber().scrub_event(event)
    return event


def test_each_redaction_is_shown_with_its_rule_and_its_place(fresh):
    event = scrubbed()
    send(fresh, ("event", event))
    text = page(fresh, f"/items/{newest(fresh, 'error')}")
    marks = marks_of(event["_meta"])
    assert {mark.place for mark in marks} == {
        "message", "request.headers.X-Api-Key", "request.data.list[0].password", "exception.values[0].value",
        "exception.values[0].stacktrace.frames[0].vars.token",
    }  # fmt: skip
    for mark in marks:
        assert f"<code>{mark.place}</code>" in text
        assert f"– at {mark.place}" in text  # beside the value itself
        assert f">{mark.rule}</span>" in text
    assert text.count("<mark>") >= len(marks)
    assert f"{len(marks)} redactions" in text
    assert "hunter2" not in text


def test_where_no_rule_is_told_the_key_tells(fresh):
    log = {"body": f"login with {FILTERED}", "attributes": {"api_key": {"value": FILTERED, "type": "string"}}}
    send(fresh, ("log", {"items": [log]}))
    text = page(fresh, f"/items/{newest(fresh, 'log')}")
    assert "<code>attributes.api_key</code> <small>by its key" in text
    assert "(no rule told)" in text
    assert {(mark.rule, mark.told) for mark in untold_marks(log)} >= {("(no rule told)", False)}


def test_redactions_are_counted_by_rule(fresh):
    event = scrubbed()
    send(fresh, ("event", event))
    text = page(fresh, "/")
    for rule in {mark.rule for mark in marks_of(event["_meta"])}:
        assert f'<span class="rule">{rule}</span>' in text


# -- suspects ----------------------------------------------------------------------------------------------------------


def test_a_suspect_comes_with_the_line_that_redacts_it_and_a_redaction_with_the_one_that_leaves_it(fresh):
    secret = "k9Xw2Lq8ZpT4vB7nR3mCx5Yd"
    event = {"extra": {"voucher": secret}}
    sent = {**event, "request": {"headers": {"X-Session-Colour": FILTERED}}}
    sent["_meta"] = {"request": {"headers": {"X-Session-Colour": {"": {"rem": [["@password", "x"]]}}}}}
    send(fresh, ("event", sent), sender="shop")
    send(fresh, ("event", {"extra": {"other": secret}}), sender="plain/shop")
    fresh.state.store.settle()
    while fresh.state.examiner.look():
        pass
    (found,) = fresh.state.examiner.suspects  # what is sent by the SDK alone is not examined
    assert (found.place, found.count) == ("extra.voucher", 1)
    assert secret not in found.preview
    names = {"asgi_sentry": asgi_sentry, "Scrubber": asgi_sentry.Scrubber, "init": None}
    inner = found.suggestion.removeprefix("asgi_sentry.init(event_scrubber=").removesuffix(")")
    scrubber = eval(inner, names)
    assert scrubber.scrub(event) == {"extra": {"voucher": FILTERED}}
    (alarm,) = fresh.state.examiner.alarms
    inner = alarm.suggestion.removeprefix("asgi_sentry.init(event_scrubber=").removesuffix(")")
    assert eval(inner, names).scrub({"X-Session-Colour": "blue"}) == {"X-Session-Colour": "blue"}
    text = page(fresh, "/suspects")
    for line in (found.suggestion, alarm.suggestion):
        assert f'data-copy="{html.escape(line).replace("&#x27;", "&#39;")}"' in text
    assert secret not in text


def test_only_the_first_of_each_kind_and_route_are_examined(fresh):
    for _ in range(5):
        send(fresh, *(("event", {"transaction": "GET /x", "extra": {"n": n}}) for n in range(20)))
    fresh.state.store.settle()
    while fresh.state.examiner.look():
        pass
    assert fresh.state.examiner.examined == OF_EACH
    assert fresh.state.examiner.waiting == 0


# -- lists -------------------------------------------------------------------------------------------------------------


def titles(server, query: str) -> list[str]:
    return [html.unescape(one) for one in re.findall(r"<b>([^<]*)</b>\s*<small>", page(server, f"/items?{query}"))]


@pytest.fixture(scope="module")
def filled():
    with serving() as server:
        for number, (user, release) in enumerate([("ann", "a@1"), ("bob", "a@2"), ("ann", "a@2")]):
            common = {"user": {"id": user}, "release": release, "extra": {"note": f"näïve {number} 100%"}}
            send(server, ("event", {"message": f"e{number}", "transaction": "GET /a", **common}), sender="shop")
            send(server, ("transaction", {"transaction": f"GET /{'ab'[number % 2]}", **common}), sender="blog")
        assert server.state.store.settle()
        yield server


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("kind=error", ["e2", "e1", "e0"]),
        ("kind=error&user=ann", ["e2", "e0"]),
        ("user=bob", ["GET /b", "e1"]),
        ("release=a%401", ["GET /a", "e0"]),
        ("sender=shop&release=a%402", ["e2", "e1"]),
        ("route=%2Fb", ["GET /b"]),
        ("q=e1", ["e1"]),
        ("q=n%C3%A4%C3%AFve+1", ["GET /b", "e1"]),
        ("q=100%25&kind=error", ["e2", "e1", "e0"]),
        ("q=100_", []),
        ("kind=nothing&user=bob", ["GET /b", "e1"]),
        ("before=3", ["GET /a", "e0"]),
        ("before=x&user=bob", ["GET /b", "e1"]),
    ],
)
def test_filters_find_what_they_say(filled, query, found):
    assert titles(filled, query) == found


def test_a_list_is_paged_without_losing_or_repeating_any():
    with serving() as server:
        send(server, *(("event", {"message": f"e{number}"}) for number in range(130)))
        seen, path = [], "/items?kind=error"
        while path:
            text = page(server, path)
            seen += re.findall(r"<b>(e\d+)</b>", text)
            older = re.search(r'<a href="([^"]+)" rel="next">Older', text)
            path = html.unescape(older[1]) if older else None
        assert seen == [f"e{number}" for number in reversed(range(130))]


def test_a_search_ends_in_time_and_goes_on_where_it_ended(filled):
    found, before, times = [], None, 0
    while True:
        result = listing.find(filled.state.store, listing.Filters(text="e0"), before=before, patience=-1)
        found += [row["title"] for row in result.entries]
        times += 1
        if result.older is None:
            break
        assert not result.searched_all
        before = result.older
    assert found == ["e0"]
    assert times >= 1


# -- the overview ------------------------------------------------------------------------------------------------------


def test_the_overview_counts_extrapolates_and_projects(fresh):
    trace = {"contexts": {"trace": {"trace_id": "a" * 32, "data": {}}}}
    for _ in range(3):
        send(fresh, ("transaction", {"transaction": "GET /a", **trace}), headers={"trace": {"sample_rate": "0.25"}})
    late = {"contexts": {"trace": {"data": {"asgi_sentry.kept": "errors"}}}}
    send(fresh, ("transaction", {"transaction": "GET /a", **late}))
    send(fresh, ("event", {"transaction": "GET /a"}))
    send(
        fresh,
        ("client_report", {"discarded_events": [{"reason": "sample_rate", "category": "transaction", "quantity": 9}]}),
    )
    send(fresh, ("transaction", {"transaction": "GET /plain"}), sender="plain/shop")
    store = fresh.state.store
    assert store.settle()
    store.count([("", "route:requests", "GET /told", 10), ("", "route:excluded", "GET /told", 10)])
    started = store.ask("SELECT min(arrived) FROM envelopes")[0][0]
    seen = overview.overview(store, sender=None, budgets={"transaction": 1000}, now=started + 86_400)
    routes = {route.name: route for route in seen["routes"]}
    assert set(routes) == {"GET /a", "GET /told"}
    a, told = routes["GET /a"], routes["GET /told"]
    assert (a.requests, a.estimated, a.kept, a.late, a.excluded, a.sampled_out, a.errors) == (
        13,
        True,
        4,
        1,
        None,
        9,
        1,
    )
    assert (told.requests, told.estimated, told.kept, told.excluded, told.sampled_out) == (10, False, 0, 10, 0)
    quota = {one.category: one for one in seen["quotas"]}["transaction"]
    assert (quota.used, round(quota.a_month), quota.budget, quota.over) == (4, 120, 1000, False)
    assert [(row.name, row.value) for row in seen["lost"]] == [("transaction: sample_rate", 9)]
    assert sum(seen["kinds"].values()) == 6
    assert overview.overview(store, sender="plain/shop", budgets={})["kinds"] == {"transaction": 1}
    text = page(fresh, "/?transactions=2")
    assert 'class="bad"' in text
    assert 'value="2"' in text


@given(
    st.lists(
        st.tuples(st.text(max_size=2), st.dictionaries(st.sampled_from("abc"), st.integers(0, 10**6))), max_size=70
    )
)
def test_bars_stay_within_the_chart(columns):
    bars, tallest = stacked(columns, "abc")
    assert tallest == max((sum(counts.values()) for _, counts in columns), default=0)
    for bar in bars:
        assert 0 <= bar.x <= 960
        assert 0 <= bar.y <= HEIGHT
        assert bar.width > 0


@pytest.mark.parametrize(
    ("made", "said"),
    [(formats.number(None), "-"), (formats.number(1234), "1,234"), (formats.number(2.5), "2.5"),
     (formats.number(12_345_678), "12 M"), (formats.size(10), "10 B"), (formats.size(1500), "1.5 KB"),
     (formats.size(123_456), "123 KB"), (formats.size(7e9), "7.0 GB"), (formats.span_of(None), ""),
     (formats.span_of(0.0000004), "0 µs"), (formats.span_of(0.0123), "12 ms"), (formats.span_of(90), "1.5 min"),
     (formats.clock(None), ""), (formats.stamp(0), "1970-01-01 00:00:00 UTC"), (formats.ago(0, 90_000), "1 d ago"),
     (formats.ago(0, 5), "5 s ago")],
)  # fmt: skip
def test_numbers_are_written_for_people(made, said):
    assert made == said


# -- traces and pairs --------------------------------------------------------------------------------------------------


def span(id_: str, parent: str = "", started: float = 0.0, ended: float = 1.0) -> waterfall.Span:
    return waterfall.Span(id=id_, parent=parent, op="op", name=id_, started=started, ended=ended)


SPANS = st.lists(
    st.builds(
        span,
        st.sampled_from("abcde"),
        st.sampled_from(["", *"abcdef"]),
        st.floats(0, 1e10),
        st.floats(0, 1e10),
    ),
    max_size=12,
)


@given(SPANS)
def test_every_span_is_drawn_once_whatever_calls_what(spans):
    fall = waterfall.arrange(spans)
    assert sorted(id(bar.span) for bar in fall.bars) == sorted(map(id, spans))
    for bar in fall.bars:
        assert 0 <= bar.x <= 1000
        assert bar.width > 0
        assert bar.x + bar.width <= 1000.01


def test_spans_stand_below_their_callers():
    fall = waterfall.arrange([span("c", "b", 2), span("a", "", 0, 9), span("b", "a", 1), span("d", "a", 3)])
    assert [(bar.span.id, bar.depth) for bar in fall.bars] == [("a", 0), ("b", 1), ("c", 2), ("d", 1)]


def test_a_trace_goes_across_items(fresh):
    trace = {"trace_id": "b" * 32}
    spans = [{"op": "db", "description": "SELECT", "span_id": "s2", "parent_span_id": "s1", "start_timestamp": 1.2,
              "timestamp": 1.4}]  # fmt: skip
    root = {"contexts": {"trace": {**trace, "span_id": "s1", "op": "http.server"}}, "spans": spans}
    send(
        fresh, ("transaction", {**root, "transaction": "GET /x", "start_timestamp": 1, "timestamp": 2}), sender="front"
    )
    streamed = {**trace, "name": "POST /y", "span_id": "s3", "parent_span_id": "s2", "start_timestamp": 1.25,
                "end_timestamp": 1.3, "is_segment": True}  # fmt: skip
    send(fresh, ("span", {"items": [streamed]}), sender="back")
    error = {"contexts": {"trace": {**trace, "span_id": "s3"}}, "timestamp": 1.27, "message": "broken"}
    send(fresh, ("event", error), ("log", {"items": [{**trace, "body": "a line"}]}), sender="back")
    text = page(fresh, f"/traces/{'b' * 32}")
    names = [re.sub(r"<[^>]+>", "", one).strip() for one in re.findall(r'role="cell">(<b>.*?|<a.*?)</div>', text)]
    assert names == ["http.server GET /x", "db SELECT", "POST /y", "event broken"]
    assert "4 items" in text
    assert "a line" in text
    assert ask(fresh, "/traces/unknown")[0] == 404


def test_two_payloads_are_held_against_each_other(fresh):
    common = {"contexts": {"trace": {"trace_id": "c" * 32}}, "message": "m"}
    plain = {**common, "extra": {"password": "hunter2", "same": 1, "gone": "x"}}
    ours = {**common, "extra": {"password": FILTERED, "same": 1, "more": 2}}
    send(fresh, ("event", plain), sender="plain/shop")
    send(fresh, ("event", ours), sender="shop")
    send(fresh, ("transaction", {"transaction": "GET /health", **common}), sender="plain/shop")
    compared = compare.compare(plain, ours)
    assert compared.counts == {"redacted": 1, "missing": 1, "added": 1, "other": 0, "same": 3}
    text = page(fresh, "/compare")
    assert text.count("not sent") == 1
    for number in re.findall(r"/compare/(\d+)", text):
        assert "Plain sentry-sdk" in page(fresh, f"/compare/{number}")
    ours_id = fresh.state.store.ask("SELECT id FROM entries WHERE sender = 'shop'")[0][0]
    text = page(fresh, f"/compare/{ours_id}")
    assert "hunter2" in text
    assert "<mark>[Filtered]</mark>" in text
    assert "Compare with the plain SDK" in page(fresh, f"/items/{ours_id}")


def test_the_version_changes_with_what_is_shown(fresh):
    before = ask(fresh, "/version")[2]
    assert ask(fresh, "/version")[2] == before
    send(fresh, ("event", {}))
    fresh.state.store.settle()
    deadline = time.monotonic() + 5
    while ask(fresh, "/version")[2] == before:
        assert time.monotonic() < deadline
