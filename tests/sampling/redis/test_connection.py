"""Redis as people run it: alone, by TLS, by a sentinel, as a cluster; and Redis in trouble. All servers are real."""

from __future__ import annotations

import logging
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from asgi_sentry._credentials import read_redis_url
from asgi_sentry._sampling.limits import TokenBucket
from asgi_sentry._sampling.rate import Limit
from asgi_sentry._sampling.redis.connection import probe
from asgi_sentry._sampling.redis.leased_window import LeasedWindow
from asgi_sentry._sampling.redis.shared import SharedLimits
from tests.redis_server import BINARY, Cluster, Sentinel, Server, until

pytestmark = [pytest.mark.service("redis-server"), pytest.mark.skipif(BINARY is None, reason="no redis-server")]

Share = Callable[..., tuple[SharedLimits, LeasedWindow]]


@pytest.fixture
def share() -> Iterator[Share]:
    """A limit that is shared by a URL; closed at the end."""
    made: list[SharedLimits] = []

    def share(url: str, *, count: int = 1_000, **options: Any) -> tuple[SharedLimits, LeasedWindow]:
        limits = SharedLimits(url, **options)
        made.append(limits)
        return limits, limits.gate("at_most", Limit(count=count, seconds=60.0))

    yield share
    for limits in made:
        limits.close()


@pytest.fixture
def running() -> Iterator[Callable[..., Any]]:
    """Starts a server of some kind, and kills it at the end."""
    made: list[Any] = []

    def run(kind: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        made.append(kind(*arguments, **options))
        return made[-1]

    yield run
    for each in reversed(made):
        each.kill()


def is_shared(limits: SharedLimits, gate: LeasedWindow) -> bool:
    return gate.take() and limits.connected and gate.shared


def becomes_shared(limits: SharedLimits, gate: LeasedWindow) -> None:
    until(lambda: is_shared(limits, gate))


def test_a_cluster_of_three_masters(running, share) -> None:
    cluster = running(Cluster)
    assert probe(cluster.url) is None
    for namespace in ("a", "c"):  # on different nodes
        becomes_shared(*share(cluster.url, namespace=namespace))
    for server in cluster.servers[1:]:  # a node's own URL
        becomes_shared(*share(server.url))


def test_a_cluster_that_moves_the_keys(running, share) -> None:
    cluster = running(Cluster)
    limits, gate = share(cluster.url, namespace="moving")
    until(lambda: is_shared(limits, gate))
    clients = [server.client() for server in cluster.servers]
    slot = clients[0].execute_command("CLUSTER", "KEYSLOT", "{asgi-sentry:moving}:workers")
    holder = next(n for n, client in enumerate(clients) if client.execute_command("CLUSTER", "COUNTKEYSINSLOT", slot))
    other = (holder + 1) % 3
    ids = [client.execute_command("CLUSTER", "MYID").decode() for client in clients]
    clients[holder].execute_command("FLUSHALL")
    for client in (clients[other], clients[holder], clients[(holder + 2) % 3]):
        client.execute_command("CLUSTER", "SETSLOT", slot, "NODE", ids[other])
    until(lambda: clients[other].execute_command("CLUSTER", "COUNTKEYSINSLOT", slot) and is_shared(limits, gate))
    for client in clients:
        client.close()


def test_a_sentinel_and_a_failover(running, share) -> None:
    master = running(Server)
    replica = running(Server, "--replicaof", "127.0.0.1", str(master.port))
    with replica.client() as client:
        until(lambda: client.info("replication")["master_link_status"] == "up")
    sentinel = running(Sentinel, master)
    url = f"redis+sentinel://127.0.0.1:{sentinel.port}/mymaster/0"
    assert probe(url) is None
    limits, gate = share(url)
    until(lambda: is_shared(limits, gate))
    with sentinel.client() as client:
        until(lambda: client.execute_command("SENTINEL", "REPLICAS", "mymaster"))
    master.kill()
    until(lambda: gate.take() and not limits.connected)
    until(lambda: is_shared(limits, gate), seconds=60)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a test's own authority, and a certificate of it for 127.0.0.1."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl")
    folder = tmp_path_factory.mktemp("tls")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    new = ("req", "-newkey", "rsa:2048", "-nodes")
    run(*new, "-x509", "-subj", "/CN=test authority", "-keyout", "ca.key", "-out", "ca.crt", "-days", "2")
    run(*new, "-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    signing = ("-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names", "-days", "2")
    run("x509", "-req", "-in", "server.csr", *signing, "-out", "server.crt")
    return folder


def tls_options(folder: Path) -> tuple[str, ...]:
    files = {"cert": "server.crt", "key": "server.key", "ca-cert": "ca.crt"}
    named = [word for what, name in files.items() for word in (f"--tls-{what}-file", str(folder / name))]
    return (*named, "--tls-auth-clients", "no")


def test_tls(running, share, authority: Path, caplog: pytest.LogCaptureFixture) -> None:
    try:
        secure = running(
            Server, *tls_options(authority), scheme="rediss", query=f"?ssl_ca_certs={authority / 'ca.crt'}"
        )
    except AssertionError:
        pytest.skip("this redis-server speaks no TLS")
    else:
        assert probe(secure.url) is None
        becomes_shared(*share(secure.url))
        stranger = secure.url.partition("?")[0]
        limits, _ = share(stranger)
        assert probe(stranger) == "Redis does not answer (ConnectionError)"  # its authority is not known
        assert not limits.refresh()
        assert "ConnectionError" in caplog.text


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://u:hunter2@h/", "must start with redis://, rediss://"),
        ("hunter2", "must start with"),
        (5, "must start with"),
        ("redis://:hunter2@h:port/0", "can't be read"),
        ("redis+sentinel://:hunter2@h:26379", "must name the service"),
        ("redis+sentinel://:hunter2@h:26379/a/b", "must name the service"),
        ("redis+sentinel://:hunter2@h:port/a", "can't be read"),
        ("redis+cluster://:hunter2@", "can't be read"),
        ("redis+cluster://:hunter2@h:1,:2", "can't be read"),
        ("redis+cluster://:hunter2@h/3", "has no path"),
    ],
)
def test_a_bad_url_is_refused_at_start_without_its_password(url: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=r"URL of (a )?Redis") as raised:
        SharedLimits(url)
    assert reason in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert reason in str(probe(url))


