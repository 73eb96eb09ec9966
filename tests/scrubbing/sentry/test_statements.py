"""Parameters beside their statement, in spans and breadcrumbs."""

from __future__ import annotations

import copy

import pytest

from asgi_sentry._scrubbing import FILTERED as F
from asgi_sentry._scrubbing import Scrubber

SCRUBBER = Scrubber()
INSERT = "INSERT INTO users (name, password) VALUES (%s, %s)"


@pytest.mark.parametrize(
    ("statement", "given", "left"),
    [
        (INSERT, ["ann", "swordfish"], ["ann", F]),
        (INSERT, [["ann", "swordfish"], ["bob", 77]], [["ann", F], ["bob", F]]),
        ("UPDATE u SET token=%(t)s WHERE id=%(i)s", {"t": "qwertyui", "i": 7}, {"t": F, "i": 7}),
        ("UPDATE u SET token=%(t)s", [{"t": "qwertyui"}, {"t": None}], [{"t": F}, {"t": None}]),
        ("UPDATE u SET password = $1 WHERE id = $2", ["swordfish", 3], [F, 3]),
        ("SELECT name FROM u WHERE id = %s", ["ann"], ["ann"]),
        ("SELECT 1", None, None),
        (None, ["ann"], ["ann"]),
    ],
)
@pytest.mark.parametrize("with_more", [False, True])
def test_parameters_take_the_names_of_the_columns_that_they_are_for(statement, given, left, with_more):
    data = {"db.params": given, "db.system": "postgresql"}
    event = {
        "type": "transaction",
        "spans": [{"op": "db", "description": statement, "data": copy.deepcopy(data)}],
    }
    if with_more:  # what makes it unusual
        event["breadcrumbs"] = {"values": [{"message": statement, "category": "query", "data": copy.deepcopy(data)}]}
    SCRUBBER.scrub_event(event)
    assert event["spans"][0]["data"] == {"db.params": left, "db.system": "postgresql"}
    if with_more:
        assert event["breadcrumbs"]["values"][0]["data"] == event["spans"][0]["data"]


def test_more_rows_than_are_looked_at_go_as_a_whole():
    rows = [["ann", f"word{number}"] for number in range(3000)]
    event = {"type": "transaction", "spans": [{"description": INSERT, "data": {"db.params": rows}}]}
    SCRUBBER.scrub_event(event)
    left = event["spans"][0]["data"]["db.params"]
    assert left[0] == ["ann", F]
    assert left[-1] == F
    assert "word" not in repr(left)
