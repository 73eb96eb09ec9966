"""How what is sent is encoded.

By `orjson` where the extra `fast` is installed, and deflated lightly. The worker thread shares the
interpreter with the app. The standard library's encoder takes ten times as long as `orjson`, and
gzip's highest level, which the SDK takes, half as long again as its lowest, for a tenth of the
size.
"""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import Any

from sentry_sdk.envelope import PayloadRef

orjson: Any = None  # where the extra is not installed
with contextlib.suppress(ImportError):
    orjson = import_module("orjson")

# What the standard library refuses, `orjson` is to refuse too.
if orjson is None:
    _AS_JSON = 0
else:
    _AS_JSON = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
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
        given.update(transport_compression_level=1, transport_compression_algo="gzip")
    return given