def test_what_a_url_says() -> None:
    sentinel = read_redis_url("rediss+sentinel://user:p%40ss@a,b:1,[::1]:2/mymaster/3?ssl_ca_certs=/ca")
    assert sentinel.hosts == (("a", 26_379), ("b", 1), ("::1", 2))
    assert (sentinel.kind, sentinel.service) == ("sentinel", "mymaster")
    wanted = {"username": "user", "password": "p@ss", "ssl": True, "db": 3, "ssl_ca_certs": "/ca"}
    assert dict(sentinel.options) == wanted
    assert read_redis_url("redis+sentinel://a/0/mymaster").service == "mymaster"
    assert read_redis_url("redis+cluster://a,b").hosts == (("a", 6_379), ("b", 6_379))


def test_a_probe_says_what_is_in_the_way(running, monkeypatch: pytest.MonkeyPatch) -> None:
    server = running(Server)
    assert probe(server.url) is None
    server.kill()
    assert probe(server.url) == "Redis does not answer (ConnectionError)"
    monkeypatch.setitem(__import__("sys").modules, "redis", None)
    assert "pip install" in str(probe(server.url))


# --- in trouble ---


def test_a_server_that_forgets_the_scripts(running, share) -> None:
    server = running(Server)
    limits, gate = share(server.url)
    until(lambda: is_shared(limits, gate))
    limits._stop.set()
    limits._event.set()
    limits._thread.join()
    with server.client() as client:
        before = client.info("commandstats")["cmdstat_script|load"]["calls"]
        for _ in range(3):
            assert limits._call(limits._askers)  # by its name alone
        assert client.info("commandstats")["cmdstat_script|load"]["calls"] == before
        client.script_flush()
        assert limits._call(limits._askers)
        assert limits.connected


def test_a_server_without_memory(running, share, caplog: pytest.LogCaptureFixture) -> None:
    """`OOM command not allowed`: as good as gone, and everybody goes on with what it holds."""
    server = running(Server, "--maxmemory-policy", "noeviction")
    limits, gate = share(server.url)
    until(lambda: is_shared(limits, gate))
    with server.client() as client:
        client.config_set("maxmemory", "1")
        until(lambda: gate.take() and not limits.connected)
        assert "OutOfMemoryError" in caplog.text
        assert gate.take()
        client.config_set("maxmemory", "0")
        until(lambda: is_shared(limits, gate))


