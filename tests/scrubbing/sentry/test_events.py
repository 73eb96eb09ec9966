# ruff: noqa: E501 - tables read best one case a line
"""Events and the other items, in the wire form and as the SDK has them before."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any
from unittest import mock

import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk.utils import AnnotatedValue, event_from_exception

from asgi_sentry._scrubbing import FILTERED, Redaction, Scrubber, Taint, collect_taint
from asgi_sentry._scrubbing.headers_and_urls import named_cookies, named_headers
from asgi_sentry._scrubbing.sentry import events
from asgi_sentry._scrubbing.sentry.fields import EVENT
from asgi_sentry._scrubbing.sentry.logentry import secret_parameters
from asgi_sentry._scrubbing.tree.glance import UnusualError
from asgi_sentry.testing import RecordingTransport
from tests.strategies import planted, secret_values

SCRUBBER = Scrubber()
F = FILTERED


def redacted_in(event, **more) -> list[Redaction]:
    """Scrub an event; what was redacted in it."""
    found: list[Redaction] = []
    SCRUBBER.scrub_event(event, found=found, **more)
    return found


def cleaned_part(name, value) -> tuple[object, list[Redaction]]:
    """A part of a request, scrubbed, and what was redacted in it."""
    found: list[Redaction] = []
    return SCRUBBER.scrub_part(value, path=("request", name), found=found), found


def event_with(value) -> dict:
    """An event with a value at every place that holds data."""
    text = value if isinstance(value, str) else repr(value)
    frame = {
        "function": "handle", "module": "app.main", "filename": "app/main.py", "abs_path": "/srv/app/main.py", "lineno": 12,
        "context_line": "    return handle(request)", "pre_context": ["def f():"], "post_context": ["x = 1"], "in_app": True,
        "vars": {"local": value, "shown": text},
    }  # fmt: skip
    exception = {
        "type": "ValueError", "module": "app", "value": text, "mechanism": {"type": "asgi", "handled": False, "data": {"a": value}},
        "stacktrace": {"frames": [frame]},
    }  # fmt: skip
    return {
        "event_id": "0" * 32, "level": "error", "platform": "python", "release": "app@1.0", "environment": "production",
        "server_name": "web-1", "transaction": text, "message": text,
        "exception": {"values": [exception, copy.deepcopy(exception)]},
        "threads": {"values": [{"id": 1, "stacktrace": {"frames": [copy.deepcopy(frame)]}}]},
        "logentry": {"message": "it was %s", "formatted": text, "params": [value]},
        "breadcrumbs": {"values": [{"type": "log", "category": "x", "level": "info", "message": text, "data": {"a": value}}]},
        "request": {"url": f"http://x/?a={text}" if "?" not in text else text, "headers": {"referer": text, "a": text}, "data": value,
                    "env": {"a": value}, "cookies": {"theme": "dark"}, "query_string": "a=1"},
        "tags": {"a": text}, "extra": {"a": value}, "contexts": {"mine": {"a": value}, "trace": {"trace_id": "1" * 32, "span_id": "2" * 16,
                    "op": "http.server", "data": {"a": value}, "description": text}},
        "user": {"id": "7", "note": text},
        "spans": [{"span_id": "3" * 16, "trace_id": "1" * 32, "op": "db", "description": text, "data": {"a": value}, "tags": {"a": text}}],
        "fingerprint": ["{{ default }}", text], "something_new": {"a": value},
    }  # fmt: skip


def test_protocol_is_what_it_was():
    event = event_with("plain")
    before = copy.deepcopy(event)
    assert redacted_in(event) == []
    assert event == before


@given(planted())
def test_a_secret_is_gone_from_every_place(case):
    value, secret = case
    event = event_with(value)
    found = redacted_in(event)
    assert secret not in repr(event)
    assert found
    for path, rule in found:
        assert rule.startswith("@")
        meta = event["_meta"]
        for step in path:
            meta = meta[step.decode("latin-1") if isinstance(step, bytes) else str(step)]
        assert [rule, "x"] in meta[""]["rem"]
    again = copy.deepcopy(event)
    assert redacted_in(again) == []
    assert again == event


@given(secret_values())
def test_taint_reaches_every_place_but_protocol(secret):
    taint = collect_taint(headers=[(b"x-api-key", secret.encode())], keys=SCRUBBER.ruleset)
    event = event_with(f"it is {secret} here")
    SCRUBBER.scrub_event(event, taint=taint)
    assert secret not in repr(event)


@pytest.mark.parametrize(
    "word", ["production", "app@1.0-and-more", "handle_request", "ValueError", "app/main.py", "web-1.example"]
)
def test_a_client_can_not_blank_out_the_protocol(word):
    taint = Taint((word, "handle", "return handle", "http.server", "python-python"))
    event = event_with("plain")
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][0]
    for field in ("function", "module", "filename", "abs_path", "context_line"):
        frame[field] = word
    frame["pre_context"] = [word]
    event.update(release=word, environment=word, server_name=word, platform=word, level=word, dist=word, logger=word)
    event["exception"]["values"][0]["type"] = word
    before = copy.deepcopy(event)
    SCRUBBER.scrub_event(event, taint=taint)
    assert event == before


def test_rules_still_apply_to_source_lines_and_names():
    event = event_with("plain")
    event["exception"]["values"][0]["stacktrace"]["frames"][0]["context_line"] = 'connect("postgres://u:hunter2@db/x")'
    for _ in range(3):  # what is remembered of frames does not let it pass
        again = copy.deepcopy(event)
        SCRUBBER.scrub_event(again)
        assert "hunter2" not in repr(again)
    event["exception"]["values"][0]["stacktrace"]["frames"][0]["context_line"] = "harmless()"
    for _ in range(3):
        SCRUBBER.scrub_event(copy.deepcopy(event))
    changed = copy.deepcopy(event)
    changed["exception"]["values"][0]["stacktrace"]["frames"][0]["pre_context"] = ["password='hunter2'"]
    SCRUBBER.scrub_event(changed)
    assert "hunter2" not in repr(changed)


def test_remarks_are_merged_into_those_that_are_there():
    event = {
        "extra": {"password": "x"},
        "_meta": {"extra": {"password": {"": {"len": 9, "rem": [["!limit", "s"]]}}, "b": {"": {}}}},
    }
    SCRUBBER.scrub_event(event)
    assert event["_meta"]["extra"] == {
        "password": {"": {"len": 9, "rem": [["!limit", "s"], ["@password", "x"]]}}, "b": {"": {}}
    }  # fmt: skip


def test_parts_are_decided_by_others():
    event = {
        "user": {"id": "bob@example.com", "ip_address": "1.2.3.4"},
        "request": {
            "headers": {"x-mine": "a", "x-api-key": "b"},
            "data": {"other": "c", "password": "d"},
            "query_string": "mine=1&token=2",
        },
    }
    sections = {
        ("request", "headers"): Scrubber(deny=("x-mine",), allow=("x-api-key",)),
        ("request", "data"): Scrubber(deny=("other",)),
        ("request", "query_string"): Scrubber(deny=("mine",)),
        ("nothing", "here"): SCRUBBER,
    }
    found = redacted_in(event, sections=sections)
    assert event["user"] == {"id": F, "ip_address": F}
    assert event["request"] == {
        "headers": {"x-mine": F, "x-api-key": "b"}, "data": {"other": F, "password": F}, "query_string": f"mine={F}&token={F}"
    }  # fmt: skip
    assert (("request", "headers", "x-mine"), "@password") in found
    plain = {"user": {"email": "bob@example.com", "ip_address": "1.2.3.4", "id": "7"}}
    SCRUBBER.scrub_event(plain)
    assert plain["user"] == {"email": F, "ip_address": F, "id": "7"}


def test_parameters_of_log_messages():
    for template, which, surely in (
        ("password=%s for %s at {}", 0, True),
        ("%(user)s: token: %(token)r", "token", True),
        ("100%% of {0}, secret='{1}'", 1, True),
        ("%s sends Authorization: Bearer %s", 1, True),
        ("calls with %(api_key)s", "api_key", True),
        ("login %s with password %s", 1, False),
    ):
        found = secret_parameters(template, SCRUBBER.ruleset)
        assert [(one.which, one.surely) for one in found] == [(which, surely)]
    event = {
        "logentry": {
            "message": "user %s has password=%s",
            "params": ["bob", "hunter2"],
            "formatted": "user bob has password=hunter2",
        }
    }
    SCRUBBER.scrub_event(event)
    assert event["logentry"] == {
        "message": "user %s has password=%s", "params": ["bob", F], "formatted": f"user bob has password={F}"
    }  # fmt: skip


@pytest.mark.parametrize("template", ["%s: %s", "set %s=%s", "{}={}", "%s = %r in %s"])
def test_a_parameter_of_a_log_message_that_another_one_names(template):
    for name, left in (("password", F), ("colour", "hunter2")):
        event = {"logentry": {"message": template, "params": [name, "hunter2", "x"]}}
        SCRUBBER.scrub_event(event)
        assert event["logentry"]["params"] == [name, left, "x"]


def test_an_event_that_the_sdk_has_yet_to_serialise():
    now = datetime.now(timezone.utc)
    event = {
        "timestamp": now,
        "extra": {
            "a": AnnotatedValue({"password": "x", "n": 1}, {"len": 5}),
            "when": now,
            "o": {1},
            "s": AnnotatedValue("fine", {}),
        },
    }
    SCRUBBER.scrub_event(event)
    assert event["timestamp"] is now
    assert event["extra"]["a"].value == {"password": F, "n": 1}
    assert event["extra"]["a"].metadata == {"len": 5}
    assert event["extra"]["when"] == now
    assert event["extra"]["o"] == "{1}"


def test_as_the_sdks_own_event_scrubber():
    transport = RecordingTransport()
    client = sentry_sdk.Client(
        dsn="http://key@localhost/1",
        transport=transport,
        event_scrubber=Scrubber(),
        default_integrations=False,
        max_breadcrumbs=3,
    )
    scope = sentry_sdk.Scope()
    scope.add_breadcrumb(message="password=hunter2")
    scope.set_extra("config", {"api_key": "hunter2", "n": [1, {"Authorization": "hunter2"}]})
    try:
        password, config = "hunter2", {"token": "hunter2"}
        raise ValueError(f"password={password} {len(config)}")
    except ValueError as exc:
        captured, hint = event_from_exception(exc, client_options=client.options)
        client.capture_event(captured, hint, scope)
    client.close()
    (event,) = transport.items("event")
    assert event["exception"]["values"][0]["type"] == "ValueError"
    frame = event["exception"]["values"][0]["stacktrace"]["frames"][-1]
    frame.pop("context_line"), frame.pop("pre_context"), frame.pop("post_context")  # the source of this test
    assert "hunter2" not in json.dumps(event)
    assert frame["vars"]["password"] == F


class Hostile(dict):
    def items(self):
        raise RuntimeError("no")


@pytest.mark.parametrize(
    "field", ["exception", "request", "tags", "extra", "spans", "breadcrumbs", "contexts", "logentry", "user", "new"]
)
@given(value=st.recursive(st.one_of(st.none(), st.text(), st.integers(), st.binary()), lambda inner: st.one_of(
    st.lists(inner), st.dictionaries(st.sampled_from(["values", "frames", "stacktrace", "data", "headers", "vars", "a"]), inner)), max_leaves=8))  # fmt: skip
def test_events_of_any_shape_do_not_raise(field, value):
    event = (
        {"event_id": "1" * 32, field: value, "extra": {"password": "hunter2"}} if field != "extra" else {field: value}
    )
    SCRUBBER.scrub_event(event)
    assert "hunter2" not in repr(event)


class Shown:
    def __repr__(self) -> str:
        return f"{'long':80} password=hunter2"


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize("value", [("password=hunter2",), ([["password=hunter2"]], 1), Shown(), b"password=hunter2"])
def test_what_stands_in_place_of_an_id_is_data(value, owned):
    event = {"event_id": "1" * 32, "level": value, "timestamp": datetime.now(timezone.utc), "extra": {"a": [1]}}
    SCRUBBER.scrub_event(event, owned=owned)
    assert "hunter2" not in repr(event)
    assert type(event["timestamp"]) is datetime


@pytest.mark.parametrize("field", ["exception", "threads", "breadcrumbs", "spans", "fingerprint"])
@pytest.mark.parametrize("values", [None, []])
def test_what_stands_beside_values_is_data(field, values):
    event = {field: {"values": values, "password": "hunter2", "more": [{"note": "token=hunter2secret99"}]}}
    SCRUBBER.scrub_event(event)
    assert event[field] == {"values": values, "password": F, "more": [{"note": f"token={F}"}]}
    assert event["_meta"][field]["more"]["0"]["note"][""]["rem"] == [["@password", "x"]]


NAMES = (
    *("values", "frames", "stacktrace", "data", "headers", "vars", "a", "password", "modules", "cookies", "params"),
    *("pre_context", "tags", "message", "trace", "url", "loc", "input", "token=hunter2secret99", "mechanism"),
)  # fmt: skip
ANY_TEXT = st.sampled_from(
    ["a", "Cookie", "password=hunter2", "token=%s", "x" * 70, "https://u:hunter2@x.org/?token=a", "10.0.0.1"]
)
ANY_VALUE = st.recursive(
    st.one_of(st.none(), ANY_TEXT, st.integers(0, 3), st.binary(max_size=3), st.just(1.5), st.datetimes()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(NAMES), inner, max_size=4), st.tuples(inner, inner)
    ),
    max_leaves=10,
)


def containers_in(value: Any) -> Iterator[Any]:
    """All dicts and lists in a value, and itself."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, (dict, list, tuple)):
            pending += value.values() if isinstance(value, dict) else value
            if not isinstance(value, tuple):
                yield value


