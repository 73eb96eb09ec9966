"""Stack frames that we make are those that the SDK makes, whatever is in them."""

from __future__ import annotations

import collections
import datetime as dt
import decimal
import enum
import logging
import sys
import threading
import types
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk
from hypothesis import given
from hypothesis import strategies as st
from sentry_sdk import utils
from sentry_sdk.utils import event_from_exception

import asgi_sentry
from asgi_sentry._sdk import names, repr_processors, source, stack_frames
from asgi_sentry.testing import RecordingTransport
from tests.conftest import DSN, Start

wrapt = pytest.importorskip("wrapt")

pytestmark = pytest.mark.skipif(
    sentry_sdk.VERSION.startswith("3"), reason="frames of version 3 have another signature, and are left to it"
)


@pytest.fixture(autouse=True)
def _installed() -> None:
    stack_frames.install()
    assert hasattr(utils.serialize_frame, "__wrapped__")


def both(exc: BaseException, **options: Any) -> tuple[Any, Any]:
    """The event by us, and by the SDK alone."""
    sentry_sdk.init(DSN, transport=RecordingTransport(), default_integrations=False, **options)
    given = sentry_sdk.get_client().options
    saved = utils.serialize_frame, utils.exceptions_from_error_tuple
    made = []
    try:
        for functions in (saved, [each.__wrapped__ for each in saved]):  # type: ignore[attr-defined]
            utils.serialize_frame, utils.exceptions_from_error_tuple = functions
            try:
                made.append(event_from_exception(exc, client_options=given)[0])
            except (TypeError, KeyError) as fault:  # of the SDK's own, with `add_full_stack` and cut or no source lines
                made.append({"fault": repr(fault)})
    finally:
        utils.serialize_frame, utils.exceptions_from_error_tuple = saved
    return made[0], made[1]


def plain(value: Any) -> Any:
    """The same, with what has no equality as its parts, and without the frame of `both`, which differs."""
    if isinstance(value, utils.AnnotatedValue):
        return "annotated", plain(value.value), value.metadata
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items() if value.get("function") != "both"}
    return [plain(each) for each in value] if isinstance(value, list) else value


def raised(value: Any, *, depth: int = 3, error: type[BaseException] = ValueError) -> BaseException:
    """An exception that came through several frames, all of which hold the value."""

    def frame(held: Any, left: int) -> None:
        again = held  # noqa: F841 - shown
        pair = [held, {"held": held}]  # noqa: F841 - shown
        if left:
            frame(held, left - 1)
        raise error("no")

    try:
        frame(value, depth)
    except BaseException as exc:
        return exc
    raise AssertionError


class Model:
    def __init__(self) -> None:
        self.shown = 0

    def __repr__(self) -> str:
        self.shown += 1
        return "<model>"


class Own:
    def __sentry_repr__(self) -> Any:
        return {"own": 1}


class Number(enum.IntEnum):
    ONE = 1


class Text(str):
    __slots__ = ()


class Odd:
    def __repr__(self) -> str:
        raise ValueError("no")


class Panic(BaseException):
    pass


class Panicking:
    def __repr__(self) -> str:
        raise Panic


class Masked:
    @property
    def __class__(self) -> Any:
        return dict

    def __len__(self) -> int:
        return 1

    def items(self) -> Any:
        return [("a", 1)]


class Liar(Masked):
    @property
    def __class__(self) -> Any:
        raise RuntimeError("unbound")


class Items(dict):  # type: ignore[type-arg]
    def items(self) -> Any:
        raise ValueError("no")


class Lengthless(dict):  # type: ignore[type-arg]
    def __len__(self) -> int:
        raise ValueError("no")


class Endless(list):  # type: ignore[type-arg]
    def __len__(self) -> int:
        raise ValueError("no")


class Hider:
    def __getattribute__(self, name: str) -> Any:
        raise AttributeError(name)


LEAVES: list[Any] = [
    *(None, True, 0, -1, 10**5000, 1.5, float("nan"), float("inf"), 1j, "", "text", "x" * 500, "\ud800", b"\xff"),
    *(
        bytearray(b"a"),
        memoryview(b"a"),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
        dt.date(2026, 1, 1),
        decimal.Decimal("1.5"),
    ),
    *(
        object,
        Model,
        len,
        Own(),
        Number.ONE,
        Text("t"),
        Odd(),
        Panicking(),
        Masked(),
        Hider(),
        Ellipsis,
        NotImplemented,
    ),
    *(Items(a=1), Lengthless(a=1), Endless(range(20)), Liar(), wrapt.ObjectProxy("t"), wrapt.ObjectProxy({"a": [1]})),
    *(wrapt.ObjectProxy(1), collections.UserDict(a=1), collections.deque([1, 2]), types.MappingProxyType({"a": 1})),
    *(threading.Lock().__class__, sys, iter([1]), collections.OrderedDict(a=1), range(3), frozenset({1})),
    utils.AnnotatedValue("secret", {"rem": []}),
]
CYCLE: dict[str, Any] = {"name": "cycle"}
CYCLE["self"] = CYCLE
PARENT: dict[str, Any] = {"child": {"name": "child"}}
PARENT["child"]["parent"] = PARENT
LOOP: list[Any] = [1]
LOOP.append([LOOP, PARENT])
SHARED = [{"deep": [{"er": [{"est": [1, 2, {"bottom": 1}]}]}]}]

