"""However an item is encoded, it says the same."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk.envelope import PayloadRef

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
