"""What the SDK's serializer makes of an event, at a tenth of its cost where values are plain."""

from __future__ import annotations

import marshal
import math
import sys
from datetime import datetime
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry._scrubbing.memory import Memory, bytes_of
from asgi_sentry._sdk.names import (
    CYCLE_MARKER,
    MAX_DATABAG_BREADTH,
    MAX_DATABAG_DEPTH,
    has,
    safe_repr,
    serialize,
)
from asgi_sentry._sdk.repr_processors import pass_over_plain
from asgi_sentry._sdk.times import written

if TYPE_CHECKING:
    from collections.abc import Mapping


SEPARATES = "asgi_sentry_separates"
"""An attribute of a hook that makes what several frames share each one's own."""

STACKS = frozenset({"exception", "threads"})
"""Fields of an event in which several frames may share what they show."""


class PlainEvent(dict[str, Any]):
    """An event that we serialize, since most of what is in one is plain JSON already.

    The SDK's serializer is half of what a sampled request costs: it walks every value through four
    calls, for databags to trim and objects to describe, of which most events hold none. But it asks
    a value for its `__sentry_repr__` first, and the event itself is such a value.
    """

    __slots__ = ("_entered",)

    def __sentry_repr__(self) -> Any:
        if getattr(self, "_entered", False):
            return CYCLE_MARKER  # it stands in itself
        self._entered = True
        try:
            return serialized(self)
        except Exception:  # what the SDK makes of a fault in here would be an event of nothing
            return serialize(dict(self), **_own_options(sentry_sdk.get_client().options))
        finally:
            self._entered = False


class NotPlainError(ValueError):
    """A value that is not sent as it is."""


class _GeneralEvent(dict[str, Any]):
    """An event that the SDK serializes."""

    __slots__ = ()


if not has("serializer"):
    PlainEvent = _GeneralEvent  # type: ignore[assignment,misc]


def serialized(event: Mapping[str, Any], client: Any = None) -> dict[str, Any]:
    """What the SDK's serializer makes of an event, at a tenth of its cost where values are plain.

    A part of the event that holds anything else is left to it: it looks at nothing but the part and
    its place. So is a part with a value that raises when it is looked at, whatever it raises: the
    SDK replaces that value alone.

    Args:
        event: as the processors left it.
        client: that sends it; None: whichever is the one at hand.
    """
    if not has("serializer"):
        return dict(event)
    options = (sentry_sdk.get_client() if client is None else client).options
    # Of bytes, and a character is up to four.
    limit = (options.get("max_value_length") or sys.maxsize) // 4
    whole_bodies = options.get("max_request_body_size") == "always"
    # A hook that changes a variable of one frame means that one alone. Ours gives the user's own
    # an event in which nothing is shared any more.
    hook = options.get("before_send")
    shares = hook is None or getattr(hook, SEPARATES, False)
    # Else a processor is to see every value of a databag, and of a span's data.
    plain = pass_over_plain()
    made: dict[str, Any] = {}
    meta: dict[str, Any] = {}
    for key, value in event.items():
        kind = type(value)
        if key == "event_id" or (kind is str and len(value) <= limit):
            made[str(key)] = value  # a tagged id stays one
            continue
        try:
            if kind is datetime:
                made[str(key)] = written(value)
            elif not plain:
                _add_general_part(made, meta, key, value, options)
            elif kind is dict and key in _OF_DICTS:
                made[key] = _plain_dict(value, limit)
            elif key in STACKS and shares:
                made[key] = _plain_stacks(value, limit)
            elif key == "sdk" or (key == "extra" and value == {"sys.argv": sys.argv}):
                made[key] = _part_of_the_program(key, value, limit)
            else:
                made[str(key)] = _plain_part(key, value, limit, whole_bodies=whole_bodies)
        # A value that is not plain, an app's object that raises, a dict that another thread writes
        # into meanwhile.
        except BaseException as exc:
            if isinstance(exc, faults.SIGNALS):
                raise
            _add_general_part(made, meta, key, value, options)
    if meta:
        made["_meta"] = meta
    return made


def _add_general_part(
    made: dict[str, Any],
    meta: dict[str, Any],
    key: Any,
    value: Any,
    options: Mapping[str, Any],
) -> None:
    """Add what the SDK's own serializer makes of a part of an event.

    A key that can't be shown is left out.
    """
    part: Any = serialize({key: value}, **_own_options(options))
    if part is None:
        return
    meta.update(part.pop("_meta", None) or {})
    made.update(_encodable(part))


