"""The bounded copy of a body: the first bytes of what the app read, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._request.body_copy import BodyCopy

chunks = st.lists(
    st.one_of(st.binary(max_size=40), st.integers(16_380, 16_390).map(lambda size: b"x" * size)), max_size=12
)


def message(body: Any) -> dict[str, Any]:
    return {"type": "http.request", "body": body, "more_body": True}


@given(chunks=chunks, limit=st.one_of(st.integers(0, 100), st.integers(16_000, 40_000)))
def test_it_is_the_front_of_what_came(chunks: list[bytes], limit: int) -> None:
    copy = BodyCopy(limit)
    whole = b""
    for chunk in chunks:
        copy.feed(message(chunk))
        whole += chunk
        assert copy.read() == whole[:limit]
        assert copy.size == len(whole[:limit])
        assert copy.truncated == (len(whole) > limit)


@given(chunks=chunks)
def test_reading_changes_nothing(chunks: list[bytes]) -> None:
    one, other = BodyCopy(1_000), BodyCopy(1_000)
    for chunk in chunks:
        one.feed(message(chunk))
        one.read()
        other.feed(message(chunk))
    assert (one.read(), one.size, one.truncated) == (other.read(), other.size, other.truncated)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_a_buffer_that_the_server_uses_again_is_copied(kind: Any) -> None:
    shared = bytearray(b"abc")
    copy = BodyCopy(10)
    for _ in range(2):
        copy.feed(message(kind(shared)))
    shared[:] = b"xyz"
    assert copy.read() == b"abcabc"


@pytest.mark.parametrize(
    "other",
    [
        {"type": "http.disconnect"},
        {"type": "http.disconnect", "body": b"x"},
        {"type": "websocket.receive", "bytes": b"x", "body": b"x"},
        {"type": "http.request"},
        {"type": "http.request", "body": None},
        {"type": "http.request", "body": b""},
        {"type": "lifespan.startup"},
    ],
)
def test_what_is_no_body_is_left(other: dict[str, Any]) -> None:
    copy = BodyCopy(10)
    copy.feed(message(b"a"))
    copy.feed(other)
    copy.feed(message(b"b"))
    assert copy.read() == b"ab"


def test_what_fits_exactly_is_whole() -> None:
    copy = BodyCopy(3)
    copy.feed(message(b"abc"))
    assert not copy.truncated
    copy.feed(message(b""))
    assert not copy.truncated
    copy.feed(message(b"d"))
    assert copy.truncated
    assert copy.read() == b"abc"


def test_a_chunk_that_is_cut_is_not_pinned() -> None:
    """A slice of bytes is a copy, so that the rest of an upload's chunk can go."""
    copy = BodyCopy(10)
    chunk = b"x" * 1_000_000
    copy.feed(message(chunk))
    assert [len(piece) for piece in copy._pieces] == [10]


def test_a_usual_body_is_kept_without_a_copy() -> None:
    copy = BodyCopy(100)
    body = b'{"a": 1}'
    copy.feed(message(body))
    assert copy._pieces[0] is body
