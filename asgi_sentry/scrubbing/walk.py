"""The walk over JSON-like values: a new value is built, keys decide on the way, texts are gathered for the rules.

Containers wait in a list rather than on Python's stack, so any depth is safe. A container that is met again is a cycle
if it lies above itself, and else is copied anew, up to a bound, for a few shared lists can unfold to any size.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry.scrubbing.keys import ADDRESS, COOKIES, DENIED, MAYBE, PLAIN
from asgi_sentry.scrubbing.pairs import FILTERED, PASSWORD, address_spans

if TYPE_CHECKING:
    from collections.abc import Sequence

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
IN_TEXTS = 4  # keys decide nothing: names of modules and their versions

_NAMES = ("name", "key", "field", "header", "param", "parameter", "variable", "label", "k", "Name", "Key")
_VALUES = ("value", "val", "v", "Value")
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
        "_copies", "_fixed", "_fixed_slots", "_merges", "_free", "_free_slots", "_keys", "_lenient", "_notes", "_roots", "_seen",
        "_tuples", "_verdicts", "_wrapped", "renamed", "scrubber",
    )  # fmt: skip

    def __init__(self, scrubber: Scrubber, *, lenient: bool = False) -> None:
        self.scrubber = scrubber
        self._verdicts = scrubber.keys
        self._lenient = lenient
        self._free: list[str] = []
        self._free_slots: list[tuple[Any, Any, Any]] = []
        self._fixed: list[str] = []
        self._fixed_slots: list[tuple[Any, Any, Any]] = []
        self._merges: list[tuple[dict[Any, Any], dict[Any, Any], dict[Any, Any]]] = []
        self._keys: set[Any] = set()
        self.renamed: dict[Any, str] = {}
        self._seen: set[int] = set()
        self._copies = 0
        self._tuples: list[tuple[Any, Any, list[Any]]] = []
        self._wrapped: list[tuple[Any, Any, Any]] = []
        self._notes: list[tuple[Any, Any, str]] = []
        self._roots: list[tuple[Any, Any]] = []

    def add(self, value: Any, holder: Any, key: Any, node: Any, mode: int = BY_KEYS) -> None:
        """Put the scrubbed `value` at `holder[key]`; its texts follow when the walk is finished."""
        self._roots.append((holder, key))
        work: list[tuple[Any, Any, Any, int]] = []
        self._value(value, holder, key, node, mode, work)
        self._drain(work)

    def _drain(self, work: list[tuple[Any, Any, Any, int]]) -> None:
        while work:
            source, target, above, how = work.pop()
            if target.__class__ is dict:
                self._dict(source, target, above, how, work)
            else:
                self._list(source, target, above, how, work)

    def members(self, source: dict[Any, Any], holder: dict[Any, Any], node: Any, mode: int = BY_KEYS) -> None:
        """Scrub some members of `holder`, which stands at `node`, in place."""
        target: dict[Any, Any] = {}
        work: list[tuple[Any, Any, Any, int]] = []
        self._dict(source, target, node, mode, work)
        self._drain(work)
        self._merges.append((source, target, holder))

    def text(self, value: str, holder: Any, key: Any, node: Any) -> None:
        """A text that is no part of a container to walk."""
        self._free.append(value)
        self._free_slots.append((holder, key, node))

    def fixed(self, value: str, holder: Any, key: Any, node: Any) -> None:
        """A text of the protocol's, which taint never touches."""
        if len(value) >= _SHORTEST:
            self._fixed.append(value)
            self._fixed_slots.append((holder, key, node))

    def note(self, node: Any, key: Any, rule: str) -> None:
        """Something was redacted by whoever calls."""
        self._notes.append((node, key, rule))

    def _dict(self, source: Any, target: dict[Any, Any], node: Any, mode: int, work: list[Any]) -> None:
        verdicts, texts, slots, seen = self._verdicts, self._free, self._free_slots, self._seen
        named = PLAIN
        if "value" in source or "Value" in source or "val" in source:
            named = self._named(source)
        self._keys.update(source)
        special = mode != BY_KEYS or named
        for key, value in source.items():
            cls = value.__class__
            if key.__class__ is not str:
                key = self._key(key, target)
            verdict = verdicts[key]
            if special:
                verdict = PLAIN if mode == IN_TEXTS else (key in _VALUES and named) or verdict or _UNDER[mode]
            if verdict:
                self._under(verdict, value, target, key, node, work, source)
            elif cls is str:
                target[key] = value
                if len(value) >= _SHORTEST:
                    texts.append(value)
                    slots.append((target, key, node))
            elif value is None or cls is int or cls is bool or cls is float:
                target[key] = value
            elif cls is dict and id(value) not in seen:
                seen.add(id(value))
                new: Any = {}
                target[key] = new
                work.append((value, new, (node, key, value), mode if mode == IN_TEXTS else BY_KEYS))
            else:
                self._value(value, target, key, node, mode if mode == IN_TEXTS else BY_KEYS, work)

    def _list(self, source: Any, target: list[Any], node: Any, mode: int, work: list[Any]) -> None:
        texts, slots = self._free, self._free_slots
        verdict = _UNDER[mode]
        option = PLAIN  # whether the item before was a command-line option whose value follows
        for index, value in enumerate(source):
            cls = value.__class__
            if mode == IN_PAIR:
                verdict = self._verdict_of_name(source[0]) if index else PLAIN
            if verdict or option:
                target.append(None)
                self._under(verdict or option, value, target, index, node, work, None)
                option = PLAIN
            elif cls is str:
                target.append(value)
                if len(value) >= _SHORTEST:
                    texts.append(value)
                    slots.append((target, index, node))
                    if value[0] == "-" and "=" not in value and self._verdicts[value.lstrip("-")] == DENIED:
                        following = source[index + 1] if index + 1 < len(source) else None
                        option = DENIED if isinstance(following, str) and following[:1] != "-" else PLAIN
            elif value is None or cls is int or cls is bool or cls is float:
                target.append(value)
            else:
                target.append(None)
                how = mode if mode == IN_TEXTS else BY_KEYS
                if how == BY_KEYS and cls in _SEQUENCES and len(value) == 2 and isinstance(value[0], (str, bytes)):
                    how = IN_PAIR
                self._value(value, target, index, node, how, work)

    def _under(self, verdict: int, value: Any, target: Any, key: Any, node: Any, work: list[Any], source: Any) -> None:
        """A value whose key says something about it."""
        if verdict == DENIED:
            if value is None or value is True or value is False:
                target[key] = value
            elif self.scrubber.allows_paths and self.scrubber.allows_path(_path(node, key)):
                self._value(value, target, key, node, BY_KEYS, work)
            else:
                self._filter(value, target, key, node)
        elif verdict == ADDRESS:
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            if isinstance(text, str):
                spans = list(address_spans(text))
                for start, end in reversed(spans):
                    text = text[:start] + FILTERED + text[end:]
                if spans:
                    self._notes.append((node, key, "@ip"))
                    value = text
            self._value(value, target, key, node, IN_ADDRESSES, work)
        elif verdict == COOKIES:
            if isinstance(value, (str, bytes)) and (not isinstance(source, dict) or len(value) > 0):
                self._filter(value, target, key, node)
            else:
                self._value(value, target, key, node, IN_COOKIES, work)
        elif verdict == _COOKIE:
            if isinstance(value, (str, bytes)) and len(value) >= _LONGEST_COOKIE:
                self._filter(value, target, key, node)
            else:
                self._value(value, target, key, node, BY_KEYS, work)
        else:  # MAYBE
            beside = isinstance(source, dict) and any(name in source for name in _VALUES)
            if isinstance(value, (str, bytes)) and not beside and _looks_random(value):
                self._filter(value, target, key, node)
            else:
                self._value(value, target, key, node, BY_KEYS, work)

    def _filter(self, value: Any, target: Any, key: Any, node: Any) -> None:
        target[key] = FILTERED
        if value.__class__ is not str or value != FILTERED:
            self._notes.append((node, key, PASSWORD))

    def _value(self, value: Any, target: Any, key: Any, node: Any, mode: int, work: list[Any]) -> None:
        """Any value at all."""
        if isinstance(value, str):
            value = value if value.__class__ is str else str.__str__(value)
            target[key] = value
            if len(value) >= _SHORTEST:
                self._free.append(value)
                self._free_slots.append((target, key, node))
        elif value is None or isinstance(value, (bool, int, float)):
            target[key] = _number(value)
        elif isinstance(value, (dict, list, tuple)):
            self._container(value, target, key, node, mode, work)
        elif isinstance(value, (bytes, bytearray, memoryview)):
            raw = bytes(value)
            target[key] = raw
            self._free.append(raw.decode("latin-1"))
            self._free_slots.append((target, key, node))
        elif self._lenient:
            self._object(value, target, key, node)
        else:
            target[key] = type_name(value)

    def _container(self, value: Any, target: Any, key: Any, node: Any, mode: int, work: list[Any]) -> None:
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
            if mode == BY_KEYS and len(value) == 2 and isinstance(value[0], (str, bytes)):
                mode = IN_PAIR
        work.append((value, new, (node, key, value), mode))

    def _object(self, value: Any, target: Any, key: Any, node: Any) -> None:
        """An object in an event that the SDK has yet to serialise."""
        if type(value).__module__ in _PLAIN_MODULES:
            target[key] = value
        elif hasattr(value, "value") and hasattr(value, "metadata"):  # the SDK's AnnotatedValue
            holder: list[Any] = [None]
            self._wrapped.append((target, key, (value, holder)))
            target[key] = value
            self.add(value.value, holder, 0, (node, key, value))
        else:
            try:
                shown = repr(value)
            except Exception:
                shown = type_name(value)
            self.text(shown, target, key, node)
            target[key] = shown

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
        verdict = self._verdicts[shown[2] if shown else text]
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
        rules = self.scrubber.texts
        names = [name for name in self._keys if isinstance(name, (str, bytes)) and len(name) >= _SHORTEST]
        shown = [name if isinstance(name, str) else name.decode("latin-1") for name in names]
        texts = self._free
        count = len(texts)
        texts += shown
        renamed = self.renamed
        for index, bits in rules.suspects(texts, taint).items():
            text, ids = rules.rewrite(texts[index], bits, taint)
            if not ids:
                continue
            if index >= count:
                renamed[names[index - count]] = text
            else:
                self._put(self._free_slots[index], text, ids)
        self._finish_fixed()
        for target, key, built in reversed(self._tuples):  # what is inside was built later
            target[key] = tuple(built)
        for target, key, (wrapper, holder) in self._wrapped:
            target[key] = _rewrapped(wrapper, holder[0])
        if renamed:
            for target, key in self._roots:
                rename_keys(target[key], renamed)
        for source, target, holder in self._merges:
            _merge(source, target, holder, renamed)
        return self._report(path, renamed)

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
        target[key] = text.encode("latin-1", "replace") if held.__class__ is bytes else text
        self._notes.extend((node, key, rule) for rule in ids)

    def _report(self, path: tuple[str | int, ...], renamed: dict[Any, str]) -> list[Redaction]:
        found: dict[Redaction, None] = {}
        for node, key, rule in self._notes:
            where = _path(node, key)
            if renamed:
                where = tuple(renamed.get(step, step) for step in where)
            found[Redaction(path + where, rule)] = None
        return list(found)


_MAX_NAME = 200
_KNOWN, _KNOWN_LENGTH = 4096, 200
_COOKIE = 5
_UNDER = {BY_KEYS: PLAIN, IN_COOKIES: _COOKIE, IN_ADDRESSES: ADDRESS, IN_PAIR: PLAIN, IN_TEXTS: PLAIN}
_SEQUENCES = frozenset({list, tuple})
_PLAIN_MODULES = frozenset({"datetime", "uuid", "decimal"})


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
                    new = renamed.get(key, key)
                    value[_unused(new, value) if key in renamed else new] = inner
        elif isinstance(value, (list, tuple)):
            stack.extend(value)


def _merge(source: Any, target: Any, holder: Any, renamed: dict[Any, str]) -> None:
    """Put the scrubbed members of an object where they came from; the order of keys stays unless one has to change."""
    for old, (new, value) in zip(source, list(target.items()), strict=True):
        name = renamed.get(new, new) if renamed else new
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
