"""Sentry's ingestion endpoints: what a request brings, who sent it, and what is answered.

Pure: both servers of this package ask here. Envelopes are the protocol of all SDKs of today;
`store` is what old ones speak, `tunnel` what browsers send past ad blockers, `cron` and `security`
what needs no SDK. Sources: Sentry's developer documentation, "Envelopes", "Event Ingestion",
"Check-Ins", and Relay's endpoints.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from asgi_sentry.tools.sink.encodings import (
    BodyTooLargeError,
    UnknownEncodingError,
    decode_body,
)
from asgi_sentry.tools.sink.envelope import BadEnvelopeError, Envelope, Item, parse_envelope

if TYPE_CHECKING:
    from collections.abc import Mapping

KNOWN = (
    "this sink takes POST /api/<project>/envelope/, .../store/, .../security/, /tunnel,"
    " and /api/<project>/cron/<slug>/<key>/"
)
"""What there is, for those who ask for what is not."""

_PREFIX = r"(?P<prefix>(?:/[^/]+)*?)"
_ROUTES = re.compile(
    _PREFIX
    + r"(?:/api(?:/(?P<project>[0-9]+))?/(?P<endpoint>envelope|store|security)"
    + r"|/api/(?P<of>[0-9]+)/(?P<cron>cron)/(?P<slug>[^/]{1,100})(?:/(?P<key>[0-9A-Za-z]{1,100}))?"
    + r"|/(?P<tunnel>tunnel))/?"
)
_KEY = re.compile(r"\bsentry_key=([0-9A-Za-z]+)")
_STATUSES = frozenset({"ok", "error", "in_progress"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One envelope as it arrived.

    Who sent it where, its bytes (decompressed), and what they say.
    """

    prefix: str
    """The path in front of `/api/`, so that senders can be told apart: see `Sink.dsn_for`."""
    project: str
    key: str | None
    raw: bytes
    envelope: Envelope
    arrived: float = field(default_factory=time.time)
    """When, in seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a sender is told."""

    status: int
    body: dict[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


class RefusedError(Exception):
    """What came is not taken; `status` and `detail` are what Sentry would answer."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{status} {detail}")
        self.status: int = status
        self.detail: str = detail

    @property
    def answer(self) -> Answer:
        """As JSON, and in the header that SDKs log."""
        return Answer(
            status=self.status,
            body={"detail": self.detail},
            headers={"X-Sentry-Error": self.detail},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """An endpoint that a path names."""

    endpoint: str
    prefix: str = ""
    project: str = ""
    slug: str = ""
    key: str | None = None


def target_of(method: str, path: str) -> Target | None:
    """The endpoint that a method and a path name, None if there is none."""
    found = _ROUTES.fullmatch(path)
    if found is None:
        return None
    endpoint = found["endpoint"] or found["cron"] or found["tunnel"]
    methods = {"store": ("POST", "GET"), "cron": ("POST", "GET", "PUT")}.get(endpoint, ("POST",))
    project = found["project"] or found["of"] or ""
    if method not in methods or (not project and endpoint in {"envelope", "security"}):
        return None
    return Target(
        endpoint=endpoint,
        prefix=found["prefix"],
        project=project,
        slug=found["slug"] or "",
        key=found["key"],
    )


def check_length(length: str | None, limit: int) -> None:
    """Refuse a request by its `Content-Length`, before a byte of its body is read.

    Raises:
        RefusedError: it is no number, or above the limit.
    """
    if length is None or not (length.isascii() and length.isdigit() and len(length) < 16):
        raise RefusedError(411, "a Content-Length in bytes is needed")
    if int(length) > limit:
        raise RefusedError(413, f"the body has more than {limit} bytes")


def receive(
    target: Target, query: str, headers: Mapping[str, str], body: bytes, *, limit: int
) -> Received:
    """Read one request.

    Args:
        target: from `target_of`.
        query: without the question mark.
        headers: with names in lower case.
        body: as it came.
        limit: of the decompressed body, in bytes.

    Raises:
        RefusedError: it can't be read, is too large, or says no key.
    """
    asked = {}
    if query:
        asked = parse_qs(query)
    try:
        if target.endpoint == "cron":
            raw, envelope = _check_in(target, asked)
        else:
            raw = decode_body(body, headers.get("content-encoding"), limit=limit)
            raw, envelope = _READERS[target.endpoint](raw, asked, limit)
    except BodyTooLargeError as error:
        raise RefusedError(413, str(error)) from None
    except UnknownEncodingError as error:
        raise RefusedError(415, str(error)) from None
    except BadEnvelopeError as error:
        raise RefusedError(400, str(error)) from None
    project, key = target.project, target.key or _key(headers, asked)
    if key is None or not project:
        project_of_dsn, key_of_dsn = _dsn(envelope)
        project, key = project or project_of_dsn, key or key_of_dsn
    if key is None:
        raise RefusedError(401, "no sentry_key in X-Sentry-Auth, the query or the envelope's dsn")
    if target.endpoint == "tunnel" and not project:
        raise RefusedError(400, "a tunnel's envelope needs a dsn with a project in its header")
    return Received(prefix=target.prefix, project=project, key=key, raw=raw, envelope=envelope)


def accepted(received: Received) -> Answer:
    """What Sentry says when it has taken an envelope."""
    event_id = received.envelope.headers.get("event_id")
    return Answer(status=200, body={} if event_id is None else {"id": str(event_id)})


# -- what the endpoints read -----------------------------------------------------------------------


def _envelope(raw: bytes, asked: Mapping[str, list[str]], limit: int) -> tuple[bytes, Envelope]:
    return raw, parse_envelope(raw)


def _store(raw: bytes, asked: Mapping[str, list[str]], limit: int) -> tuple[bytes, Envelope]:
    """An event alone, plain or in base64 (and zlib within it).

    It is in the body or, for images, in the query.
    """
    raw = raw or (asked.get("sentry_data") or [""])[0].encode()
    if raw[:1] not in {b"{", b" ", b"\n", b"\r", b"\t"}:
        try:
            raw = base64.b64decode(raw, validate=True)
        except binascii.Error:
            raise BadEnvelopeError("the event is neither JSON nor base64") from None
        if raw[:1] != b"{":
            raw = decode_body(raw, "deflate", limit=limit)
    event = _object(raw, "the event")
    event_id = event.get("event_id")
    if not isinstance(event_id, str):
        event_id = uuid.uuid4().hex
    kind = "event"
    if event.get("type") == "transaction":
        kind = "transaction"
    item = Item(headers={"type": kind, "length": len(raw)}, payload=raw)
    return raw, Envelope(headers={"event_id": event_id.replace("-", "")}, items=(item,))


def _security(raw: bytes, asked: Mapping[str, list[str]], limit: int) -> tuple[bytes, Envelope]:
    """A browser's report of a violated policy."""
    try:
        json.loads(raw)
    except (ValueError, RecursionError):
        raise BadEnvelopeError("the report is no JSON") from None
    item = Item(headers={"type": "raw_security", "length": len(raw)}, payload=raw)
    return raw, Envelope(headers={"event_id": uuid.uuid4().hex}, items=(item,))


_READERS = {"envelope": _envelope, "tunnel": _envelope, "store": _store, "security": _security}


def _check_in(target: Target, asked: Mapping[str, list[str]]) -> tuple[bytes, Envelope]:
    """A check-in by URL alone: `curl .../cron/<slug>/<key>/?status=ok`."""
    status = (asked.get("status") or ["ok"])[0]
    if status not in _STATUSES:
        raise BadEnvelopeError("the status of a check-in is none of ok, error and in_progress")
    payload: dict[str, Any] = {
        "check_in_id": (asked.get("check_in_id") or [uuid.uuid4().hex])[0][:64],
        "monitor_slug": target.slug,
        "status": status,
    }
    if environment := asked.get("environment"):
        payload["environment"] = environment[0][:200]
    if duration := asked.get("duration"):
        try:
            payload["duration"] = float(duration[0])
        except ValueError:
            raise BadEnvelopeError("the duration of a check-in is no number") from None
    raw = json.dumps(payload).encode()
    item = Item(headers={"type": "check_in", "length": len(raw)}, payload=raw)
    return raw, Envelope(headers={}, items=(item,))


def _object(raw: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        raise BadEnvelopeError(f"{what} is no JSON") from None
    if not isinstance(value, dict):
        raise BadEnvelopeError(f"{what} is no JSON object")
    return value


# -- who sends -------------------------------------------------------------------------------------


def _key(headers: Mapping[str, str], asked: Mapping[str, list[str]]) -> str | None:
    """The public key, from the places where the protocol allows it."""
    for name in ("x-sentry-auth", "authorization"):
        if found := _KEY.search(headers.get(name) or ""):
            return found[1]
    keys = asked.get("sentry_key")
    if not keys:
        return None
    return keys[0]


def _dsn(envelope: Envelope) -> tuple[str, str | None]:
    """The project and the key of the DSN in an envelope's header, as far as they are there."""
    dsn = envelope.headers.get("dsn")
    if not isinstance(dsn, str):
        return "", None
    try:
        parts = urlsplit(dsn)
        key = parts.username
    except ValueError:
        return "", None
    project = parts.path.rstrip("/").rsplit("/", 1)[-1]
    if not (project.isascii() and project.isdigit()):
        project = ""
    return project, key
