"""Events that we serialize arrive as those that the SDK serialized."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import decimal
import json
import re
from typing import Any

import pytest
import sentry_sdk
from hypothesis import example, given
from hypothesis import strategies as st
from sentry_sdk.serializer import serialize

import asgi_sentry
from asgi_sentry import _sdk as sdk
from asgi_sentry._sdk import serializer
from asgi_sentry.testing import RecordingTransport, request

pytestmark = pytest.mark.skipif(sentry_sdk.VERSION.startswith("3"), reason="before_send_transaction is of version 2")

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)
moments = st.datetimes(timezones=st.just(dt.timezone.utc))


@given(st.dictionaries(st.sampled_from(["contexts", "tags", "exception", "spans", "modules"]), plain | moments))
def test_plain_values_are_serialized_as_the_sdk_does(event: dict[str, Any]) -> None:
    expected = serialize(dict(event), max_value_length=100_000)
    expected.pop("_meta", None)
    assert sdk.serialized(event) == expected


@pytest.mark.parametrize("odd", [object(), decimal.Decimal(1), float("nan"), {1, 2}, "x" * 2_000, b"bytes"])
def test_what_is_not_plain_is_left_to_the_sdk(odd: object, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def spy(event: Any, **options: Any) -> Any:
        seen.append(event)
        return serialize(event, **options)

    monkeypatch.setattr(serializer, "serialize", spy)
    sentry_sdk.init(max_value_length=1_000)
    event = {"contexts": {"a": {"b": odd}}}
    assert json.dumps(sdk.serialized(event))
    assert seen == [event]


bags = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | moments,
    lambda inner: st.lists(inner, max_size=12) | st.dictionaries(st.text() | st.integers(), inner, max_size=12),
    max_leaves=15,
)
parts = {
    "extra": bags,
    "breadcrumbs": st.fixed_dictionaries({"values": st.lists(bags, max_size=3)}) | bags,
    "request": st.fixed_dictionaries({"url": st.text(), "data": bags}) | bags,
    "contexts": st.dictionaries(st.text(), bags),
    "spans": st.lists(st.fixed_dictionaries({"description": st.text(), "data": bags}), max_size=2),
    "exception": bags,
}


@given(
    event=st.fixed_dictionaries({}, optional=parts),
    limit=st.none() | st.integers(1, 50),
    bodies=st.sampled_from(["always", "medium"]),
    custom=st.sampled_from([None, lambda value: "shown"]),
)
@example(event={"request": {"url": "0" * 10 + "\U00010000" * 3}}, limit=21, bodies="always", custom=None)
def test_every_event_is_serialized_as_the_sdk_does(event: Any, limit: Any, bodies: str, custom: Any) -> None:
    options = {"max_value_length": limit, "max_request_body_size": bodies, "custom_repr": custom}
    sentry_sdk.init(**options)
    expected = serialize(event, **options)
    assert serialize(sdk.PlainEvent(event), **options) == expected


LINES = [[], ["a line"], ["a line", "another"], ["x" * 60], ("a tuple",), ["odd", b"odd"], None]
places = st.fixed_dictionaries(
    {"vars": st.dictionaries(st.text(), bags, max_size=4) | bags},
    optional={
        **dict.fromkeys(
            ("filename", "abs_path", "function", "module", "context_line"),
            st.sampled_from(["app.py", "", "y" * 60, b"app", 7, None]),
        ),
        "lineno": st.sampled_from([1, True, None, 1.5]),
        "in_app": st.sampled_from([True, False, None, 1]),
        **dict.fromkeys(("pre_context", "post_context"), st.sampled_from(LINES)),
        "colno": st.integers(),
        7: st.text(),
    },
)
usual = st.fixed_dictionaries(
    {
        **dict.fromkeys(("filename", "abs_path", "function", "module", "context_line"), st.text(max_size=60)),
        "lineno": st.integers(),
        **dict.fromkeys(("pre_context", "post_context"), st.lists(st.text(max_size=60), max_size=5)),
        "vars": st.dictionaries(st.text(max_size=60), bags, max_size=4),
    },
    optional={"in_app": st.booleans()},
)


@given(st.lists(places | usual, max_size=4), st.none() | st.integers(1, 80))
def test_frames_are_serialized_as_the_sdk_does(frames: list[Any], limit: int | None) -> None:
    options = {"max_value_length": limit, "max_request_body_size": None, "custom_repr": None}
    sentry_sdk.init(max_value_length=limit)
    event = {"exception": {"values": [{"type": "ValueError", "stacktrace": {"frames": frames}}]}}
    before = copy.deepcopy(event)
    expected = serialize(event, **options)
    made = serialize(sdk.PlainEvent(event), **options)
    assert made == expected
    for one, frame in zip(stack_of(made), frames, strict=True):
        assert [*one] == [str(key) for key in frame]  # in order
        assert one is not frame
        assert all(one[lines] is not frame[lines] for lines in ("pre_context", "post_context") if one.get(lines))
    assert repr(event) == repr(before)


@pytest.mark.parametrize("more", [{}, {"in_app": True}, {"in_app": False}])
def test_what_a_usual_frame_shows_of_the_program_is_checked_at_once(
    monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(serializer, "_plain_dict", lambda value, limit: seen.append(value) or {**value})
    texts = dict.fromkeys(("filename", "abs_path", "function", "module", "context_line"), "a")
    frame = {**texts, "lineno": 1, "pre_context": [], "post_context": ["a"], "vars": {"x": "1"}, **more}
    event = {"exception": {"values": [{"stacktrace": {"frames": [frame]}}]}}
    assert stack_of(sdk.serialized(event)) == [frame]
    assert not any("lineno" in value for value in seen)


jsonlike = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@given(st.lists(jsonlike, min_size=1, max_size=3), st.data())
def test_what_frames_share_stays_one_at_any_depth(pool: list[Any], data: st.DataObject) -> None:
    options = {"max_value_length": None, "max_request_body_size": None, "custom_repr": None}
    sentry_sdk.init(max_value_length=None)
    for _ in range(data.draw(st.integers(0, 3))):
        pool.append({"a": data.draw(st.sampled_from(pool)), "b": [data.draw(st.sampled_from(pool)), "text"]})
    frames = [
        {"function": "f", "vars": {name: data.draw(st.sampled_from(pool)) for name in ("x", "y")}} for _ in range(3)
    ]
    event = {"exception": {"values": [{"stacktrace": {"frames": frames}}]}}
    expected = serialize(event, **options)
    made = serialize(sdk.PlainEvent(event), **options)
    assert made == expected
    before, after = [[id(each) for frame in stack_of(one) for each in containers(frame)] for one in (event, made)]
    assert set(after).isdisjoint(before)
    assert len(set(after)) == len(set(before)) == len(set(zip(before, after, strict=True)))


def containers(value: Any) -> list[Any]:
    """All that are in a value, once for each place."""
    found, pending = [], [value]
    while pending:
        one = pending.pop()
        if isinstance(one, (dict, list)):
            found.append(one)
            pending += one.values() if isinstance(one, dict) else one
    return found


def stack_of(event: Any) -> list[Any]:
    frames: list[Any] = event["exception"]["values"][0]["stacktrace"]["frames"]
    return frames


def test_the_serializer_asks_the_event_itself() -> None:
    sentry_sdk.init()

    class Own(sdk.PlainEvent):
        def __sentry_repr__(self) -> Any:
            return {"asked": True}

    assert serialize(Own(a=1)) == {"asked": True}


def test_an_event_in_itself_is_a_cycle() -> None:
    sentry_sdk.init()
    event = sdk.PlainEvent(type="transaction", odd=object)
    event["contexts"] = {"event": event}
    assert serialize(event)["contexts"] == {"event": "<cyclic>"}
    assert serialize(event)["contexts"] == {"event": "<cyclic>"}


def test_processors_of_representations_see_what_they_would(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    held = [lambda value, hints: seen.append(value) or NotImplemented]
    for module in ("sentry_sdk.serializer", "asgi_sentry._sdk.repr_processors"):
        monkeypatch.setattr(f"{module}.global_repr_processors", held)
    sentry_sdk.init()
    event = {"extra": {"a": 1}, "spans": [{"data": {"b": 2}}]}
    assert serialize(sdk.PlainEvent(event)) == event
    assert {1, 2} <= {value for value in seen if isinstance(value, int)}


async def app(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    here = sentry_sdk.get_isolation_scope()
    here.set_tag("plan", "pro")
    here.set_context("order", {"items": [1, 2, {"deep": {"er": [None, True, 1.5]}}], "when": decimal.Decimal("1.5")})
    here.set_extra("many", {str(n): list(range(20)) for n in range(20)})
    here.set_extra("odd", object)
    for n in range(150):
        sentry_sdk.add_breadcrumb(message=f"crumb {n}", data={"n": n, "deep": [[[[[[n]]]]]]})
    asgi_sentry.set_user_context(42)
    with sentry_sdk.start_span(op="db", name="SELECT 1") as span:
        span.set_data("rows", [1, 2, 3])
        span.set_data("odd", decimal.Decimal(2))
        span.set_tag("shard", "a")
    if scope["path"] == "/fail":
        local = {"a": list(range(30)), "b": object()}
        raise ValueError(f"no luck with {len(local)}")
    if scope["path"] == "/message":
        sentry_sdk.capture_message("hello", level="warning")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def normalised(value: Any) -> Any:
    """Without what differs from run to run."""
    unsteady = ("event_id", "sent_at", "timestamp", "start_timestamp", "trace_id", "span_id", "parent_span_id")
    unsteady += ("trace_sample_rand", "sample_rand", "lineno", "thread.id")
    if isinstance(value, dict):
        return {key: normalised(each) for key, each in sorted(value.items()) if key not in unsteady and each != {}}
    if isinstance(value, list):
        return [normalised(each) for each in value]
    return re.sub(r"[0-9a-f]{12,}", "…", value) if isinstance(value, str) else value


HOOKS = ("before_send", "before_send_transaction")


async def traffic(**options: Any) -> tuple[list[Any], list[Any]]:
    transport = RecordingTransport()
    settings = asgi_sentry.Settings(dsn="http://key@localhost/1", release="app@1", traces_sample_rate=1.0)
    asgi_sentry.init(settings, transport=transport, **options)
    wrapped = asgi_sentry.wrap(app)
    for path in ("/ok", "/fail", "/message"):
        with contextlib.suppress(ValueError):
            await request(wrapped, "POST", path, headers=[("x-api-key", "k-1234567")], body=b'{"a": 1}', query=b"q=1")
    sent = [
        (item.type, normalised(envelope.headers.get("trace")), normalised(item.payload.json))
        for envelope in transport.envelopes
        for item in envelope.items
        if item.type in ("event", "transaction")
    ]
    return sent, transport.lost


@pytest.fixture
def by_the_sdk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Switches to events that the SDK serializes."""
    return lambda: monkeypatch.setattr(sdk, "PlainEvent", dict)