def _encodable(value: Any) -> Any:
    """The same with proxies resolved.

    The SDK's serializer takes one of a text for a text, and JSON does not.
    """
    kind = type(value)
    if kind is dict:
        return {str(key): _encodable(each) for key, each in value.items()}
    if kind is list:
        return [_encodable(each) for each in value]
    if value is None or issubclass(kind, (str, int, float)):
        return value
    for plain in (str, bool, int, float):
        if isinstance(value, plain):
            return plain(value)
    return safe_repr(value)


def _plain_part(key: str, value: Any, limit: int, *, whole_bodies: bool) -> Any:
    """A part of an event; as the SDK has it, what stands at some places is a databag."""
    if key == "extra":
        return _plain_bag(value, limit, MAX_DATABAG_DEPTH)
    if type(value) is dict:
        if key == "breadcrumbs" and type(value.get("values")) is list:
            crumbs = [_plain_bag(crumb, limit, MAX_DATABAG_DEPTH) for crumb in value["values"]]
            return {**_plain_dict({**value, "values": None}, limit), "values": crumbs}
        if key == "request" and not whole_bodies and value.get("data") is not None:
            return {
                **_plain_dict(value, limit),
                "data": _plain_bag(value["data"], limit, MAX_DATABAG_DEPTH),
            }
    return plain_copy(value, limit)


def _part_of_the_program(key: str, value: Any, limit: int) -> Any:
    """A part that is the same in each event of a program: what was plain before, is."""
    look = bytes_of((value, limit))
    if look in _PARTS:
        return marshal.loads(look)[0]  # noqa: S302 - made in the line above
    made = _plain_part(key, value, limit, whole_bodies=False)
    if bytes_of((made, limit)) == look:
        _PARTS.keep(look, value=True)
    return made


_PARTS: Memory[bytes, bool] = Memory(16, longest=8192)


def _plain_stacks(value: Any, limit: int) -> Any:
    """The exceptions or the threads of an event.

    What is one object in several frames' variables stays one, to be scrubbed once.
    """
    if type(value) is not dict or type(value.get("values")) is not list:
        return plain_copy(value, limit)
    shared: dict[int, Any] = {}
    exceptions = []
    for each in value["values"]:
        stack = None
        if type(each) is dict:
            stack = each.get("stacktrace")
        if type(stack) is not dict or type(stack.get("frames")) is not list:
            exceptions.append(plain_copy(each, limit))
            continue
        frames = [_plain_frame(frame, limit, shared) for frame in stack["frames"]]
        made = _plain_dict({**each, "stacktrace": None}, limit)
        made["stacktrace"] = {**_plain_dict({**stack, "frames": None}, limit), "frames": frames}
        exceptions.append(made)
    return {**_plain_dict({**value, "values": None}, limit), "values": exceptions}


def _plain_frame(frame: Any, limit: int, shared: dict[int, Any]) -> Any:
    variables = None
    if type(frame) is dict:
        variables = frame.get("vars")
    if type(variables) is not dict:
        return plain_copy(frame, limit)
    made = _plain_place(frame, limit)
    if not _STRINGS.issuperset(map(type, variables)):
        variables = {str(name): value for name, value in variables.items()}
    made["vars"] = plain = variables.copy()
    for name, value in variables.items():
        if type(value) is str and len(value) <= limit:
            continue
        plain[name] = _plain_variable(value, limit, shared)
    return made


def _plain_variable(value: Any, limit: int, shared: dict[int, Any]) -> Any:
    """What a variable is shown as.

    What is one object in several places stays one.

    Args:
        value: the variable, or what stands in it.
        limit: of characters of a text.
        shared: by the ids of containers, what was made of each.
    """
    made = shared.get(id(value))
    if made is not None:
        return made
    kind = type(value)
    if kind is dict and not FLAT.issuperset(map(type, value.values())):
        made = {
            str(key): each
            if type(each) is str and len(each) <= limit
            else _plain_variable(each, limit, shared)
            for key, each in value.items()
        }
    elif kind is list and not _STRINGS.issuperset(map(type, value)):
        made = [
            each
            if type(each) is str and len(each) <= limit
            else _plain_variable(each, limit, shared)
            for each in value
        ]
    else:
        made = plain_copy(value, limit)
        if kind is not dict and kind is not list:
            return made
    shared[id(value)] = made
    return made


