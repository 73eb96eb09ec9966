"""What an event looked like tells which of its fields a hook has changed."""

from __future__ import annotations

from typing import Any

import pytest

from asgi_sentry._request.tag import Whole, look_at

EVENT = {
    "type": "transaction",
    "event_id": "0" * 32,
    "transaction": "/shop",
    "timestamp": 1,
    "tags": {"a": "b"},
    "spans": [],
    "user": None,
}


class _EqualToAll:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class _Incomparable:
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


class _Alike(type):
    """A class that says of each other one that it is the same."""

    def __eq__(cls, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class _EqualInClassToo(_EqualToAll, metaclass=_Alike):
    __hash__ = None  # type: ignore[assignment]


class _Key(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    def __hash__(self) -> int:
        return hash("tags")


def _changed(**fields: Any) -> set[str]:
    look = look_at(EVENT)
    assert isinstance(look, Whole)
    return set(look.changed({**EVENT, **fields})) - {"event_id"}


@pytest.mark.parametrize(
    ("fields", "changed"),
    [
        ({}, set()),
        ({"tags": {"a": "b"}, "spans": []}, set()),
        ({"tags": {"a": "c"}}, {"tags"}),
        ({"extra": {}, "user": {}}, {"extra", "user"}),
        ({"new": None}, {"new"}),
        ({"timestamp": True}, {"timestamp"}),
        ({"timestamp": 1.0}, {"timestamp"}),
        ({"tags": _EqualToAll(), "new": _EqualToAll()}, {"tags", "new"}),
        ({"tags": _EqualInClassToo(), "new": _EqualInClassToo()}, {"tags", "new"}),
        ({"tags": {"a": _Incomparable()}}, {*EVENT} - {"event_id"}),
    ],
)
def test_of_a_transaction_what_differs_or_is_new_is_told(fields: dict[str, Any], changed: set[str]) -> None:
    assert _changed(**fields) == changed


def test_a_field_that_was_taken_out_is_none_that_changed() -> None:
    event = {field: value for field, value in EVENT.items() if field != "tags"}
    assert "tags" not in look_at(EVENT).changed(event)


def test_a_name_that_cannot_be_compared_is_no_reason_to_keep_anything() -> None:
    event = {_Key("tags"): {"a": "b"}, "transaction": "/shop"}
    assert look_at(EVENT).changed(event) == event
