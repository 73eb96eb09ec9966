"""URLs that hold credentials: a DSN and a Redis URL, their shape, and how values are shown without any.

What is shown of them, in an error or in a repr, is built from the parts that are known to be no credential (scheme,
host, port, project number); nothing else of the text is repeated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

_SCHEME = re.compile(r"https?|rediss?|unix")
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


def check_redis_url(url: str) -> str:
    """The URL as it is, if redis-py would understand it.

    Raises:
        ValueError: with what is missing, and nothing of the text.
    """
    parts = _split(url)
    if parts is None or parts.scheme not in {"redis", "rediss", "unix"}:
        raise ValueError("it does not start with redis://, rediss:// or unix://")
    if parts.scheme == "unix" and not parts.path.strip("/"):
        raise ValueError("the path of the socket is missing")
    if parts.scheme != "unix" and not parts.hostname:
        raise ValueError("the host is missing")
    return url


def masked(text: str) -> str:
    """A text up to the first URL in it, which may be a DSN in the wrong place: where its key ends can't be known."""
    return _BEHIND_SCHEME.sub("://[hidden]", text)


def shown(value: object) -> str:
    """Any other value, shortened; of a URL in it, which may be a DSN in the wrong place, only the scheme."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{shown(key)}: {shown(rate)}" for key, rate in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(map(shown, value)) + ("," if len(value) == 1 else "") + ")"
    if callable(value) and not isinstance(value, type):
        return f"<{getattr(value, '__qualname__', type(value).__qualname__)}>"
    text = masked(repr(value))
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def shown_url(url: str, *, checked: bool = False) -> str:
    """Scheme, host and number of a URL that may hold credentials; of what does not look like one, only its length."""
    hidden = f"a hidden text of length {len(url)}"
    parts = _split(url)
    if parts is None:
        return hidden
    if checked and parts.scheme == "unix":
        return f"'unix://{_KEY_LIKE.sub('[hidden]', parts.path)}'"
    # Without userinfo the key may stand where the host should, so that nothing behind the scheme is safe to show.
    host = parts.hostname if checked or "@" in parts.netloc else None
    if host is None or not _HOST.fullmatch(host):
        return hidden
    host = _KEY_LIKE.sub("[hidden]", host)
    if ":" in host:
        host = f"[{host}]"
    user = "[hidden]@" if "@" in parts.netloc else ""
    port = "" if parts.port is None else f":{parts.port}"
    number = parts.path.rsplit("/", 1)[-1]
    tail = "" if not number else f"/{number}" if _NUMBER.fullmatch(number) else "/[hidden]"
    return f"'{parts.scheme}://{user}{host}{port}{tail}'"


def _split(url: str) -> SplitResult | None:
    """The parts of a URL, or `None` for what is none."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port  # both raise for a bad port or a bad IPv6 address
    except ValueError:
        return None
    return parts if _SCHEME.fullmatch(parts.scheme) else None
