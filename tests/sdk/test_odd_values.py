"""A value that raises when it is looked at costs itself, never the event that it stands in."""

from __future__ import annotations

import builtins
import datetime as dt
import enum
import importlib
import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN, V3

wrapt = pytest.importorskip("wrapt")


class Panic(BaseException):
    """What a panic in an extension written in Rust looks like from here."""


def raising(*methods: str, base: type = object, error: type[BaseException] = ValueError) -> type:
    def fail(self: Any, *args: Any) -> Any:
        raise error("no")

    made = type("Odd", (base,), dict.fromkeys(methods, fail))
    if "__class__" in methods:
        made = type("Odd", (base,), {**dict.fromkeys(methods, fail), "__class__": property(fail)})
    return made


class OddKey:
    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__

    def __hash__(self) -> int:
        return 1


class BadZone(dt.tzinfo):
    def utcoffset(self, moment: dt.datetime | None) -> dt.timedelta:
        raise ValueError("no")

    dst = tzname = utcoffset  # type: ignore[assignment]


class OddMeta(type):
    def __getattr__(cls, name: str) -> Any:
        raise ValueError("no")


class Text(str, metaclass=OddMeta):
    __slots__ = ()


class Color(str, enum.Enum):
    RED = "red"


def unbound() -> Any:
    raise RuntimeError("working outside of request context")


class LocalProxy:
    """As werkzeug's, with nothing bound: every look at it raises, the one at its class too."""

    __class__ = property(lambda self: unbound())  # type: ignore[assignment]

    def __getattr__(self, name: str) -> Any:
        unbound()

    def __repr__(self) -> str:
        unbound()
        return ""

    __str__ = __repr__
    __len__ = __bool__ = __hash__ = __iter__ = unbound  # type: ignore[assignment]


VALUES: dict[str, Callable[[], Any]] = {
    "key that can't be shown": lambda: {OddKey(): 1},
    "datetime of a bad zone": lambda: dt.datetime(2026, 1, 1, tzinfo=BadZone()),
    "dict whose items raise": lambda: raising("items", base=dict)(a=1),
    "dict whose length raises": lambda: raising("__len__", base=dict)(a=1),
    "list whose iterator raises": lambda: raising("__iter__", base=list)([1]),
    "repr raises": raising("__repr__"),
    "str raises": raising("__str__", "__repr__"),
    "class raises": raising("__class__", "__repr__"),
    "length raises": raising("__len__"),
    "comparison raises": raising("__eq__", "__ne__", "__hash__"),
    "truth raises": raising("__bool__"),
    "sentry's own repr raises": raising("__sentry_repr__"),
    "attributes raise": raising("__getattribute__"),
    "panic": raising("__repr__", "__str__", error=Panic),
    "text of an odd class": lambda: Text("x"),
    "enumeration": lambda: Color.RED,
    "proxy of a text": lambda: wrapt.ObjectProxy("text"),
    "proxy of a dict": lambda: wrapt.ObjectProxy({"a": [1]}),
    "proxy of a number": lambda: wrapt.ObjectProxy(1.5),
    "proxy of nothing": LocalProxy,
    "tuple as key": lambda: {(1, 2): 3},
    "generator": lambda: (number for number in range(3)),
    "exception whose text raises": raising("__str__", "__repr__", base=Exception),
}
PLACES: dict[str, Callable[[Any], None]] = {
    "extra": lambda odd: sentry_sdk.set_extra("odd", odd),
    "deep in extra": lambda odd: sentry_sdk.set_extra("deep", {"a": [{"b": odd}]}),
    "context": lambda odd: sentry_sdk.set_context("odd", {"value": odd}),
    "breadcrumb": lambda odd: sentry_sdk.add_breadcrumb(message="m", data={"odd": odd}),
    "tag": lambda odd: sentry_sdk.get_isolation_scope().set_tag("odd", odd),
    "user": lambda odd: sentry_sdk.set_user({"id": "1", "odd": odd}),
}


