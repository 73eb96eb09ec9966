"""The command `asgi-sentry`.

See it work, check a configuration, look at what is sent, scrub a file. Everything but `demo` and
the page of `sink` runs on the core install and prints plain text.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING, cast

import asgi_sentry
from asgi_sentry._credentials import check_dsn
from asgi_sentry.tools import demo
from asgi_sentry.tools.check import check, version
from asgi_sentry.tools.printing import complain
from asgi_sentry.tools.scrub import scrub_files
from asgi_sentry.tools.sink.command import run_sink

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return the exit code: 0 for good, 1 for bad news, 2 for a wrong call."""
    options = parser().parse_args(argv)
    try:
        return cast("int", options.run(options))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader, such as `head`, has seen enough; the interpreter would flush once more.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def parser() -> argparse.ArgumentParser:
    """Of all commands, each with the function that runs it as `run`."""
    parser = argparse.ArgumentParser(prog="asgi-sentry", description=asgi_sentry.__doc__)
    parser.add_argument(
        "--version", action="version", version=f"asgi-sentry {version('asgi-sentry')}"
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    what = (
        "run three real apps, send them requests full of secrets, and show what was sent to Sentry"
    )
    command = commands.add_parser("demo", help=what, description=what)
    command.add_argument("--dsn", type=_dsn, help="a real Sentry to which everything is sent on")
    command.add_argument(
        "--requests", type=_positive, default=3000, metavar="N", help="default: %(default)s"
    )
    command.add_argument(
        "--seed", type=int, default=1, metavar="S", help="of the traffic; default: %(default)s"
    )
    command.add_argument(
        "--serve",
        action="store_true",
        help="leave a page open on what was sent, and on what the SDK alone would have sent",
    )
    command.add_argument(
        "--port", type=_port, default=0, metavar="N", help="of the page; default: a free one"
    )
    command.set_defaults(run=_demo)

    what = (
        "print what is in force and where it comes from, known mistakes, and whether Sentry answers"
    )
    command = commands.add_parser("check", help=what, description=what)
    command.add_argument(
        "app", nargs="?", metavar="MODULE:APP", help="look at the layers around it, too"
    )
    command.add_argument(
        "--env-file", metavar="FILE", help="variables, as `uvicorn --env-file` reads them"
    )
    command.add_argument(
        "--send",
        action="store_true",
        help="send one error and one transaction, and say what came of it",
    )
    command.add_argument("--offline", action="store_true", help="ask nothing over the network")
    command.add_argument(
        "--strict", action="store_true", help="exit with 1 where there are warnings"
    )
    command.add_argument("--json", action="store_true", help="print one JSON object")
    command.set_defaults(run=check)

    what = "stand in for Sentry on this machine: take what any SDK sends, and show it on a page"
    command = commands.add_parser("sink", help=what, description=what)
    command.add_argument("--port", type=_port, default=0, metavar="N", help="default: a free one")
    command.add_argument(
        "--host", default="127.0.0.1", help="address to listen on; default: %(default)s"
    )
    command.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name, beside localhost and addresses, by which the page may be asked for",
    )
    command.add_argument(
        "--file", metavar="FILE", help="keep what arrives in an SQLite file; default: in memory"
    )
    command.add_argument(
        "--keep",
        type=_positive,
        default=100_000,
        metavar="N",
        help="envelopes; default: %(default)s",
    )
    command.add_argument(
        "--keep-mb",
        type=_positive,
        default=512,
        metavar="MB",
        help="of payloads; default: %(default)s",
    )
    command.add_argument(
        "--budget",
        type=_positive,
        metavar="N",
        help="transactions a month, to hold the use against",
    )
    command.add_argument("--error-budget", type=_positive, metavar="N", help="errors a month")
    command.add_argument("--quiet", action="store_true", help="print no line for each item")
    command.set_defaults(run=run_sink)

    what = (
        "print an event, an envelope or a request's body as it would be sent, and on standard "
        "error what was redacted"
    )
    command = commands.add_parser("scrub", help=what, description=what)
    command.add_argument("files", nargs="*", metavar="FILE", help="- or none for standard input")
    command.add_argument(
        "--json", action="store_true", help="print one JSON object a file, redactions and all"
    )
    command.add_argument(
        "--suspects",
        action="store_true",
        help="list what looks like a secret or personal data and would not be redacted; exit with "
        "1 if anything does",
    )
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


# -- demo ------------------------------------------------------------------------------------------


def _demo(options: argparse.Namespace) -> int:
    if missing := demo.missing():
        complain(
            "the demo needs more than the core: pip install 'asgi-sentry[demo]' (missing: "
            f"{', '.join(missing)})"
        )
        return 2
    # Needs the extra, whose absence was just told.
    from asgi_sentry.tools.demo.run import DemoError, run  # noqa: PLC0415

    try:
        return run(
            dsn=options.dsn,
            requests=options.requests,
            seed=options.seed,
            serve=options.serve,
            port=options.port,
        )
    except DemoError as error:
        complain(str(error))
        return 1


if __name__ == "__main__":
    sys.exit(main())
