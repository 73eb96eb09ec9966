"""The walk over JSON-like values: a new value is built, keys decide on the way, texts are gathered for the rules.

Containers wait in a list rather than on Python's stack, so any depth is safe. A container that is met again is a cycle
if it lies above itself, and else is copied anew, up to a bound, for a few shared lists can unfold to any size.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry.scrubbing.keys import ADDRESS, COOKIES, DENIED, MAYBE, PLAIN
from asgi_sentry.scrubbing.pairs import FILTERED, PASSWORD, address_spans

if TYPE_CHECKING:
    from asgi_sentry.scrubbing.engine import Scrubber
    from asgi_sentry.scrubbing.taint import Taint

    # Where a container stands: the node above it, its key there, and the container, which keeps its id its own.
    Node = tuple["Node | None", Any, Any]

CYCLE = "<cyclic>"
_MAX_COPIES = 10_000  # of containers that are met more than once
_SHORTEST = 5  # no rule and no taint matches less
_LONGEST_COOKIE = 16  # the same length that taint has for a cookie of any name

# How the strings of a container are read.
BY_KEYS = 0
IN_COOKIES = 1
IN_ADDRESSES = 2
IN_PAIR = 3
IN_COOKIE_PAIR = 5
IN_TEXTS = 4  # keys decide nothing: names of modules and their versions

_NAMES = ("name", "key", "field", "header", "param", "parameter", "variable", "label", "k", "Name", "Key")
_VALUES = frozenset({"value", "val", "Value"})
_MEMBERS = object()  # in place of a key: all members
_REPR = re.compile(r"b?([\"'])(.*)\1\Z", re.DOTALL)
_OPAQUE = re.compile(r"(?=.*\d)[\w+/=~.-]{6,}\Z|[\w+/=~-]{24,}\Z", re.DOTALL)


class Redaction(NamedTuple):
    """Where something was redacted, as keys and indices from the root, and by which rule."""

    path: tuple[str | int, ...]
    rule: str


class Walk:
    """One scrubbing: values go in by `add`, `finish` applies the rules to all their texts at once.

    Args:
        scrubber: whose keys decide.
        lenient: whether objects are kept (dates, wrappers of the SDK) or shown by their scrubbed repr, as in an event
            that the SDK has yet to serialise; otherwise their type is shown.
    """

    __slots__ = (
        "_bulk", "_copies", "_entries", "_fixed", "_fixed_slots", "_fresh", "_given", "_keys", "_lenient", "_notes",
        "_own_notes", "_runs", "_seen", "_single", "_slots", "_special", "_tuples", "_work", "_wrapped", "renamed",
        "scrubber",
    )  # fmt: skip

    def __init__(self, scrubber: Scrubber, *, lenient: bool = False) -> None:
        self.scrubber = scrubber
        self._lenient = lenient
        self._entries: list[tuple[Any, Any, Any, Any, int]] = []
        self._own_notes: list[tuple[Any, Any, str]] = []
        self._given: list[tuple[str, Any, Any, Any]] = []
        self._fixed: list[str] = []
        self._fixed_slots: list[tuple[Any, Any, Any]] = []
        self._special: dict[Any, int] = {}
        self.renamed: dict[Any, str] = {}
        self._clear()

    def _clear(self) -> None:
        """Forget what the walk has found so far."""
        self._bulk: list[str] = []  # texts of containers whose keys say nothing, ...
        self._runs: list[tuple[int, Any, Any, Any]] = []  # ... with the container, its copy and its node, by first text
        self._single: list[str] = []  # other texts, ...
        self._slots: list[tuple[Any, Any, Any]] = []  # ... each with its copied container, its key there, and node
        self._keys: set[Any] = set()
        self._fresh: set[Any] = set()
        self._seen: set[int] = set()
        self._copies = 0
        self._work: list[tuple[Any, Any, Any, int]] = []
        self._tuples: list[tuple[Any, Any, list[Any]]] = []
        self._wrapped: list[tuple[Any, Any, Any]] = []
        self._notes: list[tuple[Any, Any, str]] = []

    def add(self, value: Any, holder: Any, key: Any, node: Any, mode: int = BY_KEYS) -> None:
        """Have the scrubbed `value` put at `holder[key]` when the walk is finished."""
        self._entries.append((value, holder, key, node, mode))

    def members(self, source: dict[Any, Any], holder: dict[Any, Any], node: Any) -> None:
        """Scrub some members of `holder`, which stands at `node`, in place."""
        self._entries.append((source, holder, _MEMBERS, node, BY_KEYS))

    def text(self, value: str, holder: Any, key: Any, node: Any) -> None:
        """A text that is no part of a container to walk."""
        self._given.append((value, holder, key, node))

    def fixed(self, value: str, holder: Any, key: Any, node: Any) -> None:
        """A text of the protocol's, which taint never touches."""
        if len(value) >= _SHORTEST and value not in self.scrubber.texts.clean_lines:
            self._fixed.append(value)
            self._fixed_slots.append((holder, key, node))

    @property
    def pending(self) -> int:
        """How many texts of the protocol's are to be looked at."""
        return len(self._fixed)

    def note(self, node: Any, key: Any, rule: str) -> None:
        """Something was redacted by whoever calls."""
        self._own_notes.append((node, key, rule))

    # --- the containers ----------------------------------------------------------------------------------------------

    def _walk(self) -> list[tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]]:
        """Build everything anew; returns the members that are to be put back: as given, as built, and where.

        Keys that nobody has met are taken for harmless at first and decided all together at the end; only if one of
        them says something, the walk is made again. So a key costs next to nothing, new or not.
        """
        merges = self._walk_once()
        if self._learn():
            self._clear()
            merges = self._walk_once()
        return merges

    def _walk_once(self) -> list[tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]]:
        merges = []
        for value, holder, key, node, mode in self._entries:
            if key is _MEMBERS:
                target: dict[Any, Any] = {}
                self._work.append((value, target, node, mode))
                merges.append((value, target, holder))
            else:
                self._value(value, holder, key, node, mode)
        self._drain()
        return merges

    def _learn(self) -> bool:
        """Decide about the keys that were new; whether one of them says something, so that all is to be done again."""
        fresh = self._fresh
        if not fresh:
            return False
        told = self.scrubber.keys.told(fresh)
        for key in fresh:
            if key.__class__ is not str and not (key is None or isinstance(key, (str, bytes, int, float))):
                told[key] = PLAIN  # an object, which has to be replaced
        self._special = told
        return bool(told)

    def _drain(self) -> None:  # noqa: C901 - see below
        """Copy containers until none is left. The one hot loop: what is usual is done in line."""
        keys, work, seen, runs = self.scrubber.keys, self._work, self._seen, self._runs
        plain, special, own_special = keys.plain, keys.special.keys(), self._special.keys()
        bulk = self._bulk
        append, push, pop = bulk.append, work.append, work.pop
        add_keys, fresh = self._keys.update, self._fresh.update
        while work:
            source, target, node, mode = pop()
            if mode != BY_KEYS:
                (self._dict if target.__class__ is dict else self._list)(source, target, node, mode)
                continue
            begin = len(bulk)
            if target.__class__ is dict:
                add_keys(source)
                if not plain.issuperset(source):
                    if not (special.isdisjoint(source) and own_special.isdisjoint(source)):
                        self._dict(source, target, node, mode)
                        continue
                    fresh(source)
                target.update(source)
                items: Any = source.items()
            else:
                target.extend(source)
                items = enumerate(source)
            for key, value in items:
                cls = value.__class__
                if cls is str:
                    append(value)
                elif cls is dict or cls is list:
                    if id(value) in seen or (target.__class__ is list and cls is list):
                        self._value(value, target, key, node, _how(value, target))
                    else:
                        seen.add(id(value))
                        new: Any = cls()
                        target[key] = new
                        push((value, new, (node, key, value), BY_KEYS))
                elif cls not in _SCALARS:
                    self._value(value, target, key, node, _how(value, target))
            if len(bulk) > begin:
                runs.append((begin, source, target, node))
                if target.__class__ is list:
                    self._options(source, target, node)

    def _options(self, source: Any, target: list[Any], node: Any) -> None:
        """The values of command-line options in a list of arguments, such as `sys.argv`."""
        for index, value in enumerate(source[:-1]):
            if value.__class__ is str and value[:1] == "-" and "=" not in value:
                following = source[index + 1]
                if (
                    isinstance(following, str)
                    and following[:1] != "-"
                    and self.scrubber.keys[value.lstrip("-")] == DENIED
                ):
                    self._filter(following, target, index + 1, node)

    def _dict(self, source: Any, target: dict[Any, Any], node: Any, mode: int) -> None:
        """A dict in which some key says something."""
        named = PLAIN
        if not _VALUES.isdisjoint(source):
            named = self._named(source)
        self._keys.update(source)
        if mode != IN_TEXTS:
            self._fresh.update(source.keys() - self.scrubber.keys.plain - self.scrubber.keys.special.keys())
        under = _UNDER[mode]
        for key, value in source.items():
            verdict = PLAIN if mode == IN_TEXTS else (key in _VALUES and named) or self._verdict(key) or under
            kept = key if key.__class__ is str else self._key(key, target)
            if verdict:
                self._under(verdict, value, target, kept, node, source)
            else:
                self._value(value, target, kept, node, mode if mode == IN_TEXTS else BY_KEYS)

    def _list(self, source: Any, target: list[Any], node: Any, mode: int) -> None:
        """A list that stands where its place says something."""
        verdict = _UNDER[mode]
        for index, value in enumerate(source):
            target.append(None)
            if mode == IN_PAIR:
                verdict = self._verdict_of_name(source[0]) if index else PLAIN
            if verdict and not (mode == IN_COOKIES and isinstance(value, (list, tuple))):
                self._under(verdict, value, target, index, node, None)
            elif mode == IN_COOKIES:  # pairs of names and values
                is_pair = isinstance(value, (list, tuple)) and len(value) == 2
                self._value(value, target, index, node, IN_COOKIE_PAIR if is_pair else IN_COOKIES)
            elif mode == IN_COOKIE_PAIR and index:
                self._under(self._verdict_of_name(source[0]) or _COOKIE, value, target, index, node, None)
            else:
                self._value(value, target, index, node, IN_TEXTS if mode == IN_TEXTS else _how(value, target))

    def _verdict(self, key: Any) -> int:
        own = self._special.get(key)
        return self.scrubber.keys.known(key) if own is None else own

    def _under(self, verdict: int, value: Any, target: Any, key: Any, node: Any, source: Any) -> None:
        """A value whose key says something about it."""
        if verdict == DENIED:
            if value is None or value is True or value is False:
                target[key] = value
            elif self.scrubber.allows_paths and self.scrubber.allows_path(_path(node, key)):
                self._value(value, target, key, node, BY_KEYS)
            else:
                self._filter(value, target, key, node)
        elif verdict == ADDRESS:
            self._value(self._without_addresses(value, key, node), target, key, node, IN_ADDRESSES)
        elif verdict == COOKIES:
            if isinstance(value, (str, bytes)) and (not isinstance(source, dict) or len(value) > 0):
                self._filter(value, target, key, node)
            else:
                self._value(value, target, key, node, IN_COOKIES)
        elif verdict == _COOKIE:
            if isinstance(value, (str, bytes)) and len(value) >= _LONGEST_COOKIE:
                self._filter(value, target, key, node)
            else:
                self._value(value, target, key, node, BY_KEYS)
        else:  # MAYBE
            beside = isinstance(source, dict) and any(name in source for name in _VALUES)
            if isinstance(value, (str, bytes)) and not beside and _looks_random(value):
                self._filter(value, target, key, node)
            else:
                self._value(value, target, key, node, BY_KEYS)

    def _without_addresses(self, value: Any, key: Any, node: Any) -> Any:
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        spans = list(address_spans(text)) if isinstance(text, str) else []
        if not spans:
            return value
        for start, end in reversed(spans):
            text = text[:start] + FILTERED + text[end:]
        self._notes.append((node, key, "@ip"))
        return text

    def _filter(self, value: Any, target: Any, key: Any, node: Any) -> None:
        target[key] = FILTERED
        if value.__class__ is not str or value != FILTERED:
            self._notes.append((node, key, PASSWORD))

    def _value(self, value: Any, target: Any, key: Any, node: Any, mode: int) -> None:
        """Any value at all."""
        if isinstance(value, str):
            value = value if value.__class__ is str else str.__str__(value)
            target[key] = value
            self._single.append(value)
            self._slots.append((target, key, node))
        elif value is None or isinstance(value, (bool, int, float)):
            target[key] = _number(value)
        elif isinstance(value, (dict, list, tuple)):
            self._container(value, target, key, node, mode)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            raw = bytes(value)
            target[key] = raw
            self._single.append(raw.decode("latin-1"))
            self._slots.append((target, key, node))
        elif self._lenient:
            self._object(value, target, key, node)
        else:
            target[key] = type_name(value)

    def _container(self, value: Any, target: Any, key: Any, node: Any, mode: int) -> None:
        if id(value) in self._seen:
            self._copies += 1
            above = node
            while above is not None:
                if above[2] is value:
                    target[key] = CYCLE
                    return
                above = above[0]
            if self._copies > _MAX_COPIES:
                target[key] = type_name(value)
                return
        self._seen.add(id(value))
        new: Any = {} if isinstance(value, dict) else []
        target[key] = new
        if isinstance(value, tuple):
            self._tuples.append((target, key, new))
            if mode == BY_KEYS:
                mode = _how(value, target)
        self._work.append((value, new, (node, key, value), mode))

    def _object(self, value: Any, target: Any, key: Any, node: Any) -> None:
        """An object in an event that the SDK has yet to serialise."""
        if type(value).__module__ in _PLAIN_MODULES:
            target[key] = value
        elif hasattr(value, "value") and hasattr(value, "metadata"):  # the SDK's AnnotatedValue
            holder: list[Any] = [None]
            self._wrapped.append((target, key, (value, holder)))
            target[key] = value
            self._value(value.value, holder, 0, (node, key, value), BY_KEYS)
        else:
            try:
                shown = repr(value)
            except Exception:
                shown = type_name(value)
            target[key] = shown
            self._single.append(shown)
            self._slots.append((target, key, node))

    def _named(self, source: Any) -> int:
        """What the name in `{"name": ..., "value": ...}` says of the value."""
        for name in _NAMES:
            given = source.get(name)
            if isinstance(given, (str, bytes)):
                return self._verdict_of_name(given)
        return PLAIN

    def _verdict_of_name(self, name: Any) -> int:
        if not isinstance(name, (str, bytes)) or len(name) > _MAX_NAME:
            return PLAIN
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        shown = _REPR.match(text)  # frame variables hold reprs
        verdict = self.scrubber.keys[shown[2] if shown else text]
        return PLAIN if verdict == MAYBE else verdict

    def _key(self, key: Any, target: dict[Any, Any]) -> Any:
        """A key that is no plain string, as JSON-like values have them."""
        if key is None or isinstance(key, (bool, int, float, bytes)):
            return key
        if isinstance(key, str):
            return str.__str__(key)
        return _unused(type_name(key), target)

    # --- the texts ---------------------------------------------------------------------------------------------------

    def finish(self, taint: Taint | None = None, path: tuple[str | int, ...] = ()) -> list[Redaction]:
        """Apply the rules and the taint to all texts, and report what was redacted."""
        merges = self._walk()
        rules, renamed = self.scrubber.texts, self.renamed
        bulk, single, given = self._bulk, self._single, self._given
        names = self._names(tainted=bool(taint))
        texts = [*bulk, *single, *(text for text, *_ in given), *(shown for _, shown in names)]
        begins = [run[0] for run in self._runs]
        first, second, third = len(bulk), len(bulk) + len(single), len(bulk) + len(single) + len(given)
        unclean = set()
        for index, bits in rules.suspects(texts, taint).items():
            text, ids = rules.rewrite(texts[index], bits, taint)
            if not ids:
                continue
            if index < first:
                self._put(self._slot(begins, index), text, ids)
            elif index < second:
                self._put(self._slots[index - first], text, ids)
            elif index < third:
                self._put(given[index - second][1:], text, ids)
            else:
                name = names[index - third][0]
                renamed[name] = text
                unclean.add(name)
        self.scrubber.keys.remember(self._fresh - unclean)
        self._finish_fixed()
        for target, key, built in reversed(self._tuples):  # what is inside was built later
            target[key] = tuple(built)
        for target, key, (wrapper, holder) in self._wrapped:
            target[key] = _rewrapped(wrapper, holder[0])
        if renamed:
            for _, holder, key, _, _ in self._entries:
                if key is not _MEMBERS:
                    rename_keys(holder[key], renamed)
        for source, target, holder in merges:
            _merge(source, target, holder, renamed)
        return self._report(path, renamed)

    def _names(self, *, tainted: bool) -> list[tuple[Any, str]]:
        """The keys to look at as texts: those that nobody has met, and all where a taint has to be looked for."""
        names = self._keys if tainted else self._fresh
        return [
            (name, name if isinstance(name, str) else name.decode("latin-1"))
            for name in names
            if isinstance(name, (str, bytes)) and len(name) >= _SHORTEST
        ]

    def _slot(self, begins: list[int], index: int) -> tuple[Any, Any, Any]:
        """Where a text of a container without meaning keys stands: it is the n-th text there."""
        begin, source, target, node = self._runs[bisect_right(begins, index) - 1]
        items = source.items() if isinstance(source, dict) else enumerate(source)
        places = (key for key, value in items if value.__class__ is str)
        return target, next(islice(places, index - begin, None)), node

    def _finish_fixed(self) -> None:
        """The protocol's texts, of which those that are harmless are remembered: they are the same in each event."""
        rules, texts, known = self.scrubber.texts, self._fixed, self.scrubber.texts.clean_lines
        changed = set()
        for index, bits in rules.suspects(texts).items():
            text, ids = rules.rewrite(texts[index], bits)
            if ids:
                self._put(self._fixed_slots[index], text, ids)
                changed.add(index)
        for index, text in enumerate(texts):
            if len(known) >= _KNOWN:
                break
            if len(text) <= _KNOWN_LENGTH and index not in changed:
                known.add(text)

    def _put(self, slot: tuple[Any, Any, Any], text: str, ids: list[str]) -> None:
        target, key, node = slot
        held = target[key]
        if held.__class__ is str and held == FILTERED:
            return  # the value of a command-line option
        target[key] = text.encode("latin-1", "replace") if held.__class__ is bytes else text
        self._notes.extend((node, key, rule) for rule in ids)

    def _report(self, path: tuple[str | int, ...], renamed: dict[Any, str]) -> list[Redaction]:
        found: dict[Redaction, None] = {}
        for node, key, rule in (*self._own_notes, *self._notes):
            where = _path(node, key)
            if renamed:
                where = tuple(renamed.get(step, step) for step in where)
            found[Redaction(path + where, rule)] = None
        return list(found)


