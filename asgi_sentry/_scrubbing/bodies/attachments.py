"""The bytes of an attachment as a text that rules can read, and back into bytes of the same kind.

What can't be read is no text of which it could be told that nothing secret is in it: None, and
whoever asks does not send it. Costs: unpacking stops at 4 MB (`zlib.decompressobj` with a bound on
its output), decoding and encoding by the codecs of UTF-8, UTF-16, UTF-32 and Latin-1 is linear, and
so is the one count over all bytes.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass

__all__ = ["Attachment", "read_attachment"]

_GZIP = b"\x1f\x8b"
_LONGEST = 4 << 20  # bytes, unpacked
_FEW = 50  # one control character in so many is still a text: a NUL in a log, say
_CONTROLS = bytes(set(range(0x20)) - set(b"\t\n\r\x0b\x0c\x08\x1b\x1e"))
_HIGH = bytes(range(0x80, 0x100))
_MANY = 3  # of a text in a charset of single bytes, at most one in so many is beyond ASCII
# With the mark kept as a character, so that it comes back. UTF-32's begins like UTF-16's.
_MARKS = (
    (b"\xff\xfe\0\0", "utf-32-le"),
    (b"\0\0\xfe\xff", "utf-32-be"),
    (b"\xff\xfe", "utf-16-le"),
    (b"\xfe\xff", "utf-16-be"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """An attachment that can be read.

    Attributes:
        text: what it says.
        charset: what it was decoded by.
        packed: whether it was packed by gzip.
    """

    text: str
    charset: str
    packed: bool = False

    def with_text(self, text: str) -> bytes:
        """Bytes of the same kind with another text."""
        raw = text.encode(self.charset, "replace")
        if self.packed:
            return gzip.compress(raw, mtime=0)
        return raw


def read_attachment(raw: bytes) -> Attachment | None:
    """Read an attachment by what it holds, whatever its content type says.

    Args:
        raw: all of it.

    Returns:
        None if it is no text: an image, an archive, a pickle, or more than 4 MB.
    """
    packed = raw.startswith(_GZIP)
    if packed:
        unpacked = _unpacked(raw)
        if unpacked is None:
            return None
        raw = unpacked
    if len(raw) > _LONGEST:
        return None
    charset = _charset(raw)
    if charset is None:
        return None
    try:
        text = raw.decode(charset)
    except UnicodeDecodeError:
        return None
    return Attachment(text=text, charset=charset, packed=packed)


def _unpacked(raw: bytes) -> bytes | None:
    """All members of a gzip file; None if it is broken, cut off or too much."""
    pieces: list[bytes] = []
    room = _LONGEST + 1
    while raw:
        unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
        try:
            piece = unpacker.decompress(raw, room)
        except zlib.error:
            return None
        room -= len(piece)
        if not unpacker.eof or room <= 0:
            return None
        pieces.append(piece)
        rest = unpacker.unused_data
        if rest and not rest.startswith(_GZIP):
            return None
        if len(pieces) > _MOST_MEMBERS:
            return None
        raw = rest
    return b"".join(pieces)


_MOST_MEMBERS = 64


def _charset(raw: bytes) -> str | None:
    """What a text is written in; None if it is none."""
    for mark, charset in _MARKS:
        if raw.startswith(mark):
            return charset
    if _is_plain(raw):
        try:
            raw.decode("utf-8")
        except UnicodeDecodeError:
            high = len(raw) - len(raw.translate(None, _HIGH))
            return "latin-1" if high * _MANY <= len(raw) else None
        return "utf-8"
    # Without a mark, and mostly ASCII: every other byte is zero.
    if len(raw) % 2 == 0:
        for charset, ascii_half, zero_half in (
            ("utf-16-le", raw[::2], raw[1::2]),
            ("utf-16-be", raw[1::2], raw[::2]),
        ):
            if zero_half.count(0) * 2 > len(zero_half) and _is_plain(ascii_half):
                return charset
    return None


def _is_plain(raw: bytes) -> bool:
    """Whether there are next to no control characters in it."""
    return (len(raw) - len(raw.translate(None, _CONTROLS))) * _FEW <= max(len(raw), _FEW)
