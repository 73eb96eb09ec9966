"""Plain data with nothing to redact but what its keys deny, looked at once.

Containers are gone through as they are met, keys decide at once, and the rules and the taint are
asked once about all texts together. Nothing is changed until all is told. What is less usual, such
as a key that nobody has met or a name beside a value, is a matter for the walk.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.keys import ADDRESS, COOKIES, DENIED, LOOKED, PLAIN
from asgi_sentry._scrubbing.taint.taint import Taint
from asgi_sentry._scrubbing.text.addresses import address_spans
from asgi_sentry._scrubbing.text.commands import argument_spans, option_values
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD
from asgi_sentry._scrubbing.tree.decisions import COOKIE, LONGEST_COOKIE
from asgi_sentry._scrubbing.tree.discovery import discovered, parts_of
from asgi_sentry._scrubbing.tree.gather import is_pair
from asgi_sentry._scrubbing.tree.notes import path_of
from asgi_sentry._scrubbing.tree.plain import SCALARS
from asgi_sentry._scrubbing.tree.reprs import is_random, without_spans

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.taint import RawTaint
    from asgi_sentry._scrubbing.tree.notes import Place

_MOST_STEPS = 10_000  # to what is redacted, all in all, where a walk has no product of two sizes
_LONGEST = 65_536  # characters of all texts together; more is not usual
_STRINGS = frozenset({str})
_NUMBERS = frozenset({int, float})


class UnusualError(Exception):
    """It is a matter for the walk. Nothing was changed."""


class Glance:
    """One look at plain data, which is not changed by it.

    Args:
        ruleset: which decides.

    Attributes:
        texts: in which any secret of the request's is redacted.
        firm: in which only what is more than a word is.
        encoded: what the values of a query stand for, at which only the rules look.
        ids: in which no rule finds anything, such as random ids.
        keys: dicts, of whose keys the same holds as of `firm`.
        edits: what is to be changed: the container, the key, what is left there, the container's
            place, the rule.
    """

    __slots__ = (
        "_gone",
        "_lists",
        "_met",
        "_secrets",
        "_whole",
        "edits",
        "encoded",
        "firm",
        "ids",
        "keys",
        "ruleset",
        "texts",
    )

    def __init__(self, ruleset: Ruleset) -> None:
        self.ruleset: Ruleset = ruleset
        self.texts: list[str] = []
        self.firm: list[str] = []
        self.encoded: list[str] = []
        self.ids: list[str] = []
        self.keys: list[dict[Any, Any]] = []
        self._lists: list[list[Any]] = []
        self._met: set[int] = set()
        self._gone: set[str] = set()
        self._secrets: list[str] = []  # redacted because of their names
        self._whole: list[str] = []  # and because of their look and place
        self.edits: list[tuple[Any, Any, str, Place | None, str]] = []

    def data(self, value: Any, place: Place) -> None:
        """A value with all that is in it."""
        cls = value.__class__
        if cls is str:
            self.texts.append(value)
            return
        if cls is dict:
            self.meet(value)
            inner = self.members(value, value, place)
            if inner:
                self.containers(inner)
        elif cls is list:
            self.containers([(value, place)])
        elif cls not in SCALARS:
            raise UnusualError

    def containers(self, given: Iterable[tuple[Any, Place]]) -> None:
        """Containers, each with its place, and all that lies in them."""
        pending = list(given)
        while pending:
            source, place = pending.pop()
            self.meet(source)
            pending += (
                self.members(source, source, place)
                if source.__class__ is dict
                else self._listed(source, place)
            )

    def meet(self, container: Any) -> None:
        """A container that stands in two places is not usual."""
        met = self._met
        number = id(container)
        if number in met:
            raise UnusualError
        met.add(number)

    def members(
        self, source: dict[Any, Any], holder: dict[Any, Any], place: Place
    ) -> Iterable[tuple[Any, Place]]:
        """Members of a dict; the containers among them are returned."""
        self.keys.append(source)
        if not self.ruleset.keys.plain.issuperset(source):
            self.named(source, holder, place, PLAIN)
            return ()
        if _STRINGS.issuperset(map(type, source.values())):
            self.texts += source.values()
            return ()
        inner: list[tuple[Any, Place]] = []
        append = self.texts.append
        for key, value in source.items():
            cls = value.__class__
            if cls is str:
                append(value)
            elif cls is dict:
                inner.append((value, (place, key)))
            elif cls is list:
                self.meet(value)
                inner += self._listed(value, (place, key))
            elif cls not in SCALARS:
                raise UnusualError
        return inner

    def _listed(self, source: list[Any], place: Place) -> Iterable[tuple[Any, Place]]:
        """The same for a list."""
        self._lists.append(source)
        if _STRINGS.issuperset(map(type, source)):
            self.texts += source
            return ()
        inner = []
        for index, value in enumerate(source):
            cls = value.__class__
            if cls is str:
                self.texts.append(value)
            elif cls is dict or (cls is list and not is_pair(value)):
                inner.append((value, (place, index)))
            elif cls not in SCALARS:
                raise UnusualError
        return inner

    def named(
        self, source: dict[Any, Any], holder: dict[Any, Any], place: Place, otherwise: int
    ) -> None:
        """Members of a dict of which some keys say something, all of them texts or numbers.

        Args:
            source: the members.
            holder: of which they are.
            place: of the holder.
            otherwise: what the keys mean that say nothing themselves.
        """
        plain, special, append = (
            self.ruleset.keys.plain,
            self.ruleset.keys.special,
            self.texts.append,
        )
        for key, value in source.items():
            verdict = otherwise
            if key not in plain:
                verdict = special.get(key, PLAIN)
                if not verdict:  # nobody has met it, or it says something of what stands beside it
                    raise UnusualError
            if value.__class__ is str:
                if (
                    not verdict
                    or value == FILTERED
                    or not self._redacts(verdict, key, value, holder, place)
                ):
                    append(value)
            elif value.__class__ not in SCALARS or (verdict and value.__class__ in _NUMBERS):
                raise UnusualError

    def _redacts(
        self, verdict: int, key: Any, value: str, holder: dict[Any, Any], place: Place
    ) -> bool:
        """Redact a text because of its key, or say that it stays."""
        left, rule = FILTERED, PASSWORD
        if verdict == DENIED:
            if self.ruleset.keys.spares(key, value):
                return False
            self._secrets.append(value)
        elif verdict == COOKIES:
            if not value:
                return False
            self._secrets.append(value)
        elif verdict == ADDRESS:
            spans = list(address_spans(value))
            if not spans:
                return False
            left, rule = without_spans(value, spans), "@ip"
            if left != FILTERED:
                self.texts.append(left)
        elif verdict == COOKIE:
            if len(value) < LONGEST_COOKIE:
                return False
            self._whole.append(value)
        elif verdict == LOOKED and not is_random(value):
            return False
        else:
            raise UnusualError
        self._gone.add(value)
        self.edits.append((holder, key, left, place, rule))
        return True

    def credentials(self, taint: Taint | RawTaint | None) -> list[str]:
        """The credentials that are redacted, but for those that the taint knows.

        Raises:
            UnusualError: there is something to redact beside what stands under denied keys.
        """
        texts = list(dict.fromkeys([*self.texts, *self.firm]))
        if sum(map(len, texts)) > _LONGEST or not self._gone.isdisjoint(texts):
            raise UnusualError
        known = self.ruleset.keys
        for arguments in self._lists:
            if len(arguments) == 1:  # of a program that is given nothing
                continue
            if any(option_values(arguments, known)):
                raise UnusualError
            if _STRINGS.issuperset(map(type, arguments)) and any(argument_spans(arguments, known)):
                raise UnusualError
        if self.ruleset.texts.finds_in([*texts, *self.encoded]):
            raise UnusualError
        texts += self.ids
        if taint and taint.found_in(self._and_keys(texts) if taint.in_keys else texts):
            raise UnusualError
        secrets, whole = self._secrets, self._whole
        if taint:  # what came in with the request is looked for already
            knows = taint.knows
            secrets = [
                text
                for text in secrets
                if not (
                    knows(text)
                    if text.isalnum()  # which is its only part
                    else all(knows(part) for part, _ in parts_of(text))
                )
            ]
            whole = [text for text in whole if not knows(text)]
        new = discovered(secrets, whole, {}) if secrets or whole else []
        if taint:
            new = [secret for secret in new if not taint.knows(secret)]
        if new and Taint(new).found_in(self._and_keys(texts)):
            raise UnusualError
        return new

    def _and_keys(self, texts: list[str]) -> list[str]:
        return [*texts, *chain.from_iterable(self.keys)]

    def copy_what_changes(self, top: dict[Any, Any]) -> None:
        """Have the containers in which something is redacted be copies, and those around them.

        Args:
            top: what the places are in, which is changed itself.

        Raises:
            UnusualError: the ways to these containers are far longer than anybody's.
        """
        paths: list[tuple[Any, ...]] = []
        steps = 0
        for _, _, _, place, _ in self.edits:
            paths.append(path_of(place))
            steps += len(paths[-1])
            if steps > _MOST_STEPS:
                raise UnusualError
        copies: set[int] = set()
        for number, (path, edit) in enumerate(zip(paths, self.edits, strict=True)):
            holder: Any = top
            for step in path:
                held = holder[step]
                if id(held) not in copies:
                    held = holder[step] = held.copy()
                    copies.add(id(held))
                holder = held
            self.edits[number] = (holder, *edit[1:])
