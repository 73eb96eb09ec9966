"""Whose request it is: what is kept, how it is shielded, and which address is the client's."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import sys
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry import _sdk as sdk
from asgi_sentry._request.user_policy import NOBODY_ASKED, UserPolicy, client_address, truncated, user_in_scope

KEY = b"0123456789abcdef"


@dataclass
class Row:
    id: int
    email: str = "a@example.org"


class Bare:
    """As Starlette's `BaseUser`: its properties raise until somebody writes them."""

    is_authenticated = True

    @property
    def identity(self) -> str:
        raise NotImplementedError

    @property
    def display_name(self) -> str:
        return "Ann"


class Model:
    """As an ORM's: methods where fields are looked for."""

    pk = 7

    def id(self) -> int:
        return 8

    def __str__(self) -> str:
        return "secret text of a model"


@pytest.mark.parametrize(
    ("user", "expected"),
    [
        (None, {}),
        ({}, {}),
        ({"id": 0}, {"id": "0"}),
        ({"id": ""}, {}),
        ({"id": None, "pk": 3}, {"id": "3"}),
        ({"identity": "x"}, {"id": "x"}),
        ({"id": "a", "identity": "b", "pk": "c"}, {"id": "a"}),
        (Row(5), {"id": "5", "email": "a@example.org"}),
        (SimpleNamespace(identity="x", display_name="Ann"), {"id": "x", "username": "Ann"}),
        (Bare(), {"username": "Ann"}),
        (Model(), {"id": "7"}),
        ("text", {}),
        (7, {}),
        (object(), {}),
        ({"id": 1.5, "email": True}, {"id": "1.5", "email": True}),
        ({"id": ipaddress.ip_address("::1")}, {"id": "::1"}),
    ],
)
def test_a_user_of_any_shape(user: Any, expected: dict[str, Any]) -> None:
    policy = UserPolicy(resolve=lambda _: user, fields=("id", "username", "email"))
    assert policy.describe({}, given={}) == expected


def test_only_the_fields_are_kept() -> None:
    policy = UserPolicy(resolve=lambda _: {"id": 1, "email": "e", "password": "p"})
    assert policy.describe({}, given={"email": "f", "phone": "0"}) == {"id": "1"}
    assert NOBODY_ASKED.describe({"user": {"id": 1}}, given={"id": 2, "email": "e"}) == {"id": "2"}


def test_what_was_bound_by_hand_wins_field_by_field() -> None:
    policy = UserPolicy(resolve=lambda _: {"id": 1, "email": "resolved"}, fields=("id", "email"))
    assert policy.describe({}, given={"id": 2}) == {"id": "2", "email": "resolved"}
    assert policy.describe({}, given={"email": "bound"}) == {"id": "1", "email": "bound"}


def test_the_default_reads_the_scope_unless_nobody_is_authenticated() -> None:
    ann = SimpleNamespace(identity="x")
    assert user_in_scope({}) is None
    assert user_in_scope({"user": ann}) is ann
    assert user_in_scope({"user": SimpleNamespace(is_authenticated=False, id=1)}) is None
    assert user_in_scope({"user": SimpleNamespace(is_authenticated=True, id=1)}) is not None


texts = st.text(st.characters(codec=None), min_size=1, max_size=20)  # lone surrogates too


@given(value=st.one_of(texts, st.integers(), st.floats(allow_nan=False)))
def test_a_pseudonym_is_the_keyed_hash_and_hides_the_value(value: Any) -> None:
    policy = UserPolicy(resolve=lambda _: {"id": value}, key=KEY)
    text = str(value).encode("utf-8", "surrogatepass")
    assert policy.describe({}, given={}) == {"id": hmac.new(KEY, text, hashlib.sha256).hexdigest()}


def test_pseudonyms_differ_by_key_and_by_user_and_are_stable() -> None:
    def of(key: bytes, value: Any) -> Any:
        return UserPolicy(resolve=lambda _: {"id": value}, key=key).describe({}, given={})["id"]

    assert of(KEY, 1) == of(KEY, "1") == of(KEY, 1)
    assert len({of(KEY, 1), of(KEY, 2), of(KEY[::-1], 1)}) == 3


def test_a_policy_shows_no_key() -> None:
    assert KEY.decode() not in repr(UserPolicy(key=KEY))
    assert KEY.decode() not in str(UserPolicy(key=KEY))


# --- addresses ----------------------------------------------------------------------------------------------------

TRUSTED = (ipaddress.ip_network("10.0.0.0/8"), ipaddress.ip_network("fd00::/8"))
v4 = st.integers(1, 2**32 - 1).map(ipaddress.IPv4Address)
v6 = st.integers(2**100, 2**128 - 1).map(ipaddress.IPv6Address)
addresses = st.one_of(v4, v6)
proxies = st.one_of(
    st.integers(0, 2**24 - 1).map(lambda low: ipaddress.IPv4Address((10 << 24) + low)),
    st.integers(0, 2**64).map(lambda low: ipaddress.IPv6Address((0xFD << 120) + low)),
)


def trusted(address: Any) -> bool:
    return any(address.version == network.version and address in network for network in TRUSTED)


def written(address: Any, how: int) -> str:
    if address.version == 4:
        return [f"{address}", f"{address}:8080", f"::ffff:{address}"][how]
    return [f"{address}", f"[{address}]:8080", f"[{address}]"][how]


