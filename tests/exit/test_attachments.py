"""Attachments: text is scrubbed in its own encoding; what can't be read is dropped and counted, unless it is wanted."""

from __future__ import annotations

import pickle
from typing import Any

import anyio
import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN, mode_options

SECRET = "qJ8x2LmV5tRw9ZbK3nYc"
LINE = f"crash at \0 x\nAuthorization: Bearer {SECRET}\npassword={SECRET}\n"
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256))
BINARY = [pickle.dumps({"password": SECRET}), PNG, bytes(range(256)), b"\0" * 50]


def attached(mode: str, *, data: Any = b"x", filename: str = "app.log", **arguments: Any) -> RecordingTransport:
    """What is sent of an attachment of a request with a secret."""
    settings = arguments.pop("settings", {})
    transport = RecordingTransport()
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN, **settings), transport=transport, **mode_options(mode))

    async def app(scope: Any, receive: Any, send: Any) -> None:
        add = sentry_sdk.get_isolation_scope().add_attachment
        add(bytes=data, filename=filename, **arguments)
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        anyio.run(lambda: request(asgi_sentry.wrap(app), headers=[("authorization", f"Bearer {SECRET}")]))
    return transport


def items(transport: RecordingTransport) -> list[Any]:
    return [item for envelope in transport.envelopes for item in envelope.items if item.type == "attachment"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("content_type", ["text/plain", "application/octet-stream", "text/csv; charset=utf-8", None])
def test_text_is_scrubbed_whatever_its_encoding(mode, encoding, content_type):
    transport = attached(mode, data=LINE.encode(encoding), content_type=content_type)
    (item,) = items(transport)
    text = item.get_bytes().decode(encoding)
    assert text.startswith("crash at \0 x\n")
    assert "[Filtered]" in text
    assert SECRET not in text
    assert len(transport.items("event")) == 1


def test_text_of_an_old_encoding_is_scrubbed_by_its_name(mode):
    (item,) = items(attached(mode, data=f"Grüße {SECRET}".encode("latin-1"), content_type="text/plain"))
    assert item.get_bytes().decode("latin-1") == "Grüße [Filtered]"


@pytest.mark.parametrize("data", BINARY, ids=["pickle", "png", "bytes", "zeros"])
def test_what_cannot_be_read_is_dropped_and_counted(mode, data):
    transport = attached(mode, data=data, filename="state.bin", content_type="application/octet-stream")
    assert items(transport) == []
    assert [each for each in transport.lost if each[1] == "attachment"] == [
        ("internal_sdk_error", "attachment", len(data))
    ]
    assert len(transport.items("event")) == 1


@pytest.mark.parametrize("data", [PNG, bytes(range(256))], ids=["png", "bytes"])
def test_all_sends_what_cannot_be_read_and_scrubs_the_rest(mode, data):
    (item,) = items(attached(mode, data=data, filename="state.bin", settings={"attachments": "all"}))
    assert item.get_bytes() == data
    (item,) = items(attached(mode, data=LINE.encode("utf-16"), settings={"attachments": "all"}))
    assert SECRET not in item.get_bytes().decode("utf-16")


def test_none_sends_none(mode):
    transport = attached(mode, data=b"hello", settings={"attachments": "none"})
    assert items(transport) == []
    assert ("internal_sdk_error", "attachment", 5) in transport.lost
    assert len(transport.items("event")) == 1


def test_names_are_scrubbed(mode):
    (item,) = items(attached(mode, filename=f"session-{SECRET}.txt"))
    assert SECRET not in str(item.headers)
    (item,) = items(attached(mode, filename="ordinary-report.txt"))
    assert item.headers["filename"] == "ordinary-report.txt"


def test_ordinary_text_stays_to_the_byte(mode):
    data = "ordinary text, Grüße\r\nof two lines".encode("utf-16")
    (item,) = items(attached(mode, data=data, content_type="text/plain"))
    assert item.get_bytes() == data


def test_it_is_a_setting_of_the_environment():
    assert asgi_sentry.Settings.from_env({"ASGI_SENTRY_ATTACHMENTS": "None"}).attachments == "none"
    with pytest.raises(asgi_sentry.SettingsError, match=r"ASGI_SENTRY_ATTACHMENTS .*text, none or all"):
        asgi_sentry.Settings.from_env({"ASGI_SENTRY_ATTACHMENTS": "images"})