def _plain_place(frame: dict[Any, Any], limit: int) -> dict[str, Any]:
    """A frame without its variables."""
    try:
        place = _of_place(frame)
    except KeyError:
        place = ()
    # As nearly all are, so that it is told by less than to look at each field. Whether a frame is
    # the app's is not said of the standard library's.
    if (
        tuple(map(type, place)) == _KINDS_OF_PLACE
        and type(frame.get("in_app", True)) is bool
        and len(frame) == len(_PLACE) + 1 + ("in_app" in frame)
    ):
        before, after = place[-2:]
        texts = [*place[:5], *before, *after]
        if (
            _STRINGS.issuperset(map(type, texts))
            and _STRINGS.issuperset(map(type, frame))
            and max(map(len, texts)) <= limit
        ):
            return {**frame, "pre_context": [*before], "post_context": [*after]}
    return _plain_dict({**frame, "vars": None}, limit)


_PLACE = (
    *("filename", "abs_path", "function", "module", "context_line"),
    *("lineno", "pre_context", "post_context"),
)
_KINDS_OF_PLACE = (str, str, str, str, str, int, list, list)
_of_place = itemgetter(*_PLACE)


def _own_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The client's options that the SDK gives its serializer."""
    return {
        option: options.get(option)
        for option in ("max_request_body_size", "max_value_length", "custom_repr")
    }


def plain_copy(value: Any, limit: int) -> Any:
    """A copy of what is sent as it is.

    Raises:
        ValueError: it is not.
    """
    kind = type(value)
    if kind is str:
        if len(value) > limit:
            raise NotPlainError
        return value
    if value is None or kind is int or kind is bool:
        return value
    if kind is dict:
        return _plain_dict(value, limit)
    if kind is list or kind is tuple:
        if value and _STRINGS.issuperset(map(type, value)) and max(map(len, value)) <= limit:
            return list(value)
        return [
            each
            if each is None or (type(each) is str and len(each) <= limit)
            else plain_copy(each, limit)
            for each in value
        ]
    if kind is float and math.isfinite(value):
        return value
    if kind is datetime:
        return written(value)
    if isinstance(value, str) and not hasattr(kind, "__sentry_repr__"):  # an enumeration's
        return plain_copy(str.__str__(value), limit)
    raise NotPlainError


def is_flat(value: Mapping[Any, Any]) -> bool:
    """Whether a dict holds nothing but texts, whole numbers and booleans, by names."""
    return _STRINGS.issuperset(map(type, value)) and FLAT.issuperset(map(type, value.values()))


def _plain_dict(value: dict[Any, Any], limit: int) -> dict[str, Any]:
    # As headers, tags and most contexts are.
    if _STRINGS.issuperset(map(type, value)) and FLAT.issuperset(map(type, value.values())):
        if limit < UNLIMITED:
            for each in value.values():
                if type(each) is str and len(each) > limit:
                    raise NotPlainError
        return value.copy()
    made = {}
    for key, each in value.items():
        kind = type(each)  # the commonest kinds are told apart here, which saves most of the calls
        if kind is str:
            if len(each) > limit:
                raise NotPlainError
            plain = each
        elif each is None or kind is int:
            plain = each
        elif kind is dict:
            plain = _plain_dict(each, limit)
        else:
            plain = plain_copy(each, limit)
        made[key if type(key) is str else str(key)] = plain
    return made


def _plain_bag(value: Any, limit: int, depth: int) -> Any:
    """The same within a databag: nothing that the SDK would trim."""
    kind = type(value)
    if depth <= 0 or (kind in _CONTAINERS and len(value) > MAX_DATABAG_BREADTH):
        raise NotPlainError
    if kind is dict:
        return {str(key): _plain_bag(each, limit, depth - 1) for key, each in value.items()}
    if kind is list or kind is tuple:
        return [_plain_bag(each, limit, depth - 1) for each in value]
    return plain_copy(value, limit)


_CONTAINERS = frozenset({dict, list, tuple})
_OF_DICTS = frozenset({"contexts", "tags", "transaction_info", "user", "measurements"})
_STRINGS = frozenset({str})
FLAT = frozenset({str, int, bool, type(None)})
UNLIMITED = sys.maxsize // 4
