from __future__ import annotations

import asyncio
import logging
import sys
from typing import Any

import litestar.exceptions
import pytest
import starlette.exceptions
import starlette.requests
import starlette.websockets
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._request.error_policy import MAX_KINDS, NEWS, Admission, ErrorPolicy
from asgi_sentry._request.kinds import kind_of, place_of
from tests.strategies import Clock, arrivals

SCOPE = {"type": "http", "method": "GET", "path": "/x"}


class PaymentError(LookupError):
    pass


def event(kind: str = "ValueError", function: str = "f", **more: Any) -> dict[str, Any]:
    frames = [
        {"module": "app", "function": "outer", "in_app": True},
        {"module": "app", "function": function, "in_app": True},
        {"module": "library", "function": "inner", "in_app": False},
    ]
    return {"exception": {"values": [{"type": "Cause"}, {"type": kind, "stacktrace": {"frames": frames}}]}, **more}


# --- ignoring ---


@pytest.mark.parametrize("rule", [LookupError, "LookupError", "builtins.LookupError", PaymentError, "PaymentError"])
def test_exceptions_are_ignored_by_class_or_name_with_their_subclasses(rule: Any) -> None:
    policy = ErrorPolicy(ignore=[rule])
    assert policy.ignored(PaymentError(), SCOPE) == "exception"
    assert policy.ignored(ValueError(), SCOPE) is None
    assert ErrorPolicy().ignored(PaymentError(), SCOPE) is None


def test_statuses_and_paths() -> None:
    policy = ErrorPolicy(ignore_statuses=(503, "4xx"), ignore_paths=("/probe/**",))
    assert policy.ignored(ValueError(), SCOPE, 503) == "status"
    assert policy.ignored(None, SCOPE, 404) == "status"
    assert policy.ignored(ValueError(), {**SCOPE, "path": "/probe/db"}, 500) == "path"
    assert policy.ignored(ValueError(), SCOPE, 500) is None


@pytest.mark.parametrize(
    "error",
    [
        asyncio.CancelledError(),
        starlette.requests.ClientDisconnect(),
        starlette.websockets.WebSocketDisconnect(),
        litestar.exceptions.WebSocketDisconnect(detail="gone"),
    ],
)
def test_a_client_that_goes_away_is_no_error_unless_wanted(error: BaseException) -> None:
    assert ErrorPolicy().ignored(error, SCOPE) == "exception"
    assert ErrorPolicy(disconnects=True).ignored(error, SCOPE) is None


def test_a_broken_connection_to_a_database_is_an_error() -> None:
    assert ErrorPolicy().ignored(ConnectionResetError(), SCOPE) is None


@pytest.mark.skipif(sys.version_info < (3, 11), reason="exception groups came with 3.11")
def test_a_group_is_ignored_if_all_in_it_is() -> None:
    policy = ErrorPolicy(ignore=[LookupError])
    group = BaseExceptionGroup  # noqa: F821
    assert policy.ignored(group("", [PaymentError(), group("", [asyncio.CancelledError()])]), SCOPE) == "exception"
    assert policy.ignored(group("", [PaymentError(), ValueError()]), SCOPE) is None


# --- fingerprints ---


def test_the_first_rule_that_matches_gives_the_fingerprint() -> None:
    policy = ErrorPolicy(
        fingerprints={
            PaymentError: ["payments", "{{ default }}"],
            "starlette.exceptions.HTTPException": lambda error: ["http", error.status_code],
            LookupError: lambda _: None,
        }
    )
    assert policy.fingerprint(PaymentError()) == ["payments", "{{ default }}"]
    assert policy.fingerprint(starlette.exceptions.HTTPException(418)) == ["http", "418"]
    assert policy.fingerprint(KeyError()) is None
    assert policy.fingerprint(ValueError()) is None
    assert ErrorPolicy().fingerprint(ValueError()) is None


def test_a_fingerprint_function_that_raises_leaves_the_default(caplog: pytest.LogCaptureFixture) -> None:
    def faulty(_: BaseException) -> list[str]:
        raise RuntimeError("hunter2")

    with caplog.at_level(logging.INFO):
        assert ErrorPolicy(fingerprints={"ValueError": faulty}).fingerprint(ValueError()) is None
    assert "RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


def test_events_of_a_kind() -> None:
    assert kind_of(event()) == ("ValueError", "app", "f")
    assert kind_of(event(fingerprint=["a", "{{ default }}"])) == ("a", "ValueError", "app", "f")
    assert kind_of(event(fingerprint=["a"])) == kind_of(event("KeyError", fingerprint=["a"]))
    assert kind_of({"logentry": {"message": "%s left"}, "logger": "app"}) == ("message", "app", "%s left")
    assert kind_of({"message": "x"}) != kind_of({"message": "y"})


@given(
    st.recursive(
        st.none() | st.text() | st.integers(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(
                st.sampled_from(["exception", "values", "stacktrace", "frames", "fingerprint", "logentry", "message"]),
                inner,
            )
        ),
    )
)
def test_odd_events_have_a_kind_too(odd: Any) -> None:
    made = odd if isinstance(odd, dict) else {"exception": odd, "fingerprint": odd}
    assert all(isinstance(part, str) for part in kind_of(made))