@given(
    st.dictionaries(st.sampled_from([*EVENT, "new"]), ANY_VALUE, max_size=5),
    st.sampled_from([None, Taint(["x" * 70, "a2b3c4d5e6"]), Taint(["a2b3c4d5e6"], unknown=True)]),
    st.booleans(),
)
def test_of_what_somebody_else_has_the_walk_changes_nothing_and_sends_copies(event, taint, with_sections):
    sections = {("request", "headers"): Scrubber(), ("request", "data"): Scrubber()} if with_sections else {}
    before, own = copy.deepcopy(event), copy.deepcopy(event)
    given_by_others = {id(each): each for value in event.values() for each in containers_in(value)}
    left = dict(event)
    with mock.patch.object(events, "scrub_usual", side_effect=UnusualError):
        SCRUBBER.scrub_event(left, taint=taint, sections=sections)
    assert event == before
    assert not [each for value in left.values() for each in containers_in(value) if id(each) in given_by_others]
    SCRUBBER.scrub_event(own, taint=taint, sections=sections, owned=True)
    assert left == own


def test_what_can_not_be_scrubbed_is_replaced():
    event = {"event_id": "1" * 32, "extra": {"a": Hostile(password="hunter2")}, "level": "error", "tags": {"a": "b"}}
    SCRUBBER.scrub_event(event)
    assert "hunter2" not in json.dumps(event)
    assert event["event_id"] == "1" * 32


