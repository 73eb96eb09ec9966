"""What the SDK's options switch off stays off, whichever layers are there."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
from functools import cache, partial
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.consts import DEFAULT_OPTIONS

import asgi_sentry
from asgi_sentry._sdk.collection import SENSITIVE, Collection, collection_of
from asgi_sentry.testing import RecordingTransport, request
from tests.collected import EVERYTHING, PARTS
from tests.conftest import DSN, mode_options

V3 = sentry_sdk.VERSION.startswith("3")
OFF = {"mode": "off"}
needs_data_collection = pytest.mark.skipif(
    "data_collection" not in DEFAULT_OPTIONS, reason="this version has no option `data_collection`"
)
HEADERS = [("host", "h"), ("x-note", "n"), ("cookie", "theme=dark"), ("content-type", "application/json")]


def sent(mode: str, **options: Any) -> list[dict[str, Any]]:
    """The request and the user of an error, and of its transaction in classic mode."""
    transport = RecordingTransport()
    settings = asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0)
    asgi_sentry.init(settings, transport=transport, **mode_options(mode), **options)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = {"id": "7"}
        await receive()
        raise RuntimeError("boom")

    stack = asgi_sentry.compose(
        app,
        partial(asgi_sentry.UserContextMiddleware, client_ip="keep"),
        asgi_sentry.HeaderScrubbingMiddleware,
        partial(asgi_sentry.BodyScrubbingMiddleware, attach="always"),
    )
    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(partial(request, stack, "POST", "/boom", headers=HEADERS, body=b'{"a":"b"}', query=b"q=1&r=2"))
    sentry_sdk.flush()
    if mode == "stream":
        assert transport.items("span")
    events = [*transport.items("event"), *transport.items("transaction")]
    return [{**event["request"], "user": event.get("user")} for event in events]


def test_all_is_there_by_default(mode):
    for each in sent(mode):
        assert each["headers"]["x-note"] == "n"
        assert each["cookies"] == {"theme": "dark"}
        assert (each["query_string"], each["data"]) == ("q=1&r=2", {"a": "b"})
        assert each["user"] == {"id": "7", "ip_address": "127.0.0.1"}


@needs_data_collection
@pytest.mark.parametrize(
    ("part", "value", "gone"),
    [
        ("cookies", OFF, ["dark", "cookie"]),
        ("http_headers", {"request": OFF}, ["x-note"]),
        ("url_query_params", OFF, ["q=1", "query_string"]),
        ("http_bodies", [], ['"data"']),
        ("user_info", False, ['"id"', "127.0.0.1"]),
    ],
)
def test_each_part_that_is_off_stays_off_and_no_other(mode, part, value, gone):
    all_marks = ["dark", "x-note", "q=1", '"data"', '"id"']
    for each in sent(mode, data_collection={part: value}):
        shown = json.dumps(each)
        assert not [mark for mark in gone if mark in shown]
        kept = [mark for mark in all_marks if mark not in gone]
        assert all(mark in shown for mark in kept), shown


@pytest.mark.skipif(V3, reason="version 3 has no such option")
@pytest.mark.filterwarnings("ignore:.*send_default_pii.*:DeprecationWarning")
def test_no_pii_by_hand_is_no_cookie_and_no_user(mode):
    for each in sent(mode, send_default_pii=False):
        shown = json.dumps(each)
        assert "dark" not in shown
        assert each["user"] is None
        assert each["headers"]["x-note"] == "n"


@needs_data_collection
def test_what_the_app_says_itself_is_sent(mode):
    transport = RecordingTransport()
    options = {"data_collection": {"user_info": False}}
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=transport, **mode_options(mode), **options)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        asgi_sentry.set_user_context(9)
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(request, asgi_sentry.wrap(app))
    (event,) = transport.items("event")
    assert event["user"] == {"id": "9"}


def test_terms_decide_which_values_are_shown():
    given = {"http_headers": {"request": {"mode": "allowlist", "terms": ["note"]}}}
    given["url_query_params"] = {"mode": "denylist", "terms": ["q"]}
    collection = collection_of({"data_collection": {**given, "provided_by_user": True}})
    section = {"headers": {"x-note": "n", "host": "h"}, "query_string": "q=1&r=2&r=3", "method": "GET"}
    assert collection.limit(section) == {
        "headers": {"x-note": "n", "host": "[Filtered]"},
        "query_string": "q=[Filtered]&r=2&r=3",
        "method": "GET",
    }


@pytest.mark.parametrize(
    ("off", "gone"),
    [
        ({"document": False}, {"find {", "$note"}),
        ({"variables": False}, {"seven"}),
        ({"document": False, "variables": False}, {"find {", "$note", "seven"}),
    ],
)
@pytest.mark.parametrize(
    "data",
    [
        {"query": "query q($note: String) { find { id } }", "variables": {"note": "seven"}, "operationName": "q"},
        [{"query": "{ find { id } }", "variables": {"note": "seven"}}, {"query": "{ find { id } }"}],
        {"variables": {"note": "seven"}, "extensions": {"persistedQuery": {"version": 1}}},
        {"operations": '{"query": "{ find { id } }", "variables": {"note": "seven"}}', "map": "{}"},
        '{"query": "{ find { id } }", "variables": {"note": "seven", "more": "cut o',
        "query q($note: String) { find { id } }",
    ],
    ids=lambda data: type(data).__name__,
)
def test_graphql_that_is_off_is_in_no_body(off, gone, data):
    collection = collection_of({"data_collection": {"graphql": off, "provided_by_user": True}})
    left = json.dumps(collection.limit({"data": data}))
    assert not [mark for mark in gone if mark in left]


@pytest.mark.parametrize("data", [{"query": "red shoes", "variables": 3}, [1], "say {hello}", {"id": 7}, None])
def test_what_is_no_graphql_stays(data):
    collection = collection_of({"data_collection": {"graphql": {"document": False}, "provided_by_user": True}})
    assert collection.limit({"data": data}) == {"data": data}


def test_graphql_in_the_query_string():
    given = {"graphql": {"document": False, "variables": False}, "provided_by_user": True}
    collection = collection_of({"data_collection": given})
    section = {"query_string": "query=%7B%20find%20%7B%20id%20%7D%20%7D&variables=%7B%7D&page=2"}
    assert collection.limit(section) == {"query_string": "page=2"}
    assert collection.limit({"query_string": "query=red+shoes"}) == {"query_string": "query=red+shoes"}


@needs_data_collection
def test_names_that_are_sensitive_are_the_sdks():
    module = importlib.import_module("sentry_sdk.data_collection")
    assert set(SENSITIVE) == set(module._SENSITIVE_DENYLIST)


@needs_data_collection
def test_each_part_that_the_sdk_knows_is_tried():
    module = importlib.import_module("sentry_sdk.data_collection")
    resolve = getattr(module, "_resolve", None) or module._resolve_explicit
    assert set(resolve({})) - {"provided_by_user"} <= set(PARTS)


@cache
def seen(how: str) -> dict[str, dict[str, dict[str, list[str]]]]:
    """By mode and option, what is sent: by the SDK, or by us."""
    environ = {**os.environ, "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.collected", how, *(["stream"] if V3 else ["classic", "stream"])]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ, timeout=240)
    found: dict[str, dict[str, dict[str, list[str]]]] = json.loads(done.stdout)
    return found


@needs_data_collection
def test_nothing_is_sent_that_the_sdk_leaves_out(mode):
    """For each key of `data_collection`, and `send_default_pii`: what the SDK sends without it, and not with it."""
    sdk, ours = seen("sdk")[mode], seen("ours")[mode]
    assert ours.keys() == sdk.keys()
    whole = sdk[EVERYTHING]
    assert {"headernotemark", "cookiesidebarmark", "querymonkeymark", "framemonkeymark", "usermark"} <= {
        *whole["event"]
    }
    for option, sent in ours.items():
        assert {"event", "trace"} <= {*sent["sent"]}, option
        for kind in ("event", "trace", "log"):
            left_out = set(whole[kind]) - set(sdk[option][kind])
            assert not left_out & set(sent[kind]), (option, kind)
            # And with whom a header is named by nothing that is sensitive, the layers send it.
            if "http_headers" not in option:
                assert kind == "log" or "headernotemark" in sent[kind], (option, kind)


@pytest.mark.parametrize("options", [{}, {"send_default_pii": True}, {"data_collection": None}])
def test_nothing_is_off_unless_somebody_says_so(options):
    assert collection_of(options) == Collection()
    assert Collection().everything
