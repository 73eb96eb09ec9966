"""The command `asgi-sentry`: see it work, check a configuration, look at what is sent, scrub a file.

Everything but `demo` runs on the core install and prints plain text.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, cast

import asgi_sentry
from asgi_sentry._credentials import check_dsn
from asgi_sentry.tools import demo
from asgi_sentry.tools.check import check, version
from asgi_sentry.tools.printing import complain, printable
from asgi_sentry.tools.scrub import scrub_files
from asgi_sentry.tools.sink import BadEnvelopeError, Item, Received, Sink

if TYPE_CHECKING:
    from collections.abc import Sequence


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
    parser.add_argument("--version", action="version", version=f"asgi-sentry {version('asgi-sentry')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    what = "run three real apps, send them requests full of secrets, and show what was sent to Sentry"
    command = commands.add_parser("demo", help=what, description=what)
    command.add_argument("--dsn", type=_dsn, help="a real Sentry to which everything is sent on")
    command.add_argument("--requests", type=_positive, default=3000, metavar="N", help="default: %(default)s")
    command.add_argument("--seed", type=int, default=1, metavar="S", help="of the traffic; default: %(default)s")
    command.set_defaults(run=_demo)

    what = "print what is in force and where it comes from, known mistakes, and whether Sentry answers"
    command = commands.add_parser("check", help=what, description=what)
    command.add_argument("app", nargs="?", metavar="MODULE:APP", help="look at the layers around it, too")
    command.add_argument("--env-file", metavar="FILE", help="variables, as `uvicorn --env-file` reads them")
    command.add_argument(
        "--send", action="store_true", help="send one error and one transaction, and say what came of it"
    )
    command.add_argument("--offline", action="store_true", help="ask nothing over the network")
    command.add_argument("--strict", action="store_true", help="exit with 1 where there are warnings")
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=check)

    what = "run an ingestion endpoint on loopback and print a line for each item that arrives"
    command = commands.add_parser("sink", help=what, description=what)
    command.add_argument("--port", type=_port, default=0, metavar="N", help="default: a free one")
    command.set_defaults(run=_sink)

    what = (
        "print an event, an envelope or a request's body as it would be sent, and on standard error what was redacted"
    )
    command = commands.add_parser("scrub", help=what, description=what)
    command.add_argument("files", nargs="*", metavar="FILE", help="- or none for standard input")
    command.add_argument("--json", action="store_true", help="print one JSON object a file, redactions and all")
    command.set_defaults(run=scrub_files)
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
        complain(f"the demo needs more than the core: pip install 'asgi-sentry[demo]' (missing: {', '.join(missing)})")
        return 2
    from asgi_sentry.tools.demo.run import DemoError, run  # noqa: PLC0415  # needs the extra, whose absence was just told

    try:
        return run(dsn=options.dsn, requests=options.requests, seed=options.seed)
    except DemoError as error:
        complain(str(error))
        return 1


# -- sink --------------------------------------------------------------------------------------------------------------


def _sink(options: argparse.Namespace) -> int:
    try:
        sink = Sink(port=options.port, on_item=lambda received, item: print(_item_line(received, item), flush=True))
    except OSError as error:
        complain(f"port {options.port} can't be listened on: {error.strerror}")
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
    return printable(f"{item.kind:<14} {sender:<12} {len(item.payload):>8,} B  {told}")[:200]


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


if __name__ == "__main__":
    sys.exit(main())
