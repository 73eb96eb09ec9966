"""A transaction as most are, or a part of an event, scrubbed without a walk.

Most of what is sent for a request holds nothing to redact but what stands under denied keys: its
`Authorization`, its cookies, its client's address. That is told here in one pass over the event,
one look of the rules at all its texts together, and one question to the taint. Nothing is changed
until all is told. Whatever is less usual (a text in which something is found, a key that nobody has
met, a name beside a value) goes the way of the walk, which comes to the same: a property test holds
both equal.
"""

from __future__ import annotations

import marshal
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.headers import query_by_names, url_scrubbed
from asgi_sentry._scrubbing.keys import ADDRESS, COOKIES, DENIED, LOOKED, PLAIN
from asgi_sentry._scrubbing.sentry.fields import CONTEXT, EVENT, NAMED_BY_THE_APP, SPAN
from asgi_sentry._scrubbing.sentry.request import URLS
from asgi_sentry._scrubbing.sentry.schema import DATA, FIXED, ID, TEXT, is_id, is_known
from asgi_sentry._scrubbing.taint.taint import Taint
from asgi_sentry._scrubbing.text.addresses import address_spans
from asgi_sentry._scrubbing.text.commands import argument_spans, option_values
from asgi_sentry._scrubbing.text.pairs import FILTERED, PASSWORD
from asgi_sentry._scrubbing.tree.decisions import LONGEST_COOKIE, is_random, without_spans
from asgi_sentry._scrubbing.tree.discovery import discovered
from asgi_sentry._scrubbing.tree.gather import is_pair
from asgi_sentry._scrubbing.tree.notes import Notes
from asgi_sentry._scrubbing.tree.plain import SCALARS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.sentry.schema import Schema
    from asgi_sentry._scrubbing.tree.notes import Place

# Of an event that may be a usual one. Any other field is a matter for the walk.
USUAL_FIELDS = frozenset(
    {
        *(field for field, way in EVENT.items() if way in (ID, FIXED, DATA) and field != "_meta"),
        *("request", "contexts", "tags", "transaction", "spans"),
    }
)
_COOKIE = 5  # beside the verdicts of `keys`: the value of a cookie of any name
_LONGEST = 65_536  # characters of all texts together; more is not usual
_STRINGS = frozenset({str})
_NUMBERS = frozenset({int, float})


class UnusualError(Exception):
    """It is a matter for the walk. Nothing was changed."""


def scrub_usual(
    ruleset: Ruleset, event: dict[str, Any], taint: Taint | None, secrets: list[str] | None
) -> Notes:
    """Scrub an event in place, if it is a usual one.

    Args:
        ruleset: which decides.
        event: or a part of one, in its wire form; nobody else has it, or anything in it.
        taint: what else is secret.
        secrets: takes the credentials that were redacted.

    Returns:
        What was redacted.

    Raises:
        UnusualError: it is none. It was not changed.
    """
    if ruleset.places or (taint is not None and taint.unknown):
        raise UnusualError
    look = _Look(ruleset)
    look.event(event)
    found = look.credentials(taint)
    if secrets is not None:
        secrets.extend(found)
    notes = Notes()
    for holder, key, left, place, rule in look.edits:
        holder[key] = left
        notes.add(place, key, rule)
    return notes