_MAX_NAME = 200
_KNOWN, _KNOWN_LENGTH = 4096, 200
_COOKIE = 5
_UNDER = {
    BY_KEYS: PLAIN,
    IN_COOKIES: _COOKIE,
    IN_ADDRESSES: ADDRESS,
    IN_PAIR: PLAIN,
    IN_TEXTS: PLAIN,
    IN_COOKIE_PAIR: PLAIN,
}
_SCALARS = frozenset({int, float, bool, type(None)})
_PLAIN_MODULES = frozenset({"datetime", "uuid", "decimal"})


def _how(value: Any, target: Any) -> int:
    """A pair of a name and a value is one where it stands in a list, or is a tuple."""
    is_pair = (
        (isinstance(value, tuple) or (isinstance(value, list) and target.__class__ is list))
        and len(value) == 2
        and isinstance(value[0], (str, bytes))
    )
    return IN_PAIR if is_pair else BY_KEYS


def _looks_random(value: str | bytes) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    shown = _REPR.match(text[:1000])
    return _OPAQUE.match(shown[2] if shown else text[:1000]) is not None


def _number(value: Any) -> Any:
    if value.__class__ in {int, float, bool, type(None)}:
        return value
    return float.__float__(value) if isinstance(value, float) else int.__int__(value)


