"""All containers and texts of some values, in the order in which they are met.

This is the one hot loop of scrubbing: most values hold nothing to redact, so it is made for finding
that out. It looks at each member once, and what is usual is done in line. A container that stands
in several places is met once.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from asgi_sentry._scrubbing.tree.plain import KEPT_MODULES, SCALARS, NotPlainError, Rebuilt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asgi_sentry._scrubbing.tree.notes import Place

MEMBERS = object()  # in place of a root's key: the value is some members of the holder
TEXTS = frozenset({str, bytes})
_OUTSIDE = -1  # in the place of a container's number: what a root lies in
_STRINGS = frozenset({str})
_FLAT = frozenset({str, *SCALARS})
_NOWHERE = object()
_MAX_COPIES = 10_000  # of shared containers, when they are written out in each of their places


class Root(NamedTuple):
    """A value that was given to the walk, and where it stands."""

    value: Any
    holder: Any
    key: Any  # of the value in the holder, or MEMBERS
    place: Place | None  # of the holder
    mode: int

    @property
    def own_place(self) -> Place | None:
        """Where the value itself stands."""
        if self.key is MEMBERS:
            return self.place
        return (self.place, self.key)


class Tree:
    """What was met.

    Args:
        copied: takes what is copied, where somebody else has what is in the roots: then a copy of
            each container takes its place. None: nothing is copied.
        kept_modules: whose objects are neither text nor number, and stay.

    Attributes:
        containers: dicts and lists; what lies above comes first.
        above: for each container the number of the one around it and the key there; of a root -1
            and the root.
        numbers: of the containers, by their ids.
        shared: where a container stands once more, as in `above`, each with its number.
        texts: of all containers, bytes as latin-1.
        ends: how many texts there were when a container's own were found.
        odd: dicts with a key that says something, or that nobody has met.
        pairs: lists of two that begin with a text.
        modes: how a container is read, by its number, where its place says so.
    """

    __slots__ = (
        "_copied",
        "_kept_modules",
        "_spots",
        "above",
        "containers",
        "ends",
        "modes",
        "numbers",
        "odd",
        "pairs",
        "shared",
        "texts",
    )

    def __init__(
        self,
        *,
        copied: list[Any] | None = None,
        kept_modules: frozenset[str] = KEPT_MODULES,
    ) -> None:
        self._copied = copied
        self._kept_modules = kept_modules
        self.containers: list[Any] = []
        self.above: list[tuple[int, Any]] = []
        self.numbers: dict[int, int] = {}
        self.shared: list[tuple[int, Any, int]] = []
        self.texts: list[str] = []
        self.ends: list[int] = []
        self.odd: list[int] = []
        self.pairs: list[int] = []
        self.modes: dict[int, int] = {}
        self._spots: dict[int, Place | None] = {}

    def place(self, number: int) -> Place | None:
        """Where a container stands."""
        spots = self._spots
        spot = spots.get(number, _NOWHERE)
        if spot is not _NOWHERE:
            return cast("Place | None", spot)
        chain = []
        while True:
            chain.append(number)
            above, key = self.above[number]
            if above < 0:
                spots[chain.pop()] = spot = key.own_place
                break
            spot = spots.get(above, _NOWHERE)
            if spot is not _NOWHERE:
                break
            number = above
        while chain:
            number = chain.pop()
            spot = spots[number] = (cast("Place | None", spot), self.above[number][1])
        return cast("Place | None", spot)

    def place_told(self, number: int) -> Place | None:
        """Where a container stands, if anybody asked that of it or of one in it; else None."""
        return self._spots.get(number)

    def add_root(self, root: Root) -> None:
        """A value to begin with, which is a container."""
        value = root.value
        size = len(self.containers)
        number = self.numbers.setdefault(id(value), size)
        if root.mode:
            self.modes[number] = root.mode
        if number != size:
            self.shared.append((-1, root, number))
            return
        if value.__class__ is Rebuilt and is_pair(value):
            self.pairs.append(number)
        self.containers.append(value)
        self.above.append((-1, root))

    def gather(self, plain: set[Any]) -> None:
        """Go through all containers.

        Args:
            plain: keys that say nothing.

        Raises:
            NotPlainError: there is what JSON does not have, a container within itself, or too many
                copies of one.
        """
        work, above, texts, ends = self.containers, self.above, self.texts, self.ends
        push, note, append, extend = work.append, above.append, texts.append, texts.extend
        odd, shared, met = self.odd, self.shared, self.numbers.setdefault
        roots = size = len(work)
        copied = self._copied
        say_nothing, only_texts = plain.issuperset, _STRINGS.issuperset
        nothing_within = _FLAT.issuperset
        for number, source in enumerate(work):  # which grows meanwhile
            is_dict = source.__class__ is dict
            if is_dict and not say_nothing(source):
                odd.append(number)
            values = source.values() if is_dict else source
            if only_texts(map(type, values)):
                extend(values)
                ends.append(len(texts))
                continue
            if nothing_within(map(type, values)):  # as rows of a table, and vectors
                extend([value for value in values if value.__class__ is str])
                ends.append(len(texts))
                continue
            for key, value in source.items() if is_dict else enumerate(source):
                cls = value.__class__
                if cls is str:
                    append(value)
                elif cls is dict or cls is list:
                    at = met(id(value), size)
                    if at != size:
                        shared.append((number, key, at))
                        continue
                    if copied is not None:
                        copied.append(value)
                        value = source[key] = value.copy()  # noqa: PLW2901
                        met(id(value), size)
                    if cls is list and not is_dict and is_pair(value):
                        self.pairs.append(size)
                    push(value)
                    note((number, key))
                    size += 1
                elif cls not in SCALARS:
                    size = self._rarer(cls, value, number, key, size)
            ends.append(len(texts))
        self._settle_shared(roots)

    def _settle_shared(self, roots: int) -> None:
        """Have the places of what stands in several hold the same copy, if there are copies."""
        if not self.shared:
            return
        if not self._is_finite(roots):
            raise NotPlainError
        if self._copied is not None:
            work = self.containers
            for above, key, number in self.shared:
                if above >= 0:
                    work[above][key] = work[number]

    def dicts(self) -> list[dict[Any, Any]]:
        """The containers that have keys."""
        return [source for source in self.containers if source.__class__ is dict]

    def lists_any(self, words: frozenset[str], texts: set[str]) -> bool:
        """Whether one of some words stands in a list of texts, as a program does with arguments.

        Args:
            words: which.
            texts: all that are left, each once, and maybe others.
        """
        return not words.isdisjoint(texts) and any(
            source.__class__ is not dict
            and _STRINGS.issuperset(map(type, source))
            and not words.isdisjoint(source)
            for source in self.containers
        )

    def _rarer(self, cls: type, value: Any, number: int, key: Any, size: int) -> int:
        """What is neither text nor number nor plain container.

        How many containers there are now.
        """
        if cls is bytes:
            self.texts.append(value.decode("latin-1"))
        elif cls is Rebuilt:
            self.numbers[id(value)] = size
            if is_pair(value):
                self.pairs.append(size)
            self.containers.append(value)
            self.above.append((number, key))
            return size + 1
        elif cls.__module__ not in self._kept_modules:
            raise NotPlainError
        return size

    def _is_finite(self, roots: int) -> bool:
        """Whether no container lies in itself, and all can be written out in each place.

        Most often each place of those in several lies in a root, and none of them is a root: then
        none lies in itself, and each place is one copy of what is in it.

        What stands in one place alone is written as often as what it lies in, so that only those in
        several places are put in order, of which there are few.
        """
        above = self.above
        if all(parent < roots <= number for parent, _, number in self.shared):
            within = [1] * len(above)
            for number in range(len(above) - 1, roots - 1, -1):
                within[above[number][0]] += within[number]
            return sum(within[number] for _, _, number in self.shared) <= _MAX_COPIES
        shared = {number for _, _, number in self.shared}
        # Of each container itself or what is shared and nearest around it.
        owners = {_OUTSIDE: _OUTSIDE}
        for number, (parent, _) in enumerate(above):
            if number in shared:
                owners[number] = number
            else:
                owners[number] = owners[parent]
        sizes = Counter(owners.values())
        inner: dict[int, list[int]] = {owner: [] for owner in (_OUTSIDE, *shared)}
        # For how many of the places of a container it is not known how often they are written.
        waits = dict.fromkeys(shared, 1)
        for number in shared:
            inner[owners[above[number][0]]].append(number)
        for parent, _, number in self.shared:
            inner[owners[parent]].append(number)
            waits[number] += 1
        copies = dict.fromkeys(inner, 0)
        copies[_OUTSIDE] = 1
        written, most = 0, len(owners) + _MAX_COPIES
        ready = [_OUTSIDE]
        for owner in ready:  # which grows meanwhile
            often = copies[owner]
            written += often * sizes[owner]
            if written > most:
                return False
            for number in inner[owner]:
                copies[number] += often
                waits[number] -= 1
                if not waits[number]:
                    ready.append(number)
        return len(ready) == len(inner)


def is_pair(value: Sequence[Any]) -> bool:
    """Whether a list may be a pair of a name and a value; a tuple may be one wherever it stands."""
    return len(value) == 2 and value[0].__class__ in TEXTS