class _Look:
    """One look at an event, which is not changed by it.

    Attributes:
        edits: what is to be changed: the container, the key, what is left there, the container's
            place, the rule.
    """

    __slots__ = (
        "_encoded",
        "_firm",
        "_gone",
        "_keys",
        "_lists",
        "_met",
        "_ruleset",
        "_secrets",
        "_texts",
        "_whole",
        "edits",
    )

    def __init__(self, ruleset: Ruleset) -> None:
        self._ruleset = ruleset
        self._texts: list[str] = []  # in which any secret of the request's is redacted
        self._firm: list[str] = []  # in which only what is more than a word is
        self._encoded: list[str] = []  # what a query's values stand for
        self._keys: list[dict[Any, Any]] = []  # those of whose keys the same holds
        self._lists: list[list[Any]] = []
        self._met: set[int] = set()
        self._gone: set[str] = set()
        self._secrets: list[str] = []  # redacted because of their names
        self._whole: list[str] = []  # and because of their look and place
        self.edits: list[tuple[Any, Any, str, Place | None, str]] = []

    # --- field by field ---------------------------------------------------------------------------

    def event(self, event: dict[str, Any]) -> None:
        """All fields of a transaction."""
        for field, value in self._others(event, EVENT, None).items():
            if field == "request":
                self._request(value)
            elif field == "contexts":
                self._contexts(value)
            elif field == "tags":
                self._tags(value, (None, field))
            elif field == "transaction":
                self._name(value, event)
            elif field == "spans":
                self._spans(value)
            else:
                raise UnusualError

    def _others(
        self, source: dict[Any, Any], schema: Schema, place: Place | None
    ) -> dict[Any, Any]:
        """The fields of an object that are not of the protocol's simple ones."""
        others = {}
        for field, value in source.items():
            way = schema.get(field)
            if value is None:
                continue
            if way == ID:
                if value.__class__ not in SCALARS and not is_id(value):
                    raise UnusualError
            elif way == FIXED:
                if value.__class__ is not str or value not in self._ruleset.lines:
                    self._part(value)
            elif way == TEXT and value.__class__ is str:
                self._texts.append(value)
            elif way == DATA:
                self._data(value, (place, field))
            else:
                others[field] = value
        return others

    def _part(self, value: Any) -> None:
        """What the protocol has in a container, which is the same in each event."""
        look = marshal.dumps(value, 2)  # which raises for what is not plain
        if look not in self._ruleset.parts:
            if not is_known(value, self._ruleset.lines):
                raise UnusualError
            self._ruleset.parts.keep(look, value=True)

    def _name(self, value: Any, event: dict[str, Any]) -> None:
        info = event.get("transaction_info")
        source = info.get("source") if isinstance(info, dict) else None
        if value.__class__ is not str:
            raise UnusualError
        if source == "url":
            self._texts.append(value)
        elif source not in NAMED_BY_THE_APP:
            self._firm.append(value)
        elif value not in self._ruleset.lines:
            raise UnusualError

    def _contexts(self, contexts: Any) -> None:
        if contexts.__class__ is not dict:
            raise UnusualError
        above = (None, "contexts")
        for name, context in contexts.items():
            if context.__class__ is not dict:
                if context is None:
                    continue
                raise UnusualError
            place = (above, name)
            if name == "trace":
                self._span(context, place)
            else:
                self._rest(self._others(context, CONTEXT, place), context, place)

    def _spans(self, spans: Any) -> None:
        if spans.__class__ is not list:
            raise UnusualError
        above = (None, "spans")
        for index, span in enumerate(spans):
            if span.__class__ is not dict:
                raise UnusualError
            self._span(span, (above, index))

    def _span(self, span: dict[Any, Any], place: Place) -> None:
        others = self._others(span, SPAN, place)
        if others:
            tags = others.pop("tags", None)
            if tags is not None:
                self._tags(tags, (place, "tags"))
            self._rest(others, span, place)

    def _rest(self, others: dict[Any, Any], holder: dict[Any, Any], place: Place) -> None:
        """Fields that nobody knows: data."""
        if others:
            self._meet(holder)
            self._containers(self._members(others, holder, place))

    def _request(self, section: Any) -> None:
        if section.__class__ is not dict:
            raise UnusualError
        place = (None, "request")
        for field, value in section.items():
            if value is None:
                continue
            if field == "headers":
                self._headers(value, (place, field))
            elif field == "cookies":
                self._cookies(value, (place, field))
            elif field == "query_string":
                self._query(value, section, field, place)
            elif field == "url":
                self._url(value, section, field, place)
            elif field == "data":
                self._data(value, (place, field))
            elif field != "method" or not is_id(value):
                raise UnusualError

    def _query(self, value: Any, holder: dict[Any, Any], key: str, place: Place) -> None:
        if value.__class__ is not str:
            raise UnusualError
        left, hit = query_by_names(value, self._ruleset, self._encoded)
        if hit:
            self.edits.append((holder, key, left, place, PASSWORD))
        self._texts.append(left)

    def _url(self, value: Any, holder: dict[Any, Any], key: str, place: Place) -> None:
        if value.__class__ is not str:
            raise UnusualError
        left, hit = url_scrubbed(value, self._ruleset)
        if hit:
            self.edits.append((holder, key, left, place, PASSWORD))
        self._texts.append(left)

    def _headers(self, headers: Any, place: Place) -> None:
        if headers.__class__ is not dict:
            raise UnusualError
        for name in URLS:
            url = headers.get(name)
            if url is not None and (
                url.__class__ is not str or url_scrubbed(url, self._ruleset)[1]
            ):
                raise UnusualError
        self._data(headers, place)

    def _cookies(self, cookies: Any, place: Place) -> None:
        if cookies.__class__ is not dict:
            raise UnusualError
        self._meet(cookies)
        self._keys.append(cookies)
        self._named(cookies, cookies, place, _COOKIE)

    def _tags(self, tags: Any, place: Place) -> None:
        if tags.__class__ is not dict or not _STRINGS.issuperset(map(type, tags.values())):
            raise UnusualError
        before, edits = len(self._texts), len(self.edits)
        self._data(tags, place)
        if len(self.edits) != edits:
            raise UnusualError
        self._keys.pop()  # the app's own words
        self._firm += self._texts[before:]
        del self._texts[before:]

    # --- data -------------------------------------------------------------------------------------

    def _data(self, value: Any, place: Place) -> None:
        """A value with all that is in it."""
        cls = value.__class__
        if cls is str:
            self._texts.append(value)
            return
        if cls is not dict and cls is not list:
            if cls in SCALARS:
                return
            raise UnusualError
        self._containers([(value, place)])

    def _containers(self, given: Iterable[tuple[Any, Place]]) -> None:
        """Containers, each with its place, and all that lies in them."""
        pending = list(given)
        while pending:
            source, place = pending.pop()
            self._meet(source)
            pending += (
                self._members(source, source, place)
                if source.__class__ is dict
                else self._listed(source, place)
            )

    def _meet(self, container: Any) -> None:
        """A container that stands in two places is not usual."""
        met = self._met
        number = id(container)
        if number in met:
            raise UnusualError
        met.add(number)

    def _members(
        self, source: dict[Any, Any], holder: dict[Any, Any], place: Place
    ) -> Iterable[tuple[Any, Place]]:
        """Members of a dict; the containers among them are returned."""
        self._keys.append(source)
        if not self._ruleset.keys.plain.issuperset(source):
            self._named(source, holder, place, PLAIN)
            return ()
        if _STRINGS.issuperset(map(type, source.values())):
            self._texts += source.values()
            return ()
        inner = []
        for key, value in source.items():
            cls = value.__class__
            if cls is str:
                self._texts.append(value)
            elif cls is dict or cls is list:
                inner.append((value, (place, key)))
            elif cls not in SCALARS:
                raise UnusualError
        return inner

    def _listed(self, source: list[Any], place: Place) -> Iterable[tuple[Any, Place]]:
        """The same for a list."""
        self._lists.append(source)
        if _STRINGS.issuperset(map(type, source)):
            self._texts += source
            return ()
        inner = []
        for index, value in enumerate(source):
            cls = value.__class__
            if cls is str:
                self._texts.append(value)
            elif cls is dict or (cls is list and not is_pair(value)):
                inner.append((value, (place, index)))
            elif cls not in SCALARS:
                raise UnusualError
        return inner

    def _named(
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
            self._ruleset.keys.plain,
            self._ruleset.keys.special,
            self._texts.append,
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
            if self._ruleset.keys.spares(key, value):
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
                self._texts.append(left)
        elif verdict == _COOKIE:
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

    # --- all of it --------------------------------------------------------------------------------

    def credentials(self, taint: Taint | None) -> list[str]:
        """The credentials that are redacted.

        Raises:
            UnusualError: there is something to redact beside what stands under denied keys.
        """
        texts = list(dict.fromkeys([*self._texts, *self._firm]))
        if sum(map(len, texts)) > _LONGEST or not self._gone.isdisjoint(texts):
            raise UnusualError
        keys = self._ruleset.keys
        for arguments in self._lists:
            if any(option_values(arguments, keys)):
                raise UnusualError
            if _STRINGS.issuperset(map(type, arguments)) and any(argument_spans(arguments, keys)):
                raise UnusualError
        if self._ruleset.texts.finds_in([*texts, *self._encoded]):
            raise UnusualError
        if taint and taint.found_in(self._and_keys(texts) if taint.in_keys else texts):
            raise UnusualError
        found = discovered(self._secrets, self._whole, {})
        new = [secret for secret in found if not taint.knows(secret)] if taint else found
        if new and Taint(new).found_in(self._and_keys(texts)):
            raise UnusualError
        return found

    def _and_keys(self, texts: list[str]) -> set[str]:
        return set(texts).union(*self._keys)
