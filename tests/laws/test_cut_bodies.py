"""A body that was cut says so, and how long it was, whatever its kind; a file's size is its own."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

import asgi_sentry
from asgi_sentry._request.body_copy import BodyCopy
from asgi_sentry.testing import RecordingTransport

LIMIT = 1_024


async def reads_and_says(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        """All of it is wanted."""
    asgi_sentry.capture_message("here")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def sent_with(
    transport: RecordingTransport, body: bytes, content_type: str | None, *, chunk: int = 10_000, **more: Any
) -> dict[str, Any]:
    """The event of a request with this body, which comes in chunks."""
    app = asgi_sentry.BodyScrubbingMiddleware(more.pop("app", reads_and_says), max_bytes=LIMIT)
    chunks = [body[at : at + chunk] for at in range(0, len(body), chunk)] or [b""]
    incoming = iter(chunks)
    left = len(chunks)

    async def receive() -> Any:
        nonlocal left
        left -= 1
        return {"type": "http.request", "body": next(incoming), "more_body": left > 0}

    async def send(_: Any) -> None:
        """Nobody is interested."""

    headers = [*more.pop("headers", ())]
    if content_type is not None:
        headers.append((b"content-type", content_type.encode()))
    scope = {
        "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": headers,
        "root_path": "", "asgi": {"version": "3.0"}, "scheme": "http", "http_version": "1.1", "client": None,
        "server": None,
    }  # fmt: skip
    transport.clear()
    anyio.run(partial(app, scope, receive, send))
    (event,) = transport.items("event")
    return event


def multipart(*parts: tuple[str, bytes], newline: bytes = b"\r\n") -> bytes:
    head = [
        b"--frontier" + newline + b"Content-Disposition: form-data; " + head.encode() + newline + newline + content
        for head, content in parts
    ]
    return newline.join([*head, b"--frontier--"]) + newline


MULTIPART = "multipart/form-data; boundary=frontier"
FILE = 'name="photo"; filename="a.png"'
KINDS: dict[str, tuple[bytes, str | None]] = {
    "json": (json.dumps({"rows": ["row"] * 1_000, "last": 1}).encode(), "application/json"),
    "ndjson": (b'{"row": 1}\n' * 500, "application/x-ndjson"),
    "form": (b"a=" + b"z" * 4_000, "application/x-www-form-urlencoded"),
    "text": (b"word " * 1_000, "text/plain"),
    "xml": (b"<?xml version='1.0'?><rows>" + b"<row/>" * 500 + b"</rows>", "application/xml"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0" * 500, "image/png"),
    "nothing said": (b"\0\1\2\3" * 1_000, None),
    "multipart": (multipart(('name="note"', b"n" * 4_000)), MULTIPART),
    "a file": (multipart((FILE, b"\0" * 4_000)), MULTIPART),
}


@pytest.mark.parametrize("kind", KINDS)
def test_it_says_so_with_its_length(start, mode, kind):
    body, content_type = KINDS[kind]
    event = sent_with(start(), body, content_type)
    assert event["request"]["data"], "there is something of it"
    said = event["_meta"]["request"]["data"][""]
    assert said["len"] == len(body)
    assert ["!limit", "x"] in said["rem"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_one_does_not(start, kind):
    _, content_type = KINDS[kind]
    whole = {"application/json": b'{"a": 1}', MULTIPART: multipart((FILE, b"\0" * 10))}.get(str(content_type), b"a=b")
    event = sent_with(start(), whole, content_type)
    assert "" not in event.get("_meta", {}).get("request", {}).get("data", {})


def test_beside_what_was_redacted(start):
    body = json.dumps({"password": "hunter2-hunter2", "rows": ["row"] * 1_000}).encode()
    event = sent_with(start(), body, "application/json")
    assert event["request"]["data"]["password"] == "[Filtered]"
    meta = event["_meta"]["request"]["data"]
    assert meta["password"][""]["rem"]
    assert meta[""]["len"] == len(body)


def test_what_the_client_announced_counts_where_the_app_stopped_reading(start):
    async def reads_once(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        asgi_sentry.capture_message("here")
        await send({"type": "http.response.start", "status": 413, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    event = sent_with(
        start(), b"x" * 4_000, "text/plain", chunk=2_000, app=reads_once, headers=[(b"content-length", b"4000")]
    )
    assert event["_meta"]["request"]["data"][""]["len"] == 4_000


@pytest.mark.parametrize("announced", [b"", b"-1", b"9" * 400, b"1e9", "٣".encode(), b"12"])
def test_an_announcement_that_is_no_length_is_none(start, announced):
    event = sent_with(start(), b"x" * 4_000, "text/plain", headers=[(b"content-length", announced)])
    assert event["_meta"]["request"]["data"][""]["len"] == 4_000


def test_a_plain_start_says_so_too(start_plain, mode):
    event = sent_with(start_plain(), b"word " * 1_000, "text/plain")
    assert event["_meta"]["request"]["data"][""]["len"] == 5_000


# -- files -------------------------------------------------------------------------------------------------------------


def test_binary_content_has_the_size_that_it_has(start):
    body, content_type = KINDS["binary"]
    event = sent_with(start(), body, content_type)
    assert event["request"]["data"] == {"type": "image/png", "size": len(body)}


@pytest.mark.parametrize("newline", [b"\r\n", b"\n"])
@pytest.mark.parametrize("chunk", [1, 7, 60, 1_024, 100_000])
@pytest.mark.parametrize("size", [0, 1, 900, 950, 1_000, 1_024, 1_500, 5_000])
def test_the_size_of_a_file_is_its_own(start, size, chunk, newline):
    """Wherever the copy ends: before, within or behind it, or in the mark between two parts."""
    parts = [('name="note"', b"n"), (FILE, b"\0" * size), ('name="more"; filename="b.png"', b"\1" * 3_000)]
    event = sent_with(start(), multipart(*parts, newline=newline), MULTIPART, chunk=chunk)
    data = event["request"]["data"]
    assert data["note"] == "n"
    assert data["photo"] == {"filename": "a.png", "type": "application/octet-stream", "size": size}


def test_a_file_whose_end_nobody_saw_has_no_size(start):
    body = multipart((FILE, b"\0" * 5_000))[:-20]
    event = sent_with(start(), body, MULTIPART)
    assert event["request"]["data"]["photo"] == {"filename": "a.png", "type": "application/octet-stream"}


@given(
    content=st.binary(max_size=300),
    limit=st.integers(0, 200),
    chunk=st.integers(1, 50),
    boundary=st.sampled_from([b"x", b"frontier", b"-" * 10]),
)
def test_the_end_of_a_part_is_where_its_mark_is(content, limit, chunk, boundary):
    body = content + b"\n--" + boundary + b"--"
    copy = BodyCopy(limit, lambda: boundary)
    for at in range(0, len(body), chunk):
        copy.feed({"type": "http.request", "body": body[at : at + chunk]})
    assert (copy.length, copy.read()) == (len(body), body[:limit])
    found = body.find(b"\n--" + boundary, max(0, limit - len(boundary) - 2))
    assert copy.part_end == (found if copy.truncated and found >= 0 else None)
