"""The command `asgi-sentry`: see it work, check a configuration, look at what is sent, scrub a file.

Everything but `demo` runs on the core install and prints plain text.
"""

from __future__ import annotations

import argparse
import json
import mimetypes
import os
import sys
import threading
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import sentry_sdk

import asgi_sentry
from asgi_sentry import _sdk as sdk
from asgi_sentry._credentials import check_dsn
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry._sampling.spending import budget
from asgi_sentry._scrubbing import Redaction, Scrubber, parse_body
from asgi_sentry._settings import Settings, SettingsError
from asgi_sentry.tools import demo
from asgi_sentry.tools.sink import BadEnvelopeError, Item, Received, Sink
from asgi_sentry.tools.sink.envelope import Envelope, decode_body, parse_envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LISTED = ("fastapi", "starlette", "litestar", "django", "quart", "uvicorn", "granian", "hypercorn", "daphne", "redis")
_EVENT_KEYS = frozenset({"event_id", "exception", "logentry", "breadcrumbs", "contexts", "spans", "sdk", "transaction"})
_ENVELOPE_KEYS = frozenset({"event_id", "sent_at", "dsn", "sdk", "trace"})
_SEND_SECONDS = 30.0
_MOST_UNPACKED = 1 << 28  # bytes of a compressed file
_WIDEST = 120  # characters of a path in a table


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0 for good, 1 for bad news, 2 for a wrong call."""
    options = _parser().parse_args(argv)
    try:
        return cast("int", options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; the interpreter would flush once more
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="asgi-sentry", description=asgi_sentry.__doc__)
    parser.add_argument("--version", action="version", version=f"asgi-sentry {_version('asgi-sentry')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    what = "run three real apps, send them requests full of secrets, and show what was sent to Sentry"
    command = commands.add_parser("demo", help=what, description=what)
    command.add_argument("--dsn", type=_dsn, help="a real Sentry to which everything is sent on")
    command.add_argument("--requests", type=_positive, default=3000, metavar="N", help="default: %(default)s")
    command.add_argument("--seed", type=int, default=1, metavar="S", help="of the traffic; default: %(default)s")
    command.set_defaults(run=_demo)

    what = "print the settings that the environment gives, and whether they are good"
    command = commands.add_parser("check", help=what, description=what)
    command.add_argument("--send", action="store_true", help="send one test event and say whether it was accepted")
    command.set_defaults(run=_check)

    what = "run an ingestion endpoint on loopback and print a line for each item that arrives"
    command = commands.add_parser("sink", help=what, description=what)
    command.add_argument("--port", type=_port, default=0, metavar="N", help="default: a free one")
    command.set_defaults(run=_sink)

    what = (
        "print an event, an envelope or a request's body as it would be sent, and on standard error what was redacted"
    )
    command = commands.add_parser("scrub", help=what, description=what)
    command.add_argument("file", metavar="FILE", help="- for standard input")
    command.set_defaults(run=_scrub)
    return parser


def _dsn(text: str) -> str:
    try:
        return check_dsn(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not a DSN: {error}") from None


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 8 and int(text)):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to 9999999, got {text!r}")
    return int(text)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"must be a port from 0 to 65535, got {text!r}")
    return int(text)


# -- demo --------------------------------------------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> int:
    if missing := demo.missing():
        _complain(f"the demo needs more than the core: pip install 'asgi-sentry[demo]' (missing: {', '.join(missing)})")
        return 2
    from asgi_sentry.tools.demo.run import DemoError, run  # noqa: PLC0415  # needs the extra, whose absence was just told

    try:
        return run(dsn=options.dsn, requests=options.requests, seed=options.seed)
    except DemoError as error:
        _complain(str(error))
        return 1


# -- check -------------------------------------------------------------------------------------------------------------


def _check(options: argparse.Namespace) -> int:
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        _complain(str(error))
        return 1
    print("settings")
    _print_table(settings.described())
    print("\nwhat they mean")
    _print_table(_meaning(settings))
    if settings.budget or settings.error_budget:
        print("\nleft of the budgets")
        _print_table(_left(settings))
    print("\ninstalled")
    _print_table(_installed())
    return _send(settings) if options.send else 0


def _meaning(settings: Settings) -> list[tuple[str, str]]:
    def share(rate: float | None, of: str) -> str:
        return f"{rate:.1%} of {of}" if rate else "off"

    host = urlsplit(settings.dsn).hostname if settings.dsn else None
    part = "all in one process" if settings.workers == 1 else f"an equal part for each of {settings.workers} processes"
    tracing = settings.traces_sample_rate if settings.enable_tracing else None
    return [
        ("errors", f"sent to {host}" if host else "off: SENTRY_DSN is not set, every layer only passes through"),
        ("transactions", share(tracing, "the requests without a rate of their own") if host else "off"),
        ("rates by path", f"{len(settings.rates)} rules" if settings.rates and settings.enable_tracing else "none"),
        ("excluded paths", f"{len(asgi_sentry.DEFAULT_EXCLUDE)} default rules and {len(settings.exclude)} of your own"),
        ("profiles", share(settings.profiles_sample_rate, "the sampled transactions") if host and tracing else "off"),
        ("request bodies", f"the first {settings.max_body_bytes:,} bytes" if settings.max_body_bytes else "off"),
        ("budgets", f"{settings.budget or 'unlimited'} transactions, {settings.error_budget or 'unlimited'} errors"),
        ("limits", "shared by Redis" if settings.redis_url else part),
    ]


def _left(settings: Settings) -> list[tuple[str, str]]:
    """What is left of each budget, where the processes share it; else only each of them knows its part."""
    asked = {"budget": settings.budget, "error_budget": settings.error_budget}
    if settings.redis_url is None:
        return [(what, "each process knows its own: asgi_sentry.budgets()") for what, text in asked.items() if text]
    try:
        sharing = SharedLimits(settings.redis_url, workers=settings.workers)
    except RuntimeError as error:
        return [("budgets", str(error))]
    shared = {what: budget(text, what=what, sharing=sharing) for what, text in asked.items()}
    try:
        if not sharing.refresh():
            return [("budgets", "Redis does not answer")]
        rows = []
        for what, made in shared.items():
            if made is None:
                continue
            status = made.status()
            left = f"{status.remaining} of {status.count} left, {status.available} of them now"
            rows.append((what, f"{left}; starts anew at {status.resets_at:%Y-%m-%d %H:%M} UTC"))
        return rows
    finally:
        sharing.close()


def _installed() -> list[tuple[str, str]]:
    classic, streaming = sdk.supports("before_send_transaction"), sdk.supports("trace_lifecycle")
    modes = " and ".join(
        mode for mode, there in (("classic", classic), ("streaming", streaming or not classic)) if there
    )
    rows = [
        ("python", sys.version.split()[0]),
        ("asgi-sentry", _version("asgi-sentry") or "not installed, only importable"),
        ("sentry-sdk", f"{_version('sentry-sdk')} ({modes} mode)"),
    ]
    return rows + [(name, version) for name in _LISTED if (version := _version(name)) is not None]


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _send(settings: Settings) -> int:
    """Send one event by way of a sink on loopback, since the SDK itself does not tell what was answered."""
    if settings.dsn is None:
        _complain("no test event was sent: SENTRY_DSN is not set")
        return 1
    with Sink(forward_to=settings.dsn) as sink:
        own = Settings(dsn=sink.dsn, environment=settings.environment, release=settings.release)
        asgi_sentry.init(own, debug=False, auto_session_tracking=False)
        event_id = asgi_sentry.capture_message("asgi-sentry check: it works", level="info")
        sentry_sdk.flush(timeout=_SEND_SECONDS)
        sentry_sdk.get_client().close(timeout=0)
        answers = list(sink.answers)
    if not answers:
        _complain("no test event was sent within 30 s")
        return 1
    status, detail = answers[0]
    host = urlsplit(settings.dsn).hostname
    if status == 200:
        print(f"\n{host} accepted the test event {event_id}")
        return 0
    _complain(f"{host} refused the test event: {status} {detail}")
    return 1


# -- sink --------------------------------------------------------------------------------------------------------------


def _sink(options: argparse.Namespace) -> int:
    try:
        sink = Sink(port=options.port, on_item=lambda received, item: print(_item_line(received, item), flush=True))
    except OSError as error:
        _complain(f"port {options.port} can't be listened on: {error.strerror}")
        return 1
    with sink:
        print(f"SENTRY_DSN={sink.dsn}", flush=True)
        print("waiting for envelopes; Ctrl-C ends", file=sys.stderr, flush=True)
        threading.Event().wait()
    return 0


def _item_line(received: Received, item: Item) -> str:
    sender = received.prefix or "/"
    try:
        told = _summary(item.kind, item.json())
    except BadEnvelopeError:
        told = ""
    return _printable(f"{item.kind:<14} {sender:<12} {len(item.payload):>8,} B  {told}")[:200]


def _summary(kind: str, payload: Any) -> str:
    """The one thing of an item that people look for."""
    if not isinstance(payload, dict):
        return ""
    if isinstance(items := payload.get("items"), list):
        return f"{len(items)} items"
    if kind == "client_report":
        lost = payload.get("discarded_events") or []
        return ", ".join(f"{x.get('quantity')} {x.get('category')} ({x.get('reason')})" for x in lost)
    if exceptions := (payload.get("exception") or {}).get("values"):
        return f"{exceptions[-1].get('type')}: {exceptions[-1].get('value')}"
    message = (payload.get("logentry") or {}).get("message") or payload.get("message")
    return str(message or payload.get("transaction") or payload.get("status") or "")


# -- scrub -------------------------------------------------------------------------------------------------------------


def _scrub(options: argparse.Namespace) -> int:
    try:
        raw = sys.stdin.buffer.read() if options.file == "-" else Path(options.file).read_bytes()
    except OSError as error:
        _complain(f"{options.file} can't be read: {error.strerror}")
        return 2
    content_type = None if options.file == "-" else mimetypes.guess_type(options.file)[0]
    value, found = scrub(raw, content_type)
    _print_data(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str))
    found.sort(key=lambda redaction: _place(value, redaction.path))
    rows = [(_path(redaction.path), redaction.rule) for redaction in found]
    _print_table([("where", "rule"), *rows] if rows else [("nothing was redacted",)], to_stderr=True)
    return 0


def scrub(raw: bytes, content_type: str | None) -> tuple[Any, list[Redaction]]:
    """An event, an envelope or a body as it would be sent, and what was redacted in it.

    A JSON object with any of the fields that only events have is an event, everything else a body. Of an envelope the
    headers and the payload of each item are listed.
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
        scrubber.clean_event(event, found=found)
        return event, found
    body = parse_body(raw, content_type=content_type)
    value = scrubber.clean(body.value, found=found)
    return "" if value is None and not raw else value, found


