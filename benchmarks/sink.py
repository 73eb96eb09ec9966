"""A sink on loopback in a process of its own: what contenders send by their own transports, taken and counted.

It reads each request whole, keeps the connection, answers as Sentry does, and looks into what came only when it is
asked, so that nobody waits for it.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from importlib import import_module
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any

from benchmarks.commands import obey

if TYPE_CHECKING:
    from collections.abc import Iterator

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
_REFUSAL = b"HTTP/1.1 411 Length Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def items(envelope: bytes) -> Iterator[tuple[dict[str, Any], bytes]]:
    """The items of an envelope: each one's header and payload."""
    _, _, rest = envelope.partition(b"\n")
    while rest:
        line, _, rest = rest.partition(b"\n")
        if not line:
            continue
        header: dict[str, Any] = json.loads(line)
        if "length" in header:
            payload, rest = rest[: header["length"]], rest[header["length"] :]
        else:
            payload, _, rest = rest.partition(b"\n")
        yield header, payload


def unpacked(body: bytes, encoding: str) -> bytes:
    """A body without its content encoding; what is unknown raises."""
    if encoding == "br":
        data: bytes = import_module("brotli").decompress(body)  # who sends it has it installed
        return data
    return {"gzip": gzip.decompress, "identity": bytes}[encoding](body)


class Project:
    """What came for one project of the DSNs."""

    def __init__(self) -> None:
        self.encodings: Counter[str] = Counter()
        self.items: Counter[str] = Counter()
        self.connections: set[int] = set()
        self.bytes = 0  # of bodies, as they came
        self.ids: set[str] = set()  # of the transactions
        self.last: dict[str, Any] | None = None  # transaction
        self._pending: list[tuple[str, bytes]] = []

    def take(self, connection: int, encoding: str, body: bytes) -> None:
        """As cheaply as can be, since the sender waits."""
        self.connections.add(connection)
        self._pending.append((encoding, body))

    def look(self) -> None:
        """Count what came since the last look."""
        pending, self._pending = self._pending, []
        for encoding, body in pending:
            self.encodings[encoding] += 1
            self.bytes += len(body)
            for header, payload in items(unpacked(body, encoding)):
                self.items[header["type"]] += 1
                if header["type"] == "transaction":
                    self.last = json.loads(payload)
                    self.ids.add(self.last["event_id"])


class Sink:
    """The server, and what is asked of it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._projects: dict[str, Project] = {}
        self._server = ThreadingTCPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        Thread(target=self._server.serve_forever, daemon=True).start()

    def _handler(self) -> type[StreamRequestHandler]:
        take = self._take

        class Connection(StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                while line := self.rfile.readline():
                    path = line.split()[1].decode()
                    headers = dict(iter(self._header, None))
                    if "content-length" not in headers:
                        self.wfile.write(_REFUSAL)
                        return
                    body = self.rfile.read(int(headers["content-length"]))
                    take(path, id(self), headers.get("content-encoding", "identity"), body)
                    self.wfile.write(_ANSWER)

            def _header(self) -> tuple[str, str] | None:
                name, colon, value = self.rfile.readline().decode("latin-1").partition(":")
                return (name.strip().lower(), value.strip()) if colon else None

        return Connection

    def _take(self, path: str, connection: int, encoding: str, body: bytes) -> None:
        with self._lock:
            self._of(path.split("/")[2]).take(connection, encoding, body)  # /api/PROJECT/envelope/

    def _of(self, project: str) -> Project:
        return self._projects.setdefault(project, Project())

    async def port(self) -> int:
        """Where it listens."""
        port: int = self._server.server_address[1]
        return port

    async def counts(self, project: str) -> dict[str, Any]:
        """What came for a project so far."""
        with self._lock:
            found = self._of(project)
            found.look()
            return {
                "requests": found.encodings.total(),
                "encodings": sorted(found.encodings),
                "connections": len(found.connections),
                "bytes": found.bytes,
                "items": dict(found.items),
                "transactions": len(found.ids),
            }

    async def last(self, project: str) -> dict[str, Any] | None:
        """The last transaction of a project."""
        with self._lock:
            self._of(project).look()
            return self._of(project).last


if __name__ == "__main__":
    obey(Sink)