# --- how many of a kind ---


@given(arrivals, st.lists(st.integers(0, 2), min_size=1))
def test_of_each_kind_so_many_a_minute_and_every_other_is_reported(gaps: list[float], kinds: list[int]) -> None:
    clock = Clock()
    policy = ErrorPolicy(per_fingerprint="2/minute", clock=clock)
    admitted: dict[int, list[float]] = {0: [], 1: [], 2: []}
    held_back = dict.fromkeys(admitted, 0)
    for n, gap in enumerate(gaps):
        clock.now += gap
        kind = kinds[n % len(kinds)]
        admission = policy.admit(event(function=str(kind)))
        if admission.admitted:
            assert admission.suppressed == held_back[kind]
            held_back[kind] = 0
            admitted[kind].append(clock.now)
        else:
            held_back[kind] += 1
    for times in admitted.values():
        assert all(sum(start <= time < start + 60 for time in times) <= 2 for start in times)


def test_the_example_of_the_documentation() -> None:
    clock = Clock()
    policy = ErrorPolicy(per_fingerprint="1/minute", clock=clock)
    assert policy.admit(event()) == Admission(admitted=True, suppressed=0)
    assert sum(policy.admit(event()).admitted for _ in range(412)) == 0
    clock.now += 60
    assert policy.admit(event()) == Admission(admitted=True, suppressed=412, news=False)
    assert policy.admit(event(function="g")) == Admission(admitted=True, suppressed=0)


def test_without_a_limit_all_are_sent() -> None:
    policy = ErrorPolicy()
    assert all(policy.admit(event())[:2] == (True, 0) for _ in range(100))


def test_a_flood_of_fingerprints_fills_no_memory_and_hides_nothing() -> None:
    policy = ErrorPolicy(per_fingerprint="2/minute", clock=Clock())
    for n in range(3 * MAX_KINDS):
        policy.admit(event(fingerprint=[f"secret {n}"]))
        policy.admit(event("Known"))
    assert len(policy._kinds) == MAX_KINDS
    assert all(isinstance(key, int) for key in policy._kinds)  # no text of a client's
    assert policy.admit(event("New")).admitted
    assert not policy.admit(event("Known")).admitted  # one that goes on is not forgotten


def test_a_kind_is_news_until_it_is_sent_and_again_after_an_hour() -> None:
    clock = Clock()
    policy = ErrorPolicy(clock=clock)
    assert policy.admit(event()).news
    policy.put_back(event(), 0)  # the budget had none left
    assert policy.admit(event()).news
    assert not policy.admit(event()).news
    assert policy.admit(event("Other")).news
    clock.now += NEWS
    assert policy.admit(event()).news


def test_workers_divide_the_limit_of_a_kind_and_each_sends_a_new_one() -> None:
    for workers, each in ((1, 5), (2, 2), (5, 1), (9, 1)):
        policy = ErrorPolicy(per_fingerprint="5/minute", clock=Clock(), workers=lambda workers=workers: workers)
        assert sum(policy.admit(event()).admitted for _ in range(20)) == each


def log(message: str) -> str | None:
    """As the SDK's handler has it: within the call that logs."""
    return place_of({"log_record": logging.makeLogRecord({"pathname": "a.py", "lineno": 3, "msg": message})})


def test_the_kind_of_a_message_is_its_place_and_not_its_text() -> None:
    here = [log(f"no such item: {n}") for n in range(3)]
    there = log("no such item: 3")
    assert len(set(here)) == 1
    # In the same function, and so from the same caller, but on another line.
    kinds = [kind_of({"logentry": {"message": f"{n}"}, "logger": "app"}, place) for n, place in enumerate(here)]
    assert len(set(kinds)) == 1
    assert kind_of({"message": "x"}, there) == kind_of({"message": "y"}, there)
    assert place_of({"exc_info": (ValueError, ValueError(), None)}) is None
    captured = [place_of({}) for _ in range(2)]
    assert captured[0] == captured[1]
    assert captured[0] != place_of({})


# --- bad input ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ignore": "ValueError"}, "ignore must be several"),
        ({"ignore": [5]}, "ignore takes exception classes"),
        ({"ignore": [int]}, "ignore takes exception classes"),
        ({"ignore": [" "]}, "ignore takes exception classes"),
        ({"fingerprints": {"ValueError": "payments"}}, "must be a list of texts"),
        ({"fingerprints": {"ValueError": []}}, "must be a list of texts"),
        ({"fingerprints": {5: ["x"]}}, "fingerprints takes exception classes"),
        ({"per_fingerprint": 5}, "per_fingerprint must be text"),
    ],
)
def test_wrong_types_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        ErrorPolicy(**arguments)


def test_wrong_values_are_named() -> None:
    with pytest.raises(ValueError, match="per_fingerprint must be"):
        ErrorPolicy(per_fingerprint="many")
    with pytest.raises(ValueError, match="ignore_statuses must be"):
        ErrorPolicy(ignore_statuses=[1000])
    with pytest.raises(ValueError, match="path rule"):
        ErrorPolicy(ignore_paths=["x"])
