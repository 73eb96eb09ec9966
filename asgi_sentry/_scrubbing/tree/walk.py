"""The walk over JSON-like values: containers are gone through as they are, keys decide, texts go to the rules together.

Most values hold nothing to redact, so the walk is made for finding that out: it looks at each member once, copies
nothing, and keeps no more than the containers in the order in which they were met, each with the number of the one
above it and its key there. Only what is to be changed is copied, with the containers above it, so that whoever holds
the originals never sees a change.

What is no plain container, text or number, cycles, and more containers than can be gone through without looking out
for cycles make the walk start again on plain copies (`plain.py`).
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import partial
from itertools import count, pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._scrubbing.keys import (
    ADDRESS,
    BESIDE,
    COOKIES,
    DENIED,
    JWK_MEMBERS,
    LOOKED,
    MAYBE,
    PLAIN,
    REPR,
    VALUE_KEYS,
)
from asgi_sentry._scrubbing.look import looks_random
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD, address_spans
from asgi_sentry._scrubbing.tree.plain import KEPT_MODULES, SCALARS, Copier, Rebuilt, plain_key, rename_keys, unused

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from asgi_sentry._scrubbing.scrubber import Scrubber
    from asgi_sentry._scrubbing.taint import Taint
    from asgi_sentry._scrubbing.text.texts import Hits

    # Where something stands: the place of the container around it, and its key there.
    Place = tuple["Place | None", Any]

_UNCHECKED = 20_000  # containers; only beyond these it is looked whether some lie within themselves
_LONGEST_COOKIE = 16  # the same length that taint has for a cookie of any name

# How the members of a container are read; what is under a key may say more.
BY_KEYS, IN_COOKIES, IN_ADDRESSES, IN_COOKIE_PAIR = range(4)
_COOKIE = 5  # beside the verdicts of `keys`: the value of a cookie of any name
_UNDER = (PLAIN, _COOKIE, ADDRESS, PLAIN)

_NAMES = ("name", "key", "field", "header", "param", "parameter", "variable", "label", "k", "Name", "Key")
_BESIDE_NAMES = ("value", "val", "Value")
_VALUES = frozenset((*VALUE_KEYS, *BESIDE))
_MESSAGES = frozenset({"required", "invalid", "missing", "expired", "blank", "mismatch", "unknown", "forbidden"})
_OPAQUE = re.compile(r"(?=.*\d)[\w+/=~.-]{6,}\Z|[\w+/=~-]{24,}\Z", re.DOTALL)
_KEY_TYPES = frozenset({str, bytes, int, float, bool, type(None)})


class Redaction(NamedTuple):
    """Where something was redacted, as keys and indices from the root, and by which rule."""

    path: tuple[str | int, ...]
    rule: str


class _Root(NamedTuple):
    """A value that was given to the walk, and where what is left of it goes."""

    value: Any
    holder: Any
    key: Any  # of the value in the holder, or _MEMBERS: the value is some members of the holder, to be changed in it
    place: Place | None  # of the holder
    mode: int


_new_root = partial(tuple.__new__, _Root)  # as the class does it, at a third of the cost
_MEMBERS = object()


class _NotPlainError(Exception):
    """There is what the walk can't go through as it is."""