def scope_of(peer: Any, *lines: str) -> dict[str, Any]:
    headers = [(b"x-forwarded-for", line.encode("latin-1")) for line in lines]
    return {"client": (str(peer), 1) if peer is not None else None, "headers": headers}


@given(
    claimed=st.lists(addresses, max_size=3),
    client=addresses.filter(lambda each: not trusted(each)),
    hops=st.lists(proxies, max_size=3),
    peer=proxies,
    how=st.integers(0, 2),
    split=st.booleans(),
)
def test_the_client_is_the_rightmost_hop_that_is_no_trusted_proxy(
    claimed: list[Any], client: Any, hops: list[Any], peer: Any, how: int, split: bool
) -> None:
    """Whatever a client claims in front of it."""
    line = [written(each, how) for each in (*claimed, client, *hops)]
    lines = line if split else [", ".join(line)]
    assert client_address(scope_of(peer, *lines), TRUSTED) == client


@given(peer=addresses.filter(lambda each: not trusted(each)), claimed=st.text(max_size=30))
def test_a_peer_that_is_no_proxy_is_the_client_whatever_it_says(peer: Any, claimed: str) -> None:
    scope = scope_of(peer, claimed.encode("latin-1", "replace").decode("latin-1"))
    expected = getattr(peer, "ipv4_mapped", None) or peer
    assert client_address(scope, TRUSTED) == expected


@given(peer=proxies, claimed=st.text(st.sampled_from("0123456789abcdef.:[]%, \x00é-"), max_size=60))
def test_any_header_ends_in_an_address_or_in_none(peer: Any, claimed: str) -> None:
    found = client_address(scope_of(peer, claimed), TRUSTED)
    assert found is None or isinstance(found, (ipaddress.IPv4Address, ipaddress.IPv6Address))


@pytest.mark.parametrize("unreadable", ["unknown", "_hidden", "x, ", "1.2.3", "[::1", "-"])
def test_an_unreadable_hop_ends_the_search(unreadable: str) -> None:
    found = client_address(scope_of("10.0.0.1", f"192.0.2.7, {unreadable}, 10.0.0.2"), TRUSTED)
    assert found is None or str(found) == "::1"


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ({}, None),
        ({"client": None}, None),
        ({"client": ("", 0)}, None),
        ({"client": ("testclient", 50000)}, None),
        ({"client": ["192.0.2.7", 1]}, "192.0.2.7"),
        ({"client": ("::ffff:192.0.2.7", 1)}, "192.0.2.7"),
        ({"client": ("fe80::1%eth0", 1)}, "fe80::1"),
        ({"client": ("10.0.0.1", 1)}, "10.0.0.1"),
        ({"client": ("10.0.0.1", 1), "headers": None}, "10.0.0.1"),
        (scope_of("10.0.0.1", ""), "10.0.0.1"),
        (scope_of("10.0.0.1", "10.0.0.3"), "10.0.0.3"),
        (scope_of("10.0.0.1", "192.0.2.7", "10.0.0.3"), "192.0.2.7"),
    ],
)
def test_scopes_of_servers(scope: dict[str, Any], expected: str | None) -> None:
    found = client_address(scope, TRUSTED)
    assert (None if found is None else str(found)) == expected


@given(address=addresses)
def test_a_truncated_address_is_its_networks(address: Any) -> None:
    cut = ipaddress.ip_address(truncated(address))
    bits, kept = (32, 24) if address.version == 4 else (128, 48)
    assert int(cut) == int(address) >> (bits - kept) << (bits - kept)


@pytest.mark.parametrize(
    ("client_ip", "expected"),
    [("drop", {}), ("keep", {"ip_address": "192.0.2.7"}), ("truncate", {"ip_address": "192.0.2.0"})],
)
def test_the_policy_of_addresses(client_ip: str, expected: dict[str, str]) -> None:
    policy = UserPolicy(client_ip=client_ip)
    assert policy.describe(scope_of("192.0.2.7"), given={"ip_address": "203.0.113.9"}) == expected


class Lazy:
    """As Django's `SimpleLazyObject` keeps what it stands for."""

    def __init__(self, wrapped: Any) -> None:
        self._wrapped = wrapped


@pytest.mark.parametrize(
    ("request_of", "expected"),
    [
        ({"user": Lazy(object())}, None),  # nobody has asked for it: it would ask the database now
        ({"user": Lazy(Row(id=7))}, "user"),
        ({"user": Row(id=7)}, "user"),
        ({"user": "slots have no dict"}, "user"),
        ({"user": None}, None),
        ({}, None),
        ({"user": Lazy(object()), "_cached_user": Row(id=8)}, "_cached_user"),
        ({"_acached_user": Row(id=9), "_cached_user": None}, "_acached_user"),
    ],
)  # fmt: skip
def test_the_user_on_djangos_request_if_the_app_has_asked_for_it(
    request_of: dict[str, Any], expected: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "django", SimpleNamespace())
    monkeypatch.setattr(sdk, "django_request", lambda: SimpleNamespace(**request_of))
    assert user_in_scope({}) is (None if expected is None else request_of[expected])
    own = Row(id=1)
    assert user_in_scope({"user": own}) is own
