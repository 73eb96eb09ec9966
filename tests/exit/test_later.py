"""What waits to be scrubbed until somebody looks at it: nobody sees it before, and nothing of it is lost."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from contextlib import suppress
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope, Item
from sentry_sdk.transport import Transport

import asgi_sentry
from asgi_sentry import Scrubber
from asgi_sentry._exit import door
from asgi_sentry._exit.door import Door
from asgi_sentry._exit.later import Later
from asgi_sentry._scrubbing import scrubber as engine
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN

SECRET = "Tr0ub4dor-3xyz-9917"
HEADERS = [("x-api-key", SECRET), ("host", "example.com")]


class Waiting(Transport):
    """Takes envelopes without looking at them."""

    def __init__(self) -> None:
        super().__init__(None)
        self.envelopes: list[Envelope] = []
        self.lost: list[tuple[str, Any]] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    def record_lost_event(self, reason: str, data_category: Any = None, item: Any = None, *, quantity: int = 1) -> None:
        self.lost.append((reason, data_category if item is None else item.data_category))


def send(app: Any = None, **options: Any) -> Waiting:
    transport = Waiting()
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0), transport=transport, **options)

    async def fine(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with suppress(LookupError):
        anyio.run(lambda: request(asgi_sentry.wrap(app or fine), headers=HEADERS))
    return transport


async def failing(scope: Any, receive: Any, send: Any) -> None:
    raise LookupError(f"no {SECRET}")


def lost(exc: BaseException) -> None:
    raise exc


def make(*items: Item) -> Any:
    return lambda: Envelope(headers={"a": 1}, items=list(items))


def test_it_is_made_once_by_whoever_looks_first() -> None:
    made = []

    def make() -> Envelope:
        made.append(threading.get_ident())
        return Envelope(headers={"a": 1}, items=[Item(b"x")])

    later = Later(make, lost)
    assert not later.is_made
    threads = [threading.Thread(target=lambda: later.items) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert later.headers == {"a": 1}
    assert [item.get_bytes() for item in later.items] == [b"x"]
    assert len(made) == 1
    assert later.serialize().startswith(b'{"a":1}\n')


def test_what_was_sent_before_is_made_before() -> None:
    order: list[str] = []
    first = Later(lambda: order.append("first"), lost)  # type: ignore[func-returns-value]
    second = Later(lambda: order.append("second"), lost, first)  # type: ignore[func-returns-value]
    assert second.items == []
    assert order == ["first", "second"]
    assert first.items == []
    assert order == ["first", "second"]


def test_one_that_can_not_be_made_is_empty() -> None:
    def fail() -> Envelope:
        raise KeyboardInterrupt

    later = Later(fail, lost)
    with pytest.raises(KeyboardInterrupt):
        later.look_at()
    assert later.items == []


def test_what_can_not_be_made_is_lost_once() -> None:
    def fail() -> Envelope:
        raise RuntimeError("a fault of ours")

    counted: list[BaseException] = []
    later = Later(fail, counted.append)
    assert later.items == []
    assert later.headers == {}
    assert later.items == []
    assert [str(fault) for fault in counted] == ["a fault of ours"]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda later: pickle.loads(pickle.dumps(later))])
def test_a_copy_is_a_plain_one(copied: Any) -> None:
    found = copied(Later(make(Item(b"x")), lost))
    assert type(found) is Envelope
    assert found.headers == {"a": 1}
    assert [item.get_bytes() for item in found.items] == [b"x"]


def test_it_can_be_changed_as_any() -> None:
    later = Later(make(Item(b"x")), lost)
    later.headers = {"b": 2}
    later.items = []
    later.add_item(Item(b"y"))
    assert later.headers == {"b": 2}
    assert [item.get_bytes() for item in later.items] == [b"y"]


@pytest.mark.parametrize("app", [None, failing])
def test_it_waits_until_somebody_looks(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    scrubbed = []
    for name in ("scrub_composed", "scrub_usual", "scrub_fields"):
        own = getattr(engine, name)

        def noted(*args: Any, own: Any = own, **kwargs: Any) -> Any:
            if "event_id" in args[1]:
                scrubbed.append(threading.get_ident())
            return own(*args, **kwargs)

        monkeypatch.setattr(engine, name, noted)
    transport = send(app)
    assert transport.envelopes
    assert scrubbed == []
    looks = threading.Thread(target=lambda: [envelope.items for envelope in transport.envelopes])
    looks.start()
    looks.join()
    assert scrubbed
    assert threading.get_ident() not in scrubbed
    assert SECRET.encode() not in b"".join(envelope.serialize() for envelope in transport.envelopes)


def test_who_is_told_of_redactions_is_told_at_once() -> None:
    told: list[Any] = []
    transport = send(failing, event_scrubber=None)
    assert not any(envelope.is_made for envelope in transport.envelopes if isinstance(envelope, Later))
    scrubber = Scrubber(on_redact=lambda path, rule: told.append(rule))
    assert not Door(scrubber).waits
    assert Door(Scrubber()).waits


def test_hooks_have_it_scrubbed_before() -> None:
    seen: list[str] = []

    def hook(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
        seen.append(repr(event))
        return event

    transport = send(failing, before_send=hook, before_send_transaction=hook)
    assert len(seen) == 2
    assert SECRET not in "".join(seen)
    assert SECRET.encode() not in b"".join(envelope.serialize() for envelope in transport.envelopes)


def test_what_a_hook_changed_is_scrubbed_when_somebody_looks() -> None:
    def hook(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
        event["extra"] = {"note": SECRET, "password": "hunter2-hunter2"}
        event.setdefault("tags", {})["key"] = SECRET
        return event

    transport = send(failing, before_send=hook, before_send_transaction=hook)
    waiting = [envelope for envelope in transport.envelopes if isinstance(envelope, Later)]
    assert len(waiting) == 2
    assert not waiting[-1].is_made  # the error is, since the transaction's hook is to see nothing of it
    found = b"".join(envelope.serialize() for envelope in transport.envelopes)
    assert found.count(b'"note":"[Filtered]"') == 2
    assert SECRET.encode() not in found
    assert b"hunter2" not in found


def test_what_an_item_was_redacted_of_goes_from_those_behind_it_whoever_is_looked_at_first() -> None:
    """A password is known by its name in the first one, and stands under a plain name in the second."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        password = "kJ8!mmPq-2210-zzW"
        sentry_sdk.capture_event({"message": "first", "extra": {"password": password}})
        sentry_sdk.capture_event({"message": "second", "extra": {"note": password}})
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    for order in (1, -1):
        transport = send(app)
        found = b"".join(envelope.serialize() for envelope in transport.envelopes[::order])
        assert b"second" in found
        assert b"kJ8!mmPq-2210-zzW" not in found


