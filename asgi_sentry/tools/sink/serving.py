"""The sink as a server: store, ingestion and pages behind uvicorn, in front or in a thread."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from typing import TYPE_CHECKING

import uvicorn

from asgi_sentry.tools.sink.examiner import Examiner
from asgi_sentry.tools.sink.guards import HostGuard
from asgi_sentry.tools.sink.ingestion import Ingestion
from asgi_sentry.tools.sink.pages import Pages
from asgi_sentry.tools.sink.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from typing_extensions import Self

    from asgi_sentry.tools.sink.protocol import Received
    from asgi_sentry.tools.sink.store import Store

_START_SECONDS = 20.0
_MOST_CONNECTIONS = 500


class SinkServer:
    """Listens from its making on, and answers between `start` and `stop`, or while `run` runs.

    Args:
        store: what is kept.
        host: address to listen on.
        port: 0 takes a free one.
        allowed_hosts: names, beside addresses and `localhost`, that `Host` may hold.
        max_body_bytes: larger bodies, also once decompressed, are answered with 413.
        budgets: items a month to hold the use against, by category.
        on_received: is called with each envelope that was taken.

    Raises:
        OSError: the port can't be listened on.
    """

    def __init__(
        self,
        store: Store,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        allowed_hosts: Collection[str] = (),
        max_body_bytes: int = 32 * 1024 * 1024,
        body_seconds: float = 30.0,
        budgets: dict[str, int] | None = None,
        on_received: Callable[[Received], object] | None = None,
    ) -> None:
        self._socket = _listening(host, port)
        self.port: int = self._socket.getsockname()[1]
        # How it is reached.
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        self.state: State = State(
            store=store,
            examiner=Examiner(store),
            address=f"[{shown}]:{self.port}" if ":" in shown else f"{shown}:{self.port}",
            key=secrets.token_hex(16),
            budgets=budgets or {},
        )
        ingestion = Ingestion(
            Pages(self.state).app,
            state=self.state,
            max_body_bytes=max_body_bytes,
            seconds=body_seconds,
            on_received=on_received,
        )
        config = uvicorn.Config(
            HostGuard(ingestion, allowed=allowed_hosts),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=_MOST_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        return self.state.url

    @property
    def dsn(self) -> str:
        """The DSN that a sender is given."""
        return self.state.dsn_for()

    def dsn_for(self, sender: str) -> str:
        """A DSN whose envelopes are listed under a name of their own, such as `plain/shop`."""
        return self.state.dsn_for(sender)

    def run(self) -> None:
        """Serve until interrupted."""
        self.state.examiner.start()
        try:
            with contextlib.suppress(KeyboardInterrupt):
                self._server.run(sockets=[self._socket])
        finally:
            self._close()

    def start(self) -> Self:
        """Serve in a thread of its own.

        Raises:
            RuntimeError: the server did not come up.
        """
        self.state.examiner.start()
        self._thread = threading.Thread(
            target=lambda: self._server.run(sockets=[self._socket]),
            name="asgi-sentry-sink-server",
            daemon=True,
        )
        self._thread.start()
        waited = threading.Event()
        for _ in range(int(_START_SECONDS / 0.01)):
            if self._server.started:
                return self
            if not self._thread.is_alive():
                break
            waited.wait(0.01)
        raise RuntimeError("the sink's server did not come up")

    def stop(self) -> None:
        """Stop serving and close the store."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join()
            self._thread = None
        self._close()

    def _close(self) -> None:
        self.state.examiner.stop()
        self._socket.close()
        self.state.store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.stop()


def _listening(host: str, port: int) -> socket.socket:
    # With the protocol named: an accepted socket inherits it, and asyncio switches Nagle's
    # algorithm off only where it is; else each answer, which is two segments, would wait 40 ms for
    # an acknowledgement.
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(512)
    except OSError:
        made.close()
        raise
    return made
