"""A transaction as the direct lane composes it, scrubbed with the head of its request.

Of its fields it is known what they hold, so each that may be anything is looked at for itself.
Whatever is less usual goes the way of the walk, which comes to the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry._scrubbing.sentry.raw_head import OF_COOKIES, OF_HEADERS, OF_SECTION
from asgi_sentry._scrubbing.sentry.schema import is_id
from asgi_sentry._scrubbing.sentry.shortcut import THREAD, EventGlance
from asgi_sentry._scrubbing.tree.glance import UnusualError
from asgi_sentry._scrubbing.tree.notes import Notes

if TYPE_CHECKING:
    from asgi_sentry._scrubbing.ruleset import Ruleset
    from asgi_sentry._scrubbing.taint import RawTaint, Taint
    from asgi_sentry._scrubbing.tree.notes import Place

# What the direct lane puts into the tags and the data of each transaction.
_OWN_TAGS = frozenset({"http.status_code", "asgi.type"})
_OWN_DATA = frozenset(
    {
        *("thread.id", "thread.name", "http.request.method", "http.route"),
        "http.response.status_code",
    }
)


class ComposedGlance(EventGlance):
    """One look at a transaction that was composed; and at any other event."""

    __slots__ = ()

    def composed(self, event: dict[str, Any]) -> None:
        """All that may be anything in a transaction as the direct lane composes it."""
        self._name(event["transaction"], event)
        tags = event["tags"]
        if _OWN_TAGS.issuperset(tags):
            self.firm.extend(tags.values())
        else:
            self._tags(tags, (None, "tags"))
        trace = event["contexts"]["trace"]
        lines = self.ruleset.lines
        if trace["op"] not in lines or trace["origin"] not in lines:
            raise UnusualError
        if trace["description"] is not None:
            self.texts.append(trace["description"])
        data = trace.get("data")
        if data:
            self._data_of_root(data)
        above = (None, "spans")
        for index, span in enumerate(event["spans"]):
            self._own_span(span, (above, index))
        user = event.get("user")
        if user:
            self.data(user, (None, "user"))

    def _own_span(self, span: dict[str, Any], place: Place) -> None:
        """A span, of which the direct lane knows that it is plain, and all of its fields."""
        lines = self.ruleset.lines
        if span["op"] not in lines or span["origin"] not in lines or not is_id(span.get("status")):
            raise UnusualError
        if span["description"] is not None:
            self.texts.append(span["description"])
        tags, data = span.get("tags"), span.get("data")
        if tags:
            self._tags(tags, (place, "tags"))
        if data:
            self._data_of_span(data, place)

    def _data_of_root(self, data: dict[str, Any]) -> None:
        if not _OWN_DATA.issuperset(data):
            self.data(data, (((None, "contexts"), "trace"), "data"))
            return
        for field, value in data.items():
            if value.__class__ is str and (field != "thread.id" or THREAD.match(value) is None):
                self.texts.append(value)


def scrub_composed(
    ruleset: Ruleset,
    event: dict[str, Any],
    taint: Taint | RawTaint,
    secrets: list[str],
    look: ComposedGlance,
) -> None:
    """Scrub such a transaction in place, and say in it what was redacted.

    Args:
        ruleset: which decides.
        event: of which the fields and contexts are known: it has an id, a name, a trace, tags,
            spans, times, and perhaps a user.
        taint: what else is secret.
        secrets: takes the credentials that were redacted.
        look: at the head of its request.

    Raises:
        UnusualError: there is something to redact in it. It was not changed.
    """
    if ruleset.places or taint.unknown:
        raise UnusualError
    of_head = len(look.edits)
    look.composed(event)
    if len(look.edits) != of_head:
        raise UnusualError
    secrets.extend(look.credentials(taint))
    event["request"] = look.section
    is_within = False
    remarks: dict[str, Any] = {}
    of_headers: dict[str, Any] = {}
    of_cookies: dict[str, Any] = {}
    for holder, key, left, place, rule in look.edits:
        holder[key] = left
        if place is OF_HEADERS:
            named = of_headers
        elif place is OF_COOKIES:
            named = of_cookies
        elif place is OF_SECTION:
            named = remarks
        else:
            is_within = True  # within a body
            continue
        named[key] = {"": {"rem": [[rule, "x"]]}}
    if is_within:
        _remark(look, event)
        return
    if of_headers:
        remarks["headers"] = of_headers
    if of_cookies:
        remarks["cookies"] = of_cookies
    if remarks:
        event["_meta"] = {"request": remarks}


def _remark(look: ComposedGlance, event: dict[str, Any]) -> None:
    """Say what was redacted, wherever it stood."""
    notes = Notes()
    for _, key, _, place, rule in look.edits:
        notes.add(place, key, rule)
    notes.remark(event)