def test_one_that_nobody_looks_at_leaves_no_circle() -> None:
    gc.collect()
    gc.disable()
    try:
        transport = send()
        waiting = [weakref.ref(envelope) for envelope in transport.envelopes if isinstance(envelope, Later)]
        assert waiting
        transport.envelopes.clear()
        assert [one() for one in waiting] == [None] * len(waiting)
    finally:
        gc.enable()


def test_what_can_not_be_scrubbed_is_counted_when_somebody_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = send(failing)

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(engine.Scrubber, "scrub_event", fail)
    monkeypatch.setattr(engine.Scrubber, "look_at", fail)
    kinds = [envelope.items for envelope in transport.envelopes if isinstance(envelope, Later)]
    assert kinds == [[], []]
    assert {("internal_sdk_error", "error"), ("internal_sdk_error", "transaction")} <= set(transport.lost)


def test_the_recording_transport_looks_at_once() -> None:
    transport = RecordingTransport()
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0), transport=transport)
    with pytest.raises(LookupError):
        anyio.run(lambda: request(asgi_sentry.wrap(failing), headers=HEADERS))
    waiting = [envelope for envelope in transport.envelopes if isinstance(envelope, Later)]
    assert len(waiting) == 2
    assert all(envelope.is_made for envelope in waiting)


def test_items_that_can_not_be_marked_are_sent_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a release of the SDK whose items have slots."""
    monkeypatch.setattr(Item, door._PASSED, property(lambda item: None), raising=False)
    transport = send(failing)
    found = b"".join(envelope.serialize() for envelope in transport.envelopes)
    assert found.count(b'"type":"transaction"') == 2  # of the item and of what is in it
    assert b"LookupError" in found
    assert SECRET.encode() not in found
