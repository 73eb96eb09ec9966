"""Whose request it is."""

from __future__ import annotations

import inspect
import ipaddress
from typing import TYPE_CHECKING, Any

from asgi_sentry._middleware.filter import several
from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request.plan import Plan
from asgi_sentry._request.user_policy import UserPolicy, user_in_scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from asgi_sentry.types import ASGIApp

_CLIENT_IP = ("drop", "truncate", "keep")
_MIN_KEY_BYTES = 16


class UserContextMiddleware(Layer):
    """The user of each request, for everything that is sent for it.

    Args:
        app: the ASGI3 app to wrap.
        resolve: `resolve(scope)` returns the user as a mapping or an object, or None. It is called
            when something is sent, after the app's own authentication. The default reads
            `scope["user"]` as Starlette, Litestar and Django leave it. What it raises costs the
            event its user and nothing else.
        fields: what is kept of the user, such as `("id", "username")`. An id is `id`, else
            `identity`, else `pk`.
        pseudonymize_with: a secret key, of 16 bytes or more; each kept field is replaced by its
            HMAC-SHA-256 in hex.
        client_ip: the address of the client: `drop` it, `truncate` it to a /24 or /48, or `keep`
            it.
        trusted_proxies: networks, such as `("10.0.0.0/8",)`, whose `X-Forwarded-For` is believed.

    Raises:
        TypeError: `app` is no ASGI3 app, or `resolve` can't be called with a scope, or is async.
        ValueError: another argument is wrong; it is named, with the remedy. The key is never shown.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        resolve: Callable[[Mapping[str, Any]], Any] | None = None,
        fields: Iterable[str] = ("id",),
        pseudonymize_with: str | bytes | None = None,
        client_ip: str = "drop",
        trusted_proxies: Iterable[str] = (),
    ) -> None:
        if resolve is not None and (not callable(resolve) or inspect.iscoroutinefunction(resolve)):
            raise TypeError(
                f"resolve must be a plain function of the scope, got {type(resolve).__qualname__}"
            )
        if client_ip not in _CLIENT_IP:
            raise ValueError(
                f"client_ip must be one of {', '.join(map(repr, _CLIENT_IP))}, got {client_ip!r}"
            )
        policy = UserPolicy(
            resolve=resolve or user_in_scope,
            fields=_fields(fields),
            key=_key(pseudonymize_with),
            client_ip=client_ip,
            trusted_proxies=_networks(trusted_proxies),
        )
        super().__init__(app, Plan(user=policy))


def _fields(fields: Iterable[str]) -> tuple[str, ...]:
    names = several("fields", fields)
    for name in names:
        if not isinstance(name, str) or not name:
            raise ValueError(
                f"each of fields must be the name of a field, such as 'id', got {name!r}"
            )
        if name == "ip_address":
            raise ValueError("fields must not hold 'ip_address': client_ip decides about it")
    return names


def _key(key: str | bytes | None) -> bytes | None:
    if key is None:
        return None
    if not isinstance(key, (str, bytes)):
        got = type(key).__qualname__
        problem = f"pseudonymize_with must be a key as str or bytes, got {got}"
        raise ValueError(problem)  # noqa: TRY004
    secret = key.encode() if isinstance(key, str) else key
    if len(secret) < _MIN_KEY_BYTES:
        raise ValueError(
            f"pseudonymize_with must be a key of {_MIN_KEY_BYTES} bytes or more, got "
            f"{len(secret)}: "
            "ids are few, and a short key can be found by trying"
        )
    return secret


def _networks(networks: Iterable[str]) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    parsed = []
    for network in several("trusted_proxies", networks):
        try:
            parsed.append(ipaddress.ip_network(network))
        except ValueError as exc:
            raise ValueError(
                f"trusted_proxies must be networks such as '10.0.0.0/8', got {network!r}: {exc}"
            ) from None
    return tuple(parsed)
