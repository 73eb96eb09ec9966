"""Variables that are alike in several frames, of which one is scrubbed for all.

What a function hands on stands in each frame below it: the scope of a request, a customer, a
connection. A variable is told to be like another one by its bytes, which costs a tenth of scrubbing
it once more.
"""

from __future__ import annotations

import marshal
from typing import Any

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

    __slots__ = ("_containers", "_known", "_met", "_places", "_plain", "_sizes")

    def __init__(self, plain: set[Any]) -> None:
        self._plain = plain
        self._containers = _MOST_CONTAINERS
        self._known: dict[bytes, Any] = {}
        self._met: set[int] = set()  # the ids of what is known
        # How many containers there are, at most, in what was met more than once.
        self._sizes: dict[bytes, int] = {}
        # Where something stands that is alike: the variables, the name's number, and the name.
        self._places: list[tuple[dict[Any, Any], int, Any]] = []

    def join(self, variables: dict[Any, Any]) -> None:
        """Put what other frames have had, too, in place of what is like it.

        Args:
            variables: of a frame; nobody else's. What stands in them is not changed.
        """
        known, met = self._known, self._met
        if len(known) >= _IN_VAIN and len(self._places) * _IN_VAIN < len(known):
            return
        if not self._plain.issuperset(variables):
            return
        for number, (name, value) in enumerate(variables.items()):  # of which none comes or goes
            cls = value.__class__
            if (cls is not dict and cls is not list) or id(value) in met:
                continue
            try:
                look = marshal.dumps(value)
            except (ValueError, TypeError):  # it is no plain data
                continue
            first = known.setdefault(look, value)
            if first is value or len(look) < _SHORTEST:
                met.add(id(first))
            elif self._is_small(look):
                variables[name] = first
                self._places.append((variables, number, name))

    def part(self) -> None:
        """Make them several objects again, when they are scrubbed."""
        looks: dict[int, bytes] = {}
        for variables, number, given in self._places:
            name = given
            if given not in variables:  # it held a secret, and is another one now
                name = list(variables)[number]
            value = variables[name]
            look = looks.get(id(value))
            if look is None:
                look = looks[id(value)] = marshal.dumps(value)
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
