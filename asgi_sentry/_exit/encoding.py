"""How what is sent is encoded.

By `orjson` and `isal` where the extra `fast` is installed, and deflated lightly. The worker thread
shares the interpreter with the app. The standard library's encoder takes ten times as long as
`orjson`, and gzip's highest level, which the SDK takes, half as long again as its lowest, for a
tenth of the size. Most of what a transaction costs even then is the memory that zlib takes for
texts of any size and gives back at once: 2 KB take 48 µs with it, 11 with as much as they need, 7
with `isal`, and 3 with its lowest level, which leaves 300 bytes more.
"""

from __future__ import annotations

import contextlib
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

from sentry_sdk.envelope import Item, PayloadRef

if TYPE_CHECKING:
    from sentry_sdk.envelope import Envelope

orjson: Any = None  # where the extra is not installed
with contextlib.suppress(ImportError):
    orjson = import_module("orjson")

isal: Any = None  # likewise
with contextlib.suppress(ImportError):
    isal = import_module("isal.isal_zlib")

# What the standard library refuses, `orjson` is to refuse too.
if orjson is None:
    _AS_JSON = 0
else:
    _AS_JSON = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_LIGHT = 1  # the level of compression
_SMALL = 4096  # bytes, such as a transaction has: for `isal` with its lowest level
_GZIP = 16  # of zlib's `wbits`: with the head and the tail of a gzip file
_MEMORY = {12: 6, 13: 6, 14: 7, 15: 8}  # zlib's `memLevel` that goes with a window of so many bits
_COMPRESSION = (
    "transport_compression_level",
    "transport_compression_algo",
    "transport_zlib_compression_level",
)


class FastPayload(PayloadRef):
    """A payload whose JSON `orjson` makes.

    What it refuses (a number beyond 64 bits, say) goes the SDK's way.
    """

    def get_bytes(self) -> bytes:
        """The payload in bytes, made once."""
        if self.bytes is None and self.path is None and self.json is not None:
            try:
                self.bytes = orjson.dumps(self.json, option=_AS_JSON)
            except (TypeError, ValueError, RecursionError):
                return super().get_bytes()
        return super().get_bytes()


def payload(content: Any) -> PayloadRef:
    """The payload of an item, of plain data."""
    if orjson is None:
        return PayloadRef(json=content)
    return FastPayload(json=content)


def lightly_compressed(experiments: dict[str, Any] | None) -> dict[str, Any]:
    """The SDK's experimental options with a light compression, where the user set none."""
    given = dict(experiments or {})
    if not any(given.get(option) is not None for option in _COMPRESSION):
        given.update(transport_compression_level=_LIGHT, transport_compression_algo="gzip")
    return given


def packed(envelope: Envelope, level: int) -> bytes:
    """An envelope as it is sent, in gzip.

    Args:
        envelope: of which `Envelope.serialize` makes the same.
        level: of the compression.
    """
    return deflated(_serialized(envelope), level)


def deflated(data: bytes, level: int) -> bytes:
    """Data in gzip, with a window that is no larger than the data, for which nothing is lost.

    Lightly it is deflated by `isal` where that is installed: in less time, to less.
    """
    if level == _LIGHT and isal is not None:
        level = 0 if len(data) <= _SMALL else _LIGHT
        light: bytes = isal.compress(data, level, zlib.MAX_WBITS + _GZIP)
        return light
    window = min(max(len(data).bit_length(), min(_MEMORY)), max(_MEMORY))
    deflate = zlib.compressobj(level, zlib.DEFLATED, window + _GZIP, _MEMORY[window])
    return deflate.compress(data) + deflate.flush()


def _serialized(envelope: Envelope) -> bytes:
    if orjson is None or any(type(item) is not Item for item in envelope.items):
        return envelope.serialize()
    try:
        lines = [orjson.dumps(envelope.headers, option=_AS_JSON)]
        for item in envelope.items:
            content = item.get_bytes()
            head = {**item.headers, "length": len(content)}
            lines += (orjson.dumps(head, option=_AS_JSON), content)
    except (TypeError, ValueError, RecursionError):
        return envelope.serialize()
    return b"\n".join((*lines, b""))
