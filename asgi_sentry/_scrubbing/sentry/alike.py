"""Variables that are alike in several frames, of which one is scrubbed for all.

What a function hands on stands in each frame below it: the scope of a request, a customer, a
connection. A variable is told to be like another one by its bytes, which costs a tenth of scrubbing
it once more.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

STACKS = frozenset({"exception", "threads"})
"""Fields of an event with frames."""

# Variables that are looked at in vain, beyond which it does not pay.
_IN_VAIN = 16
# Bytes of a variable: of what is smaller or larger each is scrubbed.
_SHORTEST, _LONGEST = 200, 16_384
_MOST_CONTAINERS = 5_000  # in all that is alike
# By which `marshal` begins a dict or a list. A text may have them in it as well.
_CONTAINERS = (b"{", b"[", b"\xfb", b"\xdb")


class Alike:
    """Variables that are one object in several frames for as long as they are scrubbed.

    Args:
        plain: keys that say nothing. Under any other one, what is alike may become different.
    """

    __slots__ = ("_containers", "_known", "_places", "_plain", "_sizes")

    def __init__(self, plain: set[Any]) -> None:
        self._plain = plain
        self._containers = _MOST_CONTAINERS
        self._known: dict[bytes, Any] = {}
        # How many containers there are, at most, in what was met more than once.
        self._sizes: dict[bytes, int] = {}
        # Where something stands that is alike: the variables, the name there, and itself.
        self._places: list[tuple[dict[Any, Any], Any, Any]] = []

    def join(self, stacks: Any) -> None:
        """Make what is alike in the frames of exceptions or threads one object.

        Args:
            stacks: plain, and nobody else's.
        """
        known, met = self._known, set()
        for frame in _frames(stacks):
            variables = frame.get("vars")
            if variables.__class__ is not dict or not self._plain.issuperset(variables):
                continue
            if len(known) >= _IN_VAIN and len(self._places) * _IN_VAIN < len(known):
                return
            for name, value in variables.items():  # of which none comes or goes
                cls = value.__class__
                if (cls is dict or cls is list) and id(value) not in met:
                    look = marshal.dumps(value)
                    first = known.setdefault(look, value)
                    if first is value or len(look) < _SHORTEST:
                        met.add(id(value))
                    elif self._is_small(look):
                        variables[name] = first
                        self._places.append((variables, name, first))

    def part(self) -> None:
        """Make them several objects again, when they are scrubbed."""
        looks: dict[int, bytes] = {}
        for variables, given, first in self._places:
            look = looks.get(id(first))
            if look is None:
                look = looks[id(first)] = marshal.dumps(first)
            name = given
            if variables.get(name) is not first:  # its name held a secret, and is another one now
                name = next(other for other, value in variables.items() if value is first)
            variables[name] = marshal.loads(look)  # noqa: S302 - made in the line above

    def _is_small(self, look: bytes) -> bool:
        """Whether there is room for another place of what looks so."""
        size = self._sizes.get(look)
        if size is None:
            size = _MOST_CONTAINERS + 1
            if len(look) <= _LONGEST:
                size = sum(map(look.count, _CONTAINERS))
            self._sizes[look] = size
        if size > self._containers:
            return False
        self._containers -= size
        return True


def _frames(stacks: Any) -> Iterator[dict[Any, Any]]:
    """Each frame of exceptions or threads; nothing of what is not built as Sentry has it."""
    for entry in _listed(stacks, "values"):
        yield from _listed(entry.get("stacktrace"), "frames")


def _listed(value: Any, field: str) -> list[dict[Any, Any]]:
    """The objects that are listed in a field."""
    listed = value.get(field) if value.__class__ is dict else None
    if listed.__class__ is not list:
        return []
    return [one for one in listed if one.__class__ is dict]
