"""Stack frames as the SDK makes them, at a fraction of its cost.

The SDK reads and splits a source file anew for every frame, and shows a variable anew in every
frame where it stands: `scope` stands in half of the frames of a framework's stack. Here source
lines are remembered, by file, modification time and line, and within one event each object is shown
once and put in by reference.

`event_from_exception` is how every exception gets to the SDK: by our own captures, by
`capture_exception`, by logging, by the hooks of threads and of the interpreter. It calls two
functions of its module, and those two are replaced. What is shown is the same; whatever goes wrong
in here, the SDK's own function makes the frame.
"""

from __future__ import annotations

import inspect
import os
import types
from abc import get_cache_token
from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry import _state as state
from asgi_sentry._sdk.names import (
    CYCLE_MARKER,
    MAX_DATABAG_BREADTH,
    MAX_DATABAG_DEPTH,
    AnnotatedValue,
    disable_capture_event,
    has,
    safe_repr,
    sdk_utils,
    sequence_types,
)
from asgi_sentry._sdk.repr_processors import PLAIN, pass_over_plain, shown_by_processors
from asgi_sentry._sdk.source import source_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


_PARAMETERS = (
    *("frame", "tb_lineno", "include_local_variables", "include_source_context"),
    *("max_value_length", "custom_repr"),
)
_TEXTS = frozenset({str, bytes})
_LONG = 64  # characters; the repr of a longer text is worth remembering


class _NotOursError(Exception):
    """Something that the SDK is to show itself."""


# --- variables ------------------------------------------------------------------------------------


# How a value is shown; `_ASK`: its class does not tell.
_REPR, _MAPPING, _SEQUENCE, _OWN, _ASK = range(5)


