"""The door: each item is scrubbed, in a new envelope, and what belongs to a request loses its tag there."""

from __future__ import annotations

import asyncio
import copy
import functools
import json
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope, Item, PayloadRef

import asgi_sentry
from asgi_sentry import Scrubber, wrap
from asgi_sentry._exit.door import ATTRIBUTE, Door
from asgi_sentry._exit.users_hooks import telemetry_hook
from asgi_sentry._request.tag import Tag
from asgi_sentry.testing import request
from tests.conftest import Start

SECRET = "qX7mPz41vRt9Kd3w"


def item(kind: str, content: Any = None, *, raw: bytes | None = None) -> Item:
    payload = PayloadRef(bytes=raw) if raw is not None else PayloadRef(json=content)
    return Item(payload=payload, type=kind, headers={"kept": "header"})


def through(*items: Item, scrubber: Any = None, **headers: Any) -> tuple[Envelope | None, list[Any]]:
    lost: list[Any] = []
    door = Door(scrubber or asgi_sentry.Scrubber())
    cleaned = door.scrub(
        Envelope(headers=headers, items=list(items)), lambda *args, **named: lost.append((args, named))
    )
    return cleaned, lost


DIRTY = {"note": f"password={SECRET}", "deep": [{"api_key": SECRET}], "word": "kept"}


@pytest.mark.parametrize(
    "kind", ["event", "transaction", "check_in", "profile", "feedback", "replay_event", "of_tomorrow"]
)
def test_an_item_of_any_kind_is_scrubbed(kind):
    cleaned, lost = through(item(kind, {"extra": DIRTY, "event_id": "a" * 32}))
    assert SECRET.encode() not in cleaned.serialize()
    assert b"kept" in cleaned.serialize()
    assert cleaned.items[0].headers["kept"] == "header"
    assert lost == []


@pytest.mark.parametrize("kind", ["log", "span", "trace_metric"])
def test_each_entry_of_a_batch_is_scrubbed(kind):
    entries = [
        {
            "body": f"token={SECRET}",
            "name": f"password={SECRET}",
            "attributes": {"token": {"value": SECRET, "type": "string"}},
        }
        for _ in range(3)
    ]
    cleaned, lost = through(item(kind, {"items": entries}))
    assert SECRET.encode() not in cleaned.serialize()
    assert len(cleaned.items[0].payload.json["items"]) == 3
    assert lost == []


@pytest.mark.parametrize("kind", ["attachment", "of_tomorrow"])
def test_text_in_bytes_is_scrubbed_and_other_bytes_are_not_broken(kind):
    cleaned, _ = through(item(kind, raw=f"password={SECRET}; word".encode()))
    assert SECRET.encode() not in cleaned.serialize()
    assert b"word" in cleaned.serialize()


def test_one_bad_item_does_not_take_the_others_along():
    class Picky(asgi_sentry.Scrubber):
        def scrub_item(self, kind: str, payload: Any, **named: Any) -> Any:
            if kind == "bad":
                raise RuntimeError(SECRET)
            return super().scrub_item(kind, payload, **named)

    cleaned, lost = through(item("good", DIRTY), item("bad", DIRTY), item("fine", DIRTY), scrubber=Picky())
    assert [each.type for each in cleaned.items] == ["good", "fine"]
    assert [(args[0], named["item"].type) for args, named in lost] == [("internal_sdk_error", "bad")]