def test_a_replica_that_can_only_be_read(running, share, caplog: pytest.LogCaptureFixture) -> None:
    server = running(Server)
    limits, gate = share(server.url)
    until(lambda: is_shared(limits, gate))
    with server.client() as client:
        client.replicaof("127.0.0.1", "1")  # as a failover may leave it: its master is elsewhere
        until(lambda: gate.take() and not limits.connected)
        assert gate.take()
        client.replicaof("NO", "ONE")
        until(lambda: is_shared(limits, gate))
    assert "limits are not shared" in caplog.text


def test_a_key_of_another_kind_costs_its_own_limit_alone(running, share) -> None:
    server = running(Server)
    with server.client() as client:
        client.set("{asgi-sentry:default}:at_most:60", "of somebody else")
    limits, gate = share(server.url)
    other = limits.gate("other", Limit(count=1_000, seconds=60.0))
    until(lambda: other.take() and other.shared)
    until(lambda: not limits.connected)
    assert gate.take()  # its own part
    assert not gate.shared


def test_different_limits_under_one_name_are_said_once(running, share, caplog: pytest.LogCaptureFixture) -> None:
    server = running(Server)
    for count in (10, 20):
        limits, gate = share(server.url, count=count, namespace="mine")
        until(lambda limits=limits, gate=gate: is_shared(limits, gate))
    other = share(server.url, count=30, namespace="another")
    until(lambda: is_shared(*other))
    until(lambda: caplog.text.count("gives another limit under the name at_most in the namespace mine") == 2)
    for made in (other, (limits, gate)):
        until(lambda made=made: is_shared(*made))
    assert "namespace another" not in caplog.text


def longest(gate: Any, *, seconds: float) -> tuple[float, float]:
    """The longest decision and the 99.99th percentile, in seconds of this thread's processor time."""
    spent = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(200):
            before = time.thread_time()
            gate.take()
            spent.append(time.thread_time() - before)
        time.sleep(0.001)
    return max(spent), statistics.quantiles(spent, n=10_000)[-1]


def test_a_server_that_hangs_costs_no_request_anything(running, share) -> None:
    """Neither while replies hang nor at the change: a decision never waits."""
    server = running(Server)
    limits, gate = share(server.url, count=1_000_000)
    until(lambda: is_shared(limits, gate))
    alone = longest(TokenBucket(Limit(count=1_000_000, seconds=60.0)), seconds=1.0)
    shared = longest(gate, seconds=1.0)
    server.stop()
    began = time.monotonic()
    hanging = longest(gate, seconds=2.0)
    until(lambda: not limits.connected)
    slowest = max(_slowest(gate) for _ in range(50))
    server.go_on()
    assert time.monotonic() - began < 20
    # By the wall clock a thread may be put aside for as long as the machine likes; by its own, it computes only.
    for each in (shared, hanging):
        assert each[1] < 20 * alone[1] + 0.001, (alone, shared, hanging)
    assert slowest < 0.25  # half of the time after which a call counts as failed
    until(lambda: is_shared(limits, gate))


def _slowest(gate: Any) -> float:
    before = time.perf_counter()
    gate.take()
    time.sleep(0.01)
    return time.perf_counter() - before - 0.01


def test_closing_while_the_server_hangs_takes_no_longer_than_the_calls(running, share) -> None:
    server = running(Server)
    limits, gate = share(server.url)
    until(lambda: is_shared(limits, gate))
    server.stop()
    began = time.monotonic()
    limits.close()
    assert time.monotonic() - began < 5
    server.go_on()


def test_nothing_of_a_url_is_logged(running, share, caplog: pytest.LogCaptureFixture) -> None:
    server = running(Server)
    url = server.url.replace("//", "//nobody:hunter2@")
    caplog.set_level(logging.DEBUG)
    limits, _ = share(url)
    assert not limits.refresh()  # it does not know them
    limits.close()
    assert "hunter2" not in caplog.text
    assert str(server.port) not in caplog.text