def test_what_can_not_be_scrubbed_keeps_ids_alone():
    event = {"event_id": ["password=hunter2"], "level": "error", "extra": Hostile(a="hunter2"), "timestamp": 7}
    SCRUBBER.scrub_event(event)
    del event["_meta"]
    assert event == {"event_id": F, "level": "error", "extra": F, "timestamp": 7}


def test_tuples_stay_tuples_under_keys_that_get_other_names():
    secret = "qX7mPz41vRt9Kd3w"
    event = {"extra": {f"of {secret}": (1, (2, ["password=hunter2"])), "a": (3,), "password": (4,)}}
    SCRUBBER.scrub_event(event, taint=Taint([secret]))
    assert event["extra"] == {f"of {F}": (1, (2, [f"password={F}"])), "a": (3,), "password": F}


# --- other items ------------------------------------------------------------------------------------------------------


def test_attributes_keep_their_types_true():
    attributes = {
        "token": {"value": 5, "type": "integer"},
        "note": {"value": "mail bob@example.com", "type": "string"},
        "n": {"value": 3, "type": "integer"},
        "sentry.release": {"value": "app@1.0", "type": "string"},
        "list": {"value": ["password=hunter2", "b"], "type": "array"},
    }
    found: list[Redaction] = []
    SCRUBBER.scrub_attributes(attributes, taint=Taint(("app@1.0-x", "app@1.0")), found=found)
    assert attributes == {
        "token": {"value": F, "type": "string"},
        "note": {"value": f"mail {F}", "type": "string"},
        "n": {"value": 3, "type": "integer"},
        "sentry.release": {"value": "app@1.0", "type": "string"},
        "list": {"value": [f"password={F}", "b"], "type": "array"},
    }
    assert {rule for _, rule in found} == {"@password", "@email"}


