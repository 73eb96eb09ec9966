"""The demo's page: what was sent, beside what was asked and what the apps decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry.tools.demo.traffic import method_of
from asgi_sentry.tools.sink.serving import SinkServer
from asgi_sentry.tools.sink.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asgi_sentry.tools.demo.tally import Result
    from asgi_sentry.tools.sink import Received


def opened(kept: list[Received], result: Result, *, port: int = 0) -> SinkServer:
    """A sink that has received what the demo's apps sent.

    Raises:
        OSError: the port can't be listened on.
    """
    store = Store()
    try:
        server = SinkServer(store, port=port)
    except OSError:
        store.close()
        raise
    for received in kept:
        store.add(received)
    store.count(_told(result))
    store.settle(60)
    return server


def _told(result: Result) -> Iterator[tuple[str, str, str, float]]:
    """What the sender of the requests knows, and no sink can.

    How many there were, and which are excluded.
    """
    for row in result.rows:
        name = f"{method_of(row.route)} {row.route}"
        yield row.app, "route:requests", name, row.requests
        yield row.app, "route:excluded", name, row.excluded
    for reason, times in result.decisions.items():
        yield "", "decided", reason, times