class Walk:
    """One scrubbing: values go in by `add`, `finish` applies keys, rules and the taint to all of them at once.

    Args:
        scrubber: whose keys and rules decide.
        lenient: whether objects are kept (dates, wrappers of the SDK) or shown by their scrubbed repr, as in an event
            that the SDK has yet to serialise; otherwise their type is shown, and every value is replaced by a copy.
    """

    __slots__ = (
        "_children", "_copier", "_cut", "_ends", "_filtered", "_fixed", "_fresh", "_given", "_gone", "_hot", "_late",
        "_lenient", "_modes", "_notes", "_odd", "_owned", "_pairs", "_places", "_read", "_roots", "_spots", "_texts",
        "_values", "_work", "renamed", "scrubber",
    )  # fmt: skip

    def __init__(self, scrubber: Scrubber, *, lenient: bool = False) -> None:
        self.scrubber = scrubber
        self.renamed: dict[Any, str] = {}  # keys that held a secret, and what became of them
        self._lenient = lenient
        self._owned = False  # whether all containers are ours, to be changed in place
        self._roots: list[_Root] = []
        self._given: list[tuple[str, Any, Any, Place | None]] = []
        self._fixed: list[tuple[str, Any, Any, Place | None]] = []
        self._notes: list[tuple[Place | None, Any, str]] = []

    # --- what goes in ------------------------------------------------------------------------------------------------

    def add(self, value: Any, holder: Any, key: Any, place: Place | None, mode: int = BY_KEYS) -> None:
        """Have what is left of `value`, which stands at `holder[key]`, put there when the walk is finished.

        Args:
            value: of any type.
            holder: may be written to.
            key: of the value there.
            place: of the holder, for the reports.
            mode: how the value is read.
        """
        if value.__class__ is str:
            self._given.append((value, holder, key, place))
        elif value.__class__ not in SCALARS:
            self._roots.append(_new_root((value, holder, key, place, mode)))

    def members(self, source: dict[Any, Any], holder: dict[Any, Any], place: Place | None) -> None:
        """Scrub those members of `holder` that are in `source`, in place."""
        self._roots.append(_new_root((source, holder, _MEMBERS, place, BY_KEYS)))

    def fixed(self, value: str, holder: Any, key: Any, place: Place | None) -> None:
        """A text of the protocol's, which taint never touches."""
        if value not in self.scrubber.texts.clean_lines:
            self._fixed.append((value, holder, key, place))

    @property
    def pending(self) -> int:
        """How many texts of the protocol's are to be looked at."""
        return len(self._fixed)

    def note(self, place: Place | None, key: Any, rule: str) -> None:
        """Something was redacted by whoever calls."""
        self._notes.append((place, key, rule))

    # --- all of it ---------------------------------------------------------------------------------------------------

    def finish(self, taint: Taint | None = None) -> None:
        """Replace whatever is secret."""
        self._values = [root[0] for root in self._roots]
        if self._roots and not self._lenient:
            self._own()
        kept = len(self._notes)
        try:
            self._finish(taint)
        except _NotPlainError:
            del self._notes[kept:]
            self._own()
            self._finish(taint)
        self._finish_fixed()
        if self._owned:
            self._copier.restore()
            for root, copies in zip(self._roots, self._values, strict=True):
                if root.key is _MEMBERS:
                    _merge(root.value, copies, root.holder, self.renamed)
        if self.renamed:
            name = self.renamed.get
            self._notes = [
                (place_of(name(step, step) for step in path_of(place)), name(key, key), rule)
                for place, key, rule in self._notes
            ]

    def _own(self) -> None:
        """Put plain copies in the place of all values."""
        self._owned = True
        self._copier = Copier(lenient=self._lenient)
        self._values = []
        for value, holder, key, _, _ in self._roots:
            if key is not _MEMBERS:
                self._copier.put(value, holder, key)
                self._values.append(holder[key])
            else:
                copies: dict[Any, Any] = {}
                for name, inner in value.items():
                    self._copier.put(inner, copies, name if name.__class__ is str else plain_key(name, copies))
                self._values.append(copies)

    def _finish(self, taint: Taint | None) -> None:
        keys, rules = self.scrubber.keys, self.scrubber.texts
        self._gather()
        names = self._names(everything=bool(taint))
        self._decide()
        texts = {*self._texts, *[given[0] for given in self._given]}
        texts -= self._gone_everywhere()
        look = rules.look(texts, taint, keys=_texts_of(names), new_keys=_texts_of(self._fresh))
        hits = look.hits
        self.renamed = {name: hits[text][0] for name in names if (text := _text_of(name)) in hits} if hits else {}
        if self.renamed and not self._owned:
            raise _NotPlainError
        keys.remember(self._fresh - self._hot.keys() - self.renamed.keys())
        if look.dashed:
            self._read_options()
        if hits:
            self._replace(hits)
        if self._late:
            self._replace_late(rules.look({late[0] for late in self._late}, taint).hits)
        if self.renamed:
            for root in self._roots:
                if root.key is not _MEMBERS:
                    rename_keys(root.holder[root.key], self.renamed)
        if not self._cut:
            rules.remember(look, self._gone)

    def _gone_everywhere(self) -> set[str]:
        """Texts that were redacted by their keys and stand nowhere else, so that nobody has to look at them."""
        gone = self._gone
        if not gone or self._cut or sum(map(gone.__contains__, self._texts)) != self._filtered:
            return set()
        return gone.difference([given[0] for given in self._given])

    # --- the way through ---------------------------------------------------------------------------------------------

    def _gather(self) -> None:  # noqa: C901 - the one hot loop: what is usual is done in line
        """Go through all containers, and find their texts."""
        work: list[Any] = []
        places: list[tuple[int, Any]] = []  # the number of the container above and the key there; of a root -1 and it
        texts: list[str] = []
        ends: list[int] = []  # how many texts there were when a container's own were found
        odd: list[int] = []  # dicts with a key that says something or that nobody has met
        pairs: list[int] = []
        modes: dict[int, int] = {}
        for root, value in zip(self._roots, self._values, strict=True):
            cls = value.__class__
            if cls is dict or cls is list or cls is Rebuilt:
                if root[4]:
                    modes[len(work)] = root[4]
                if cls is Rebuilt and _is_pair(value):
                    pairs.append(len(work))
                work.append(value)
                places.append((-1, root))
            elif not self._owned:
                raise _NotPlainError
            elif cls is str or cls is bytes:
                self._given.append((value if cls is str else value.decode("latin-1"), *root[1:4]))
        plain, push, note, append = self.scrubber.keys.plain, work.append, places.append, texts.append
        numbers: Iterable[int] = count() if self._owned else range(_UNCHECKED)
        for source, number in zip(work, numbers, strict=False):  # which grows meanwhile
            if source.__class__ is dict:
                if not plain.issuperset(source):
                    odd.append(number)
                for key, value in source.items():
                    cls = value.__class__
                    if cls is str:
                        append(value)
                    elif cls is dict or cls is list:
                        push(value)
                        note((number, key))
                    elif cls not in SCALARS:
                        self._rarer(cls, value, number, key, work, places, texts, pairs)
            else:
                for key, value in enumerate(source):
                    cls = value.__class__
                    if cls is str:
                        append(value)
                    elif cls is dict or cls is list:
                        if cls is list and _is_pair(value):
                            pairs.append(len(work))
                        push(value)
                        note((number, key))
                    elif cls not in SCALARS:
                        self._rarer(cls, value, number, key, work, places, texts, pairs)
            ends.append(len(texts))
        if len(ends) < len(work):
            raise _NotPlainError
        self._work, self._places, self._texts, self._ends = work, places, texts, ends
        self._odd, self._pairs, self._modes = odd, pairs, modes
        self._read: set[int] = set()
        self._spots: dict[int, tuple[Any, Place | None]] = {}
        self._children: dict[tuple[int, Any], int] | None = None
        self._late: list[tuple[str, int, Any]] = []
        self._gone: set[str] = set()  # texts that were redacted by their keys, ...
        self._filtered = 0  # ... and how many there were of them
        self._cut = False

    def _rarer(
        self, cls: type, value: Any, number: int, key: Any, work: list[Any], places: Any, texts: Any, pairs: Any
    ) -> None:
        """What is neither text nor number nor plain container."""
        if cls is bytes:
            texts.append(value.decode("latin-1"))
        elif cls is Rebuilt:
            if _is_pair(value):
                pairs.append(len(work))
            work.append(value)
            places.append((number, key))
        elif not self._owned and (not self._lenient or cls.__module__ not in KEPT_MODULES):
            raise _NotPlainError

    def _names(self, *, everything: bool) -> set[Any]:
        """The keys to look at as texts: those that nobody has met, or everything."""
        work, keys = self._work, self.scrubber.keys
        if everything:
            met = set().union(*[source for source in work if source.__class__ is dict])
        else:
            met = set().union(*[work[number] for number in self._odd])
        special = keys.special
        self._hot = hot = {name: special[name] for name in met if name in special}  # what says something, and what
        self._fresh = fresh = met - keys.plain - hot.keys()
        if fresh:
            if not self._owned and not _KEY_TYPES.issuperset(map(type, fresh)):
                raise _NotPlainError
            hot.update(keys.told(fresh))
        return met if everything else fresh

    # --- what keys say -----------------------------------------------------------------------------------------------

    def _decide(self) -> None:
        """Redact what keys and names say is secret; what is above comes first."""
        work, hot = self._work, self._hot
        marked = [number for number in self._odd if not hot.keys().isdisjoint(work[number])] if hot else []
        of_shown = self.scrubber.keys.of_shown
        pairs = {number: verdict for number in self._pairs if (verdict := of_shown(work[number][0]))}
        modes, read = self._modes, self._read
        if modes or pairs:
            marked = sorted({*marked, *modes, *pairs})
        denied = [key for key, verdict in hot.items() if verdict == DENIED]
        others = hot.keys() - denied
        for first in marked:
            if first in read or (self._cut and self._is_cut_off(first)):
                continue
            source = work[first]
            if first not in modes:  # what is usual, in short
                if source.__class__ is not dict:
                    if pairs[first] == DENIED:
                        self._deny(first, 1, source[1])
                        continue
                elif others.isdisjoint(source):
                    for key in denied:
                        if key in source:
                            self._deny(first, key, source[key])
                    continue
            self._read_within(first, modes.get(first, BY_KEYS), pairs)

    def _read_within(self, first: int, mode: int, pairs: dict[int, int]) -> None:
        """Read a container, and those within it about which it says something."""
        todo = [(first, mode)]
        while todo:
            number, mode = todo.pop()
            self._read.add(number)
            if self._cut and self._is_cut_off(number):
                continue
            source = self._work[number]
            if source.__class__ is dict:
                self._read_dict(number, source, mode, todo)
            else:
                self._read_list(number, source, mode, todo, pairs.get(number, PLAIN))

    def _read_dict(self, number: int, source: dict[Any, Any], mode: int, todo: list[tuple[int, int]]) -> None:
        named = {} if _VALUES.isdisjoint(source) else self._named(source)
        hot, under = self._hot, _UNDER[mode]
        for key, value in list(source.items()):
            verdict = named.get(key) or hot.get(key) or under
            if verdict == DENIED and key == "token" and "logprob" in source:
                continue  # a token of a language model's, beside its probability
            if under == ADDRESS and key.__class__ is str and key.endswith("version"):
                continue
            if verdict == MAYBE:
                if (
                    value.__class__ in _TEXTS
                    and _looks_random(value)
                    and not any(map(source.__contains__, _BESIDE_NAMES))
                ):
                    self._filter(number, key, value)
            elif verdict and not (verdict == COOKIES and value.__class__ in _TEXTS and not value):
                self._under(verdict, number, key, value, todo)

    def _read_list(self, number: int, source: list[Any], mode: int, todo: list[tuple[int, int]], of_name: int) -> None:
        """A list that stands where its place says something, or a pair of a value and a name that says something."""
        if mode == IN_COOKIE_PAIR:
            self._under(self._verdict_of_name(source[0]) or _COOKIE, number, 1, source[1], todo)
        elif mode == IN_COOKIES:
            for index, value in enumerate(source):
                if value.__class__ is list or value.__class__ is Rebuilt:  # pairs of names and values
                    todo.append((self._child(number, index), IN_COOKIE_PAIR if len(value) == 2 else IN_COOKIES))
                else:
                    self._under(_COOKIE, number, index, value, todo)
        elif mode == IN_ADDRESSES:
            for index, value in enumerate(source):
                self._under(ADDRESS, number, index, value, todo)
        elif of_name:
            self._under(of_name, number, 1, source[1], todo)

    def _read_options(self) -> None:
        """Redact the values of command-line options in lists of arguments, such as `sys.argv`."""
        for number, source in enumerate(self._work):
            if source.__class__ is not dict and not (self._cut and self._is_cut_off(number)):
                for index, (value, following) in enumerate(pairwise(list(source)), 1):
                    if (
                        value.__class__ is str
                        and value[:1] == "-"
                        and "=" not in value
                        and following.__class__ is str
                        and following[:1] != "-"
                        and self.scrubber.keys[value.lstrip("-")] == DENIED
                    ):
                        self._filter(number, index, following)

    def _under(self, verdict: int, number: int, key: Any, value: Any, todo: list[tuple[int, int]]) -> None:
        """A value whose key says something about it."""
        is_text = value.__class__ in _TEXTS
        if verdict == DENIED:
            self._deny(number, key, value)
        elif verdict == ADDRESS:
            if is_text:
                self._without_addresses(number, key, value)
            elif value.__class__ in _CONTAINERS:
                todo.append((self._child(number, key), IN_ADDRESSES))
        elif verdict == COOKIES:
            if is_text:
                self._filter(number, key, value)
            elif value.__class__ in _CONTAINERS:
                todo.append((self._child(number, key), IN_COOKIES))
        elif verdict == LOOKED:
            if is_text and _is_random(value):
                self._filter(number, key, value)
        elif is_text and len(value) >= _LONGEST_COOKIE:
            self._filter(number, key, value)

    def _deny(self, number: int, key: Any, value: Any) -> None:
        if value is None or value is True or value is False:
            return
        source = self._work[number]
        name = key
        if source.__class__ is not dict:
            name = source[0] if len(source) == 2 else ""
            if value.__class__ is str and value in _MESSAGES:
                return  # what a validator says of a field
        if self.scrubber.keys.spares(name, value):
            return
        if not (self.scrubber.allows_paths and self.scrubber.allows_path(self._path(number, key))):
            self._filter(number, key, value)

    def _filter(self, number: int, key: Any, value: Any) -> None:
        if value.__class__ is str:
            if value == FILTERED:
                return
            self._gone.add(value)
            self._filtered += 1
        elif value.__class__ not in SCALARS:
            self._cut = True
        target, place = self._spot(number)
        target[key] = FILTERED
        self._notes.append((place, key, PASSWORD))

    def _without_addresses(self, number: int, key: Any, value: str | bytes) -> None:
        text = value if isinstance(value, str) else value.decode("latin-1")
        spans = list(address_spans(text))
        if spans:
            self._gone.add(text)
            self._filtered += 1
            for start, end in reversed(spans):
                text = text[:start] + FILTERED + text[end:]
            target, place = self._spot(number)
            target[key] = text
            self._notes.append((place, key, "@ip"))
            if text != FILTERED:
                self._late.append((text, number, key))

    def _named(self, source: dict[Any, Any]) -> dict[str, int]:
        """What `{"name": ..., "value": ...}` says of the value, and a validator's `{"loc": [...], "input": ...}`."""
        named: dict[str, int] = {}
        if "kty" in source:
            named.update(dict.fromkeys(JWK_MEMBERS, DENIED))
        where = source.get("loc")
        if where.__class__ is list or where.__class__ is Rebuilt:
            last = next((step for step in reversed(where) if step.__class__ is str), "")
            named["input"] = self._verdict_of_name(last)
        for name in _NAMES:
            given = source.get(name)
            if given.__class__ in _TEXTS:
                named.update(dict.fromkeys(_BESIDE_NAMES, self._verdict_of_name(given)))
                break
        return named

    def _verdict_of_name(self, name: Any) -> int:
        return self.scrubber.keys.of_shown(name) if name.__class__ in _TEXTS else PLAIN

    # --- what rules say ----------------------------------------------------------------------------------------------

    def _replace(self, hits: Hits) -> None:
        """Put what is left of each text in its place."""
        if not hits.keys().isdisjoint(self._texts):
            ends = self._ends
            for number in sorted({bisect_right(ends, at) for at, text in enumerate(self._texts) if text in hits}):
                if not (self._cut and self._is_cut_off(number)):
                    self._replace_in(number, hits)
        for text, holder, key, place in self._given:
            hit = hits.get(text)
            if hit is not None:
                self._put(hit, holder, place, key)

    def _replace_in(self, number: int, hits: Hits) -> None:
        source = self._work[number]
        target, place = self._spot(number)
        for key, value in list(source.items() if source.__class__ is dict else enumerate(source)):
            if value.__class__ in _TEXTS and target[key] is value:  # else its key has decided
                hit = hits.get(value if value.__class__ is str else value.decode("latin-1"))
                if hit is not None:
                    self._put(hit, target, place, key)

    def _replace_late(self, hits: Hits) -> None:
        for text, number, key in self._late:
            if text in hits and not (self._cut and self._is_cut_off(number)):
                target, place = self._spot(number)
                self._put(hits[text], target, place, key)

    def _put(self, hit: tuple[str, list[str]], target: Any, place: Place | None, key: Any) -> None:
        text, ids = hit
        target[key] = text.encode("latin-1", "replace") if target[key].__class__ is bytes else text
        self._notes.extend((place, key, rule) for rule in ids)

    def _finish_fixed(self) -> None:
        """The protocol's texts, of which those that are harmless are remembered: they are the same in each event."""
        if self._fixed:
            hits = self.scrubber.texts.look_fixed({fixed[0] for fixed in self._fixed})
            for text, holder, key, place in self._fixed:
                if text in hits:
                    self._put(hits[text], holder, place, key)

    # --- where things are --------------------------------------------------------------------------------------------

    def _spot(self, number: int) -> tuple[Any, Place | None]:
        """A container that may be written to, and its place. It is copied for that, with those above it."""
        spots, places, work = self._spots, self._places, self._work
        found = spots.get(number)
        if found is not None:
            return found
        above = [number]
        while (number := places[number][0]) >= 0 and number not in spots:
            above.append(number)
        target: Any
        place: Place | None
        for number in reversed(above):
            parent, key = places[number]
            target = work[number] if self._owned else work[number].copy()
            if parent >= 0:
                holder, place = spots[parent]
                place = (place, key)
                holder[key] = target
            else:
                _, holder, key, place, _ = key
                if key is not _MEMBERS:
                    place = (place, key)
                    holder[key] = target
                elif not self._owned:
                    target = holder
            found = spots[number] = target, place
        return found  # type: ignore[return-value]

    def _is_cut_off(self, number: int) -> bool:
        """Whether a container lies within one that was redacted as a whole."""
        while True:
            parent, key = self._places[number]
            if parent < 0:
                return False
            spot = self._spots.get(parent)
            if spot is not None:
                own = self._spots.get(number)
                if spot[0][key] is not (self._work[number] if own is None else own[0]):
                    return True
            number = parent

    def _child(self, number: int, key: Any) -> int:
        """The number of the container at a key of another."""
        if self._children is None:
            self._children = {place: child for child, place in enumerate(self._places) if place[0] >= 0}
        return self._children[number, key]

    def _path(self, number: int, key: Any) -> tuple[Any, ...]:
        steps = [key]
        while True:
            number, key = self._places[number]
            if number < 0:
                root: _Root = key
                return (*path_of(root.place if root.key is _MEMBERS else (root.place, root.key)), *reversed(steps))
            steps.append(key)

    # --- what was redacted -------------------------------------------------------------------------------------------

    def redactions(self, path: tuple[Any, ...] = ()) -> Iterator[Redaction]:
        """Each redaction once, with the path in front of it."""
        seen = set()
        for place, key, rule in self._notes:
            found = Redaction((*path, *path_of(place), key), rule)
            if found not in seen:
                seen.add(found)
                yield found

    def remark(self, payload: dict[str, Any]) -> None:
        """Say in `_meta` which rule redacted what: https://develop.sentry.dev/sdk/data-handling/."""
        if not self._notes:
            return
        meta = payload.get("_meta")
        if not isinstance(meta, dict):
            meta = payload["_meta"] = {}
        made: dict[int, dict[str, Any]] = {}  # what stands in `_meta` for a place, by its id, which the notes keep
        chain: list[Any] = []
        for place, key, rule in self._notes:
            above = place
            while above is not None and id(above) not in made:
                chain.append(above)
                above = above[0]
            found = meta if above is None else made[id(above)]
            while chain:
                above = chain.pop()
                step = above[1]
                name = step if step.__class__ is str else _meta_name(step)
                inner = found.get(name)
                if inner.__class__ is not dict:
                    inner = found[name] = {}
                found = made[id(above)] = inner
            name = key if key.__class__ is str else _meta_name(key)
            inner = found.get(name)
            if inner.__class__ is dict:
                _add_remark(inner, rule)
            else:
                found[name] = {"": {"rem": [[rule, "x"]]}}