@pytest.mark.anyio
@pytest.mark.parametrize("attach_stacktrace", [False, True])
async def test_events_are_what_the_sdk_would_send(attach_stacktrace: bool, by_the_sdk: Any) -> None:
    options = {"attach_stacktrace": attach_stacktrace, "include_local_variables": not attach_stacktrace}
    seen: list[Any] = []
    hooks = {hook: lambda event, hint: seen.append(normalised(event)) or event for hook in HOOKS}
    runs: list[Any] = []
    for ours, more in ((True, {}), (True, hooks), (False, hooks)):  # from one line, which stands in the stack traces
        if not ours:
            by_the_sdk()
        runs.append(await traffic(**options, **more))
    (plain, lost), (hooked, lost_hooked), (theirs, lost_theirs) = runs
    assert [kind for kind, _, _ in theirs] == ["transaction", "event", "transaction", "event", "transaction"]
    assert plain == hooked == theirs
    assert lost == lost_hooked == lost_theirs
    assert all({"contexts", "request", "sdk", "release", "tags"} <= event.keys() for event in seen)
    assert seen[:5] == seen[5:]


@pytest.mark.anyio
async def test_what_a_hook_drops_is_counted_as_ever(by_the_sdk: Any) -> None:
    def fewer(event: Any, hint: Any) -> Any:
        return {**event, "spans": []}

    def none(event: Any, hint: Any) -> None:
        return None

    def failing(event: Any, hint: Any) -> Any:
        raise RuntimeError("no")

    runs = []
    for ours in (True, False):
        if not ours:
            by_the_sdk()
        runs.append([await traffic(**dict.fromkeys(HOOKS, hook)) for hook in (fewer, none, failing)])
    assert runs[0] == runs[1]
    assert all(lost for _, lost in runs[0])


@pytest.mark.anyio
async def test_a_processor_behind_ours_sees_the_whole_event() -> None:
    seen: list[Any] = []

    async def curious(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.get_current_scope().add_event_processor(lambda event, hint: seen.append(set(event)) or event)
        raise ValueError("boom")

    transport = RecordingTransport()
    asgi_sentry.init(asgi_sentry.Settings(dsn="http://key@localhost/1"), transport=transport)
    with pytest.raises(ValueError, match="boom"):
        await request(asgi_sentry.wrap(curious))
    assert {"exception", "request", "contexts"} <= seen[0]
    assert transport.items("event")[0]["exception"]["values"][0]["type"] == "ValueError"