def test_each_entry_of_a_batch_has_the_taint_of_its_own_request():
    def entry(who):
        return {
            "body": "it is secret-one and secret-two",
            "trace_id": "1" * 32,
            "attributes": {"who": {"value": who, "type": "string"}},
        }

    taints = {"a": Taint(("secret-one",)), "b": Taint(("secret-two",))}
    payload = {"version": 2, "items": [entry("a"), entry("b"), entry("c"), entry("a")]}
    before = copy.deepcopy(payload)
    found: list[Redaction] = []
    cleaned = SCRUBBER.scrub_item(
        "log", payload, taint=lambda item: taints.get(item["attributes"]["who"]["value"]), found=found
    )
    assert [item["body"] for item in cleaned["items"]] == [
        f"it is {F} and secret-two", f"it is secret-one and {F}", "it is secret-one and secret-two", f"it is {F} and secret-two"
    ]  # fmt: skip
    assert payload == before
    assert {path[:2] for path, _ in found} == {("items", 0), ("items", 1), ("items", 3)}


def test_parameters_of_structured_logs():
    attributes = {
        "sentry.message.template": {"value": "password=%s of %s", "type": "string"},
        "sentry.message.parameter.0": {"value": "hunter2", "type": "string"},
        "sentry.message.parameter.1": {"value": "bob", "type": "string"},
    }
    SCRUBBER.scrub_attributes(attributes)
    assert [held["value"] for held in attributes.values()] == ["password=%s of %s", F, "bob"]


