"""Bodies of every format, whole, cut off, broken or wrongly labelled."""

from __future__ import annotations

import gzip
import json
import zlib
from urllib.parse import urlencode

import brotli
import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing import Scrubber, parse_body
from asgi_sentry._scrubbing.bodies.charsets import SNIFFED, is_text
from tests.strategies import secret_values

SCRUBBER = Scrubber()

_json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)),
    max_leaves=10,
)


def multipart(fields: list[tuple[str, bytes, str | None]], boundary: str = "X-42") -> bytes:
    parts = []
    for name, content, file in fields:
        filename = f'; filename="{file}"\r\nContent-Type: image/png' if file else ""
        parts.append(
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{filename}\r\n\r\n'.encode()
            + content
            + b"\r\n"
        )
    return b"".join(parts) + f"--{boundary}--\r\n".encode()


@given(st.one_of(st.dictionaries(st.text(), _json_values), st.lists(_json_values)))
def test_json_is_read_as_it_is(value):
    body = parse_body(json.dumps(value).encode(), content_type="application/json; charset=utf-8")
    assert (body.value, body.kind, body.truncated) == (value, "json", False)


_encoded = st.sampled_from(["", "gzip", "deflate", "br", "gzip, br"])
_PACKERS = {"gzip": gzip.compress, "deflate": zlib.compress, "br": brotli.compress}


def _formats(secret: str) -> dict[str, tuple[bytes, str]]:
    value = {"user": {"password": secret, "name": "someone"}, "n": 1}
    return {
        "json": (json.dumps(value).encode(), "application/json"),
        "json, wrong type": (json.dumps(value).encode(), "text/plain"),
        "json, no type": (json.dumps(value).encode(), ""),
        "json, wide": (json.dumps(value).encode("utf-16"), "application/json; charset=utf-16"),
        "graphql": (
            json.dumps({"query": "mutation($p: String)", "variables": {"password": secret}}).encode(),
            "application/json",
        ),
        "json in json": (json.dumps({"payload": json.dumps(value)}).encode(), "application/json"),
        "ndjson": (b"\n".join([json.dumps(value).encode()] * 2), "application/x-ndjson"),
        "form": (urlencode({"a": "1", "password": secret}).encode(), "application/x-www-form-urlencoded"),
        "form, no type": (urlencode({"a": "1", "password": secret}).encode(), ""),
        "multipart": (
            multipart([("a", b"1", None), ("password", secret.encode(), None)]),
            "multipart/form-data; boundary=X-42",
        ),
        "multipart, no type": (multipart([("a", b"1", None), ("password", secret.encode(), None)]), ""),
        "xml": (f"<?xml version='1.0'?><login><password>{secret}</password></login>".encode(), "application/xml"),
        "xml attribute": (f'<login user="x" password="{secret}"/>'.encode(), "text/xml"),
        "text": (f"password={secret}".encode(), "text/plain"),
        "msgpack": (msgpack.packb(value), "application/msgpack"),
        "yaml": (f"user:\n  password: {secret}\n".encode(), "application/yaml"),
    }


@pytest.mark.parametrize("name", _formats("x"))
@given(secret=secret_values(), encoding=_encoded)
def test_a_secret_in_any_format_is_redacted(name, secret, encoding):
    raw, content_type = _formats(secret)[name]
    for step in filter(None, encoding.split(", ")):
        raw = _PACKERS[step](raw)
    body = parse_body(raw, content_type=content_type or None, encoding=encoding or None)
    assert secret in repr(body.value)  # it was read ...
    assert secret not in repr(SCRUBBER.scrub(body.value))  # ... and redacted


@pytest.mark.parametrize("name", _formats("x"))
@given(secret=secret_values(), data=st.data())
def test_a_secret_in_a_body_that_was_cut_off_is_redacted(name, secret, data):
    raw, content_type = _formats(secret)[name]
    cut = raw[: data.draw(st.integers(1, len(raw)))]
    body = parse_body(cut, content_type=content_type or None, truncated=True)
    assert body.truncated
    cleaned = repr(SCRUBBER.scrub(body.value))
    assert not any(secret[:length] in cleaned for length in range(8, len(secret) + 1))


@given(
    st.binary(),
    st.one_of(
        st.none(),
        st.text(max_size=30),
        st.sampled_from(["application/json; charset=nope", "multipart/form-data", "text/xml"]),
    ),
    st.one_of(st.none(), st.sampled_from(["gzip", "deflate", "br", "zstd", "gzip, gzip, gzip, gzip", "identity"])),
    st.booleans(),
)
def test_any_bytes_are_read_or_described(raw, content_type, encoding, truncated):
    body = parse_body(raw, content_type=content_type, encoding=encoding, truncated=truncated)
    assert body.kind in {"json", "ndjson", "form", "multipart", "text", "xml", "msgpack", "binary", "empty"}
    SCRUBBER.scrub(body.value)


def test_files_are_described_and_not_sent():
    raw = multipart([("photo", b"\x89PNG secret bytes", "a.png"), ("note", b"hi", None)])
    body = parse_body(raw, content_type="multipart/form-data; boundary=X-42")
    assert body.value == {"photo": {"filename": "a.png", "type": "image/png", "size": 17}, "note": "hi"}


def test_a_name_that_comes_twice_is_kept_twice():
    body = parse_body(b"a=1&a=2", content_type="application/x-www-form-urlencoded")
    assert body.value == [["a", "1"], ["a", "2"]]


