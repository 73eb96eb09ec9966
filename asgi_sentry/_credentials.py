"""URLs that hold credentials.

A DSN and a Redis URL, their shape, and how values are shown without any. What is shown of them, in
an error or in a repr, is built from the parts that are known to be no credential (scheme, host,
port, project number); nothing else of the text is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_SCHEME = re.compile(r"https?|rediss?|unix|rediss?\+(?:cluster|sentinel)")
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}|[0-9A-Fa-f:.]{2,45}")
_NUMBER = re.compile(r"[0-9]{1,19}")
_BEHIND_SCHEME = re.compile(r"://.*", re.DOTALL)
_MAX_SHOWN = 80
_KEY_LIKE = re.compile(r"[0-9A-Za-z]{20,}")


def check_dsn(url: str) -> str:
    """The DSN as it is, if it has a scheme, a public key, a host and a project number.

    The SDK's own `Dsn` quotes parts of the text in its messages, so the shape is checked here.

    Raises:
        ValueError: with what is missing, and nothing of the text.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in {"http", "https"}:
        raise ValueError("it does not start with https:// or http://")
    if not parts.username:
        raise ValueError("the public key in front of the @ is missing")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise ValueError("the host is missing")
    project = parts.path.rsplit("/", 1)[-1]
    if not _NUMBER.fullmatch(project):
        raise ValueError("the project number at the end is missing")
    return url


def project_of(dsn: str) -> str:
    """Host and project number of a DSN that was checked: what is no secret of it."""
    parts = urlsplit(dsn)
    return f"{parts.hostname}/{parts.path.rsplit('/', 1)[-1]}"


def check_redis_url(url: str) -> str:
    """The URL as it is, if redis-py, or our own reading of clusters and sentinels, understands it.

    Raises:
        ValueError: with what is missing, and nothing of the text.
    """
    if read_redis_url(url).kind != "server":
        return url
    parts = _split(url)
    if parts is None:
        raise ValueError("its host or its port can't be read")
    if parts.scheme == "unix" and not parts.path.strip("/"):
        raise ValueError("the path of the socket is missing")
    if parts.scheme != "unix" and not parts.hostname:
        raise ValueError("the host is missing")
    return url


REDIS_KINDS = {
    "redis": "server",
    "rediss": "server",
    "unix": "server",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
"""What a URL's scheme asks for."""


class RedisAddress(NamedTuple):
    """A URL of Redis, read."""

    kind: str  # server, sentinel or cluster
    url: str
    hosts: tuple[tuple[str, int], ...] = ()
    service: str = ""  # the sentinels' name of a master
    # Of the connections, where there is no URL for redis-py to read.
    options: tuple[tuple[str, Any], ...] = ()


def read_redis_url(url: Any) -> RedisAddress:
    """What a URL of Redis asks for.

    Raises:
        ValueError: with what is wrong, and nothing of the text, since it may hold a password.
    """
    scheme = ""
    if isinstance(url, str) and "://" in url:
        scheme = url.partition("://")[0]
    kind = REDIS_KINDS.get(scheme)
    if kind is None:
        raise ValueError(
            "the URL of Redis must start with " + ", ".join(f"{known}://" for known in REDIS_KINDS)
        )
    if kind == "server":
        return RedisAddress(kind, url)
    try:
        parts = urlsplit(url)
        userinfo, _, places = parts.netloc.rpartition("@")
        hosts = tuple(
            _host(place, 26_379 if kind == "sentinel" else 6_379) for place in places.split(",")
        )
        segments = [unquote(segment) for segment in parts.path.split("/") if segment]
        database = next((segment for segment in segments[::-1] if segment.isdigit()), "0")
    except ValueError:
        raise ValueError(
            "the URL of Redis can't be read; write its hosts as host:port,host:port"
        ) from None
    names = [segment for segment in segments if not segment.isdigit()]
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    user, _, password = userinfo.partition(":")
    options.update(
        {name: unquote(text) for name, text in (("username", user), ("password", password)) if text}
    )
    if scheme.startswith("rediss"):
        options["ssl"] = True
    if kind == "sentinel":
        if len(names) != 1:
            raise ValueError(
                "the URL of Redis by sentinels must name the service: "
                "redis+sentinel://host:26379/mymaster"
            )
        options["db"] = int(database)
    elif names or database != "0":
        raise ValueError("the URL of a Redis cluster has no path: a cluster has one database")
    return RedisAddress(kind, url, hosts, "".join(names), tuple(options.items()))


def _host(place: str, default: int) -> tuple[str, int]:
    parts = urlsplit(f"//{place}")
    if not parts.hostname:
        raise ValueError
    return parts.hostname, parts.port or default


def masked(text: str) -> str:
    """A text up to the first URL in it, which may be a DSN in the wrong place.

    Where its key ends can't be known.
    """
    return _BEHIND_SCHEME.sub("://[hidden]", text)


def shown(value: object) -> str:
    """Any other value, shortened.

    Of a URL in it, which may be a DSN in the wrong place, only the scheme.
    """
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{shown(key)}: {shown(rate)}" for key, rate in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(shown, value)) + ("," if len(value) == 1 else "") + ")"
    if callable(value) and not isinstance(value, type):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
    text = masked(repr(value))
    if len(text) <= _MAX_SHOWN:
        return text
    return f"{text[:_MAX_SHOWN]}…"


def shown_url(url: str, *, checked: bool = False) -> str:
    """Scheme, host and number of a URL that may hold credentials.

    Of what does not look like one, only its length.
    """
    hidden = f"a hidden text of length {len(url)}"
    parts = _split(url)
    if parts is None:
        return hidden
    if checked and parts.scheme == "unix":
        return f"'unix://{_KEY_LIKE.sub('[hidden]', parts.path)}'"
    # Without userinfo the key may stand where the host should, so that nothing behind the scheme is
    # safe to show.
    host = None
    if checked or "@" in parts.netloc:
        host = parts.hostname
    if host is None or not _HOST.fullmatch(host):
        return hidden
    host = _KEY_LIKE.sub("[hidden]", host)
    if ":" in host:
        host = f"[{host}]"
    user = ""
    if "@" in parts.netloc:
        user = "[hidden]@"
    port = ""
    if parts.port is not None:
        port = f":{parts.port}"
    number = parts.path.rsplit("/", 1)[-1]
    if not number:
        tail = ""
    elif _NUMBER.fullmatch(number):
        tail = f"/{number}"
    else:
        tail = "/[hidden]"
    return f"'{parts.scheme}://{user}{host}{port}{tail}'"


def _split(url: str) -> SplitResult | None:
    """The parts of a URL, or `None` for what is none."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port  # both raise for a bad port or a bad IPv6 address
    except ValueError:
        return None
    if not _SCHEME.fullmatch(parts.scheme):
        return None
    return parts