@pytest.mark.parametrize(
    "kind", ["event", "transaction", "check_in", "span", "log", "trace_metric", "profile", "feedback", "session", "new"]
)
def test_every_kind_is_scrubbed(kind):
    payload = {
        "items": [{"name": "password=hunter2", "extra": {"token": "hunter2"}}],
        "extra": {"password": "hunter2"},
        "note": "bob@example.com",
    }
    if kind in {"span", "log", "trace_metric"}:
        payload = {
            "version": 2,
            "items": [{"name": "password=hunter2", "attributes": {"token": {"value": "hunter2", "type": "string"}}}],
        }
    found: list[Redaction] = []
    cleaned = SCRUBBER.scrub_item(kind, payload, found=found)
    assert "hunter2" not in json.dumps(cleaned)
    assert found


def test_sessions_keep_their_ids():
    payload = {
        "sid": "a" * 32,
        "did": "bob@example.com",
        "attrs": {"release": "app@1.0", "environment": "x"},
        "status": "ok",
    }
    cleaned = SCRUBBER.scrub_item("session", payload)
    assert cleaned == {"sid": "a" * 32, "did": F, "attrs": {"release": "app@1.0", "environment": "x"}, "status": "ok"}


def test_attachments():
    assert SCRUBBER.scrub_item("attachment", b"x password=hunter2\n") == b"x password=[Filtered]\n"
    assert SCRUBBER.scrub_item("attachment", "token: abc123x") == f"token: {F}"
    image = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1password=hunter2\0\1\2\3"
    assert SCRUBBER.scrub_item("attachment", image) is None
    assert SCRUBBER.scrub_item("client_report", {"discarded_events": []}) == {"discarded_events": []}