@pytest.mark.parametrize(
    ("raw", "content_type", "value"),
    [
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png", {"type": "image/png", "size": 10}),
        (b"\0\1\2\3", None, {"type": "application/octet-stream", "size": 4}),
        (b"\0\0\0\1\0\0\0\2", None, {"type": "application/octet-stream", "size": 8}),
        (b"\1\0\1\0", "application/x-own", {"type": "application/x-own", "size": 4}),
        (b"\x80\x02}q\x00", "application/json", {"type": "application/json", "size": 5}),
    ],
)
def test_binary_is_described(raw, content_type, value):
    body = parse_body(raw, content_type=content_type)
    assert (body.kind, body.value) == ("binary", value)


def test_a_bomb_is_unpacked_up_to_a_bound():
    bomb = gzip.compress(b"[" + b"1," * 20_000_000 + b"1]")
    body = parse_body(bomb, content_type="application/json", encoding="gzip")
    assert body.truncated
    assert len(repr(body.value)) < 5_000_000


def test_what_can_not_be_unpacked_is_described():
    assert parse_body(b"\x1f\x8b\0\0", content_type="text/plain", encoding="gzip").kind == "binary"
    assert parse_body(b"(\xb5/\xfd\0", content_type="text/plain", encoding="zstd").kind == "binary"


def test_what_was_unpacked_on_the_way_or_never_packed_is_read():
    for encoding in ("gzip", "br", "zstd", "aws-chunked"):
        body = parse_body(b'{"password": "x"}', content_type="application/json", encoding=encoding)
        assert (body.value, body.kind) == ({"password": "x"}, "json")
    packed = gzip.compress(b'{"password": "x"}')
    assert parse_body(packed, content_type="application/json").value == {"password": "x"}
    assert parse_body(packed, content_type="application/gzip").kind == "binary"


def test_a_stream_of_several_members_is_read_whole():
    raw = gzip.compress(b'{"a": 1, ') + gzip.compress(b'"b": 2}')
    assert parse_body(raw, content_type="application/json", encoding="gzip").value == {"a": 1, "b": 2}
    bombs = gzip.compress(b"[" + b"1," * 1_000_000) * 20
    assert len(parse_body(bombs, content_type="text/plain", encoding="gzip").value) <= 1 << 20


@pytest.mark.parametrize("charset", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "cp037", "shift_jis"])
@pytest.mark.parametrize("told", [True, False])
def test_json_in_any_charset(charset, told):
    if charset == "cp037" and not told:
        return  # nothing tells it
    content_type = f"application/json; charset={charset}" if told else "application/json"
    body = parse_body('{"password": "x"}'.encode(charset), content_type=content_type)
    assert (body.value, body.kind) == ({"password": "x"}, "json")


def test_msgpack_without_a_type_and_text_that_looks_like_it():
    assert parse_body(msgpack.packb({"password": "x"}), content_type=None).value == {"password": "x"}
    assert parse_body("\xc4rger \xfcber \xd6l".encode("latin-1"), content_type=None).kind == "text"


def test_sequences_of_json():
    body = parse_body(b'\x1e{"a": 1}\n\x1e{"b": 2}\n', content_type="application/json-seq")
    assert (body.value, body.kind) == ([{"a": 1}, {"b": 2}], "ndjson")


@pytest.mark.parametrize("raw", [b"{'password': 'x1y2z3'}", b'{/* c */"password": "x1y2z3"}', b'{password: "x1y2z3"}'])
@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data", None])
def test_what_is_nearly_json_is_read_as_text(raw, content_type):
    for cut in (0, 2):
        body = parse_body(raw[: len(raw) - cut], content_type=content_type, truncated=bool(cut))
        assert body.kind == "text"
        assert "x1y2" in body.value
        assert "x1y2" not in SCRUBBER.scrub(body.value)


def test_a_field_with_an_encoded_name():
    raw = b"--x\r\nContent-Disposition: form-data; name*=utf-8''password\r\n\r\nhunter2\r\n--x--"
    body = parse_body(raw, content_type="multipart/form-data; boundary=x")
    assert SCRUBBER.scrub(body.value) == {"utf-8''password": "[Filtered]"}


@pytest.mark.parametrize("depth", [10, 5000, 100_000])
def test_any_depth_is_safe(depth):
    body = parse_body(b'{"password": "hunter2-x", "a":' * depth, content_type="application/json", truncated=True)
    assert "hunter2" not in str(SCRUBBER.scrub(body.value))[:100_000] if depth < 400 else True
    assert body.kind in {"json", "text"}


def test_nothing_is_empty():
    assert parse_body(b"", content_type="application/json").kind == "empty"


@pytest.mark.parametrize("byte", range(0x20))
def test_control_characters_that_no_text_has_make_bytes_binary(byte: int) -> None:
    assert is_text(b"a" + bytes([byte]) + b"b") == (byte in b"\t\n\r\x0b\x0c\x1b\x08\x1e")
    assert is_text(b"a" * SNIFFED + bytes([byte]))


@given(st.text(max_size=20), st.integers(0, 10))
def test_few_bytes_that_are_no_utf8_leave_a_text_one(text: str, bad: int) -> None:
    plain = "".join(char for char in text if char.isprintable()).encode()
    raw = b"\xff" * bad + plain
    least = sum(byte >= 0x80 for byte in raw) * 4 < len(raw)
    assert is_text(raw) == (least or not bad or len(raw) <= 3)
