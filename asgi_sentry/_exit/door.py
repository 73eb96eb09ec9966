"""The last place before the transport.

Everything that leaves goes through here, and is scrubbed here last. By now every event processor
and every hook of the user's has run, so nothing can be added behind our back. An item that can't be
scrubbed is not sent, and counted as lost. What belongs to a request says so by a tag (`tag.Tag`):
in an event the event id, in a log, a metric or a streamed span one attribute, put there by
`users_hooks`.

An item passes once. The SDK hands the same one to Spotlight and to the transport, and a transport
of the user's may hand it on again: then it is what it became the first time, and spends of no
limit.
"""

from __future__ import annotations

import marshal
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from sentry_sdk.envelope import Envelope, Item, PayloadRef

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._exit.encoding import payload
from asgi_sentry._exit.later import Later, await_earlier, later_of
from asgi_sentry._exit.sampling_header import SAMPLING, header_of, take_sampling, trace_of
from asgi_sentry._exit.users_scrubber import unscrubbed
from asgi_sentry._request.lately import lately
from asgi_sentry._request.record import current
from asgi_sentry._request.report import Report
from asgi_sentry._request.tag import Fields, Tag
from asgi_sentry._scrubbing.memory import bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._request.tag import Reporter, Settled
    from asgi_sentry._scrubbing import Scrubber, Taint

ATTRIBUTE = "asgi_sentry.record"  # of telemetry on its way to the door; never sent
_EVENTS = frozenset({"event", "transaction"})
_BATCHED = frozenset({"span", "log", "trace_metric"})
_COUNTS = frozenset({"client_report"})  # numbers by reason and category, made by the SDK itself
_PASSED = "_asgi_sentry_passed"  # an item's attribute: what became of it


class _Passed(NamedTuple):
    """What became of an item at its door."""

    item: Item | None  # as it is sent; None if it is not
    name: str | None = None  # of its transaction, before
    scrubbed_name: str = ""  # and after


# What an item is marked with that a door has made. Not with itself: it would be part of a circle,
# and stay with all its frames and bodies until the garbage collector comes to it.
_AS_IT_IS = _Passed(None)


class Sealed(Envelope):
    """An envelope that a door has made itself."""


_OURS = frozenset({Sealed, Later})
_KIND = "transaction"
_ENVELOPE_HEADERS = frozenset({"event_id", "sent_at", "trace", "dsn"})
_HEADERS = {"type": _KIND, "content_type": "application/json"}


