"""Whose request it is: from what authentication left in the scope to what Sentry may know of it."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Address = ipaddress.IPv4Address | ipaddress.IPv6Address
    Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# Where a field is looked for, in this order: Starlette has `identity` and `display_name`, Django
# has `pk`.
_SOURCES: dict[str, tuple[str, ...]] = {
    "id": ("id", "identity", "pk"),
    "username": ("username", "display_name"),
}


def user_in_scope(scope: Mapping[str, Any]) -> Any:
    """The default of `resolve`.

    `scope["user"]`, or `request.user` of Django's, unless nobody is authenticated.
    """
    user = scope.get("user")
    if user is None and "django" in sys.modules:
        user = _user_of_django()
    if getattr(user, "is_authenticated", True) is False:
        return None
    return user


def _user_of_django() -> Any:
    """The user on Django's request, if the app has asked for it.

    A lazy one would ask the database now.
    """
    known = getattr(sdk.django_request(), "__dict__", {})
    for name in ("_cached_user", "_acached_user"):  # once its session was read
        if known.get(name) is not None:
            return known[name]
    user = known.get("user")
    lazy = {}
    if hasattr(user, "__dict__"):
        lazy = object.__getattribute__(user, "__dict__")
    if type(lazy.get("_wrapped")) is object:
        return None
    return user


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class UserPolicy:
    """What is sent of a user. Has no repr: it holds the key."""

    resolve: Callable[[Mapping[str, Any]], Any] | None = None
    fields: tuple[str, ...] = ("id",)
    key: bytes | None = None
    client_ip: str = "drop"
    trusted_proxies: tuple[Network, ...] = ()

    def describe(self, scope: Mapping[str, Any], *, given: Mapping[str, Any]) -> dict[str, Any]:
        """The user section of an event.

        The kept fields, as strings or numbers, and the address if it is wanted.

        Args:
            scope: the ASGI scope, after the app's authentication has run.
            given: what was bound by hand; it wins over what `resolve` returns.
        """
        user: dict[str, Any] = {}
        found = self._resolve(scope)
        for field in self.fields:
            value = _read(given, field) if given else None
            if value is None and found is not None:
                value = _read(found, field)
            if value is not None:
                user[field] = self._shield(value)
        if self.client_ip != "drop":
            address = client_address(scope, self.trusted_proxies)
            if address is not None:
                if self.client_ip == "truncate":
                    user["ip_address"] = truncated(address)
                else:
                    user["ip_address"] = str(address)
        return user

    def _resolve(self, scope: Mapping[str, Any]) -> Any:
        if self.resolve is None:
            return None
        try:
            return self.resolve(scope)
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("resolve", exc, "the event goes without the user it would have named")
            return None

    def _shield(self, value: str | float) -> str | float:
        if self.key is None:
            return value
        return hmac.new(
            self.key, str(value).encode("utf-8", "surrogatepass"), hashlib.sha256
        ).hexdigest()


# No user layer in the stack: only what was bound by hand, and of that the id.
NOBODY_ASKED = UserPolicy()


def _read(user: Any, field: str) -> str | int | float | None:
    """A field of a mapping or an object as a scalar.

    None if it has none, an empty one, or one that can't be read.
    """
    for source in _SOURCES.get(field, (field,)):
        try:
            if hasattr(user, "keys"):
                value = user.get(source)
            else:
                value = getattr(user, source, None)
            if value is None or callable(value):
                continue
            text = value if isinstance(value, (str, int, float)) else str(value)
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            # A property of the app's, such as Starlette's `identity` of a bare user.
            if not isinstance(exc, NotImplementedError):
                faults.note(f"reading the user's {field}", exc, "the event goes without it")
            continue
        if text != "":
            if field == "id":
                return str(text)
            return text
    return None


def client_address(scope: Mapping[str, Any], trusted: Iterable[Network]) -> Address | None:
    """The client's address: the rightmost hop that is no trusted proxy.

    The hops are those of `X-Forwarded-For`, to which each proxy appends the peer it saw, and then
    our own peer. An unreadable hop ends the search without an address: what stands left of it was
    said by nobody we know.
    """
    client = scope.get("client")
    peer = None
    if client:
        peer = _address(client[0])
    networks = tuple(trusted)
    if peer is None or not _within(peer, networks):
        return peer
    hops = b",".join(
        value for name, value in (scope.get("headers") or ()) if name == b"x-forwarded-for"
    ).decode("latin-1")
    address = peer
    for hop in reversed([part.strip() for part in hops.split(",") if part.strip()]):
        parsed = _address(hop)
        if parsed is None:
            return None
        address = parsed
        if not _within(address, networks):
            break
    return address


def truncated(address: Address) -> str:
    """The address with its last part cleared: a /24 of IPv4, a /48 of IPv6."""
    prefix = 48
    if address.version == 4:
        prefix = 24
    return str(ipaddress.ip_network((address, prefix), strict=False).network_address)


def _within(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address.version == network.version and address in network for network in networks)


def _address(text: str) -> Address | None:
    """An address as proxies write it: bare, with a port, in brackets, mapped into IPv6."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
