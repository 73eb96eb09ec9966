"""`asgi-sentry scrub`: an event, an envelope or a body as sent, and what was redacted in it."""

from __future__ import annotations

import json
import mimetypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing import Redaction, Scrubber, parse_body
from asgi_sentry._scrubbing.suspects import false_alarm, find_suspects
from asgi_sentry.tools.printing import complain, print_data, print_table, printable
from asgi_sentry.tools.sink import BadEnvelopeError, decode_body
from asgi_sentry.tools.sink.envelope import Envelope, parse_envelope

if TYPE_CHECKING:
    import argparse

_EVENT_KEYS = frozenset(
    {"event_id", "exception", "logentry", "breadcrumbs", "contexts", "spans", "sdk", "transaction"}
)
_ENVELOPE_KEYS = frozenset({"event_id", "sent_at", "dsn", "sdk", "trace"})
_MOST_UNPACKED = 1 << 28  # bytes of a compressed file
_WIDEST = 120  # characters of a path in a table


def scrub_files(options: argparse.Namespace) -> int:
    """Print files as they would be sent, and on standard error what was redacted.

    2 if one can't be read.
    """
    names: list[str] = options.files or ["-"]
    code = 0
    for name in names:
        try:
            if name == "-":
                raw = sys.stdin.buffer.read()
            else:
                raw = Path(name).read_bytes()
        except OSError as error:
            complain(f"{name} can't be read: {error.strerror}")
            code = 2
            continue
        content_type = None if name == "-" else mimetypes.guess_type(name)[0]
        value, found = scrub(raw, content_type)
        found.sort(key=lambda redaction: _place(value, redaction.path))
        if options.suspects:
            code = max(code, _show_suspects(name, value, found, as_json=options.json))
            continue
        if options.json:
            rows = [{"where": _path(redaction.path), "rule": redaction.rule} for redaction in found]
            print(json.dumps({"file": name, "redacted": rows, "scrubbed": value}, default=str))
            continue
        if len(names) > 1:
            print(f"{printable(name)}:", file=sys.stderr)
        _print_scrubbed(value, found)
    return code


def _show_suspects(name: str, value: Any, found: list[Redaction], *, as_json: bool) -> int:
    """List what was not redacted and looks as if it should be, and how to undo what was.

    1 if there is any.
    """
    suspects = find_suspects(value)
    lines = (
        (redaction.rule, false_alarm(value, redaction.path, redaction.rule).suggestion)
        for redaction in found
    )
    allowed = dict.fromkeys((rule, line) for rule, line in lines if line)
    if as_json:
        rows = [{**suspect._asdict(), "path": _path(suspect.path)} for suspect in suspects]
        undone = [{"rule": rule, "suggestion": line} for rule, line in allowed]
        print(json.dumps({"file": name, "suspects": rows, "redacted": undone}))
        if suspects:
            return 1
        return 0
    for suspect in suspects:
        print(
            f"{printable(name)}: {_path(suspect.path)}: {printable(suspect.preview)}: "
            f"{suspect.reason}"
        )
        print(f"    {printable(suspect.suggestion)}")
    if not suspects:
        print(f"{printable(name)}: nothing looks like a secret or personal data")
    for rule, line in allowed:
        print(
            f"{printable(name)}: {rule} redacted; if that is a false alarm: {printable(line)}",
            file=sys.stderr,
        )
    if suspects:
        return 1
    return 0


def _print_scrubbed(value: Any, found: list[Redaction]) -> None:
    text = value
    if not isinstance(value, str):
        text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    print_data(text)
    rows = [(_path(redaction.path), redaction.rule) for redaction in found]
    print_table([("where", "rule"), *rows] if rows else [("nothing was redacted",)], to_stderr=True)


def scrub(raw: bytes, content_type: str | None) -> tuple[Any, list[Redaction]]:
    """An event, an envelope or a body as it would be sent, and what was redacted in it.

    A JSON object with any of the fields that only events have is an event, everything else a body.
    Of an envelope the headers and the payload of each item are listed.
    """
    scrubber = Scrubber()
    envelope = _as_envelope(raw)
    if envelope is not None:
        return _scrub_envelope(envelope, scrubber)
    try:
        event = json.loads(raw)
    except (ValueError, RecursionError):
        event = None
    found: list[Redaction] = []
    if isinstance(event, dict) and not _EVENT_KEYS.isdisjoint(event):
        scrubber.scrub_event(event, found=found)
        return event, found
    body = parse_body(raw, content_type=content_type)
    value = scrubber.scrub(body.value, found=found)
    return "" if value is None and not raw else value, found


def _as_envelope(raw: bytes) -> Envelope | None:
    try:
        if raw.startswith(b"\x1f\x8b"):
            data = decode_body(raw, "gzip", limit=_MOST_UNPACKED)
        else:
            data = raw
        envelope = parse_envelope(data)
    except ValueError:
        return None
    if envelope.items and _ENVELOPE_KEYS.issuperset(envelope.headers):
        return envelope
    return None


def _scrub_envelope(envelope: Envelope, scrubber: Scrubber) -> tuple[list[Any], list[Redaction]]:
    found: list[Redaction] = []
    listed: list[Any] = [scrubber.scrub(envelope.headers, path=(0,), found=found)]
    for number, item in enumerate(envelope.items, 1):
        try:
            payload: Any = item.json()
        except BadEnvelopeError:  # no JSON: an attachment
            payload = parse_body(item.payload, content_type=None).value
        redactions: list[Redaction] = []
        scrubbed = scrubber.scrub_item(item.kind, payload, found=redactions)
        listed.append({"type": item.kind, "payload": scrubbed})
        found += [
            Redaction((number, "payload", *redaction.path), redaction.rule)
            for redaction in redactions
        ]
    return listed, found


def _place(value: Any, path: tuple[Any, ...]) -> list[int]:
    """Where in a document something stands.

    What was found is put in the order in which it is read.
    """
    place = []
    for step in path:
        if isinstance(value, dict) and step in value:
            place.append(list(value).index(step))
            value = value[step]
        elif isinstance(value, (list, tuple)) and isinstance(step, int) and step < len(value):
            place.append(step)
            value = value[step]
    return place


def _path(path: tuple[str | int, ...]) -> str:
    """A path as people write it: `request.headers.Cookie`, `exception.values[0].value`."""
    written = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    shown = printable(written.removeprefix(".")) or "(the whole)"
    if len(shown) <= _WIDEST:
        return shown
    return f"{shown[: _WIDEST // 2]}...{shown[3 - _WIDEST // 2 :]}"
