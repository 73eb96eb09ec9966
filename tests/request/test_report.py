"""What is sent of a request: named, described, its user cut down, and scrubbed by what it came with."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import sentry_sdk

from asgi_sentry import Scrubber, SentryMiddleware, Settings, UserContextMiddleware, compose, wrap
from asgi_sentry._exit.door import ATTRIBUTE
from asgi_sentry._request.record import current
from asgi_sentry._request.tag import Tag
from asgi_sentry.testing import request
from tests.conftest import DSN, Start, transactions

pytestmark = pytest.mark.anyio
V3 = sentry_sdk.VERSION.startswith("3")


async def test_an_exception_is_reported_once_a_request(start: Start) -> None:
    transport = start()
    exc = ValueError("boom")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(3):
            sentry_sdk.capture_exception(exc)
            sentry_sdk.capture_exception(ValueError("another"))
        raise exc

    for count in (1, 2):
        with pytest.raises(ValueError, match="boom"):
            await request(SentryMiddleware(app))
        values = [event["exception"]["values"][0]["value"] for event in transport.items("event")]
        assert values.count("boom") in {1, count}
        assert values.count("another") == 3 * count


async def test_a_message_may_come_as_often_as_it_likes(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(3):
            sentry_sdk.capture_message("again")

    await request(wrap(app))
    assert len(transport.items("event")) == 3


@pytest.mark.parametrize(
    ("name", "source", "expected"),
    [
        (None, None, ("GET /x/{id}", "route")),
        ("mine", None, ("mine", "custom")),
        ("mine", "task", ("mine", "task")),
        ("/url", "url", ("/url", "custom")),
    ],
)
async def test_a_name_that_the_app_gave_stays(start: Start, name: Any, source: Any, expected: Any) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["route"] = "/x/{id}"
        if name is not None:
            sentry_sdk.get_current_scope().set_transaction_name(name, source=source)
        sentry_sdk.capture_message("hello")

    await request(wrap(app), path="/x/1")
    (root,) = transactions(transport)
    (event,) = transport.items("event")
    assert (root["name"], root["source"]) == expected
    assert event["transaction"] == expected[0]


async def test_an_event_before_the_route_is_known_has_no_path_in_its_name(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.capture_message("early")
        scope["route"] = "/x/{id}"

    await request(wrap(app), path="/x/secret-id")
    (event,) = transport.items("event")
    assert event["transaction"] == "GET <unmatched>"
    assert transactions(transport)[0]["name"] == "GET /x/{id}"


async def test_a_user_set_by_the_sdk_is_cut_down_by_the_layer(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.set_user({"id": 7, "email": "a@example.org", "ip_address": "192.0.2.7"})
        sentry_sdk.capture_message("hello")

    await request(compose(app, UserContextMiddleware))
    (event,) = transport.items("event")
    assert event["user"] == {"id": "7"}


async def test_what_a_hook_adds_to_the_user_is_scrubbed(start: Start) -> None:
    def before_send(event: Any, hint: Any) -> Any:
        event["user"]["email"] = "a@example.org"
        return event

    transport = start(before_send=before_send)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = {"id": "user-7"}
        sentry_sdk.capture_message("hello")

    await request(compose(app, UserContextMiddleware))
    (event,) = transport.items("event")
    assert event["user"]["id"] == "user-7"
    assert "a@example.org" not in str(event["user"])


@pytest.mark.parametrize("identity", ["b@example.org", "k3y-of-the-request"])
async def test_an_id_that_is_a_secret_is_sent_as_a_hash_or_not_at_all(start: Start, identity: str) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = {"id": identity}
        sentry_sdk.capture_message("hello")

    headers = [("x-api-key", "k3y-of-the-request")]
    await request(compose(app, UserContextMiddleware), headers=headers)
    await request(
        compose(app, partial(UserContextMiddleware, pseudonymize_with="a key of sixteen bytes or more")),
        headers=headers,
    )
    plain, hashed = transport.items("event")
    assert "id" not in plain.get("user", {})
    assert len(hashed["user"]["id"]) == 64
    assert identity not in str(plain) + str(hashed)


async def test_an_id_that_is_harmless_at_first_is_looked_at_again_by_each_secret(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = {"id": "Zk3yOfLater91"}
        sentry_sdk.capture_message("before")
        sentry_sdk.capture_message("there it is", extras={"api_key": "Zk3yOfLater91"})
        sentry_sdk.capture_message("after")

    await request(compose(app, UserContextMiddleware))
    before, _, after = transport.items("event")
    assert before["user"] == {"id": "Zk3yOfLater91"}
    assert "id" not in after.get("user", {})


@pytest.mark.parametrize("identity", ["user-7", "b@example.org", "Zk3yOfTheClient91"])
@pytest.mark.parametrize("kind", ["event", "log"])
async def test_an_id_that_is_a_secret_itself_is_not_sent(start: Start, identity: str, kind: str) -> None:
    transport = start(enable_logs=True)
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope["user"] = {"id": identity}
        if kind == "log":
            sentry_sdk.logger.error("hello")
        else:
            sentry_sdk.capture_message("hello")

    await request(compose(app, UserContextMiddleware), headers=[(b"x-api-key", b"Zk3yOfTheClient91")])
    sentry_sdk.flush()
    (item,) = transport.items(kind)
    if kind == "log":
        seen.append(item["attributes"].get("user.id", {}).get("value"))
    else:
        seen.append(item.get("user", {}).get("id"))
        assert item.get("user") != {}
        assert "user" not in item.get("_meta", {})
    assert seen == [identity if identity == "user-7" else None]


async def test_what_was_redacted_once_is_redacted_in_what_is_sent_later(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with sentry_sdk.new_scope() as inner:
            inner.set_extra("api_key", "mad3ByTheApp9q")
            sentry_sdk.capture_message("first")
        sentry_sdk.capture_message("then mad3ByTheApp9q")

    await request(wrap(app))
    assert [event["message"] for event in transport.items("event")] == ["first", "then [Filtered]"]


async def test_more_of_a_body_taints_more(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.capture_message("before hunter2-hunter2")
        await receive()
        sentry_sdk.capture_message("after hunter2-hunter2")

    headers = [("content-type", "application/json")]
    await request(wrap(app), "POST", headers=headers, body=b'{"password": "hunter2-hunter2"}')
    assert [event["message"] for event in transport.items("event")] == ["before hunter2-hunter2", "after [Filtered]"]


async def test_a_taint_is_gathered_from_all_that_came(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        sentry_sdk.capture_message("tok3n-of-bearer sess1on-of-cookie-16 k3y-of-query p4ss-of-form harmless-value")

    headers = [
        ("authorization", "Bearer tok3n-of-bearer"),
        ("cookie", "sid=sess1on-of-cookie-16; theme=dark"),
        ("content-type", "application/x-www-form-urlencoded"),
    ]
    body = b"password=p4ss-of-form&comment=harmless-value"
    await request(wrap(app), "POST", headers=headers, query=b"api_key=k3y-of-query", body=body)
    (event,) = transport.items("event")
    assert event["message"] == "[Filtered] [Filtered] [Filtered] [Filtered] harmless-value"


async def test_nothing_of_ours_is_sent_along(start: Start) -> None:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.capture_message("hello")

    await request(wrap(app))
    sentry_sdk.flush()
    for envelope in transport.envelopes:
        assert not isinstance(envelope.headers.get("event_id"), Tag)
        for item in envelope.items:
            if item.type != "event":  # whose source lines, where the SDK sends them, are these
                assert ATTRIBUTE not in str(item.payload.json)
    (event,) = transport.items("event")
    assert type(event["event_id"]) is str


async def test_a_tag_is_its_text_in_every_way(start: Start) -> None:
    import copy
    import json
    import pickle

    start()
    tags: list[Tag] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        record = current()
        assert record is not None
        tags.append(Tag("abc", record.report()))

    await request(wrap(app))
    (tag,) = tags
    assert tag == "abc"
    assert hash(tag) == hash("abc")
    assert json.dumps(tag) == '"abc"'
    assert type(tag.plain()) is str
    assert copy.deepcopy(tag) is tag
    assert type(pickle.loads(pickle.dumps(tag))) is str


SECRET = "s3cr3t-9f8e7d6c5b4a"
HEADERS = [("x-api-key", "k-123456789"), ("x-note", "plain")]


async def failing(scope: Any, receive: Any, send: Any) -> None:
    raise ValueError("boom")


async def test_a_request_that_the_hook_left_alone_is_scrubbed_once(start: Start) -> None:
    redacted: list[Any] = []
    seen: list[Any] = []
    scrubber = Scrubber(on_redact=lambda path, rule: redacted.append(path))
    settings = Settings(dsn=DSN, traces_sample_rate=0.0)

    def hook(event: Any, hint: Any) -> Any:
        seen.append(event["request"])
        return event

    transport = start(settings, before_send=hook, event_scrubber=scrubber)
    with pytest.raises(ValueError, match="boom"):
        await request(wrap(failing), headers=HEADERS)
    (event,) = transport.items("event")
    assert seen[0]["headers"]["x-api-key"] == event["request"]["headers"]["x-api-key"] == "[Filtered]"
    assert event["_meta"]["request"]["headers"]["x-api-key"][""]["rem"] == [["@password", "x"]]
    assert redacted.count(("request", "headers", "x-api-key")) == 1


@pytest.mark.parametrize("deep", [False, True])
async def test_what_a_hook_writes_into_the_request_is_scrubbed(start: Start, deep: bool) -> None:
    def hook(event: Any, hint: Any) -> Any:
        if deep:
            event["request"]["headers"]["x-auth-token"] = SECRET
        else:
            event["request"] = {"cookies": {"session": SECRET}}
        return event

    transport = start(before_send=hook)
    with pytest.raises(ValueError, match="boom"):
        await request(wrap(failing), headers=HEADERS)
    (event,) = transport.items("event")
    assert SECRET not in str(event)
    assert "k-123456789" not in str(event)


@pytest.mark.parametrize("by", ["processor", "event_scrubber"])
async def test_what_others_write_into_the_request_is_scrubbed(start: Start, by: str) -> None:
    def write(event: Any, hint: Any = None) -> Any:
        event["request"]["headers"]["x-auth-token"] = SECRET
        return event

    class Own:
        scrub_event = staticmethod(write)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if by == "processor":
            sentry_sdk.get_current_scope().add_event_processor(write)
        raise ValueError("boom")

    own: dict[str, Any] = {"event_scrubber": Own()} if by == "event_scrubber" and not V3 else {}
    transport = start(before_send=lambda event, hint: event, **own)
    with pytest.raises(ValueError, match="boom"):
        await request(wrap(app), headers=HEADERS)
    (event,) = transport.items("event")
    assert SECRET not in str(event)
    assert "k-123456789" not in str(event)


async def test_a_body_read_after_the_hook_has_its_secrets_found_all_the_same(start: Start) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.capture_message("before it was read")
        await receive()
        sentry_sdk.capture_message("after")
        raise ValueError("boom")

    transport = start(before_send=lambda event, hint: event)
    with pytest.raises(ValueError, match="boom"):
        await request(
            wrap(app),
            "POST",
            headers=[("content-type", "application/json"), ("x-note", SECRET)],
            body=b'{"password": "%s"}' % SECRET.encode(),
        )
    before, after, error = transport.items("event")
    assert before["request"]["headers"]["x-note"] == SECRET  # nobody knew yet
    assert SECRET not in str(after)
    assert SECRET not in str(error)