# --- headers ----------------------------------------------------------------------------------------------------------


def test_headers_and_cookies():
    pairs = [
        (b"host", b"x"), (b"X-Api-Key", b"k"), (b"cookie", b"theme=dark; sessionid=1"), (b"cookie", b"long=0123456789abcdef"),
        (b"x-forwarded-for", b"1.2.3.4"), (b"referer", b"https://a/?token=q&x=1"), (b"accept", b"a"), (b"accept", b"b"), (b"bad", b"\xff\xe9"),
    ]  # fmt: skip
    headers, found = cleaned_part("headers", named_headers(pairs))
    assert headers == {
        "host": "x", "x-api-key": F, "cookie": F, "x-forwarded-for": F, "referer": f"https://a/?token={F}&x=1", "accept": "a, b",
        "bad": "\xff\xe9",
    }  # fmt: skip
    assert (("request", "headers", "x-api-key"), "@password") in found
    cookies, found = cleaned_part("cookies", named_cookies(pairs))
    assert cookies == {"theme": "dark", "sessionid": F, "long": F}
    assert {path for path, _ in found} == {("request", "cookies", name) for name in ("sessionid", "long")}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("a=1&token=x%20y&b=%zz&&c", f"a=1&token={F}&b=%zz&&c"),
        ("%74oken=x;a=1", f"%74oken={F};a=1"),
        ("user%5Bpassword%5D=x", f"user%5Bpassword%5D={F}"),
        ("q=bob%40example.com&next=%2Fa", f"q={F}&next=%2Fa"),
        ("card=4111%201111%201111%201111", f"card={F}"),
        ("n=4111%201111%201111%201111", f"n={F}"),
        ("client_ip=1.2.3.4&v=1.2.3.4", f"client_ip={F}&v=1.2.3.4"),
        ("", ""),
        ("plain+text", "plain+text"),
        ("token=", "token="),
    ],
)
def test_query_strings(query, expected):
    assert cleaned_part("query_string", query)[0] == expected
    assert cleaned_part("query_string", expected) == (expected, [])


def test_urls():
    url = "https://u:pw@x.org/a;b?token=1&c=2#access_token=3&d=4"
    assert cleaned_part("url", url)[0] == f"https://u:{F}@x.org/a;b?token={F}&c=2#access_token={F}&d=4"
    assert cleaned_part("url", "/plain#top") == ("/plain#top", [])


def test_a_password_that_somebody_chose_goes_from_the_parameters_as_from_the_text():
    event = {
        "logentry": {
            "message": "login %s with password %s",
            "params": ["ann", "Zebra.5156"],
            "formatted": "login ann with password Zebra.5156",
        }
    }
    SCRUBBER.scrub_event(event)
    assert event["logentry"]["params"] == ["ann", F]
    assert event["logentry"]["formatted"] == f"login ann with password {F}"
    other = {"logentry": {"message": "render page %s in session %s", "params": ["x", "batch-1234"]}}
    SCRUBBER.scrub_event(other)
    assert other["logentry"]["params"] == ["x", "batch-1234"]


@pytest.mark.parametrize("kind", ["event", "transaction"])
def test_the_name_of_a_context_may_hold_a_secret(kind):
    token = "ghp_" + "a1B2c3D4e5" * 4
    contexts = {f"seen {token}": {"x": 1}, "shop": {"y": 2}, "release 2024-11": {"type": "a"}}
    event = {"type": kind, "contexts": copy.deepcopy(contexts)}
    SCRUBBER.scrub_event(event)
    assert token not in repr(event)
    assert event["contexts"]["shop"] == {"y": 2}
    assert event["contexts"]["release 2024-11"] == {"type": "a"}
    assert len(event["contexts"]) == 3
