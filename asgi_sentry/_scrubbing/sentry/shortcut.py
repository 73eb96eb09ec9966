"""A transaction as most are, or a part of an event, scrubbed without a walk.

Most of what is sent for a request holds nothing to redact but what stands under denied keys: its
`Authorization`, its cookies, its client's address. That is told here in one pass over the event,
one look of the rules at all its texts together, and one question to the taint. Nothing is changed
until all is told. Whatever is less usual (a text in which something is found, a key that nobody has
met, a name beside a value) goes the way of the walk, which comes to the same: a property test holds
both equal.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.headers_and_urls import query_by_names, url_scrubbed
from asgi_sentry._scrubbing.memory import bytes_of
from asgi_sentry._scrubbing.sentry import statements
from asgi_sentry._scrubbing.sentry.fields import CONTEXT, EVENT, NAMED_BY_THE_APP, SPAN
from asgi_sentry._scrubbing.sentry.raw_head import HeadGlance
from asgi_sentry._scrubbing.sentry.request import URLS
from asgi_sentry._scrubbing.sentry.schema import (
    DATA,
    FIXED,
    ID,
    LONGEST_ID,
    TEXT,
    is_id,
    is_known,
    is_odd,
)
from asgi_sentry._scrubbing.text.pairs import PASSWORD
from asgi_sentry._scrubbing.tree.decisions import COOKIE
from asgi_sentry._scrubbing.tree.glance import UnusualError
from asgi_sentry._scrubbing.tree.notes import Notes
from asgi_sentry._scrubbing.tree.plain import SCALARS

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.sentry.schema import Schema
    from asgi_sentry._scrubbing.taint import RawTaint, Taint
    from asgi_sentry._scrubbing.tree.notes import Place

# Of an event that may be a usual one. Any other field is a matter for the walk.
USUAL_FIELDS = frozenset(
    {
        *(field for field, way in EVENT.items() if way in (ID, FIXED, DATA) and field != "_meta"),
        *("request", "contexts", "tags", "transaction", "spans"),
    }
)


def scrub_usual(
    ruleset: Ruleset,
    event: dict[str, Any],
    taint: Taint | RawTaint | None,
    secrets: list[str] | None,
    look: EventGlance | None = None,
    *,
    owned: bool = True,
) -> Notes:
    """Scrub an event in place, if it is a usual one.

    Args:
        ruleset: which decides.
        event: or a part of one, in its wire form.
        taint: what else is secret.
        secrets: takes the credentials that were redacted.
        look: at the head of its request, which stands for the `request` that it lacks.
        owned: whether what is in it may be changed, since nobody else has it. Otherwise what has
            to be changed is copied, with what it stands in, and nothing else is.

    Returns:
        What was redacted.

    Raises:
        UnusualError: it is none. It was not changed.
    """
    if ruleset.places or (taint is not None and taint.unknown):
        raise UnusualError
    if look is None:
        look = EventGlance(ruleset)
    of_head = len(look.edits)
    look.event(event)
    found = look.credentials(taint)
    if not owned:
        look.copy_what_changes(event)
    if len(look.edits) == of_head:
        ruleset.parts.keep_all(look.new_parts, value=True)
    if secrets is not None:
        secrets.extend(found)
    notes = Notes()
    for holder, key, left, place, rule in look.edits:
        holder[key] = left
        notes.add(place, key, rule)
    if look.section is not None:
        event["request"] = look.section
    return notes


# The program's own, and the protocol's.
_SAME = frozenset(
    {
        *("transaction_info", "measurements", "release", "dist", "environment", "server_name"),
        *("sdk", "platform"),
    }
)
_SAME_WITH_ARGUMENTS = _SAME | {"extra"}
_NONE: frozenset[str] = frozenset()
# A number by which the operating system knows a thread. Those of no card begin so.
THREAD = re.compile(r"[0179][0-9]{0,18}\Z")


class EventGlance(HeadGlance):
    """One look at an event, field by field.

    Attributes:
        new_parts: of the program's own, which are known once nothing is found in them.
    """

    __slots__ = ("new_parts",)

    def __init__(self, ruleset: Ruleset) -> None:
        super().__init__(ruleset)
        self.new_parts: list[bytes] = []

    def event(self, event: dict[str, Any]) -> None:
        """All fields of a transaction."""
        same = self._are_the_same(event)
        given = {field: value for field, value in event.items() if field not in same}
        for field, value in self._others(given, EVENT, None).items():
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

    def _are_the_same(self, event: dict[str, Any]) -> frozenset[str]:
        """Fields that are the same in each event of a client, and were found harmless before."""
        if "sdk" not in event:  # it is a part of one
            return _NONE
        has_arguments = event.get("extra") == {"sys.argv": sys.argv}
        same = _SAME_WITH_ARGUMENTS if has_arguments else _SAME
        if not self._is_known([event.get(field) for field in same]):
            return _NONE
        if has_arguments:
            self.ids.extend(sys.argv)  # in which a secret may stand yet
        return same

    def _is_known(self, value: Any) -> bool:
        """Whether something of the program's own was found harmless before.

        If it was not, it is looked at as all else, and known once nothing is found in it.
        """
        look = bytes_of(value)  # which raises for what is not plain
        if look in self.ruleset.parts:
            return True
        self.new_parts.append(look)
        return False

    def _others(
        self, source: dict[Any, Any], schema: Schema, place: Place | None
    ) -> dict[Any, Any]:
        """The fields of an object that are not of the protocol's simple ones."""
        others = {}
        find, lines = schema.get, self.ruleset.lines
        for field, value in source.items():
            way = find(field)
            cls = value.__class__
            if way == ID:
                if cls is str:
                    if len(value) > LONGEST_ID:
                        raise UnusualError
                elif cls not in SCALARS and not is_id(value):
                    raise UnusualError
            elif value is None:
                continue
            elif way == FIXED:
                if cls is not str or value not in lines:
                    self._part(value)
            elif way == TEXT and cls is str:
                self.texts.append(value)
            elif way == DATA:
                self.data(value, (place, field))
            else:
                others[field] = value
        return others

    def _part(self, value: Any) -> None:
        """What the protocol has in a container, which is the same in each event."""
        look = bytes_of(value)  # which raises for what is not plain
        if look not in self.ruleset.parts:
            if not is_known(value, self.ruleset.lines):
                raise UnusualError
            self.ruleset.parts.keep(look, value=True)

    def _name(self, value: Any, event: dict[str, Any]) -> None:
        info = event.get("transaction_info")
        source = info.get("source") if isinstance(info, dict) else None
        if value.__class__ is not str:
            raise UnusualError
        if source == "url":
            self.texts.append(value)
        elif source not in NAMED_BY_THE_APP:
            self.firm.append(value)
        elif value not in self.ruleset.lines:
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
            if is_odd(name):
                raise UnusualError
            place = (above, name)
            if name == "trace":
                self._root(context, place)
            elif not self._is_runtime(name, context):
                self._rest(self._others(context, CONTEXT, place), context, place)

    def _is_runtime(self, name: Any, context: dict[Any, Any]) -> bool:
        """Whether it is the interpreter that a context tells of, as in each event."""
        return name == "runtime" and context.get("build") == sys.version and self._is_known(context)

    def _root(self, context: dict[Any, Any], place: Place) -> None:
        """The root span."""
        data = context.get("data")
        if data.__class__ is not dict:
            self._span(context, place)
            return
        thread = data.get("thread.id")
        if thread.__class__ is not str or THREAD.match(thread) is None:
            self._span(context, place)
            return
        before = len(self.texts)
        self._span(context, place)
        self.texts[before:] = [text for text in self.texts[before:] if text is not thread]

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
            data = others.pop("data", None)
            if data is not None:
                self._data_of_span(data, place)
            tags = others.pop("tags", None)
            if tags is not None:
                self._tags(tags, (place, "tags"))
            self._rest(others, span, place)

    def _data_of_span(self, data: Any, place: Place) -> None:
        if data.__class__ is dict and statements.PARAMETERS in data:
            raise UnusualError  # its description tells which of them are secret
        self.data(data, (place, "data"))

    def _rest(self, others: dict[Any, Any], holder: dict[Any, Any], place: Place) -> None:
        """Fields that nobody knows: data."""
        if others:
            self.meet(holder)
            self.containers(self.members(others, holder, place))

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
                self.data(value, (place, field))
            elif field != "method" or not is_id(value):
                raise UnusualError

    def _query(self, value: Any, holder: dict[Any, Any], key: str, place: Place) -> None:
        if value.__class__ is not str:
            raise UnusualError
        self._left(query_by_names(value, self.ruleset, self.encoded), holder, key, place)

    def _url(self, value: Any, holder: dict[Any, Any], key: str, place: Place) -> None:
        if value.__class__ is not str:
            raise UnusualError
        self._left(url_scrubbed(value, self.ruleset), holder, key, place)

    def _left(
        self, scrubbed: tuple[str, bool], holder: dict[Any, Any], key: str, place: Place
    ) -> None:
        """What names leave of a text, and whether they redacted anything in it."""
        left, hit = scrubbed
        if hit:
            self.edits.append((holder, key, left, place, PASSWORD))
        self.texts.append(left)

    def _headers(self, headers: Any, place: Place) -> None:
        if headers.__class__ is not dict:
            raise UnusualError
        for name in URLS:
            url = headers.get(name)
            if url is not None and (url.__class__ is not str or url_scrubbed(url, self.ruleset)[1]):
                raise UnusualError
        self.data(headers, place)

    def _cookies(self, cookies: Any, place: Place) -> None:
        if cookies.__class__ is not dict:
            raise UnusualError
        self.meet(cookies)
        self.keys.append(cookies)
        self.named(cookies, cookies, place, COOKIE)

    def _tags(self, tags: Any, place: Place) -> None:
        if tags.__class__ is not dict or not {str}.issuperset(map(type, tags.values())):
            raise UnusualError
        before, edits = len(self.texts), len(self.edits)
        self.data(tags, place)
        if len(self.edits) != edits:
            raise UnusualError
        self.keys.pop()  # the app's own words
        self.firm.extend(self.texts[before:])
        del self.texts[before:]
