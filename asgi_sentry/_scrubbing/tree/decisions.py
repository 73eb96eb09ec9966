"""What keys, names and places say about the values under them.

What is denied is redacted, whatever it is. What lies above decides first. A container that was
redacted as a whole is not looked into any more.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing import terms
from asgi_sentry._scrubbing.keys import (
    ADDRESS,
    BESIDE,
    COOKIES,
    DENIED,
    JWK_MEMBERS,
    LOOKED,
    MAYBE,
    MEMBERS,
    PLAIN,
    TWINS,
    VALUE_KEYS,
    is_no_secret,
)
from asgi_sentry._scrubbing.text.commands import argument_spans, option_values
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD, address_spans
from asgi_sentry._scrubbing.text.sql import secret_parameters
from asgi_sentry._scrubbing.tree.gather import TEXTS
from asgi_sentry._scrubbing.tree.notes import path_of
from asgi_sentry._scrubbing.tree.plain import SCALARS, Rebuilt
from asgi_sentry._scrubbing.tree.reprs import is_random, looks_opaque, without_spans

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.tree.gather import Tree
    from asgi_sentry._scrubbing.tree.notes import Notes

# How the members of a container are read; what is under a key may say more.
BY_KEYS, IN_COOKIES, IN_ADDRESSES, IN_COOKIE_PAIR, IN_DESCRIBED = range(5)
COOKIE = 5  # beside the verdicts of `keys`: the value of a cookie of any name
_UNDER = (PLAIN, COOKIE, ADDRESS, PLAIN, LOOKED)
LONGEST_COOKIE = 16  # the same length that taint has for a cookie of any name

_VALUES = frozenset((*VALUE_KEYS, *BESIDE))
_BESIDE = frozenset(terms.VALUES)
# Variables that hold a statement, and those that hold its parameters.
_STATEMENTS = ("statement", "sql", "query", "str_statement", "stmt", "operation", "q")
_PARAMETERS = ("parameters", "params", "effective_parameters", "multiparams", "bind_params")
_MESSAGES = frozenset(
    {"required", "invalid", "missing", "expired", "blank", "mismatch", "unknown", "forbidden"}
)
# A text, or what is shown of one, of which nothing is left to look at.
_ALL_FILTERED = frozenset({FILTERED, f"'{FILTERED}'", f"b'{FILTERED}'"})
_STRINGS = frozenset({str})
_CONTAINERS = frozenset({dict, list, Rebuilt})


class Decisions:
    """Redacts by keys, names and places in the containers of one walk.

    Args:
        ruleset: whose key terms decide.
        tree: the containers.
        notes: takes what is redacted.
        hot: the keys in them that say something, and what.

    Attributes:
        gone: texts that were redacted, and how often.
        late: addresses were taken out of these texts, so that the rules look at them once more:
            each with the number of its container, and its key there.
        secrets: texts that were redacted because of their names.
        whole: containers that were redacted as a whole, and texts that were because of their look
            and place.
        cut: whether containers were redacted as a whole.
    """

    __slots__ = (
        "_alive", "_dead", "_hot", "_notes", "_read", "_ruleset", "_standing", "_tree",
        "cut", "gone", "late", "secrets", "whole",
    )  # fmt: skip

    def __init__(self, ruleset: Ruleset, tree: Tree, notes: Notes, hot: dict[Any, int]) -> None:
        self._ruleset = ruleset
        self._tree = tree
        self._notes = notes
        self._hot = hot
        self._read: set[int] = set()
        self._alive: set[int] = set()
        self._dead: set[int] = set()
        self._standing = {number for _, _, number in tree.shared}
        self.gone: dict[str, int] = {}
        self.late: list[tuple[str, int, Any]] = []
        self.secrets: list[str] = []
        self.whole: list[Any] = []
        self.cut = False

    def decide(self) -> None:
        """Redact what is denied."""
        work, hot, odd = self._tree.containers, self._hot, self._tree.odd
        if hot:
            marked = [number for number in odd if not hot.keys().isdisjoint(work[number])]
        else:
            marked = []
        of_shown = self._ruleset.keys.of_shown
        above = self._tree.above
        pairs = {
            number: verdict
            for number in self._tree.pairs
            if (verdict := of_shown(work[number][0])) and above[number][1] != "loc"
        }
        modes = self._tree.modes
        if modes or pairs:
            marked = sorted({*marked, *modes, *pairs})
        denied = [key for key, verdict in hot.items() if verdict == DENIED]
        others = hot.keys() - denied
        for first in marked:
            if first in self._read or self.is_cut_off(first):
                continue
            source = work[first]
            if first in modes:
                self._read_within(first, modes[first], pairs)
            elif source.__class__ is dict and others.isdisjoint(source):  # what is usual, in short
                for key in denied:
                    if key in source:
                        self._deny(first, key, source[key])
            elif pairs.get(first) == DENIED:
                self._deny(first, 1, source[1])
            else:
                self._read_within(first, BY_KEYS, pairs)

    def gone_everywhere(self) -> set[str]:
        """Texts that were redacted and stand nowhere else, so that nobody has to look at them."""
        gone = self.gone
        if not gone:
            return set()
        standing = Counter(filter(gone.__contains__, self._tree.texts))
        return {text for text, often in gone.items() if standing[text] == often}

    def is_cut_off(self, number: int) -> bool:
        """Whether a container lies within one that was redacted as a whole, and nowhere else."""
        if not self.cut:
            return False
        above, work, standing = self._tree.above, self._tree.containers, self._standing
        chain = []
        dead = False
        while number not in self._alive:
            if number in self._dead:
                dead = True
                break
            chain.append(number)
            parent, key = above[number]
            if parent < 0 or number in standing:
                break
            if work[parent][key] is not work[number]:
                dead = True
                break
            number = parent
        (self._dead if dead else self._alive).update(chain)
        return dead

    # --- reading ----------------------------------------------------------------------------------

    def _read_within(self, first: int, mode: int, pairs: dict[int, int]) -> None:
        """Read a container, and those within it about which it says something."""
        todo = [(first, mode)]
        while todo:
            number, mode = todo.pop()
            self._read.add(number)
            source = self._tree.containers[number]
            if source.__class__ is dict:
                self._read_dict(number, source, mode, todo)
            else:
                self._read_list(number, source, mode, todo, pairs.get(number, PLAIN))

    def _read_dict(
        self, number: int, source: dict[Any, Any], mode: int, todo: list[tuple[int, int]]
    ) -> None:
        named = {} if _VALUES.isdisjoint(source) else self._named(source)
        hot, under = self._hot, _UNDER[mode]
        if mode == IN_DESCRIBED and "object" in source:
            under = PLAIN  # a resource, whose ids are no secrets
        for key, value in list(source.items()):
            verdict = named.get(key) or hot.get(key) or under
            if mode == IN_DESCRIBED and key in MEMBERS and value.__class__ in TEXTS:
                verdict = DENIED
            if verdict == DENIED and key == "token" and "logprob" in source:
                continue  # a token of a language model's, beside its probability
            if under == ADDRESS and key.__class__ is str and key.endswith("version"):
                continue
            if verdict == MAYBE:
                if value.__class__ in TEXTS and looks_opaque(value) and _BESIDE.isdisjoint(source):
                    self._filter(number, key, value, by_name=False)
            elif verdict and not (verdict == COOKIES and value.__class__ in TEXTS and not value):
                self._under(verdict, number, key, value, todo)

    def _read_list(
        self, number: int, source: list[Any], mode: int, todo: list[tuple[int, int]], of_name: int
    ) -> None:
        """A list whose place says something, or a pair of a telling name and a value."""
        if mode == IN_COOKIE_PAIR:
            self._under(self._verdict_of_name(source[0]) or COOKIE, number, 1, source[1], todo)
        elif mode == IN_COOKIES:
            for index, value in enumerate(source):
                # Pairs of names and values.
                if value.__class__ is list or value.__class__ is Rebuilt:
                    todo.append(
                        (self._child(value), IN_COOKIE_PAIR if len(value) == 2 else IN_COOKIES)
                    )
                else:
                    self._under(COOKIE, number, index, value, todo)
        elif mode == IN_ADDRESSES:
            for index, value in enumerate(source):
                self._under(ADDRESS, number, index, value, todo)
        elif of_name:
            self._under(of_name, number, 1, source[1], todo)

    def read_options(self) -> None:
        """Redact the values of command-line options in lists of arguments, such as `sys.argv`."""
        for number, source in enumerate(self._tree.containers):
            if source.__class__ is not dict and not self.is_cut_off(number):
                if _STRINGS.issuperset(map(type, source)):
                    for index, start, end in argument_spans(list(source), self._ruleset.keys):
                        self._filter_within(number, index, source[index], start, end)
                for index in option_values(list(source), self._ruleset.keys):
                    self._filter(number, index, source[index])

    def _under(
        self, verdict: int, number: int, key: Any, value: Any, todo: list[tuple[int, int]]
    ) -> None:
        """A value whose key says something about it."""
        is_text = value.__class__ in TEXTS
        if verdict == DENIED:
            self._deny(number, key, value)
        elif verdict == ADDRESS:
            if is_text:
                self._without_addresses(number, key, value)
            elif value.__class__ in _CONTAINERS:
                todo.append((self._child(value), IN_ADDRESSES))
        elif verdict == COOKIES:
            if is_text:
                self._filter(number, key, value)
            elif value.__class__ in _CONTAINERS:
                todo.append((self._child(value), IN_COOKIES))
        elif verdict == LOOKED:
            if is_text and is_random(value):
                self._filter(number, key, value, by_name=False)
        elif is_text and len(value) >= LONGEST_COOKIE:
            self._filter(number, key, value, by_name=False)

    def _child(self, value: Any) -> int:
        return self._tree.numbers[id(value)]

    def _named(self, source: dict[Any, Any]) -> dict[str, int]:
        """What `{"name": ..., "value": ...}` says of the value.

        So does a validator's `{"loc": [...], "input": ...}`.
        """
        named: dict[str, int] = {}
        if "parameters" in source or "params" in source:
            self._read_parameters(source)
        if "kty" in source:
            named.update(dict.fromkeys(JWK_MEMBERS, DENIED))
        for second, first in TWINS.items():
            if second in source:
                named[first] = LOOKED
        where = source.get("loc")
        if where.__class__ is list or where.__class__ is Rebuilt:
            last = next((step for step in reversed(where) if step.__class__ is str), "")
            named["input"] = self._verdict_of_name(last)
        for name in terms.NAMES:
            given = source.get(name)
            if given.__class__ in TEXTS:
                verdict = self._verdict_of_name(given)
                if verdict:
                    named.update(dict.fromkeys(terms.VALUES, verdict))
                    if name == "k":
                        named["v"] = verdict
                    break
        return named

    def _read_parameters(self, source: dict[Any, Any]) -> None:
        """Redact a statement's parameters, as frames of SQLAlchemy and Django have them."""
        for name in _STATEMENTS:
            statement = source.get(name)
            if statement.__class__ is str:
                secret = secret_parameters(statement, self._ruleset.keys)
                if secret.width:
                    break
        else:
            return
        rows = [source[name] for name in _PARAMETERS if name in source]
        while rows and secret.width:
            row = rows.pop()
            if row.__class__ not in _CONTAINERS or id(row) not in self._tree.numbers:
                continue
            number = self._child(row)
            for key, value in list(row.items() if row.__class__ is dict else enumerate(row)):
                if value.__class__ in _CONTAINERS:
                    rows.append(value)
                elif key in secret.names or (
                    row.__class__ is not dict and key % secret.width in secret.positions
                ):
                    self._deny_value(number, key, value)

    def _deny_value(self, number: int, key: Any, value: Any) -> None:
        if value is not None and value is not True and value is not False:
            self._filter(number, key, value)

    def _verdict_of_name(self, name: Any) -> int:
        if name.__class__ in TEXTS:
            return self._ruleset.keys.of_shown(name)
        return PLAIN

    # --- redacting --------------------------------------------------------------------------------

    def _deny(self, number: int, key: Any, value: Any) -> None:
        if value is None or value is True or value is False:
            return
        source = self._tree.containers[number]
        name = key
        if source.__class__ is not dict:
            name = source[0] if len(source) == 2 else ""
            if value.__class__ is str and value in _MESSAGES:
                return  # what a validator says of a field
        if value.__class__ is str:
            if is_no_secret(name, value):
                return
        elif self._ruleset.keys.spares(name, value):
            return
        elif value.__class__ is dict and self._ruleset.keys.describes(name, value):
            self._read_within(self._child(value), IN_DESCRIBED, {})
            return
        if self._ruleset.places:
            path = (*path_of(self._tree.place(number)), key)
            if self._ruleset.allows(path):
                return
        self._filter(number, key, value)

    def _filter(self, number: int, key: Any, value: Any, *, by_name: bool = True) -> None:
        """Redact a value by its name, or else by its look and place."""
        if value.__class__ is str:
            if value == FILTERED:
                return
            self.gone[value] = self.gone.get(value, 0) + 1
            (self.secrets if by_name else self.whole).append(value)
        elif value.__class__ is bytes:
            (self.secrets if by_name else self.whole).append(value.decode("latin-1"))
        elif value.__class__ not in SCALARS:
            self.cut = True
            self.whole.append(value)
        self._tree.containers[number][key] = FILTERED
        self._notes.add(self._tree.place(number), key, PASSWORD)

    def _filter_within(self, number: int, index: int, value: str, start: int, end: int) -> None:
        """Redact a part of an argument, such as the password in `-phunter2`."""
        self._tree.containers[number][index] = value[:start] + FILTERED + value[end:]
        self._notes.add(self._tree.place(number), index, PASSWORD)

    def _without_addresses(self, number: int, key: Any, value: str | bytes) -> None:
        text = value if isinstance(value, str) else value.decode("latin-1")
        spans = list(address_spans(text))
        if spans:
            self.gone[text] = self.gone.get(text, 0) + 1
            text = without_spans(text, spans)
            self._tree.containers[number][key] = text
            self._notes.add(self._tree.place(number), key, "@ip")
            if text not in _ALL_FILTERED:
                self.late.append((text, number, key))