ALL = [*LEAVES, CYCLE, PARENT, PARENT["child"], LOOP, SHARED, SHARED[0]]


def nth(number: int) -> Any:
    return ALL[number]


values = st.recursive(
    st.integers(0, len(ALL) - 1).map(nth) | st.text(max_size=80),
    lambda inner: (
        st.lists(inner, max_size=12)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=3) | st.integers() | st.tuples(st.integers()), inner, max_size=12)
        | st.lists(st.integers(), max_size=12).map(set)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("number", range(len(LEAVES)))
def test_a_value_is_shown_as_by_the_sdk(number: int) -> None:
    ours, theirs = both(raised(LEAVES[number]))
    assert plain(ours) == plain(theirs)


@given(
    value=values,
    options=st.fixed_dictionaries(
        {},
        optional={
            "include_local_variables": st.booleans(),
            "include_source_context": st.booleans(),
            "max_value_length": st.sampled_from([None, 10, 30, 1_000]),
            "add_full_stack": st.booleans(),
            "custom_repr": st.sampled_from(
                [None, lambda value: "custom" if isinstance(value, str) else None, lambda _: 1 / 0]
            ),
        },
    ),
)
def test_every_event_is_made_as_by_the_sdk(value: Any, options: dict[str, Any]) -> None:
    ours, theirs = both(raised(value), **options)
    assert plain(ours) == plain(theirs)


def test_a_circle_at_the_last_depth_is_told_as_by_the_sdk() -> None:
    for value in (PARENT, PARENT["child"], CYCLE, LOOP, [[[PARENT]]], {"a": [{"b": LOOP}]}):
        ours, theirs = both(raised(value))
        assert plain(ours) == plain(theirs)


def chained() -> list[BaseException]:
    def caused() -> None:
        try:
            raise raised("cause")
        except ValueError as exc:
            raise LookupError("effect") from exc

    def in_context() -> None:
        try:
            raise raised("context", error=KeyError)
        except KeyError:
            int("no number")

    def suppressed() -> None:
        try:
            in_context()
        except ValueError:
            raise LookupError("alone") from None

    def hidden() -> None:
        __tracebackhide__ = True
        in_context()

    def renamed() -> None:
        exec(compile("def f(x):\n    raise ValueError(x)\nf([1])", "no-such-file.py", "exec"), {"__name__": "gone"})

    def nameless() -> None:
        exec("raise ValueError(1)", {})

    def deep(left: int) -> None:
        if left:
            deep(left - 1)
        raise ValueError("deep")

    made = []
    for function in (caused, in_context, suppressed, hidden, renamed, nameless, lambda: deep(150)):
        try:
            function()
        except Exception as exc:
            made.append(exc)
    noted = raised("noted")
    noted.__notes__ = ["a note"]  # type: ignore[attr-defined]
    made += [noted, ValueError("never raised"), OSError(2, "none")]
    if sys.version_info >= (3, 11):
        made.append(ExceptionGroup("several", [raised("one"), ExceptionGroup("within", [made[0], raised("two")])]))  # noqa: F821
    return made


@pytest.mark.parametrize("exc", chained(), ids=lambda exc: type(exc).__name__)
@pytest.mark.parametrize("full", [False, True])
def test_chains_groups_and_notes_are_as_by_the_sdk(exc: BaseException, full: bool) -> None:
    ours, theirs = both(exc, add_full_stack=full)
    assert plain(ours) == plain(theirs)


def test_processors_of_representations_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    held = [lambda value, hint: seen.append(value) or NotImplemented]
    for module in (repr_processors, sys.modules["sentry_sdk.serializer"]):
        monkeypatch.setattr(module, "global_repr_processors", held)
    both(raised(Model))
    assert Model in seen


@pytest.mark.parametrize("made", ["<described>", 7, NotImplemented])
def test_what_an_integration_of_the_sdks_describes_is_shown_so(monkeypatch: pytest.MonkeyPatch, made: Any) -> None:
    def describe(value: Any, hint: Any) -> Any:
        return made if isinstance(value, Model) else NotImplemented

    describe.__module__ = "sentry_sdk.integrations.django"
    for module in (repr_processors, sys.modules["sentry_sdk.serializer"]):
        monkeypatch.setattr(module, "global_repr_processors", [describe])
    monkeypatch.setattr(stack_frames, "make_frame", counted := Counted(stack_frames.make_frame))
    ours, theirs = both(raised({"models": [Model()], "plain": [1, "a", None]}))
    assert plain(ours) == plain(theirs)
    assert counted.calls


