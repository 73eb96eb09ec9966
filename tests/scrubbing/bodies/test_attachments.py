"""Attachments: what is text is scrubbed in whatever it is written in, what can't be read is told to be so."""

from __future__ import annotations

import gzip
import pickle
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing import FILTERED, Scrubber, Taint
from asgi_sentry._scrubbing.bodies.attachments import read_attachment

SCRUBBER = Scrubber()
LOG = "2024-11-23 shop: gr\u00fc\u00dfe\npassword=hunter2\nall is well\n"


def scrubbed(raw: bytes) -> bytes | None:
    return SCRUBBER.scrub_item("attachment", raw)


@pytest.mark.parametrize("charset", ["utf-8", "latin-1", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
@pytest.mark.parametrize("packed", [False, True])
def test_text_is_scrubbed_in_its_charset(charset, packed):
    raw = LOG.encode(charset)
    left = scrubbed(gzip.compress(raw) if packed else raw)
    assert left is not None
    text = (gzip.decompress(left) if packed else left).decode(charset)
    assert text == LOG.replace("hunter2", FILTERED)


def test_a_log_with_a_control_character_is_still_one():
    raw = b"crash at \0 x\n" + b"all is well\n" * 10 + b"Authorization: Bearer abcdef123456\n"
    left = scrubbed(raw)
    assert left is not None
    assert b"abcdef" not in left
    assert left.startswith(b"crash at \0 x\n")


UNREADABLE = {
    "a pickle": pickle.dumps({"password": "hunter2"}),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "zlib": zlib.compress(b"password=hunter2" * 100),
    "cut off": gzip.compress(b"password=hunter2", mtime=0)[:-9],
    "too much": gzip.compress(b"x" * (5 << 20), mtime=0),
    "no gzip": b"\x1f\x8bpassword=hunter2",
    "an archive": b"PK\x03\x04\x14\0\0\0\x08\0password=hunter2\0\1\2\3\4\5\6",
    "many members": gzip.compress(b"", mtime=0) * 100,
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_is_none(kind):
    assert scrubbed(UNREADABLE[kind]) is None


def test_what_a_request_came_with_goes_too():
    taint = Taint(("Zx81-secret-of-this-request",))
    left = SCRUBBER.scrub_item("attachment", "\ufeffsaw Zx81-secret-of-this-request".encode("utf-16-le"), taint=taint)
    assert left.decode("utf-16") == f"saw {FILTERED}"


def test_harmless_bytes_come_back_as_they_were():
    packed = gzip.compress(b"all is well", mtime=7)
    assert scrubbed(packed) == packed
    assert scrubbed(b"") == b""


@given(st.binary(max_size=200))
def test_any_bytes_are_taken(raw):
    read = read_attachment(raw)
    assert read is None or read.packed or read.with_text(read.text) == raw
