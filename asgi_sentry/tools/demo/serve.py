"""One of the demo's apps behind uvicorn, in a process of its own.

`python -m asgi_sentry.tools.demo.serve fastapi`. It is set up as the README tells to: `SENTRY_*`
and `ASGI_SENTRY_*` from the environment, `init()`, `wrap(app)`. The first line of standard output
is the port; the process serves until its standard input ends, then sends what is left, and prints
what it decided (`asgi_sentry.counters()`, as JSON).
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import logging
import socket
import sys
import threading
from typing import TYPE_CHECKING, Any

import sentry_sdk
import uvicorn

import asgi_sentry
from asgi_sentry.tools.demo.shop_routes import APPS, DEFAULT_RATE

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLUSH_SECONDS = 20.0


def main(argv: Sequence[str] | None = None) -> None:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="asgi_sentry.tools.demo.serve")
    parser.add_argument("app", choices=APPS)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--plain", action="store_true", help="by the SDK alone")
    options = parser.parse_args(argv)

    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    # The queue of 100 that the SDK has by default is for apps that fail rarely; here 1 of 10
    # requests does.
    sized: Any = {"transport_queue_size": 10_000, "shutdown_timeout": _FLUSH_SECONDS}
    if options.plain:
        sentry_sdk.init(traces_sample_rate=DEFAULT_RATE, **sized)
    else:
        asgi_sentry.init(**sized)
    module: Any = importlib.import_module(f"asgi_sentry.tools.demo.app_{options.app}")
    app = module.build({"database_url": options.database_url, "api_key": options.api_key})
    wrapped = app if options.plain else asgi_sentry.wrap(app)
    config = uvicorn.Config(wrapped, log_config=None, log_level="info", lifespan="on")
    server = uvicorn.Server(config)

    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()

    def stop_at_the_end_of_input() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=stop_at_the_end_of_input, daemon=True).start()
    asyncio.run(server.serve(sockets=[listener]))
    sentry_sdk.flush(timeout=_FLUSH_SECONDS)
    sys.stdout.write(json.dumps(asgi_sentry.counters()) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
