"""`asgi-sentry sink`: ingestion, page, and a line for each item.

Without the extra, the lines alone.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from importlib.util import find_spec
from typing import TYPE_CHECKING

from asgi_sentry.tools.printing import complain, printable
from asgi_sentry.tools.sink.entries import entries_of
from asgi_sentry.tools.sink.server import Sink

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from asgi_sentry.tools.sink.envelope import Item
    from asgi_sentry.tools.sink.protocol import Received
    from asgi_sentry.tools.sink.serving import SinkServer

_NEEDED = ("jinja2", "starlette", "uvicorn")
_SHOWN = 200  # characters of a line


def missing() -> list[str]:
    """The packages of the extra `sink` that are not installed."""
    return [package for package in _NEEDED if find_spec(package) is None]


def run_sink(options: argparse.Namespace) -> int:
    """Serve until interrupted; 1 if the port or the file can't be used."""
    show = print_items
    if options.quiet:
        show = _nothing
    if lacking := missing():
        if options.file:
            complain(
                f"--file needs pip install 'asgi-sentry[sink]' (missing: {', '.join(lacking)})"
            )
            return 2
        said = f"no page without pip install 'asgi-sentry[sink]' (missing: {', '.join(lacking)})"
        complain(said)
        return _without_page(options, show)
    from asgi_sentry.tools.sink.serving import SinkServer  # noqa: PLC0415  # needs the extra
    from asgi_sentry.tools.sink.store import Store, StoreError  # noqa: PLC0415

    try:
        store = Store(
            options.file, max_envelopes=options.keep, max_bytes=options.keep_mb * 1_000_000
        )
    except StoreError as error:
        complain(str(error))
        return 1
    try:
        server = SinkServer(
            store,
            host=options.host,
            port=options.port,
            allowed_hosts=options.allow_host,
            budgets=_budgets(options),
            on_received=show,
        )
    except OSError as error:
        store.close()
        complain(f"port {options.port} can't be listened on: {error.strerror}")
        return 1
    announce(server)
    server.run()
    return 130


def announce(server: SinkServer) -> None:
    """Say where the sink is: the DSN for programs, the page for people."""
    print(f"SENTRY_DSN={server.dsn}", flush=True)
    print(f"page: {server.url}", file=sys.stderr)
    print("waiting for envelopes; Ctrl-C ends", file=sys.stderr, flush=True)


def print_items(received: Received) -> None:
    """A line for each item of an envelope."""
    with contextlib.suppress(OSError):  # whoever read the lines has gone; the sink goes on
        for item in received.envelope.items:
            print(item_line(received, item), flush=True)


def item_line(received: Received, item: Item) -> str:
    """An item in a line."""
    sender = received.prefix or "/"
    found = entries_of(received.envelope, item)
    batch = len(found) != 1 or found[0].position >= 0
    told = f"{len(found)} items" if batch else found[0].title
    return printable(f"{item.kind:<14} {sender:<12} {len(item.payload):>8,} B  {told}")[:_SHOWN]


def _nothing(received: Received) -> None:
    """Print no lines."""


def _without_page(options: argparse.Namespace, show: Callable[[Received], object]) -> int:
    def on_item(received: Received, item: Item) -> None:
        if show is print_items:
            print(item_line(received, item), flush=True)

    try:
        sink = Sink(host=options.host, port=options.port, on_item=on_item)
    except OSError as error:
        complain(f"port {options.port} can't be listened on: {error.strerror}")
        return 1
    with sink:
        print(f"SENTRY_DSN={sink.dsn}", flush=True)
        print("waiting for envelopes; Ctrl-C ends", file=sys.stderr, flush=True)
        threading.Event().wait()
    return 0


def _budgets(options: argparse.Namespace) -> dict[str, int]:
    asked = {"transaction": options.budget, "error": options.error_budget}
    return {category: number for category, number in asked.items() if number is not None}
