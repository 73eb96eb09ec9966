"""The short way of a usual transaction comes to what the walk comes to, and is taken."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing import Redaction, Scrubber, Taint
from asgi_sentry._scrubbing.sentry import events
from asgi_sentry._scrubbing.sentry.shortcut import scrub_usual
from asgi_sentry._scrubbing.tree.glance import UnusualError
from tests.quick import examples
from tests.strategies import transactions

SCRUBBER = Scrubber()
SECRET = "q7w8e9r0t1y2u3i4"
USUAL: dict[str, Any] = {
    "type": "transaction",
    "transaction": "GET /items/{id}",
    "transaction_info": {"source": "route"},
    "contexts": {
        "trace": {
            "trace_id": "5229e07e42c32e52ebf7bea4db75dd1e",
            "op": "http.server",
            "data": {"http.response.status_code": 200, "thread.name": "MainThread"},
        },
        "runtime": {"name": "CPython", "version": "3.11.7", "build": "3.11.7 (main) [GCC 12.2.0]"},
    },
    "tags": {"asgi.type": "http"},
    "spans": [{"op": "db", "description": "SELECT 1", "data": {"rows": 1, "db.system": "sqlite"}}],
    "measurements": {},
    "extra": {"sys.argv": ["server", "--port", "8000"]},
    "request": {
        "url": "http://shop.example.com/items/7",
        "method": "GET",
        "headers": {
            "host": "shop.example.com",
            "user-agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/131.0.0.0 Safari/537.36",
            "referer": "https://shop.example.com/basket",
            "authorization": f"Bearer {SECRET}",
            "cookie": f"sid={SECRET}; theme=dark",
            "x-forwarded-for": "203.0.113.61, 10.0.0.7",
        },
        "cookies": {"sid": SECRET, "theme": "dark"},
        "query_string": "q=blue+socks&page=589673&token=abcdef123456",
        "data": {"name of": "a", "items": [{"sku": "b", "count": 2}, {"sku": "c", "count": None}]},
    },
    "user": {"id": "user-113323171", "plan": "pro"},
    "release": "app@1",
    "platform": "python",
}


def by(
    way: Any, event: dict[str, Any], taint: Taint | None, *, owned: bool = True
) -> tuple[Any, list[str], set[Redaction]]:
    """What becomes of an event by one of the ways: itself, the credentials in it, and what was redacted where."""
    event, secrets, found = copy.deepcopy(event) if owned else dict(event), [], []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(events, "scrub_usual", way)
        SCRUBBER.scrub_event(event, taint=taint, secrets=secrets, found=found, owned=owned)
        return event, sorted(secret for secret in secrets if not (taint and taint.knows(secret))), set(found)


def walk(*_: Any, **__: Any) -> Any:
    raise UnusualError


@settings(max_examples=examples(200))
@example(event={**USUAL, "contexts": {"c": {"theme": [f"token={SECRET}&x=1"]}}}, taint=None)
@example(event={**USUAL, "tags": {"authorization": f"token={SECRET}&x=1"}}, taint=None)
@example(event=USUAL, taint=Taint([SECRET, "abcdef123456"]))
@example(event={**USUAL, "tags": {"a": SECRET}}, taint=Taint([SECRET]))
@example(event={**USUAL, "user": {"id": "dark"}}, taint=Taint(["sand-castle"]))
@given(event=transactions, taint=st.sampled_from([None, Taint(), Taint([SECRET]), Taint(["theme-dark", "SELECT 1"])]))
def test_both_ways_come_to_the_same(event, taint):
    for _ in range(2):  # the second time each key has been met
        walked = by(walk, event, taint)
        assert by(scrub_usual, event, taint) == walked
    before = copy.deepcopy(event)
    assert by(scrub_usual, event, taint, owned=False) == walked
    assert event == before


def test_what_is_usual_takes_it():
    taint = Taint([SECRET, "abcdef123456"])
    walked = by(walk, USUAL, taint)[0]
    event = copy.deepcopy(USUAL)
    scrub_usual(SCRUBBER.ruleset, event, taint, None).remark(event)
    assert event == walked
    assert event["request"]["headers"]["x-forwarded-for"] == "[Filtered], [Filtered]"
    assert SECRET not in repr(event)


@pytest.mark.parametrize(
    "change",
    [
        {"user": {"id": SECRET}},
        {"user": {"mail": "a@example.com"}},
        {"user": {SECRET: 1}},
        {"extra": {"never met": 1}},
        {"extra": {"sys.argv": ["server", "--password", "hunter22"]}},
        {"extra": {"a": [["password", "hunter22"]]}},
        {"breadcrumbs": {"values": []}},
        {"release": "never met"},
    ],
)
def test_what_is_not_is_left_as_it_was(change):
    by(walk, USUAL, None)
    event = {**copy.deepcopy(USUAL), **change}
    before = copy.deepcopy(event)
    with pytest.raises(UnusualError):
        scrub_usual(SCRUBBER.ruleset, event, Taint([SECRET]), None)
    assert event == before


def test_what_stands_in_two_places_is_not_usual():
    by(walk, USUAL, None)
    shared = {"rows": 1}
    with pytest.raises(UnusualError):
        scrub_usual(SCRUBBER.ruleset, {**USUAL, "extra": {"a": shared, "b": shared}}, None, None)
    shared["itself"] = shared
    with pytest.raises(UnusualError):
        scrub_usual(SCRUBBER.ruleset, {**USUAL, "extra": shared}, None, None)


def test_what_is_not_redacted_is_not_copied_and_what_is_goes_into_copies():
    taint = Taint([SECRET, "abcdef123456"])
    by(walk, USUAL, taint)
    event = dict(USUAL)
    before = copy.deepcopy(USUAL)
    SCRUBBER.scrub_event(event, taint=taint)
    assert before == USUAL
    assert event["request"]["data"] is USUAL["request"]["data"]
    assert event["request"]["headers"] is not USUAL["request"]["headers"]
    assert SECRET not in repr(event)


def test_far_more_steps_to_what_is_redacted_than_anybody_has_are_a_matter_for_the_walk():
    """Each redaction has its own way from the top, so that these would be a product of two sizes."""
    deep: Any = {f"x_{number}": {"password": "hunter2"} for number in range(200)}
    for _ in range(100):
        deep = {"a": deep}
    event = {**USUAL, "extra": deep}
    walked = by(walk, event, None)
    with pytest.raises(UnusualError):
        scrub_usual(SCRUBBER.ruleset, copy.deepcopy(event), None, None, owned=False)
    assert by(scrub_usual, event, None, owned=False) == walked