def type_name(value: object) -> str:
    """What is shown in place of an object that JSON does not have."""
    kind = type(value)
    module = kind.__module__
    return f"<{kind.__qualname__}>" if module == "builtins" else f"<{module}.{kind.__qualname__}>"


def _rewrapped(wrapper: Any, value: Any) -> Any:
    try:
        return wrapper if wrapper.value is value else type(wrapper)(value, wrapper.metadata)
    except Exception:
        return FILTERED


def rename_keys(value: Any, renamed: dict[Any, str]) -> None:
    """Give keys that held a secret their new names, in place and in order, in a value that was just built."""
    stack = [value]
    while stack:
        value = stack.pop()
        if value.__class__ is dict:
            stack.extend(value.values())
            if not renamed.keys().isdisjoint(value):
                items = list(value.items())
                value.clear()
                for key, inner in items:
                    value[_unused(renamed[key], value) if key in renamed else key] = inner
        elif isinstance(value, (list, tuple)):
            stack.extend(value)


def _merge(source: Any, target: Any, holder: Any, renamed: dict[Any, str]) -> None:
    """Put the scrubbed members of an object where they came from; the order of keys stays unless one has to change."""
    for old, (new, value) in zip(source, list(target.items()), strict=True):
        name: Any = renamed.get(new, new) if renamed else new
        if name != old:
            del holder[old]
            name = _unused(name, holder)
        holder[name] = value
    if renamed:
        for value in target.values():
            rename_keys(value, renamed)


def _unused(name: str, target: dict[Any, Any]) -> str:
    number = 2
    unused = name
    while unused in target:
        unused = f"{name} {number}"
        number += 1
    return unused


def _path(node: Any, key: Any) -> tuple[Any, ...]:
    steps = [key]
    while node is not None:
        steps.append(node[1])
        node = node[0]
    return tuple(reversed(steps))