class Door:
    """Scrubs envelopes.

    Args:
        scrubber: for everything that no layer has a scrubber of its own for.
        attachments: `"text"`: text is scrubbed, what can't be read is not sent; `"none"`: none is
            sent; `"all"`: what can't be read is sent as it is.
    """

    def __init__(self, scrubber: Scrubber, *, attachments: str = "text") -> None:
        self.scrubber = scrubber
        self.attachments = attachments
        # Whether an event may be scrubbed when somebody looks at its envelope. Not where somebody
        # else is given the same item, nor where a function of the user's is told of redactions.
        self.waits = not scrubber.reports

    def scrub(self, envelope: Envelope, lose: Callable[..., None]) -> Envelope | None:
        """A new envelope with each item scrubbed; None if nothing is left of it. Never raises.

        Args:
            envelope: on its way to the transport.
            lose: the transport's `record_lost_event`.
        """
        if envelope.__class__ in _OURS:
            return envelope
        try:
            report = self._report_that_waits(envelope)
            if report is None:
                return self._scrubbed(envelope, lose)
            if not self._admits(envelope.items[0]):
                lose("event_processor", item=envelope.items[0])
                return None
            made = partial(self._scrubbed, envelope, lose, is_admitted=True)
            return later_of(report, made, partial(_lost, envelope.items, lose=lose))
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            _lost(envelope.items, exc, lose)
            return None

    def _report_that_waits(self, envelope: Envelope) -> Report | None:
        """Whose one event an envelope holds; None where it holds something else."""
        if not self.waits or len(envelope.items) != 1:
            return None
        [item] = envelope.items
        event: Any = item.payload.json
        if item.type not in _EVENTS or not isinstance(event, dict) or hasattr(item, _PASSED):
            return None
        tag = event.get("event_id")
        if not isinstance(tag, Tag) or type(tag.report) is not Report:
            return None
        return tag.report

    def _scrubbed(
        self, envelope: Envelope, lose: Callable[..., None], *, is_admitted: bool = False
    ) -> Envelope | None:
        try:
            passed = [self._pass(item, lose, is_admitted=is_admitted) for item in envelope.items]
            items = [each.item for each in passed if each.item is not None]
            if not items:
                return None
            headers, before = dict(envelope.headers), None
            tag = headers.get("event_id")
            if isinstance(tag, Tag):
                headers["event_id"], before = tag.plain(), tag.sampling
            # The dynamic sampling context: ids, rates, and a name that the user may have set.
            if "trace" in headers and (before is None or headers["trace"] != before):
                known = {each.name: each.scrubbed_name for each in passed if each.name is not None}
                headers["trace"] = header_of(headers["trace"], known, self.scrubber)
            if not _ENVELOPE_HEADERS.issuperset(headers):  # somebody else's
                others = {name: headers.pop(name) for name in headers.keys() - _ENVELOPE_HEADERS}
                headers.update(self.scrubber.scrub(others))
            return Envelope(headers=headers, items=items)
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            _lost(envelope.items, exc, lose)
            return None

    def sealed(
        self, transaction: dict[str, Any], sampling: dict[str, Any], lose: Callable[..., None]
    ) -> Envelope | None:
        """The envelope of a transaction that takes the direct lane, scrubbed; None if it is lost.

        Never raises.

        Args:
            transaction: which nobody else has.
            sampling: its dynamic sampling context.
            lose: the transport's `record_lost_event`.
        """
        tag, made = transaction.get("event_id"), partial(self._sealed, transaction, sampling, lose)
        if not self.waits or not isinstance(tag, Tag) or type(tag.report) is not Report:
            return made()
        return later_of(tag.report, made, partial(_lost_transaction, transaction, lose))

    def _sealed(
        self, transaction: dict[str, Any], sampling: dict[str, Any], lose: Callable[..., None]
    ) -> Envelope | None:
        try:
            tag, name = transaction["event_id"], transaction.get("transaction")
            self._scrub_event(transaction)
            headers = {"event_id": transaction["event_id"], "sent_at": sdk.now()}
            if sampling:
                if not isinstance(tag, Tag) or sampling != tag.sampling:
                    known = {}
                    if isinstance(name, str):
                        known[name] = str(transaction.get("transaction"))
                    sampling = header_of(sampling, known, self.scrubber)
                headers["trace"] = sampling
            item = Item(payload(transaction), headers=_HEADERS)
            _mark(item, _AS_IT_IS)
            return Sealed(headers=headers, items=[item])
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            _lost_transaction(transaction, lose, exc)
            return None

    def settle(self, event: dict[str, Any]) -> None:
        """Scrub an event before a hook of the user's sees it.

        What the hook leaves alone is not scrubbed again.

        Args:
            event: in its wire form.
        """
        tag = event.get("event_id")
        if not isinstance(tag, Tag):
            return
        name, sampling = event.get("transaction"), take_sampling(event)
        try:
            await_earlier(tag.report)
            tag.settled = tag.report.settle(event, self.scrubber, tag.owed)
            tag.owed = None
            event["event_id"] = tag  # scrubbed, it is plain
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            faults.note("scrubbing before a hook", exc, "the hook does not see whose request it is")
            event.pop("request", None)
            event.pop("user", None)
        _separate(event, tag.settled)
        trace = trace_of(event)  # which an event lacks that could not be scrubbed
        if sampling is not None and trace is not None:
            known = {name: str(event.get("transaction"))} if isinstance(name, str) else {}
            tag.sampling = header_of(sampling, known, self.scrubber)
            trace[SAMPLING] = dict(tag.sampling)

    def _pass(self, item: Item, lose: Callable[..., None], *, is_admitted: bool = False) -> _Passed:
        """Let an item pass, or say what became of it before."""
        before = getattr(item, _PASSED, None)
        if before is not None:
            return _Passed(item) if before is _AS_IT_IS else before
        passed = _Passed(None)
        try:
            if item.type in _COUNTS:
                passed = _Passed(item)
            elif item.type in _EVENTS and unscrubbed(item.payload.json):
                lose("internal_sdk_error", item=item)
            elif is_admitted or self._admits(item):
                passed = self._scrub_item(item, lose)
            else:
                # What its processor would have counted, had it known then what it knows after the
                # hooks.
                lose("event_processor", item=item)
        except faults.SIGNALS:
            raise
        except BaseException as exc:
            _lost([item], exc, lose)
        if passed.item is not item:
            _mark(item, passed)
        if passed.item is not None:
            _mark(passed.item, _AS_IT_IS)
        return passed

    def _admits(self, item: Item) -> bool:
        event: Any = item.payload.json
        if item.type != "event" or not isinstance(event, dict):
            return True
        event_id = event.get("event_id")
        if isinstance(event_id, Tag):
            return event_id.report.admits(event)
        record = current()  # a hook made the event anew, in the request's context all the same
        return record is None or record.report().admits(event)

    def _scrub_item(self, item: Item, lose: Callable[..., None]) -> _Passed:
        kind, content = item.type or "", item.payload.json
        if content is None:
            left = self._scrub_bytes(item)
            if left is None:
                lose("internal_sdk_error", item=item)
            return _Passed(left)
        name = scrubbed_name = None
        if kind in _EVENTS:
            name = content.get("transaction")
            self._scrub_event(content)
            scrubbed_name = content.get("transaction")
        elif kind in _BATCHED:
            content = {**content, "items": self._scrub_entries(kind, content["items"])}
        else:
            content = self.scrubber.scrub_item(kind, content, taint=_taint_around())
        left = Item(payload=payload(content), headers=item.headers)
        if isinstance(name, str):
            return _Passed(left, name, str(scrubbed_name))
        return _Passed(left)

    def _scrub_event(self, event: dict[str, Any]) -> None:
        event_id = event.get("event_id")
        if isinstance(event_id, Tag):
            event["event_id"] = event_id.plain()
            # Else no hook has seen it, and what the SDK made for it is nobody's.
            settled = event_id.settled
            event_id.report.scrub_event(
                event,
                settled,
                scrubber=self.scrubber,
                owned=settled is None,
                owed=event_id.owed,
            )
            return
        record = current()
        if record is None:
            self.scrubber.scrub_event(event, taint=lately.taint())
        else:  # a hook made the event anew; it was made in the request's context all the same
            record.report().scrub_event(event, scrubber=self.scrubber)

    def _scrub_entries(self, kind: str, entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Entries of a batch; those of one request together."""
        groups: dict[int, tuple[Reporter | None, list[int]]] = {}
        own: list[dict[str, Any]] = []
        for number, entry in enumerate(entries):
            tag = None
            if ATTRIBUTE in (entry.get("attributes") or {}):
                attributes = dict(entry["attributes"])
                tag = (attributes.pop(ATTRIBUTE) or {}).get("value")
                # The batch's own is left as it is.
                entry = {**entry, "attributes": attributes}  # noqa: PLW2901
            own.append(entry)
            report = tag.report if isinstance(tag, Tag) else None
            groups.setdefault(id(report), (report, []))[1].append(number)
        for report, members in groups.values():
            some = [own[number] for number in members]
            if report is None:
                some = self.scrubber.scrub_item(kind, {"items": some}, taint=lately.taint())[
                    "items"
                ]
            else:
                await_earlier(report)
                some = report.scrub_telemetry(kind, some, scrubber=self.scrubber)
            for number, scrubbed in zip(members, some, strict=True):
                own[number] = scrubbed
        return own

    def _scrub_bytes(self, item: Item) -> Item | None:
        """An attachment, or an item of a kind that the SDK did not have when this was written.

        None: it is not sent.
        """
        if item.type == "attachment" and self.attachments == "none":
            return None
        raw, taint = item.get_bytes(), _taint_around()
        scrubbed = self.scrubber.scrub_item(item.type or "", raw, taint=taint)
        if scrubbed is None and self.attachments != "all":
            faults.once(
                "An attachment that is no text is not sent: nobody can tell what is in it. "
                'Settings(attachments="all") sends such ones as they are.'
            )
            return None
        headers = dict(item.headers)
        for name in ("filename", "content_type"):
            if isinstance(headers.get(name), str):
                headers[name] = self.scrubber.scrub_item("header", headers[name], taint=taint)
        return Item(
            payload=PayloadRef(bytes=raw if scrubbed is None else scrubbed), headers=headers
        )


def _separate(event: dict[str, Any], settled: Settled | None) -> None:
    """Give each frame what several of them share, so that a hook changes that of one alone.

    Until here it was one object, to be made plain and scrubbed once.
    """
    looks: dict[str, Any] = {}
    if settled is not None and isinstance(settled.look, Fields):
        looks = settled.look
    for field in event.keys() & sdk.STACKS:
        with suppress(ValueError, TypeError):  # not plain, so nothing of ours is shared in it
            # Both are of the event itself.
            event[field] = marshal.loads(looks.get(field) or bytes_of(event[field]))  # noqa: S302


def _mark(item: Item, passed: _Passed) -> None:
    """Have an item tell what became of it."""
    try:
        setattr(item, _PASSED, passed)
    except AttributeError:  # an SDK whose items have slots
        faults.once("Items can't be marked: with Spotlight on, limits of errors are spent twice.")


def _lost(items: list[Item], exc: BaseException, lose: Callable[..., None]) -> None:
    """Count what could not be scrubbed, and say so."""
    kinds = ", ".join(sorted({str(item.type) for item in items}))
    faults.note(f"scrubbing an item of type {kinds}", exc, "it is not sent")
    for item in items:
        try:
            lose("internal_sdk_error", item=item)
        except Exception as fault:
            faults.note("counting a loss", fault, "it is in no client report")


def _lost_transaction(
    transaction: dict[str, Any], lose: Callable[..., None], exc: BaseException
) -> None:
    _lost([Item(PayloadRef(json=transaction), type=_KIND)], exc, lose)


def _taint_around() -> Taint | None:
    """What is secret of the request on whose behalf an item is sent that has no room for a tag."""
    record = current()
    if record is not None:
        return record.report().secrets.taint()
    return lately.taint()