def _meta_name(step: Any) -> str:
    return step.decode("latin-1") if step.__class__ is bytes else str(step)


def _add_remark(meta: dict[str, Any], rule: str) -> None:
    own = meta.setdefault("", {})
    remarks = own.setdefault("rem", []) if isinstance(own, dict) else None
    if isinstance(remarks, list) and [rule, "x"] not in remarks:
        remarks.append([rule, "x"])


_TEXTS, _STRINGS = frozenset({str, bytes}), frozenset({str})
_CONTAINERS = frozenset({dict, list, Rebuilt})


def _texts_of(names: set[Any]) -> Collection[str]:
    return names if _STRINGS.issuperset(map(type, names)) else [_text_of(name) for name in names]


def _text_of(name: Any) -> str:
    """A key as a text; nothing of one that is none."""
    return name if name.__class__ is str else name.decode("latin-1") if name.__class__ is bytes else ""


def _is_pair(value: list[Any]) -> bool:
    """A pair of a name and a value is one where it stands in a list, or is a tuple."""
    return len(value) == 2 and value[0].__class__ in _TEXTS


def _is_random(value: str | bytes) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    shown = REPR.match(text)
    return looks_random(shown[2] if shown else text)


def _looks_random(value: str | bytes) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    shown = REPR.match(text[:1000])
    return _OPAQUE.match(shown[2] if shown else text[:1000]) is not None


def _merge(source: Any, target: Any, holder: Any, renamed: dict[Any, str]) -> None:
    """Put the scrubbed members of an object where they came from; the order of keys stays unless one has to change."""
    for old, (new, value) in zip(source, list(target.items()), strict=True):
        name: Any = renamed.get(new, new) if renamed else new
        if name != old:
            del holder[old]
            name = unused(name, holder)
        holder[name] = value
    if renamed:
        for value in target.values():
            rename_keys(value, renamed)


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