def test_an_envelope_of_which_nothing_is_left_is_not_sent():
    class Broken(asgi_sentry.Scrubber):
        def scrub_item(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError(SECRET)

    cleaned, lost = through(item("bad", DIRTY), scrubber=Broken())
    assert cleaned is None
    assert len(lost) == 1


def test_the_log_of_a_failure_has_no_secret(caplog):
    class Broken(asgi_sentry.Scrubber):
        def scrub_item(self, *_: Any, **__: Any) -> Any:
            raise RuntimeError(SECRET)

    caplog.set_level("WARNING")
    through(item("bad", DIRTY), scrubber=Broken())
    assert "RuntimeError" in caplog.text
    assert SECRET not in caplog.text


def test_a_transactions_name_is_scrubbed_in_the_trace_header_too():
    cleaned, _ = through(
        item("event", {"event_id": "a" * 32}), trace={"transaction": f"/reset?token={SECRET}", "trace_id": "b" * 32}
    )
    assert SECRET not in json.dumps(cleaned.headers)
    assert cleaned.headers["trace"]["trace_id"] == "b" * 32


@pytest.mark.parametrize("release", ["shop@1.0.0", f"token={SECRET}", "ann@example.org"])
def test_a_trace_header_is_scrubbed_alike_whether_its_texts_have_been_met_or_not(release):
    scrubber = asgi_sentry.Scrubber()
    seen = []
    for content in ({}, {"release": release}, {}):
        cleaned, _ = through(
            item("event", {"event_id": "a" * 32, **content}), scrubber=scrubber, trace={"release": release}
        )
        seen.append(cleaned.headers["trace"])
    assert seen[0] == seen[1] == seen[2]
    assert (seen[0] == {"release": release}) == (release == "shop@1.0.0")


def test_headers_of_the_envelope_stay():
    cleaned, _ = through(item("event", {"event_id": "a" * 32}), event_id="a" * 32, sent_at="now", sdk={"name": "x"})
    assert cleaned.headers == {"event_id": "a" * 32, "sent_at": "now", "sdk": {"name": "x"}}


def test_outside_of_a_request_an_entry_gets_no_tag():
    entry: dict[str, Any] = {"body": "x", "attributes": {}}
    assert telemetry_hook(None)(entry, {}) == {"body": "x", "attributes": {}}
    assert telemetry_hook(lambda *_: None)(entry, {}) is None


@pytest.mark.parametrize("odd", [None, "text", 7, [1]])
def test_a_tag_that_is_none_is_taken_off_and_does_no_harm(odd):
    entry = {"body": "x", "attributes": {ATTRIBUTE: {"value": odd, "type": "string"}}}
    cleaned, lost = through(item("log", {"items": [entry]}))
    assert lost == []
    assert ATTRIBUTE not in json.dumps(cleaned.items[0].payload.json)


def test_a_tag_is_its_text():
    tag = Tag("abc", None)  # type: ignore[arg-type]
    assert (tag, hash(tag), json.dumps(tag)) == ("abc", hash("abc"), '"abc"')
    assert type(tag.plain()) is str


UNREADABLE = b"\x89PNG\r\n\x1a\n" + bytes(range(32)) * 4


def test_a_hook_sees_an_event_as_the_door_scrubs_it_and_what_it_adds_is_scrubbed_too(start: Start, mode: str) -> None:
    seen: list[Any] = []

    def hook(event: Any, hint: Any) -> Any:
        seen.append(copy.deepcopy(event))
        event.setdefault("tags", {})["late"] = f"password={SECRET}"
        event["extra"]["kept"]["more"] = SECRET  # what the request came with
        return event

    hooks = {"before_send": hook}
    if mode == "classic":
        hooks["before_send_transaction"] = hook
    transport = start(**hooks)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.get_isolation_scope().set_extra("kept", {"api_key": "mad3ByTheApp9q", "word": "kept"})
        sentry_sdk.capture_message("hello")

    asyncio.run(request(wrap(app), headers=[(b"authorization", f"Bearer {SECRET}".encode())]))
    sent = [*transport.items("event"), *transport.items("transaction")]
    assert len(sent) == len(seen) == len(hooks)
    for before, after in zip(seen, sent, strict=True):
        assert SECRET not in json.dumps([before, after])
        assert before["extra"]["kept"] == {"api_key": "[Filtered]", "word": "kept"}
        assert before["request"]["headers"]["authorization"] == "[Filtered]"
        assert after["tags"]["late"] == "password=[Filtered]"
        assert after["extra"]["kept"] == {"api_key": "[Filtered]", "word": "kept", "more": "[Filtered]"}
        assert after["request"] == before["request"]
        assert after["_meta"]["request"] == before["_meta"]["request"]
        assert after["_meta"]["tags"] == {"late": {"": {"rem": [["@request", "x"]]}}}
        assert after["_meta"]["extra"]["kept"].keys() == {"api_key", "more"}


def test_what_a_hook_leaves_alone_is_not_scrubbed_again(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = start(before_send=lambda event, hint: {**event, "tags": {"late": "word"}})
    looked: list[set[str]] = []
    scrub_event = Scrubber.scrub_event

    def noting(self: Scrubber, event: Any, **further: Any) -> None:
        looked.append(set(event))
        scrub_event(self, event, **further)

    monkeypatch.setattr(Scrubber, "scrub_event", noting)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.capture_message("hello")

    asyncio.run(request(wrap(app)))
    assert len(transport.items("event")) == 1
    assert "request" in looked[0]
    assert looked[1] == {"tags"}


@pytest.mark.parametrize(("policy", "sent"), [("text", ["log"]), ("none", []), ("all", ["log", "picture"])])
def test_attachments_go_by_the_policy(policy, sent):
    lost: list[Any] = []
    items = []
    for name, raw in (("log", b"all is well"), ("picture", UNREADABLE)):
        attachment = item("attachment", raw=raw)
        attachment.headers["filename"] = name
        items.append(attachment)
    envelope = Envelope(items=items)
    cleaned = Door(asgi_sentry.Scrubber(), attachments=policy).scrub(
        envelope, lambda *args, **named: lost.append((args, named))
    )
    left = [] if cleaned is None else [each.headers["filename"] for each in cleaned.items]
    assert left == sent
    assert [named["item"].headers["filename"] for _, named in lost] == [
        name for name in ("log", "picture") if name not in sent
    ]


def test_the_name_of_a_file_is_scrubbed():
    attachment = item("attachment", raw=b"x")
    attachment.headers["filename"] = f"password={SECRET}.txt"
    cleaned, _ = through(attachment)
    assert SECRET not in cleaned.items[0].headers["filename"]


def test_an_item_passes_once():
    """The SDK hands the same one to Spotlight and to the transport."""
    lost: list[Any] = []
    scrubber = asgi_sentry.Scrubber()
    door = Door(scrubber)
    envelope = Envelope(items=[item("event", {"extra": DIRTY, "event_id": "a" * 32}), item("log", {"items": [DIRTY]})])

    def lose(*args: Any, **named: Any) -> None:
        lost.append((args, named))

    first, again = door.scrub(envelope, lose), door.scrub(envelope, lose)
    assert [id(each) for each in first.items] == [id(each) for each in again.items]
    # And through a transport of the user's, which hands on what it was given.
    third = door.scrub(first, lose)
    assert [id(each) for each in third.items] == [id(each) for each in first.items]
    assert SECRET.encode() not in third.serialize()
    assert lost == []


def test_an_item_that_cannot_be_scrubbed_is_lost_once():
    lost: list[Any] = []
    door = Door(asgi_sentry.Scrubber(), attachments="none")
    envelope = Envelope(items=[Item(payload=PayloadRef(bytes=b"x"), type="attachment")])
    for _ in range(2):
        assert door.scrub(envelope, lambda *args, **named: lost.append((args, named))) is None
    assert len(lost) <= 1


def test_a_log_of_a_request_has_its_user_and_its_tag(start: Start):
    start()
    made: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        made.append(telemetry_hook(None)({"body": "x", "attributes": {"kept": 1}}, {}))
        made.append(telemetry_hook(lambda entry, hint: {"body": "mine"})({"body": "x"}, {}))
        made.append(telemetry_hook(lambda entry, hint: None)({"body": "x"}, {}))
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    layered = asgi_sentry.compose(
        app, functools.partial(asgi_sentry.UserContextMiddleware, resolve=lambda _: {"id": 7})
    )
    asyncio.run(request(layered))
    usual, own, dropped = made
    assert dropped is None
    for entry in (usual, own):
        assert entry["attributes"]["user.id"] == "7"
        assert isinstance(entry["attributes"][ATTRIBUTE], Tag)
    assert usual["attributes"]["kept"] == 1
    assert own["body"] == "mine"


@pytest.mark.parametrize("trace", [None, "text", 7, {}])
def test_a_trace_header_that_is_none_does_no_harm(trace):
    cleaned, lost = through(item("event", {"event_id": "a" * 32}), trace=trace)
    assert lost == []
    assert not cleaned.headers.get("trace")


def test_headers_of_an_envelope_that_nobody_knows_are_scrubbed():
    cleaned, lost = through(
        item("event", {"message": "x"}), event_id="a" * 32, password=SECRET, note={"api_key": SECRET, "n": 1}
    )
    assert SECRET.encode() not in cleaned.serialize()
    assert cleaned.headers == {
        "event_id": "a" * 32, "password": "[Filtered]", "note": {"api_key": "[Filtered]", "n": 1}
    }  # fmt: skip
    assert lost == []
