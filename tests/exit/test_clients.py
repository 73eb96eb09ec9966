"""The client that sends decides: a second one has a door of its own, or is given one when a request sends by it."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

import anyio
import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry import _faults as faults
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN, mode_options, transactions

V3 = sentry_sdk.VERSION.startswith("3")
SECRET = "qJ8x2LmV5tRw9ZbK3nYc"
OTHER = "http://publickey@localhost/2"
PLAIN = "hunter" + str(2)  # in no source line, which are sent as they are
HEADERS = [("authorization", f"Bearer {SECRET}"), ("cookie", f"sessionid={SECRET[::-1]}")]
LOGS = {} if V3 else {"enable_logs": True}


def ask(work: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        work()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    anyio.run(lambda: request(asgi_sentry.wrap(app), "GET", "/", headers=HEADERS))


def secret_in(transport: RecordingTransport) -> bool:
    sentry_sdk.get_client().flush()
    sent = b"".join(envelope.serialize() for envelope in transport.envelopes)
    return SECRET.encode() in sent or SECRET[::-1].encode() in sent


def fail() -> None:
    held = SECRET  # noqa: F841 - a frame's variable
    try:
        raise RuntimeError(f"refused: {SECRET}")
    except RuntimeError:
        sentry_sdk.capture_exception()


def plain_client(mode: str, transport: Any, **options: Any) -> sentry_sdk.Client:
    return sentry_sdk.Client(
        OTHER, transport=transport, auto_enabling_integrations=False, **mode_options(mode), **options
    )


def on_a_new_scope(client: sentry_sdk.Client) -> None:
    with sentry_sdk.new_scope() as inner:
        inner.set_client(client)
        fail()


def on_the_requests_scope(client: sentry_sdk.Client) -> None:
    sentry_sdk.get_isolation_scope().set_client(client)
    fail()


def by_hand(client: sentry_sdk.Client) -> None:
    event: Any = {"message": f"refused: {SECRET}"}
    client.capture_event(event, scope=sentry_sdk.get_current_scope())


def by_hand_without_a_scope(client: sentry_sdk.Client) -> None:
    event: Any = {"message": f"refused: {SECRET}", "extra": {"password": PLAIN}}
    client.capture_event(event)


def in_a_thread_without_a_scope(client: sentry_sdk.Client) -> None:
    thread = threading.Thread(target=by_hand_without_a_scope, args=(client,))
    thread.start()
    thread.join()


def by_a_later_init(client: sentry_sdk.Client) -> None:
    sentry_sdk.get_global_scope().set_client(client)  # what `sentry_sdk.init` does with the client that it makes
    fail()


WAYS = [
    on_a_new_scope,
    on_the_requests_scope,
    by_hand,
    by_hand_without_a_scope,
    in_a_thread_without_a_scope,
    by_a_later_init,
]


@pytest.fixture
def main(start) -> RecordingTransport:
    return start(**LOGS)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_what_a_request_sends_by_a_plain_second_client_is_scrubbed(main, mode, way):
    other = RecordingTransport()
    client = plain_client(mode, other)
    ask(lambda: way(client))
    assert "refused" in json.dumps(other.items("event"))
    assert "refused" not in json.dumps(main.items("event"))
    assert not secret_in(other)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_a_client_of_make_client_has_a_door_of_its_own(main, mode, way):
    other = RecordingTransport()
    scrubber = asgi_sentry.Scrubber(deny=("planet",))
    own = {} if V3 else {"event_scrubber": scrubber}
    settings = asgi_sentry.Settings(dsn=OTHER)
    client = asgi_sentry.make_client(settings, transport=other, **own, **mode_options(mode))

    def work() -> None:
        sentry_sdk.set_extra("planet", "Saturn")
        way(client)

    ask(work)
    assert isinstance(client, sentry_sdk.Client)
    assert len(other.items("event")) == 1
    assert not secret_in(other)
    assert V3 or "Saturn" not in json.dumps(other.items("event"))


def test_make_client_changes_nothing_about_the_main_one(main, mode):
    before = sentry_sdk.get_client()
    asgi_sentry.make_client(asgi_sentry.Settings(dsn=OTHER), transport=RecordingTransport(), **mode_options(mode))
    assert sentry_sdk.get_client() is before


def test_make_client_reads_the_environment(monkeypatch):
    monkeypatch.setenv("SENTRY_DSN", OTHER)
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "tenant")
    client = asgi_sentry.make_client(transport=RecordingTransport())
    assert (client.options["dsn"], client.options["environment"]) == (OTHER, "tenant")


def test_outside_of_requests_its_door_scrubs_too(main, mode):
    other = RecordingTransport()
    client = asgi_sentry.make_client(asgi_sentry.Settings(dsn=OTHER), transport=other, **mode_options(mode))
    with sentry_sdk.new_scope() as inner:
        inner.set_client(client)
        sentry_sdk.capture_message(f"password={SECRET}")
    assert len(other.items("event")) == 1
    assert not secret_in(other)


def test_a_later_init_of_the_sdk_in_a_request_sends_nothing_raw(main, mode):
    """Not even a log, before any event of the request says which client sends."""
    other = RecordingTransport()

    def work() -> None:
        sentry_sdk.init(OTHER, transport=other, auto_enabling_integrations=False, **LOGS, **mode_options(mode))
        sentry_sdk.logger.warning(f"handing on {SECRET}")
        fail()
        by_hand_without_a_scope(sentry_sdk.get_client())

    ask(work)
    sentry_sdk.flush()
    assert [each["body"] for each in other.items("log") if "handing" in each["body"]] == ["handing on [Filtered]"]
    assert len(other.items("event")) == 2
    assert not secret_in(other)
    assert PLAIN not in json.dumps(other.items("event"))


def test_the_clients_of_a_plain_init_are_scrubbed_in_place(start_plain, mode):
    """Where there is no door, neither for the main client nor for another."""
    main, other = start_plain(attach_stacktrace=True), RecordingTransport()
    client = plain_client(mode, other, attach_stacktrace=True)

    def work() -> None:
        held = {"password": PLAIN}  # noqa: F841 - a frame's variable
        by_hand_without_a_scope(client)
        by_hand_without_a_scope(sentry_sdk.get_client())
        sentry_sdk.capture_message(f"refused: {SECRET}")

    ask(work)
    for each in (main, other):
        assert "refused" in json.dumps(each.items("event"))
        assert PLAIN not in json.dumps(each.items("event"))
        assert SECRET not in json.dumps(each.items("event"))


@pytest.mark.skipif(V3, reason="version 3 has no such hooks")
@pytest.mark.parametrize("made", ["plain", "ours"])
def test_logs_and_metrics_of_a_second_client_are_scrubbed(main, mode, made):
    other = RecordingTransport()
    if made == "plain":
        client = plain_client(mode, other, enable_logs=True)
    else:
        client = asgi_sentry.make_client(
            asgi_sentry.Settings(dsn=OTHER), transport=other, enable_logs=True, **mode_options(mode)
        )

    def work() -> None:
        with sentry_sdk.new_scope() as inner:
            inner.set_client(client)
            sentry_sdk.logger.warning(f"handing on {SECRET}")
            logging.getLogger("shop").warning("handing on %s", SECRET)
            sentry_sdk.metrics.count("orders", 1, attributes={"by": SECRET})

    ask(work)
    client.flush()
    assert [entry["body"] for entry in other.items("log")] == ["handing on [Filtered]"] * 2
    assert other.items("trace_metric")
    assert not secret_in(other)


def test_transactions_go_to_the_client_that_the_request_sends_by(main, mode):
    other = RecordingTransport()
    client = plain_client(mode, other, traces_sample_rate=1.0)
    ask(lambda: sentry_sdk.get_isolation_scope().set_client(client))
    client.flush()
    assert (len(transactions(main)), len(transactions(other))) == (0, 1)
    assert not secret_in(other)


def test_one_exception_can_go_to_both(main, mode):
    other = RecordingTransport()
    client = plain_client(mode, other)

    def work() -> None:
        try:
            raise RuntimeError("for both")
        except RuntimeError as exc:
            with sentry_sdk.new_scope() as inner:
                inner.set_client(client)
                sentry_sdk.capture_exception(exc)
                sentry_sdk.capture_exception(exc)
            sentry_sdk.capture_exception(exc)
            sentry_sdk.capture_exception(exc)

    ask(work)
    assert (len(main.items("event")), len(other.items("event"))) == (1, 1)


def test_what_the_second_clients_hook_adds_is_scrubbed(main, mode):
    def before_send(event: Any, hint: Any) -> Any:
        event["extra"] = {"handed on": SECRET, "password": "hunter2"}
        return event

    other = RecordingTransport()
    client = plain_client(mode, other, before_send=before_send)
    ask(lambda: on_a_new_scope(client))
    assert "hunter2" not in json.dumps(other.items("event"))
    assert not secret_in(other)


def test_a_transport_that_takes_no_door_gets_scrubbed_events(main, mode):
    class Sealed(RecordingTransport):
        def __setattr__(self, name: str, value: Any) -> None:
            if name in {"capture_envelope", "asgi_sentry_door"}:
                raise AttributeError(name)
            super().__setattr__(name, value)

    other = Sealed()
    ask(lambda: on_a_new_scope(plain_client(mode, other)))
    assert len(other.items("event")) == 1
    assert not secret_in(other)


@pytest.mark.parametrize("way", ["by hand", "on a scope"])
def test_outside_of_requests_a_plain_second_client_is_warned_of_once(main, mode, monkeypatch, caplog, way):
    monkeypatch.setattr(faults, "_said", set())
    client = plain_client(mode, RecordingTransport())
    for _ in range(3):
        if way == "by hand":
            client.capture_event({"message": "here"})
            continue
        with sentry_sdk.new_scope() as inner:
            inner.set_client(client)
            sentry_sdk.capture_message("here")
    (warning,) = [text for text in caplog.messages if "make_client" in text]
    assert "outside of requests it is not scrubbed" in warning


def test_no_client_of_ours_is_warned_of(main, mode, monkeypatch, caplog):
    monkeypatch.setattr(faults, "_said", set())
    client = asgi_sentry.make_client(asgi_sentry.Settings(dsn=DSN), transport=RecordingTransport())
    sentry_sdk.capture_message("here")
    with sentry_sdk.new_scope() as inner:
        inner.set_client(client)
        sentry_sdk.capture_message("here")
    ask(lambda: on_a_new_scope(client))
    assert not [text for text in caplog.messages if "make_client" in text]


def test_a_second_client_without_a_dsn_sends_nothing(main, mode):
    client = sentry_sdk.Client(auto_enabling_integrations=False)
    ask(lambda: on_a_new_scope(client))
    assert main.items("event") == []