def test_what_is_shown_too_deep_for_an_integration_is_shown_by_it_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def describe(value: Any, hint: Any) -> Any:
        return "<described>" if isinstance(value, Model) else NotImplemented

    describe.__module__ = "sentry_sdk.integrations.django"
    for module in (repr_processors, sys.modules["sentry_sdk.serializer"]):
        monkeypatch.setattr(module, "global_repr_processors", [describe])
    model = Model()
    for held in ({"deep": [[[model]]], "model": model}, {"model": model, "deep": [[[model]]]}):
        ours, theirs = both(raised(held))
        assert plain(ours) == plain(theirs)
        assert "<described>" in str(ours)


def test_an_integration_is_asked_once_of_what_many_frames_show(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def describe(value: Any, hint: Any) -> Any:
        seen.append(value)
        return NotImplemented

    describe.__module__ = "sentry_sdk.integrations.django"
    for module in (repr_processors, sys.modules["sentry_sdk.serializer"]):
        monkeypatch.setattr(module, "global_repr_processors", [describe])
    model = Model()
    exc = raised(model)
    sentry_sdk.init(DSN, transport=RecordingTransport(), default_integrations=False)
    event_from_exception(exc, client_options=sentry_sdk.get_client().options)
    assert sum(value is model for value in seen) == 1


@pytest.mark.parametrize("value", [{}, [], (), set(), frozenset(), 1, 1.5, None, b"", len, [].append, plain, sys])
def test_what_pythons_own_classes_are_is_told_once(value: Any) -> None:
    assert stack_frames._way_of(type(value)) == stack_frames._way(value)


class Counted:
    """A function, and how often it did not raise."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.calls = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        made = self.function(*args, **kwargs)
        self.calls += 1
        return made


def test_an_object_is_shown_once_in_an_event() -> None:
    model = Model()
    exc = raised(model, depth=20)
    model.shown = 0
    event = event_from_exception(exc, client_options=sentry_sdk.get_client().options)[0]
    assert model.shown == 1
    shown = event["exception"]["values"][0]["stacktrace"]["frames"]
    assert sum(frame["vars"].get("held") == "<model>" for frame in shown) == 21
    event_from_exception(exc, client_options=sentry_sdk.get_client().options)
    assert model.shown == 2


def test_a_container_of_several_frames_is_the_same_object() -> None:
    exc = raised({"a": [1]}, depth=2)
    event = event_from_exception(exc, client_options=sentry_sdk.get_client().options)[0]
    held = [frame["vars"]["held"] for frame in event["exception"]["values"][0]["stacktrace"]["frames"][1:]]
    assert held[0] is held[1] is held[2]


def test_a_file_is_read_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import importlib
    import linecache
    import os

    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "changing.py"
    for number in (1, 2):
        path.write_text(f"def f():\n    raise ValueError  # version {number}\n")
        os.utime(path, (number * 1_000, number * 1_000))
        linecache.clearcache()
        importlib.invalidate_caches()
        module = importlib.import_module("changing")
        try:
            module.f()
        except ValueError as exc:
            for _ in range(2):
                ours, theirs = both(exc)
                assert plain(ours) == plain(theirs)
                line = ours["exception"]["values"][0]["stacktrace"]["frames"][-1]["context_line"]
                assert line == f"    raise ValueError  # version {number}"


def test_what_is_remembered_of_files_is_bounded() -> None:
    source._lines.clear()
    for number in range(5_000):
        source._lines.keep((str(number),), ((0, 0), None))
    assert len(source._lines) <= 4_096


@pytest.mark.parametrize("fault", ["make_frame", "source_of", "_way_of", "_known_way_of"])
def test_any_fault_of_ours_leaves_the_frame_to_the_sdk(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **kwargs: Any) -> Any:
        raise Panic

    monkeypatch.setattr(stack_frames, fault, fail)
    ours, theirs = both(raised({"a": [Model()]}))
    assert plain(ours) == plain(theirs)


def test_every_way_to_the_sdk_has_such_frames(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = start()
    from asgi_sentry import _sdk as sdk

    assert sdk.view() is not None
    made: list[str] = []
    own = stack_frames.make_frame

    def noting(frame: Any, *args: Any, **kwargs: Any) -> Any:
        made.append(frame.f_code.co_name)
        return own(frame, *args, **kwargs)

    monkeypatch.setattr(stack_frames, "make_frame", noting)
    model = Model()
    for capture in (
        sentry_sdk.capture_exception,
        asgi_sentry.capture_exception,
        lambda exc: logging.getLogger("app").error("failed", exc_info=exc),
        lambda exc: sys.excepthook(type(exc), exc, exc.__traceback__),
    ):
        made.clear()
        capture(raised(model))
        assert made.count("frame") == 4, capture
    assert len(transport.items("event")) == 4


def test_a_changed_function_of_the_sdks_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def serialize_frame(frame: Any, new: int) -> None: ...

    serialize_frame.__module__ = "sentry_sdk.utils"
    monkeypatch.setattr(utils, "serialize_frame", serialize_frame)
    stack_frames.install()
    assert utils.serialize_frame is serialize_frame
    assert names.has("frames")
