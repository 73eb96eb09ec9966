"""However an item is encoded, it says the same."""

from __future__ import annotations

import gzip
import json
import math
from typing import Any

import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk.envelope import Envelope, Item, PayloadRef

import asgi_sentry
from asgi_sentry._exit import encoding
from asgi_sentry.testing import RecordingTransport
from tests.conftest import DSN

fast = pytest.mark.skipif(encoding.orjson is None, reason="the extra `fast` is not installed")

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.text(st.characters(codec=None)),  # lone surrogates too
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=30,
)


@fast
@given(values)
def test_both_encoders_say_the_same(value: Any) -> None:
    ours, theirs = encoding.FastPayload(json=value), PayloadRef(json=value)
    assert json.loads(ours.get_bytes() or b"null") == json.loads(theirs.get_bytes() or b"null")
    assert ours.get_bytes() is ours.get_bytes()


class Text(str):
    __slots__ = ()


@fast
def test_what_json_has_no_word_for_is_as_with_the_sdk() -> None:
    assert (
        encoding.FastPayload(json={"a": Text("t"), "b": 10**30}).get_bytes()
        == b'{"a":"t","b":' + b"1" + b"0" * 30 + b"}"
    )
    with pytest.raises(TypeError):
        encoding.FastPayload(json={"a": object()}).get_bytes()
    assert encoding.FastPayload(json=[math.nan]).get_bytes() == b"[null]"  # the SDK loses the item
    assert encoding.FastPayload(bytes=b"x").get_bytes() == b"x"


def test_without_the_extra_the_sdk_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "orjson", None)
    made = encoding.payload({"a": 1})
    assert type(made) is PayloadRef
    assert made.get_bytes() == b'{"a":1}'


heads = st.dictionaries(st.text(), values, max_size=4)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    contents = st.builds(lambda value: encoding.payload({"value": value}), values) | st.builds(
        PayloadRef, bytes=st.binary(max_size=6_000)
    )
    items = st.builds(Item, contents, headers=heads, type=st.sampled_from(["log", "attachment"]))
    return Envelope(headers=draw(heads), items=draw(st.lists(items, max_size=3)))


def said(data: bytes) -> tuple[dict[str, Any], list[tuple[dict[str, Any], bytes]]]:
    envelope = Envelope.deserialize(data)
    return envelope.headers, [
        ({**item.headers, "length": None}, json.dumps(json.loads(content)).encode() if is_json else content)
        for item in envelope.items
        for content, is_json in [(item.get_bytes(), item.headers["content_type"] == "application/json")]
    ]


@given(envelopes(), st.integers(1, 9))
def test_an_envelope_is_packed_as_the_sdk_packs_it(envelope: Envelope, level: int) -> None:
    assert said(gzip.decompress(encoding.packed(envelope, level))) == said(envelope.serialize())


@pytest.mark.parametrize(("size", "level"), [(0, 0), (4096, 0), (4097, 1), (70_000, 1)])
def test_the_library_takes_its_lowest_level_for_what_is_small(
    size: int, level: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Library:
        @staticmethod
        def compress(data: bytes, level: int, bits: int) -> bytes:
            return b"%d %d" % (level, bits)

    monkeypatch.setattr(encoding, "isal", Library)
    assert encoding.deflated(b"a" * size, 1) == b"%d 31" % level


@pytest.mark.parametrize("level", [1, 6])
def test_a_window_as_large_as_the_data_loses_nothing(level: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "isal", None)
    event = {f"key {number}": f"a value of {number * 7919}" for number in range(2_000)}
    for size in (500, 2_000, 4_095, 8_000, 16_000, 60_000):
        data = json.dumps(event).encode()[:size]
        assert len(encoding.deflated(data, level)) <= len(gzip.compress(data, level)) * 1.01


@pytest.mark.parametrize("library", [True, False], ids=["as installed", "zlib"])
@given(data=st.binary(max_size=300), size=st.integers(0, 70_000), level=st.integers(1, 9))
def test_what_is_deflated_is_gzip_whatever_its_size(library: bool, data: bytes, size: int, level: int) -> None:
    data = (data * (size // max(len(data), 1) + 1))[:size]
    with pytest.MonkeyPatch.context() as patch:
        if not library:
            patch.setattr(encoding, "isal", None)
        assert gzip.decompress(encoding.deflated(data, level)) == data


class Odd(Item):
    """Says something else of itself than what it holds."""

    def serialize_into(self, f: Any) -> None:
        f.write(b'{"type":"odd","length":2}\nhi\n')


@pytest.mark.parametrize(
    "envelope",
    [
        Envelope(headers={"number": 10**30}, items=[Item(b"x", type="log")]),
        Envelope(items=[Item(PayloadRef(json={"a": "\ud800"}), headers={"\ud800": 1})]),
        Envelope(items=[Odd(b"x")]),
        Envelope(),
    ],
    ids=["number", "surrogate", "a class of its own", "empty"],
)
def test_what_orjson_has_no_word_for_goes_the_sdks_way(envelope: Envelope) -> None:
    assert said(gzip.decompress(encoding.packed(envelope, 1))) == said(envelope.serialize())


@pytest.mark.parametrize("transport", ["lean", None])
def test_what_cannot_be_packed_is_encoded_by_the_sdk(transport: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=transport)
    made: Any = sentry_sdk.get_client().transport
    envelope = Envelope(headers={"a": 1}, items=[Item(b"x", type="log")])
    usual = super(type(made).__mro__[1], made)._serialize_envelope(envelope)[1].getvalue()
    ours = made._serialize_envelope(envelope)
    assert ours[0] == "gzip"
    assert ours[1].getvalue() != usual
    assert gzip.decompress(ours[1].getvalue()) == gzip.decompress(usual)

    def fail(data: bytes, level: int) -> bytes:
        raise MemoryError

    monkeypatch.setattr(encoding, "deflated", fail)
    assert gzip.decompress(made._serialize_envelope(envelope)[1].getvalue()) == gzip.decompress(usual)


def test_what_goes_through_the_door_is_encoded_so() -> None:
    transport = RecordingTransport()
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=transport)
    sentry_sdk.capture_message("ünï")
    payload = transport.envelopes[0].items[0].payload
    assert type(payload) is type(encoding.payload({}))
    assert json.loads(payload.get_bytes())["message"] == "ünï"


@pytest.mark.parametrize(
    ("experiments", "algorithm", "level"),
    [
        (None, "gzip", 1),
        ({"max_spans": 3}, "gzip", 1),
        ({"transport_compression_level": 6}, "gzip", 6),
        ({"transport_zlib_compression_level": 7}, "gzip", 7),
        ({"transport_compression_algo": "gzip"}, "gzip", 9),
        ({"transport_compression_level": 0}, "gzip", 0),
    ],
)
def test_compression_is_light_unless_somebody_says_otherwise(
    experiments: dict[str, Any] | None, algorithm: str, level: int
) -> None:
    options = {} if experiments is None else {"_experiments": experiments}
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), **options)
    transport: Any = sentry_sdk.get_client().transport
    assert (transport._compression_algo, transport._compression_level) == (algorithm, level)
    if experiments is not None:
        assert experiments.keys().isdisjoint({"transport_compression_algo"} - {*experiments})