def _as_envelope(raw: bytes) -> Envelope | None:
    try:
        data = decode_body(raw, "gzip", limit=_MOST_UNPACKED) if raw.startswith(b"\x1f\x8b") else raw
        envelope = parse_envelope(data)
    except ValueError:
        return None
    return envelope if envelope.items and _ENVELOPE_KEYS.issuperset(envelope.headers) else None


def _scrub_envelope(envelope: Envelope, scrubber: Scrubber) -> tuple[list[Any], list[Redaction]]:
    found: list[Redaction] = []
    listed: list[Any] = [scrubber.clean(envelope.headers, path=(0,), found=found)]
    for number, item in enumerate(envelope.items, 1):
        try:
            payload: Any = item.json()
        except BadEnvelopeError:  # no JSON: an attachment
            payload = parse_body(item.payload, content_type=None).value
        redactions: list[Redaction] = []
        cleaned = scrubber.clean_item(item.kind, payload, found=redactions)
        listed.append({"type": item.kind, "payload": cleaned})
        found += [Redaction((number, "payload", *redaction.path), redaction.rule) for redaction in redactions]
    return listed, found


def _place(value: Any, path: tuple[Any, ...]) -> list[int]:
    """Where in a document something stands, to put what was found in the order in which it is read."""
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
    shown = _printable(written.removeprefix(".")) or "(the whole)"
    return shown if len(shown) <= _WIDEST else f"{shown[: _WIDEST // 2]}...{shown[3 - _WIDEST // 2 :]}"


# -- printing ----------------------------------------------------------------------------------------------------------


def _print_table(rows: Iterable[tuple[str, ...]], *, to_stderr: bool = False) -> None:
    rows = list(rows)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print(f"  {line}".rstrip(), file=sys.stderr if to_stderr else sys.stdout)


def _printable(text: str) -> str:
    """Without what a terminal would obey: what is shown comes from anybody."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _print_data(text: str) -> None:
    """With escapes for what the output can't show, such as half of a pair of surrogates."""
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "backslashreplace").decode(encoding))


def _complain(text: str) -> None:
    print(f"asgi-sentry: {text}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
