"""Multipart bodies (RFC 7578), as far as a scrubber needs them: fields by name.

Of files name, type and size.
"""

from __future__ import annotations

import re
from typing import Any

_MAX_PARTS = 1000
_MAX_HEADERS = 8192
# Quoted or bare, with backslashes as browsers write them.
_PARAMETER = re.compile(
    rb"[;\s](name\*?|filename\*?)\s{0,8}=\s{0,8}(?:\"((?:[^\"\\]|\\.){0,1000})\"|"
    rb"([^;\s\"]{1,1000}))",
    re.IGNORECASE,
)
_BOUNDARY = re.compile(
    r"[;\s]boundary\s{0,8}=\s{0,8}(?:\"([^\"]{1,200})\"|([^;\s\"]{1,200}))", re.IGNORECASE
)
_SHORT = 64
_TYPE = re.compile(rb"content-type:[ \t]{0,20}([^;\r\n]{1,200})", re.IGNORECASE)


def parse_multipart(
    raw: bytes,
    boundary: str | None,
    charset: str,
    *,
    truncated: bool = False,
    part_end: int | None = None,
) -> tuple[list[tuple[str, Any]], bool] | None:
    """The parts of a body, in order, and whether it was cut off; None if there are none.

    Args:
        raw: the body, or its beginning.
        boundary: of the content type; where it is missing the first line is taken for it.
        charset: of fields that have none of their own.
        truncated: whether `raw` is not all of it.
        part_end: where in the body the last part ends, if it is cut off in `raw`; None: not known.
    """
    if boundary:
        mark = _mark(boundary)
    else:
        mark = raw.split(b"\n", 1)[0].strip()
    if len(mark) < 3 or not mark.startswith(b"--") or mark not in raw:
        return None
    chunks = raw.split(mark, _MAX_PARTS)
    closed = chunks[-1].startswith(b"--")
    within = chunks[1:]
    if closed:
        within.pop()
    # Of the last part, behind what is here.
    rest = None
    if part_end is not None:
        rest = part_end - len(raw)
    parts = []
    for number, chunk in enumerate(within, start=1):
        cut = truncated and not closed and number == len(within)
        part = _part(chunk, charset, cut=cut, rest=rest)
        if part is not None:
            parts.append(part)
    return parts, not closed


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a multipart body, as it stands in the Content-Type header.

    None for another kind of body.
    """
    if not content_type[:_SHORT].lower().startswith("multipart/"):
        return None
    found = _BOUNDARY.search(content_type[:_MAX_HEADERS])
    if found is not None:
        return _mark(found[1] or found[2])[2:]
    return None


def _mark(boundary: str) -> bytes:
    return b"--" + boundary.encode("latin-1", "replace")


def _part(chunk: bytes, charset: str, *, cut: bool, rest: int | None) -> tuple[str, Any] | None:
    """One part: its name, and its text, or of a file name, type and size.

    Args:
        chunk: between two marks.
        charset: of a field that has none of its own.
        cut: whether there is more of it than the chunk; then
        rest: is how much, None if that is not known.
    """
    head, gap, content = _split(chunk)
    parameters = {
        match[1].lower(): match[2] if match[2] is not None else match[3]
        for match in _PARAMETER.finditer(b" " + head[:_MAX_HEADERS])
    }
    name = _text(parameters.get(b"name", parameters.get(b"name*", b"")), charset).replace(
        '\\"', '"'
    )
    if not head and not content:
        return None
    if not cut:
        content = content.removesuffix(b"\n").removesuffix(b"\r")
    filename = parameters.get(b"filename", parameters.get(b"filename*"))
    kind = _TYPE.search(head[:_MAX_HEADERS])
    media = ""
    if kind:
        media = kind[1].decode("latin-1").strip().lower()
    if filename is not None or (media and not media.startswith(("text/", "application/json"))):
        described: dict[str, Any] = {
            "filename": _text(filename or b"", charset),
            "type": media or "application/octet-stream",
        }
        if not cut:
            described["size"] = len(content)
        elif rest is not None and gap:
            # Less the CR before the mark.
            described["size"] = max(0, len(content) + rest - (len(gap) == 4))
        return name, described
    return name, _text(content, charset)


def _split(chunk: bytes) -> tuple[bytes, bytes, bytes]:
    """A part's headers, the blank line, and its content, with CRLF or bare LF."""
    chunk = chunk.lstrip(b" \t")
    for gap in (b"\r\n\r\n", b"\n\n"):
        head, found, content = chunk.partition(gap)
        if found:
            return head, found, content
    return chunk, b"", b""


def _text(raw: bytes, charset: str) -> str:
    try:
        return raw.decode(charset)
    except (LookupError, ValueError):
        return raw.decode("utf-8", "replace")
