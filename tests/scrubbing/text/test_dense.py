"""What is denser than in any text of people or programs is replaced as a whole, and only that."""

from __future__ import annotations

import pytest

from asgi_sentry._scrubbing import FILTERED, Scrubber
from asgi_sentry._scrubbing.text.dense import is_dense, until_dense

pytestmark = pytest.mark.untraced

SCRUBBER = Scrubber()
LENGTH = 32_000
PIECES = (
    "pin=12345, ",
    "<name>pin</name><value>hunter2</value>",
    "<key>pin</key><string>hunter2</string>",
    '"value": "hunter2", "name": "pass" ',
    "{'loc': ('pin'),'input': 'hunter2'} ",
    "https://a:hunter2@b.c ",
    "curl -u a:hunter2 ; ",
    "Bearer aZ9bY8cX7hunter2 ",
    "ghp_0aB1cD2eF3gH4iJ5kL6mN7oP8qR9hunter2 ",
    "identified by 'hunter2' ",
    "Failing row contains (1, hunter2). ",
    "-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----\n",
)


@pytest.mark.parametrize("piece", PIECES)
def test_what_costs_is_bounded_by_the_length_alone(piece):
    text = (piece * (LENGTH // len(piece) + 1))[:LENGTH]
    cleaned = SCRUBBER.scrub_text(text)
    most = next(number for number in range(LENGTH) if is_dense(number, LENGTH))
    assert cleaned.count(FILTERED) <= 2 * most  # two finders may take turns
    assert "hunter2" not in cleaned
    assert SCRUBBER.scrub_text(cleaned) == cleaned


@pytest.mark.parametrize("piece", PIECES)
def test_what_people_write_is_not_cut(piece):
    text = "".join(f"{piece}and a line of something else, number {number} " + "of many " * 20 for number in range(200))
    assert "number 199" in SCRUBBER.scrub_text(text)


def test_spans_pass_as_long_as_they_are_sparse():
    sparse = [(place, place + 5) for place in range(0, 60_000, 200)]
    assert list(until_dense(iter(sparse), "x" * 60_000)) == sparse


def test_what_is_dense_ends_with_the_rest_of_the_text():
    dense = [(place, place + 5, "@rule") for place in range(0, 60_000, 10)]
    *kept, last = until_dense(iter(dense), "x" * 60_000)
    assert kept == dense[: len(kept)]
    assert last == (kept[-1][0] + 10, 60_000, "@rule")
