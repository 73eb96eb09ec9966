"""What a walk redacted, and where: for whoever listens, and for Sentry's `_meta`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    # Where something stands: the place of the container around it, and its key there.
    Place = tuple["Place | None", Any]


class Redaction(NamedTuple):
    """Where something was redacted, as keys and indices from the root, and by which rule."""

    path: tuple[str | int, ...]
    rule: str


class Notes:
    """The redactions of one walk, in the order in which they were made."""

    __slots__ = ("_aliases", "_made")

    def __init__(self) -> None:
        self._made: list[tuple[Place | None, Any, str]] = []
        self._aliases: list[tuple[Place, Place]] = []

    def __bool__(self) -> bool:
        return bool(self._made)

    def add(self, place: Place | None, key: Any, rule: str) -> None:
        """Note that a rule redacted what stands under `key` of the container at `place`."""
        self._made.append((place, key, rule))

    def extend(self, others: Notes) -> None:
        """Take over what another walk redacted."""
        self._made += others._made
        self._aliases += others._aliases

    def add_alias(self, place: Place, first: Place) -> None:
        """Note that the container at `place` is the one at `first` once more."""
        self._aliases.append((place, first))

    def rename(self, renamed: Mapping[Any, str]) -> None:
        """Take over the new names of keys that held a secret.

        What is one place stays one, as the places of a container that stands in several need it.
        """
        name = renamed.get
        made: dict[int, Place] = {}

        def moved(place: Place | None) -> Place | None:
            chain: list[Place] = []
            while place is not None and id(place) not in made:
                chain.append(place)
                place = place[0]
            above = None if place is None else made[id(place)]
            for one in reversed(chain):
                above = made[id(one)] = (above, name(one[1], one[1]))
            return above

        before = self._made, self._aliases  # which keep the places, and so their ids
        self._made = [(moved(place), name(key, key), rule) for place, key, rule in before[0]]
        self._aliases = [
            ((moved(above), name(key, key)), cast("Place", moved(first)))
            for (above, key), first in before[1]
        ]

    def redactions(self, path: tuple[Any, ...] = ()) -> Iterator[Redaction]:
        """Each redaction once, with the path in front of it."""
        seen = set()
        for place, key, rule in self._made:
            found = Redaction((*path, *path_of(place), key), rule)
            if found not in seen:
                seen.add(found)
                yield found

    def remark(self, payload: dict[str, Any]) -> None:
        """Say in `_meta` which rule redacted what.

        Source: https://develop.sentry.dev/sdk/data-handling/.
        """
        if not self._made:
            return
        meta = payload.get("_meta")
        if not isinstance(meta, dict):
            meta = payload["_meta"] = {}
        made: dict[int, dict[str, Any]] = {}  # by the id of a place, which the notes keep alive
        # What is said of one redaction is the same object for all by a rule: nothing is added to it
        # later.
        said: dict[str, dict[str, Any]] = {}
        for place, key, rule in self._made:
            found = made.get(id(place)) or _node(meta, made, place)
            name = key if key.__class__ is str else _meta_name(key)
            inner = found.get(name)
            if inner.__class__ is dict:
                _add_remark(inner, rule)
            else:
                own = said.get(rule)
                if own is None:
                    own = said[rule] = {"rem": [[rule, "x"]]}
                found[name] = {"": own}
        for (above, key), first in reversed(self._aliases):  # what lies deeper was met later
            told = made.get(id(first))
            if told is not None:
                name = key if key.__class__ is str else _meta_name(key)
                _node(meta, made, above).setdefault(name, told)


def _node(
    meta: dict[str, Any], made: dict[int, dict[str, Any]], place: Place | None
) -> dict[str, Any]:
    """What stands in `_meta` for a container."""
    chain: list[Place] = []
    found: Any = meta
    while place is not None:
        known = made.get(id(place))
        if known is not None:
            found = known
            break
        chain.append(place)
        place = place[0]
    for one in reversed(chain):
        step = one[1]
        name = step if step.__class__ is str else _meta_name(step)
        inner = found.get(name)
        if inner.__class__ is not dict:
            inner = found[name] = {}
        made[id(one)] = found = inner
    return cast("dict[str, Any]", found)


def _meta_name(step: Any) -> str:
    if step.__class__ is bytes:
        return step.decode("latin-1")
    return str(step)


def _add_remark(meta: dict[str, Any], rule: str) -> None:
    """Add to what is said of a value.

    What was said so far may be said of others, too, and stays as it is.
    """
    own = meta.get("", {})
    remarks = own.get("rem", []) if isinstance(own, dict) else None
    if isinstance(remarks, list) and [rule, "x"] not in remarks:
        meta[""] = {**own, "rem": [*remarks, [rule, "x"]]}


def path_of(place: Place | None) -> tuple[Any, ...]:
    """A place as keys and indices from the root."""
    steps = []
    while place is not None:
        place, key = place
        steps.append(key)
    return tuple(reversed(steps))


def place_of(path: Iterable[Any]) -> Place | None:
    """The place at the end of a path."""
    place: Place | None = None
    for step in path:
        place = (place, step)
    return place
