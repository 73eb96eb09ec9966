"""Bodies that were compressed, unpacked within bounds."""

from __future__ import annotations

import zlib
from importlib import import_module

# Bytes of a compressed body that are looked at, whatever they were packed into.
_MAX_UNPACKED = 1 << 16

GZIP = b"\x1f\x8b"


def unpack(raw: bytes, encoding: str | None) -> tuple[bytes, bool] | None:
    """The content and whether it was cut; None where it can't be unpacked."""
    cut = False
    steps = [step.strip().lower() for step in (encoding or "").split(",") if step.strip()]
    if len(steps) > 3:
        return None
    for step in reversed(steps):
        if step in {"identity", "utf-8"}:
            continue
        unpacked = _unpack_one(raw, step)
        if unpacked is None:
            return None
        raw, stopped = unpacked
        cut = cut or stopped
    return raw, cut


def _unpack_one(raw: bytes, encoding: str) -> tuple[bytes, bool] | None:
    if encoding in {"gzip", "x-gzip", "deflate"}:
        # +32 tells zlib from gzip by the header; raw deflate is what some clients send as
        # "deflate".
        for bits in (zlib.MAX_WBITS + 32, -zlib.MAX_WBITS):
            unpacked = _inflated(raw, bits)
            if unpacked is not None:
                return unpacked
        return None
    if encoding == "br":
        return _unpack_brotli(raw)
    return None


def _inflated(raw: bytes, bits: int) -> tuple[bytes, bool] | None:
    """All members of a gzip stream, one behind the other, or what zlib made."""
    content, cut = b"", True
    while raw and len(content) < _MAX_UNPACKED:
        unpacker = zlib.decompressobj(bits)
        try:
            content += unpacker.decompress(raw, _MAX_UNPACKED - len(content))
        except zlib.error:
            if not content:
                return None
            return (content, True)
        cut = bool(unpacker.unconsumed_tail) or not unpacker.eof
        raw = b""
        if unpacker.unused_data.startswith(GZIP):
            raw = unpacker.unused_data
    return content, cut or bool(raw)


def _unpack_brotli(raw: bytes) -> tuple[bytes, bool] | None:
    try:
        unpacker = import_module("brotli").Decompressor()
        content = unpacker.process(raw, output_buffer_limit=_MAX_UNPACKED)
        finished = unpacker.is_finished()
    except Exception:  # not installed, an old version without a limit, or broken
        return None
    return content, not finished
