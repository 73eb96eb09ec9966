"""The head of a request, read in one pass, comes to what it comes to when it is read part by part."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given, settings

from asgi_sentry._request.head import describe_head, describe_request, raw_head
from asgi_sentry._scrubbing import Scrubber, Taint, collect_taint
from asgi_sentry._scrubbing.sentry import events
from asgi_sentry._scrubbing.sentry.raw_head import HeadGlance
from asgi_sentry._scrubbing.tree.glance import UnusualError
from tests.quick import examples
from tests.strategies import headers_of_a_request, queries_of_a_request

SCRUBBER = Scrubber()
SECRET = "q7w8e9r0t1y2u3i4"
REST: dict[str, Any] = {
    "type": "transaction",
    "transaction": "GET /items/{id}",
    "transaction_info": {"source": "route"},
    "contexts": {"trace": {"op": "http.server", "data": {"thread.id": "140512189037440", "thread.name": "MainThread"}}},
    "tags": {"asgi.type": "http"},
    "spans": [],
}
HEADERS = [
    (b"host", b"shop.example.com"),
    (b"user-agent", b"Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0"),
    (b"referer", b"https://shop.example.com/basket?page=2"),
    (b"authorization", b"Basic dXNlcjpxN3c4ZTlyMHQxeTJ1M2k0"),
    (b"cookie", b"sid=q7w8e9r0t1y2u3i4; theme=dark; _ga=GA1.2.1234567"),
    (b"x-request-id", b"0a4f1c2e-5b6d-4c3a-9f8e-7d6c5b4a3f2e"),
    (b"x-forwarded-for", b"203.0.113.61, 10.0.0.7"),
    (b"sentry-trace", b"771a43a4192642f0b136d5159a501700-a085dbfdd542eb93-1"),
]


def scope_of(headers: list[tuple[bytes, bytes]], query: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "method": "GET",
        "path": "/items/7",
        "headers": headers,
        "query_string": query,
        "server": ("10.0.0.1", 80),
    }


def secrets_of(scope: dict[str, Any], read: list[str] | None = None) -> Taint:
    return collect_taint(
        headers=scope["headers"],
        query=scope["query_string"],
        path=scope["path"],
        route="/items/{id}",
        read=read,
        keys=SCRUBBER.ruleset,
    )


def walk(*_: Any, **__: Any) -> Any:
    raise UnusualError


def part_by_part(scope: dict[str, Any], rest: dict[str, Any]) -> tuple[dict[str, Any], Taint, set[str]]:
    """The event, what is secret of its request, and the credentials that were redacted beside."""
    event = {**copy.deepcopy(rest), "request": {**describe_request(scope), **describe_head(scope)}}
    taint, secrets = secrets_of(scope), []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(events, "scrub_usual", walk)
        SCRUBBER.scrub_event(event, taint=taint, secrets=secrets, owned=True)
    return event, taint, {secret for secret in secrets if not taint.knows(secret)}


def at_once(scope: dict[str, Any], rest: dict[str, Any]) -> tuple[dict[str, Any], Taint, set[str]] | None:
    """The same; None for what is not usual."""
    look = SCRUBBER.look_at(raw_head(scope))
    if look is None:
        return None
    event, secrets = copy.deepcopy(rest), []
    taint = secrets_of(scope, look.came_with)
    if not SCRUBBER.scrub_with_head(event, look, taint, secrets):
        assert event == rest
        return None
    return event, taint, {secret for secret in secrets if not taint.knows(secret)}


def values(taint: Taint) -> dict[str, Any]:
    return taint._raw


@settings(max_examples=examples(300))
@example(headers=HEADERS, query=b"q=blue+socks&page=7&token=abcdef123456")
@example(headers=HEADERS, query=b"State=af0ifjsldkj3h4k5&a%62=1&x")
@example(headers=HEADERS, query=b"q=%7B%22a%22%3A1%7D&a+b&code")
@example(headers=[(b"x-request-id", b"4111111111111111")], query=b"")
@example(headers=[(b"x-api-key", b"Bearer q7w8e9r0t1y2u3i4")], query=b"note=q7w8e9r0t1y2u3i4")
@example(headers=[(b"cookie", b"sid=q7w8e9r0t1y2u3i4")], query=b"")
@example(headers=[(b"x-api-key", b'{"token": "q7w8e9r0t1y2u3i4"}')], query=b"")
@example(headers=[(b"x-api-key", b'"q7w8e9r0t1y2u3i4"')], query=b"")
@given(headers=headers_of_a_request, query=queries_of_a_request)
def test_both_ways_come_to_the_same(headers, query):
    scope = scope_of(headers, query)
    for _ in range(2):  # the second time each name has been met
        found = at_once(scope, REST)
        event, taint, secrets = part_by_part(scope, REST)
        if found is not None:
            assert found[0] == event
            assert values(found[1]) == values(taint)
            assert found[2] == secrets


@settings(max_examples=examples(100))
@example(headers=[(b"authorization", b'{"token": "q7w8e9r0t1y2u3i4"}')], query=b"")
@example(headers=[(b"authorization", b"Bearer (q7w8e9r0t1y2u3i4)")], query=b"")
@example(headers=[(b"authorization", b"Bearer q7w8e9r0t1y2u3i4,")], query=b"")
@example(headers=[(b"authorization", b"key:q7w8e9r0t1y2u3i4 1")], query=b"")
@example(headers=[(b"cookie", b"a=x q7w8e9r0t1y2u3i4; theme=dark")], query=b"")
@example(headers=[(b"cookie", b"sid=(q7w8e9r0t1y2u3i4); theme=dark")], query=b"")
@example(headers=[(b"cookie", b"a=q7w8e9r0t1y2u3i4,b; theme=dark")], query=b"")
@given(headers=headers_of_a_request, query=queries_of_a_request)
def test_no_secret_of_the_head_stands_elsewhere(headers, query):
    scope = scope_of(headers, query)
    rest = {**REST, "tags": {"note": SECRET}}
    part_by_part(scope, rest)
    found = at_once(scope, rest)
    if found is not None:  # else it is read part by part
        assert found[0] == part_by_part(scope, rest)[0]


def test_what_is_usual_takes_it():
    scope = scope_of(HEADERS, b"q=blue+socks&page=7&token=abcdef123456")
    walked = part_by_part(scope, REST)[0]
    found = at_once(scope, REST)
    assert found is not None
    assert found[0] == walked
    assert found[0]["request"]["cookies"] == {"sid": "[Filtered]", "theme": "dark", "_ga": "GA1.2.1234567"}
    assert found[0]["request"]["query_string"] == "q=blue+socks&page=7&token=[Filtered]"
    assert SECRET not in repr(found[0])


@pytest.mark.parametrize(
    "headers",
    [
        [(b"cookie", b"q7w8e9r0t1y2u3i4")],
        [(b"cookie", b"sid=1; theme")],
        [(b"host", b"a"), (b"host", b"b")],
        [(b"user-agent", "\u00fc".encode())],
        [(b"cookie", b"a=1; a=2")],
        [(b"cookie", b'a={"token": 1}')],
        [(b"Accept", b"a")],
        [(b"sec-websocket-protocol", b"bearer, token")],
        [(b"referer", b"https://a.example/?token=abcdef123456")],
        [(b"x-nobody-has-met-this", b"1")],
        [(b"accept", b"a" * 20_000)],
    ],
)
def test_what_is_not_is_read_part_by_part(headers):
    part_by_part(scope_of([*HEADERS, (b"accept", b"a"), (b"cookie", b"a=1")], b""), REST)
    assert SCRUBBER.look_at(raw_head(scope_of(headers, b""))) is None
    assert SCRUBBER.look_at(raw_head(scope_of([(b"accept", b"a")], b""))) is not None


def test_who_asks_where_something_was_redacted_is_told_part_by_part():
    scrubber = Scrubber(on_redact=lambda path, rule: None)
    scrubber.scrub_event({"request": {"headers": {"host": "a"}}})
    assert scrubber.look_at(raw_head(scope_of([(b"host", b"a")], b""))) is None


def test_names_of_headers_are_remembered_and_no_value_is():
    scrubber = Scrubber()
    event = {"request": describe_head(scope_of(HEADERS, b""))}
    scrubber.scrub_event(event)
    assert scrubber.look_at(raw_head(scope_of(HEADERS, b""))) is not None
    assert set(scrubber.ruleset.headers) == {name for name, _ in HEADERS}
    assert SECRET not in repr(dict(scrubber.ruleset.headers))


@pytest.mark.parametrize(
    "query", ["page=7;x", "q={}", "a[]=1", "q=%7B1", "a+b=1", "a%62", "x=1&Query=a", "state=af0i", "x&code", "token=a"]
)
def test_a_query_that_may_tell_something_is_read_name_by_name(query: str) -> None:
    assert not HeadGlance(SCRUBBER.ruleset)._says_nothing(query)


def test_a_query_that_tells_nothing_is_not_and_what_it_stands_for_is_noted() -> None:
    look = HeadGlance(SCRUBBER.ruleset)
    assert look._says_nothing("q=blue+socks&page=7&&x&statement=4%30")
    assert look.encoded == ["blue socks", "7", "40"]
