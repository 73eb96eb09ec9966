"""Sentry's envelope format, read strictly.

An envelope is a line of JSON (its header), then items: a line of JSON (the item's header, with
`type` and mostly `length`) and the payload, each ended by a newline. Without `length` a payload is
one line. Source: Sentry's developer documentation, "Envelopes". The SDK's own reader guesses where
this one refuses: a sink that shrugs at garbage would hide that a sender is broken.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any


class BadEnvelopeError(ValueError):
    """What arrived is no envelope; the message says why and never quotes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One item of an envelope, its payload as it was sent."""

    headers: dict[str, Any]
    payload: bytes

    @property
    def kind(self) -> str:
        """The protocol's `type`, such as `event`, `transaction` or `client_report`."""
        kind: str = self.headers["type"]
        return kind

    def json(self) -> Any:
        """The payload as JSON.

        Raises:
            BadEnvelopeError: it is none, as for an attachment.
        """
        return _json(self.payload, f"the payload of an item of type {self.kind[:40]!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A parsed envelope."""

    headers: dict[str, Any]
    items: tuple[Item, ...]


def parse_envelope(data: bytes) -> Envelope:
    """Read an envelope.

    Raises:
        BadEnvelopeError: a header is not a JSON object, an item has no type, or a payload is
            shorter than announced.
    """
    line, position = _line(data, 0)
    headers = _object(line, "the envelope's header")
    items = []
    while position < len(data):
        line, position = _line(data, position)
        if not line.strip():
            continue  # senders may end an envelope with empty lines
        item_headers = _object(line, "an item's header")
        if not isinstance(item_headers.get("type"), str):
            raise BadEnvelopeError("an item's header has no type")
        length = item_headers.get("length")
        if length is None:
            payload, position = _line(data, position)
        else:
            payload, position = _payload(data, position, length)
        items.append(Item(headers=item_headers, payload=payload))
    return Envelope(headers=headers, items=tuple(items))


def _line(data: bytes, start: int) -> tuple[bytes, int]:
    end = data.find(b"\n", start)
    if end < 0:
        return (data[start:], len(data))
    return (data[start:end], end + 1)


def _payload(data: bytes, start: int, length: object) -> tuple[bytes, int]:
    if not isinstance(length, int) or isinstance(length, bool) or length < 0:
        raise BadEnvelopeError("an item's length is no number of bytes")
    end = start + length
    if end > len(data):
        raise BadEnvelopeError("an item is shorter than its length")
    if data[end : end + 1] not in {b"", b"\n"}:
        raise BadEnvelopeError("an item is longer than its length")
    return data[start:end], end + 1


def _object(line: bytes, what: str) -> dict[str, Any]:
    value = _json(line, what)
    if not isinstance(value, dict):
        raise BadEnvelopeError(f"{what} is no JSON object")
    return value


def _json(data: bytes, what: str) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise BadEnvelopeError(f"{what} is no JSON") from None
