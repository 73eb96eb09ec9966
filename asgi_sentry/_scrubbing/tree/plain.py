"""Copies of any value, of plain dicts, lists, texts, bytes and numbers alone.

So a walk meets nothing else. What is plain already is copied as a whole, by `marshal`, which
refuses nearly everything else. The other way is to go through the value. Containers wait in a list
rather than on Python's stack, so any depth is safe. A container that is met again is a cycle if it
lies above itself, and else is copied anew, up to a bound, for a few shared lists can unfold to any
size.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.text.pairs import FILTERED

if TYPE_CHECKING:
    # Where a container stands: the node above it, and the container, which keeps its id its own.
    Above = tuple["Above | None", Any]

CYCLE = "<cyclic>"
_MAX_COPIES = 10_000  # of containers that are met more than once
SCALARS = frozenset({int, float, bool, type(None)})
# Their objects are left to the SDK's serializer.
KEPT_MODULES = frozenset({"datetime", "uuid", "decimal"})


class NotPlainError(Exception):
    """There is what a walk can't go through as it is."""


def quick_copy(value: Any) -> Any:
    """A copy of what is plain; a container that stands in several places does so in the copy.

    Raises:
        NotPlainError: the value holds something else. Some of what `marshal` copies is not plain:
            the walk refuses it.
    """
    try:
        # What was dumped in the same breath.
        return marshal.loads(marshal.dumps(value))  # noqa: S302
    except (ValueError, TypeError) as exc:  # an object of another type, or too deep
        raise NotPlainError from exc


class Rebuilt(list[Any]):
    """What can't be written to, as a list until its members are final."""

    __slots__ = ("wrapper",)
    wrapper: Any  # an `AnnotatedValue` of the SDK's around the one member; None for a tuple

    def build(self) -> Any:
        """The thing itself."""
        if self.wrapper is None:
            return tuple(self)
        try:
            return type(self.wrapper)(self[0], self.wrapper.metadata)
        except Exception:
            return FILTERED


class Copier:
    """Makes the copies of one walk.

    Args:
        lenient: whether objects are kept (dates, wrappers of the SDK) or shown by their repr, as in
            an event that the SDK has yet to serialise; otherwise their type is shown.
    """

    __slots__ = ("_copies", "_lenient", "_rebuilt", "_seen", "_work")

    def __init__(self, *, lenient: bool) -> None:
        self._lenient = lenient
        self._rebuilt: list[tuple[Any, Any, Rebuilt]] = []
        self._seen: set[int] = set()
        self._copies = 0
        self._work: list[tuple[Any, Any, Above]] = []

    def put(self, value: Any, holder: Any, key: Any) -> None:
        """Put a copy of the value at `holder[key]`."""
        work = self._work
        self._one(value, holder, key, None)
        while work:
            source, target, above = work.pop()
            if isinstance(source, dict):
                for name, inner in source.items():
                    if name.__class__ is str and (
                        inner.__class__ is str or inner.__class__ in SCALARS
                    ):
                        target[name] = inner
                    else:
                        self._one(
                            inner,
                            target,
                            name if name.__class__ is str else plain_key(name, target),
                            above,
                        )
            else:
                target.extend(source)
                for index, inner in enumerate(source):
                    if inner.__class__ is not str and inner.__class__ not in SCALARS:
                        self._one(inner, target, index, above)

    def restore(self) -> None:
        """Make tuples and wrappers of what stood for them, when all within them is final."""
        names: dict[int, dict[int, Any]] = {}  # of a holder, by the ids of what stands there
        for holder, given, made in reversed(self._rebuilt):  # what is inside came later
            key = given
            if holder.__class__ is dict and holder.get(given) is not made:
                # It is redacted, or its key held a secret and is another one now.
                known = names.get(id(holder))
                if known is None:
                    known = names[id(holder)] = {id(held): name for name, held in holder.items()}
                key = known.get(id(made))
                if key is None:
                    continue
            if holder[key] is made:
                holder[key] = made.build()
        self._rebuilt.clear()

    def _one(self, value: Any, holder: Any, key: Any, above: Above | None) -> None:
        cls = value.__class__
        if cls is str or cls in SCALARS:
            holder[key] = value
        elif isinstance(value, str):
            holder[key] = str.__str__(value)
        elif isinstance(value, (dict, list, tuple)):
            self._container(value, holder, key, above)
        elif isinstance(value, (int, float)):
            holder[key] = float.__float__(value) if isinstance(value, float) else int.__int__(value)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            holder[key] = bytes(value)
        elif not self._lenient:
            holder[key] = type_name(value)
        elif type(value).__module__ in KEPT_MODULES:
            holder[key] = value
        elif hasattr(value, "value") and hasattr(value, "metadata"):
            wrapped = holder[key] = Rebuilt()
            wrapped.wrapper = value
            self._rebuilt.append((holder, key, wrapped))
            self._work.append(([value.value], wrapped, (above, value)))
        else:
            holder[key] = _shown(value)

    def _container(self, value: Any, holder: Any, key: Any, above: Above | None) -> None:
        if id(value) in self._seen:
            self._copies += 1
            outer = above
            while outer is not None:
                if outer[1] is value:
                    holder[key] = CYCLE
                    return
                outer = outer[0]
            if self._copies > _MAX_COPIES:
                holder[key] = type_name(value)
                return
        self._seen.add(id(value))
        new: Any = {} if isinstance(value, dict) else []
        if isinstance(value, tuple):
            new = Rebuilt()
            new.wrapper = None
            self._rebuilt.append((holder, key, new))
        holder[key] = new
        self._work.append((value, new, (above, value)))


def _shown(value: object) -> str:
    try:
        return str.__str__(repr(value))
    except Exception:
        return type_name(value)


def type_name(value: object) -> str:
    """What is shown in place of an object that JSON does not have."""
    kind = type(value)
    module = kind.__module__
    if module == "builtins":
        return f"<{kind.__qualname__}>"
    return f"<{module}.{kind.__qualname__}>"


def plain_key(key: Any, target: dict[Any, Any]) -> Any:
    """A key as JSON-like values have them."""
    if key is None or isinstance(key, (bool, int, float, bytes)):
        return key
    if isinstance(key, str):
        return str.__str__(key)
    return unused(type_name(key), target)


def unused(name: str, target: dict[Any, Any], taken: dict[str, int] | None = None) -> str:
    """The name, with a number where the target has it already.

    Args:
        name: which is wanted.
        target: whose keys are taken.
        taken: the numbers that names have got so far, for many names that are alike.
    """
    number = 2 if taken is None else taken.get(name, 2)
    found = name
    while found in target:
        found = f"{name} {number}"
        number += 1
    if taken is not None:
        taken[name] = number
    return found


def rename_keys(value: Any, renamed: dict[Any, str]) -> None:
    """Give keys that held a secret their new names, in place and in order.

    The value was just built, and is nobody else's.
    """
    stack = [value]
    while stack:
        value = stack.pop()
        if value.__class__ is dict:
            stack.extend(value.values())
            if not renamed.keys().isdisjoint(value):
                items = list(value.items())
                value.clear()
                taken: dict[str, int] = {}
                for key, inner in items:
                    value[unused(renamed[key], value, taken) if key in renamed else key] = inner
        elif isinstance(value, (list, tuple)):
            stack.extend(value)