def sent(place: str, value: str, start: Callable[[], Any], wrap: Callable[[Any], Any]) -> list[dict[str, Any]]:
    transport = start()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        odd = VALUES[value]()
        PLACES[place](odd)
        raise LookupError("the error")

    async def main() -> None:
        with pytest.raises(LookupError):
            await request(wrap(app))

    anyio.run(main)
    events: list[dict[str, Any]] = transport.items("event")
    return events


def start_sdk() -> RecordingTransport:
    transport = RecordingTransport()
    sentry_sdk.init(DSN, transport=transport, auto_enabling_integrations=False)
    return transport


def start_ours() -> RecordingTransport:
    transport = RecordingTransport()
    asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=transport)
    return transport


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("value", VALUES)
def test_an_odd_value_costs_no_event(place: str, value: str) -> None:
    theirs = sent(place, value, start_sdk, SentryAsgiMiddleware)
    for start in (start_ours, start_sdk):
        ours = sent(place, value, start, asgi_sentry.wrap)
        assert len(ours) == len(theirs), start
        for event in ours:
            assert json.dumps(event)
            raised = event["exception"]["values"][-1]
            assert raised["value"] == "the error"
            assert raised["stacktrace"]["frames"][-1]["vars"].keys() >= {"odd", "scope"}


class Answered(Exception):
    """It hands questions on to what an upstream answered, which knows few of them."""

    def __getattr__(self, name: str) -> Any:
        return {"reason": "busy"}[name]


class Closed(Answered):
    """And one whose text is lost besides."""

    def __str__(self) -> str:
        raise ValueError("no")

    __repr__ = __str__


def _with_a_cause() -> None:
    try:
        raise Answered("behind")
    except Answered as exc:
        raise Closed("before") from exc


def _in_a_group() -> None:
    # Python 3.10 has them by a package.
    group = getattr(builtins, "ExceptionGroup", None) or importlib.import_module("exceptiongroup").ExceptionGroup
    raise group("both", [Answered("one"), Answered("two")])


def _alone() -> None:
    raise Answered("alone")


def _in_a_circle() -> None:
    one, two = Answered("one"), Answered("two")
    one.__context__, two.__context__ = two, one
    raise one


ODD_ERRORS: dict[Callable[[], None], set[tuple[str, str]]] = {
    _alone: {("Answered", "alone")},
    _with_a_cause: {("Answered", "behind"), ("Closed", "")},
    _in_a_group: {("Answered", "one"), ("Answered", "two"), ("ExceptionGroup", "both (2 sub-exceptions)")},
    _in_a_circle: {("Answered", "one"), ("Answered", "two")},
}


@pytest.mark.skipif(V3, reason="a processor of its own asks the exception whether it was sent, and is not guarded")
@pytest.mark.parametrize("handled", [False, True])
@pytest.mark.parametrize("fail", ODD_ERRORS, ids=lambda fail: fail.__name__.strip("_"))
def test_an_exception_whose_attributes_raise_is_reported(fail: Callable[[], None], handled: bool) -> None:
    transport = start_ours()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        try:
            fail()
        except Exception:
            if not handled:
                raise
            await send({"type": "http.response.start", "status": 503, "headers": []})
            await send({"type": "http.response.body", "body": b""})

    async def main() -> None:
        try:
            await request(asgi_sentry.wrap(app))
        except Exception:
            assert not handled

    anyio.run(main)
    (event,) = transport.items("event")
    values = event["exception"]["values"]
    assert {(value["type"], value["value"]) for value in values} == ODD_ERRORS[fail]
    assert values[-1]["mechanism"]["handled"] is handled
    assert values[-1]["stacktrace"]["frames"][-1]["function"] == fail.__name__
    assert not [lost for lost in transport.lost if lost[1] == "error"]


def test_an_error_that_cannot_be_reported_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = start_ours()

    def broken(*args: Any, **options: Any) -> Any:
        raise RuntimeError("the SDK has moved")

    monkeypatch.setattr("asgi_sentry._sdk.error_events.event_from_exception", broken)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("the error")

    async def main() -> None:
        with pytest.raises(LookupError):
            await request(asgi_sentry.wrap(app))

    anyio.run(main)
    assert transport.items("event") == []
    assert ("internal_sdk_error", "error", 1) in transport.lost
