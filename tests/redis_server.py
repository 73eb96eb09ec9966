"""Real redis-servers on free loopback ports, that a test may kill, stop and start again."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import redis

BINARY = shutil.which("redis-server")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Server:
    """Holds nothing on disk: a restart loses everything.

    Args:
        options: of the command line, such as `"--maxmemory", "1mb"`.
        scheme: `rediss` for one that only speaks TLS.
        query: what stands behind the `?` of its URL.
    """

    def __init__(self, *options: str, scheme: str = "redis", query: str = "") -> None:
        self.port = free_port()
        self.options = options
        self.scheme = scheme
        self.url = f"{scheme}://127.0.0.1:{self.port}/0{query}"
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.gettempdir())
        self.start()

    def start(self) -> None:
        assert BINARY is not None
        self.folder = Path(tempfile.mkdtemp())
        listen = ["--port", str(self.port)] if self.scheme == "redis" else ["--port", "0", "--tls-port", str(self.port)]
        self.process = subprocess.Popen(
            [BINARY, *listen, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", *self.options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )
        self.wait()

    def wait(self) -> None:
        try:
            with self.client() as client:
                until(lambda: answers(client))
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self) -> None:
        """It hangs: sockets are open, and nobody answers."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url, socket_timeout=5)


class Sentinel(Server):
    """Watches one master, under the name `mymaster`."""

    def __init__(self, master: Server) -> None:
        self.master = master
        super().__init__()

    def start(self) -> None:
        assert BINARY is not None
        self.folder = Path(tempfile.mkdtemp())
        settings = self.folder / "sentinel.conf"
        settings.write_text(
            f"port {self.port}\nbind 127.0.0.1\n"
            f"sentinel monitor mymaster 127.0.0.1 {self.master.port} 1\n"
            "sentinel down-after-milliseconds mymaster 500\n"
            "sentinel failover-timeout mymaster 2000\n"
        )
        self.process = subprocess.Popen(
            [BINARY, str(settings), "--sentinel"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
        )
        self.wait()


class Cluster:
    """Three masters that share all slots."""

    SLOTS = 16_384

    def __init__(self) -> None:
        # Its second port is ten thousand above the first, if it is not said.
        self.servers = [
            Server("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-port", str(free_port()))
            for _ in range(3)
        ]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{each.port}" for each in self.servers)
        clients = [each.client() for each in self.servers]
        bounds = [n * self.SLOTS // 3 for n in range(4)]
        for client, first, end in zip(clients, bounds, bounds[1:], strict=False):
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, end - 1)
        for each in self.servers[1:]:
            bus = each.options[each.options.index("--cluster-port") + 1]
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", each.port, bus)
        for client in clients:
            until(lambda client=client: self.is_whole(client))
            client.close()

    @staticmethod
    def is_whole(client: redis.Redis) -> bool:
        told = client.execute_command("CLUSTER", "INFO")
        text = str(told)
        return ("cluster_state:ok" in text or "'cluster_state': 'ok'" in text) and (
            "cluster_known_nodes:3" in text or "'cluster_known_nodes': '3'" in text
        )

    def kill(self) -> None:
        for each in self.servers:
            each.kill()


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def until(condition, *, seconds: float = 30) -> None:
    """Wait for what another thread or process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        threading.Event().wait(0.01)
