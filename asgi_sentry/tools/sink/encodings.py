"""`Content-Encoding`, undone within bounds: a small body may not unfold into a large memory."""

from __future__ import annotations

import gzip
import zlib
from typing import Protocol

from asgi_sentry.tools.sink.envelope import BadEnvelopeError

_PIECE = 4096  # bytes of a compressed body that are fed at once
_ZSTD_PIECE = 256  # each 4 bytes may stand for a block of 128 KiB, and no limit can be given
_ZSTD_WINDOW = 1 << 27  # the largest window of zstd's own command line


class BodyTooLargeError(BadEnvelopeError):
    """The body is larger than the sink takes, as it came or once it is decompressed."""


class UnknownEncodingError(BadEnvelopeError):
    """The body has a content encoding that can't be decoded here."""


def decode_body(body: bytes, encoding: str | None, *, limit: int) -> bytes:
    """Undo a `Content-Encoding`, holding at most `limit` bytes and a buffer of the result.

    Raises:
        UnknownEncodingError: not identity, gzip, deflate, br or zstd (the last two with the
            packages `brotli` and `zstandard` installed).
        BodyTooLargeError: more than `limit` bytes come out.
        BadEnvelopeError: the compressed data is damaged or cut off.
    """
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        if len(body) > limit:
            raise BodyTooLargeError(f"the body has more than {limit} bytes")
        return body
    try:
        if name in {"gzip", "x-gzip"}:
            return _inflate(body, zlib.decompressobj(wbits=zlib.MAX_WBITS | 16), limit)
        if name == "deflate":
            # Zlib-wrapped by the standard; some senders leave the wrapper out.
            raw = not body[:1] or body[0] & 0x0F != zlib.DEFLATED
            return _inflate(
                body, zlib.decompressobj(wbits=-zlib.MAX_WBITS if raw else zlib.MAX_WBITS), limit
            )
    except (zlib.error, gzip.BadGzipFile, EOFError):
        raise BadEnvelopeError(f"the {name} data is damaged") from None
    if name == "br":
        return _decode_brotli(body, limit)
    if name == "zstd":
        return _decode_zstd(body, limit)
    raise UnknownEncodingError("the content encoding is none of gzip, deflate, br, zstd, identity")


class _Inflater(Protocol):
    @property
    def eof(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _inflate(body: bytes, inflater: _Inflater, limit: int) -> bytes:
    decoded = inflater.decompress(body, limit + 1)
    if len(decoded) > limit:
        raise _too_large(limit)
    if not inflater.eof:
        raise BadEnvelopeError("the compressed data is cut off")
    return decoded


def _decode_brotli(body: bytes, limit: int) -> bytes:
    try:
        import brotli  # noqa: PLC0415  # optional: the SDK sends br only where brotli is installed
    except ImportError:
        raise UnknownEncodingError("the content encoding br needs the package brotli") from None
    inflater, decoded = brotli.Decompressor(), bytearray()
    try:
        for start in range(0, len(body), _PIECE):
            piece = body[start : start + _PIECE]
            while True:
                room = limit + 1 - len(decoded)
                decoded += inflater.process(piece, output_buffer_limit=room)
                if len(decoded) > limit:
                    raise _too_large(limit)
                if inflater.can_accept_more_data():
                    break
                piece = b""
    except brotli.error:
        raise BadEnvelopeError("the br data is damaged") from None
    if not inflater.is_finished():
        raise BadEnvelopeError("the compressed data is cut off")
    return bytes(decoded)


def _decode_zstd(body: bytes, limit: int) -> bytes:
    try:
        import zstandard  # noqa: PLC0415  # optional, as brotli
    except ImportError:
        raise UnknownEncodingError(
            "the content encoding zstd needs the package zstandard"
        ) from None
    inflater = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).decompressobj()
    decoded = bytearray()
    try:
        for start in range(0, len(body), _ZSTD_PIECE):
            decoded += inflater.decompress(body[start : start + _ZSTD_PIECE])
            if len(decoded) > limit:
                raise _too_large(limit)
            if inflater.eof:
                break
    except zstandard.ZstdError:
        raise BadEnvelopeError("the zstd data is damaged") from None
    if not inflater.eof:
        raise BadEnvelopeError("the compressed data is cut off")
    return bytes(decoded)


def _too_large(limit: int) -> BodyTooLargeError:
    return BodyTooLargeError(f"the decompressed body has more than {limit} bytes")