class Shown:
    """What was shown for one event."""

    __slots__ = (
        "_above",
        "_containers",
        "_custom",
        "_kept",
        "_kinds",
        "_leaves",
        "_met",
        "_reprs",
        "_variables",
        "files",
        "is_ours",
        "names",
    )

    def __init__(self, custom_repr: Callable[..., str | None] | None) -> None:
        self._custom = custom_repr
        self.is_ours = not _collects_data() and pass_over_plain()
        self.files: dict[str, tuple[int, int]] = {}  # their versions, as `source_of` has them
        self._kinds: dict[type, int] = {}
        self._reprs: dict[int, str] = {}
        # Those of what is shown by its repr wherever it stands: no processor shows it otherwise.
        self._leaves: dict[int, str] = {}
        # By object and depth: what it is shown as, and the containers below it.
        self._containers: dict[tuple[int, int], tuple[Any, frozenset[int]]] = {}
        self._variables: dict[int, Any] = {}  # what each object is shown as in a frame itself
        self._kept: list[Any] = []  # so that no id is given to another object meanwhile
        self._above: list[int] = []  # the containers around the one that is being shown
        self._met: set[int] = set()  # containers met below the one that is being shown
        self.names: dict[tuple[str | None, str], tuple[str | None, str | None]] = {}

    def variables(self, values: dict[str, Any]) -> dict[str, Any]:
        """The variables of a frame."""
        self._above.clear()
        self._met = set()
        shown, known = {}, self._variables
        # Without the dictionary itself, which is made for this and stands in nothing.
        for name, value in islice(values.items(), MAX_DATABAG_BREADTH):
            here = id(value)
            if here not in known:
                known[here] = self._show(value, MAX_DATABAG_DEPTH - 1)
                self._kept.append(value)
            shown[str(name)] = known[here]
        return shown

    def serves(self, custom_repr: Callable[..., str | None] | None) -> bool:
        """Whether what is remembered was shown by the same option."""
        return self._custom is custom_repr

    def _show(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind is str and len(value) < _LONG and self._custom is None:
            return repr(value)
        known = self._leaves.get(id(value))
        if known is not None:
            return known
        if kind not in PLAIN and depth > 0:
            described = shown_by_processors(value, depth)
            if described is not NotImplemented:
                return described
        how = self._kinds.get(kind)
        if how is None:
            how = self._kinds[kind] = _known_way_of(kind)
        if how == _ASK:
            how = _way(value)
        if how == _REPR:
            shown = self._leaf(value)
            if depth > 0 or kind in PLAIN:
                self._leaves[id(value)] = shown
            return shown
        if how == _OWN:
            return self._leaf(value) if depth <= 0 else kind.__sentry_repr__(value)
        return self._container(value, depth, how)

    def _leaf(self, value: Any) -> str:
        shown = self._reprs.get(id(value))
        if shown is None:
            shown = self._reprs[id(value)] = self._repr(value)
            self._kept.append(value)
        return shown

    def _repr(self, value: Any) -> str:
        if self._custom is not None:
            try:
                shown = self._custom(value)
            except Exception:
                shown = None
            if shown:
                return shown
        return safe_repr(value)

    def _container(self, value: Any, depth: int, how: int) -> Any:
        key, here = (id(value), depth), id(value)
        if here in self._above:
            self._met.add(here)
            return CYCLE_MARKER
        if depth <= 0:
            self._met.add(here)
            return self._leaf(value)
        known = self._containers.get(key)
        # What was shown elsewhere is the same here, unless one of those around would be met again
        # below it.
        if known is not None and known[1].isdisjoint(self._above):
            self._met |= known[1]
            return known[0]
        outside, self._met = self._met, {here}
        self._above.append(here)
        if how == _MAPPING:
            shown: Any = self._mapping(value, depth)
        else:
            shown = self._sequence(value, depth)
        self._above.pop()
        below = self._met
        if below.isdisjoint(self._above):
            self._containers[key] = shown, frozenset(below)
            self._kept.append(value)
        self._met = outside | below
        return shown

    def _mapping(self, value: Any, depth: int) -> dict[str, Any]:
        len(value)  # the SDK asks, and shows none that can't tell
        some = dict(islice(value.items(), MAX_DATABAG_BREADTH + 1))
        return {
            str(key): self._show(each, depth - 1)
            for key, each in islice(some.items(), MAX_DATABAG_BREADTH)
        }

    def _sequence(self, value: Any, depth: int) -> list[Any]:
        some = list(islice(value, MAX_DATABAG_BREADTH + 1))
        if len(some) > MAX_DATABAG_BREADTH:
            len(value)
            some.pop()
        if self._custom is None and _TEXTS.issuperset(map(type, some)):  # as headers are
            return [*map(repr, some)]
        return [self._show(each, depth - 1) for each in some]


_ways: WeakKeyDictionary[type, tuple[Any, int]] = WeakKeyDictionary()
state.register("_sdk.frames: how the values of a class are shown", _ways.clear)


def _known_way_of(kind: type) -> int:
    """The same as `_way_of`, remembered.

    It is forgotten when a class is registered as a mapping, say, or gets a repr for Sentry.
    """
    now = (get_cache_token(), len(sequence_types), getattr(kind, "__sentry_repr__", None))
    known = _ways.get(kind)
    if known is None or known[0] != now:
        known = _ways[kind] = now, _way_of(kind)
    return known[1]


def _way_of(kind: type) -> int:
    """How the values of a class are shown, as far as that can be told by the class."""
    if any("__class__" in vars(base) for base in kind.__mro__[:-1]):
        return _ASK
    if kind.__getattribute__ not in _HONEST:
        return _ASK
    return _by(issubclass, kind, kind)


# Of classes whose values say themselves which class they are of. Python's own that are made in C
# each have a function of their own for it.
_HONEST: frozenset[Any] = frozenset(
    kind.__getattribute__
    for kind in (
        *(object, type, str, bytes, int, float, type(None)),
        *(dict, list, tuple, set, frozenset),
        *(types.FunctionType, types.MethodType, types.BuiltinFunctionType, types.ModuleType),
        *(types.CoroutineType, types.GeneratorType, types.AsyncGeneratorType, types.CodeType),
    )
)


def _way(value: Any) -> int:
    """The same by the value itself, which may claim to be of another class."""
    return _by(isinstance, value, type(value))


def _by(is_a: Callable[[Any, Any], bool], what: Any, kind: type) -> int:
    """The SDK's questions, in its order."""
    if is_a(what, AnnotatedValue):
        raise _NotOursError
    if is_a(what, (bool, int, float)) or what is type(None) or what is None:
        return _REPR
    if callable(getattr(kind, "__sentry_repr__", None)):
        return _OWN
    if is_a(what, datetime):
        return _REPR
    if is_a(what, Mapping):
        return _MAPPING
    if not is_a(what, (str, bytes, bytearray, memoryview)) and is_a(what, tuple(sequence_types)):
        return _SEQUENCE
    return _REPR


# --- frames ---------------------------------------------------------------------------------------


_event: ContextVar[Shown | None] = ContextVar("asgi_sentry_frames", default=None)


def make_frame(
    frame: FrameType,
    lineno: int | None,
    shown: Shown,
    *,
    variables: bool,
    source: bool,
    limit: int | None,
) -> dict[str, Any]:
    """What the SDK's `serialize_frame` makes of a frame.

    Raises:
        Exception: something is other than the SDK's own function is to deal with.
    """
    code, module = frame.f_code, frame.f_globals.get("__name__")
    path = code.co_filename
    names = shown.names.get((module, path))
    if names is None:
        full = os.path.abspath(path) if path else None  # noqa: PTH100 - as the SDK does it
        names = shown.names[module, path] = (
            sdk_utils.filename_for_module(module, path) or None,
            full,
        )
    if lineno is None:
        lineno = frame.f_lineno
    made: dict[str, Any] = {
        "filename": names[0],
        "abs_path": names[1],
        "function": code.co_name or "<unknown>",
        "module": module,
        "lineno": lineno,
    }
    if source:
        made["pre_context"], made["context_line"], made["post_context"] = source_of(
            frame, lineno, limit, shown.files
        )
    if variables:
        disable_capture_event.set(True)  # nothing that a repr reports is for anybody
        try:
            made["vars"] = shown.variables(dict(frame.f_locals))
        finally:
            disable_capture_event.set(False)
    return made


@contextmanager
def showing_once(custom_repr: Callable[..., str | None] | None) -> Iterator[None]:
    """Frames that are made within are of one event."""
    token = _event.set(Shown(custom_repr))
    try:
        yield
    finally:
        _event.reset(token)


def install() -> None:
    """Let the SDK make its frames by this module.

    Not if one of its functions is not as we know it, or not its own.
    """
    if not has("frames", "serializer"):
        return
    own, whole = sdk_utils.serialize_frame, sdk_utils.exceptions_from_error_tuple
    if (
        getattr(own, "__module__", None) != sdk_utils.__name__
        or whole.__module__ != sdk_utils.__name__
    ):
        return
    if tuple(inspect.signature(own).parameters) != _PARAMETERS:
        return

    def serialize_frame(
        frame: Any,
        tb_lineno: int | None = None,
        include_local_variables: bool = True,  # noqa: FBT001, FBT002 - the SDK's signature
        include_source_context: bool = True,  # noqa: FBT001, FBT002
        max_value_length: int | None = None,
        custom_repr: Callable[..., str | None] | None = None,
    ) -> Any:
        shown = _event.get()
        try:
            if shown is None or not shown.serves(custom_repr):
                shown = Shown(custom_repr)
            if shown.is_ours:
                return make_frame(
                    frame,
                    tb_lineno,
                    shown,
                    variables=include_local_variables,
                    source=include_source_context,
                    limit=max_value_length,
                )
        except BaseException as exc:
            if isinstance(exc, faults.SIGNALS):
                raise
        return own(
            frame,
            tb_lineno,
            include_local_variables,
            include_source_context,
            max_value_length,
            custom_repr,
        )

    def exceptions_from_error_tuple(*args: Any, **kwargs: Any) -> Any:
        with showing_once(sentry_sdk.get_client().options.get("custom_repr")):
            return whole(*args, **kwargs)

    sdk_utils.serialize_frame = serialize_frame
    sdk_utils.exceptions_from_error_tuple = exceptions_from_error_tuple
    serialize_frame.__wrapped__ = own  # type: ignore[attr-defined]
    exceptions_from_error_tuple.__wrapped__ = whole  # type: ignore[attr-defined]


def _collects_data() -> bool:
    """Whether the option `data_collection` says what of a frame is sent.

    The SDK's own function knows how.
    """
    return "data_collection" in sentry_sdk.get_client().options and bool(
        sdk_utils.has_data_collection_enabled(sentry_sdk.get_client().options)
    )
