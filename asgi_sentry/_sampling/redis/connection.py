"""How Redis is reached: one server, several by a sentinel, or a cluster; and whether it can be.

| URL | what it means |
|---|---|
| `redis://host:6379/0`, `unix:///path` | one server |
| `rediss://host:6379/0?ssl_ca_certs=/path` | the same, by TLS; any option of redis-py may follow |
| `redis+sentinel://host:26379,host:26379/service/0` | the sentinels' master of `service` |
| `redis+cluster://host:6379,host:6379` | a cluster, from whichever of these nodes answers |

`rediss+sentinel` and `rediss+cluster` are these by TLS. A cluster's node under a plain `redis://`
is recognised by its answer. All keys of a namespace have one hash tag, so that one node of a
cluster has them all.

redis-py, the extra `redis`, is imported when a connection is made and not before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._credentials import RedisAddress, read_redis_url
from asgi_sentry._sampling.redis.script import SCRIPTS, SHAS

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT = 0.5
"""Seconds after which a call counts as failed."""


class Call(NamedTuple):
    """One call of a script."""

    kind: str
    keys: tuple[str, ...]
    arguments: list[Any]


class Connection:
    """Runs scripts. Not for two threads at once.

    Raises:
        ValueError: The URL can't be read. It is not in the message.
        RuntimeError: redis-py is not installed.
    """

    def __init__(self, url: str) -> None:
        try:
            import redis  # noqa: PLC0415  # an extra, and only for those who use it
        except ImportError as error:
            raise RuntimeError(
                "sharing limits by Redis needs redis-py: pip install 'asgi-sentry[redis]'"
            ) from error
        self._redis: Any = redis
        self._address: RedisAddress = read_redis_url(url)
        self._cluster: Any = None
        self._client: Any = None
        if self._address.kind == "server":
            try:
                self._client = redis.Redis.from_url(url, **self._patience())
            except ValueError:
                # Without its cause, whose text may hold the URL.
                raise ValueError(
                    "the URL of Redis can't be read; write redis://host:port/database"
                ) from None
        elif self._address.kind == "sentinel":
            self._client = self._by_sentinel()

    def run(self, calls: Sequence[Call]) -> list[Any]:
        """Run scripts in one round trip, or two where the server does not know one of them.

        Returns:
            For each call what it returned, or the exception that it failed with.

        Raises:
            Exception: none could be made, whatever redis-py says to that.
        """
        found = self._execute(calls)
        unknown = [
            n
            for n, each in enumerate(found)
            if isinstance(each, self._redis.exceptions.NoScriptError)
        ]
        if unknown:
            client = self._node(calls[unknown[0]].keys[0])
            for kind in {calls[n].kind for n in unknown}:
                client.script_load(SCRIPTS[kind])
            for n, each in zip(unknown, self._execute([calls[n] for n in unknown]), strict=True):
                found[n] = each
        return found

    def remove(self, members: str, worker: str) -> None:
        """Take a worker from the list of those that are there."""
        self._node(members).zrem(members, worker)

    def ping(self) -> None:
        """Ask for an answer; raises what redis-py says if there is none."""
        self._node("asgi-sentry").ping()

    def close(self) -> None:
        """Close the sockets."""
        for each in (self._client, self._cluster):
            if each is not None:
                each.close()

    def _execute(self, calls: Sequence[Call]) -> list[Any]:
        found = self._pipelined(calls)
        moved = [each for each in found if isinstance(each, self._redis.exceptions.MovedError)]
        if not moved:
            return found
        if self._cluster is None:  # a plain URL, and it was a cluster's
            connection = self._client.connection_pool.connection_kwargs
            self._connect_cluster(
                [(connection.get("host", "localhost"), int(connection.get("port", 6_379)))],
                {
                    name: connection[name]
                    for name in ("username", "password")
                    if connection.get(name)
                },
                tls=self._address.url.startswith("rediss"),
            )
        else:
            self._cluster.nodes_manager.initialize()
        return self._pipelined(calls)

    def _pipelined(self, calls: Sequence[Call]) -> list[Any]:
        try:
            with self._node(calls[0].keys[0]).pipeline(transaction=False) as pipeline:
                for call in calls:
                    pipeline.evalsha(SHAS[call.kind], len(call.keys), *call.keys, *call.arguments)
                found: list[Any] = pipeline.execute(raise_on_error=False)
                return found
        except self._redis.exceptions.ConnectionError:
            if self._cluster is not None:
                # Who is the master of what may have changed.
                self._cluster, cluster = None, self._cluster
                cluster.close()
            raise

    def _node(self, key: str) -> Any:
        """The client of the server that has a key."""
        if self._cluster is None:
            if self._address.kind != "cluster":
                return self._client
            self._connect_cluster(self._address.hosts, dict(self._address.options))
        return self._cluster.get_redis_connection(self._cluster.get_node_from_key(key))

    def _connect_cluster(
        self, hosts: Sequence[tuple[str, int]], options: dict[str, Any], *, tls: bool = False
    ) -> None:
        nodes = [self._redis.cluster.ClusterNode(host, port) for host, port in hosts]
        secure = {}
        if tls:
            secure = {"ssl": True}
        self._cluster = self._redis.cluster.RedisCluster(
            startup_nodes=nodes, **{**options, **secure, **self._patience()}
        )

    def _by_sentinel(self) -> Any:
        options = dict(self._address.options)
        secure = {name: value for name, value in options.items() if name.startswith("ssl")}
        sentinel = self._redis.sentinel.Sentinel(
            self._address.hosts, sentinel_kwargs={**secure, **self._patience()}, **self._patience()
        )
        return sentinel.master_for(self._address.service, **options)

    def _patience(self) -> dict[str, Any]:
        from redis.backoff import NoBackoff  # noqa: PLC0415
        from redis.retry import Retry  # noqa: PLC0415

        return {
            "socket_timeout": TIMEOUT,
            "socket_connect_timeout": TIMEOUT,
            "retry": Retry(NoBackoff(), 0),  # trying again is the business of who calls
        }


def probe(url: str) -> str | None:
    """Whether limits can be shared by this URL: None, or what is in the way, without the URL.

    Calls the server once.
    """
    try:
        connection = Connection(url)
    except (ValueError, RuntimeError) as error:
        return str(error)
    try:
        connection.ping()
    except Exception as error:
        return f"Redis does not answer ({type(error).__name__})"
    finally:
        connection.close()
    return None
