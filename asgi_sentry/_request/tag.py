"""How an item, on its way through hooks and batches, keeps its request at hand."""

from __future__ import annotations

import marshal
from itertools import compress, repeat
from operator import ne
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from asgi_sentry._scrubbing.memory import bytes_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry import _sdk as sdk
    from asgi_sentry._scrubbing import Scrubber

_ABSENT = object()  # where a field was not, which is of no plain value's class


class Reporter(Protocol):
    """What a tag leads to: whoever knows the item's request, and scrubs by it (`report.Report`)."""

    def admits(self, event: dict[str, Any]) -> bool:
        """Whether an event may be sent after all hooks have run."""

    def scrub_event(
        self,
        event: dict[str, Any],
        settled: Settled | None = None,
        *,
        scrubber: Scrubber | None = None,
        owned: bool = False,
        owed: Owed | None = None,
    ) -> None:
        """Scrub an event in place, but for what was scrubbed before and left alone since."""

    def settle(
        self, event: dict[str, Any], scrubber: Scrubber, owed: Owed | None = None
    ) -> Settled | None:
        """Scrub an event in place, and remember what it looks like then."""

    def scrub_telemetry(
        self, kind: str, entries: list[dict[str, Any]], *, scrubber: Scrubber | None = None
    ) -> list[dict[str, Any]]:
        """Logs, metrics or streamed spans, scrubbed."""


class Owed(NamedTuple):
    """What a transaction lacks until it is scrubbed: before, nobody looks at it."""

    section: Callable[[], dict[str, Any]]  # makes its `request`
    with_body: bool  # whether that has what was read of the body
    # What it has in common with all others of its client. Then the rest is plain, and nobody else
    # has it.
    same: sdk.ConstantParts | None


class Settled(NamedTuple):
    """What an event looked like when it had been scrubbed, and by what."""

    look: Fields | Whole
    known: object  # what was known to be secret (`Secrets.known`)
    scrubber: Scrubber

    def changed(self, event: dict[str, Any]) -> dict[str, Any]:
        """The fields of an event that have changed or are new.

        With these goes whatever tells how they are read.
        """
        part = self.look.changed(event)
        part.pop("event_id", None)
        if "transaction" in part and "transaction_info" in event:
            part["transaction_info"] = event["transaction_info"]
        return part


class Fields(dict[str, "bytes | str"]):
    """What the fields of an event look like, without those that are not plain.

    An error's are large: they are compared as bytes, and not made again.
    """

    __slots__ = ()

    @classmethod
    def of(cls, event: dict[str, Any]) -> Fields:
        """Of an event."""
        looks = cls()
        for field, value in event.items():
            look = value if value.__class__ is str else _look_of(value)
            if look is not None:
                looks[field] = look
        return looks

    def changed(self, event: dict[str, Any]) -> dict[str, Any]:
        """The fields that look otherwise, or are new."""
        part: dict[str, Any] = {}
        for field, value in event.items():
            look = self.get(field)
            if look is None or look != (value if value.__class__ is str else _look_of(value)):
                part[field] = value
        return part


class Whole(NamedTuple):
    """What a transaction looks like: it is small, and made again to be compared with."""

    look: bytes

    @classmethod
    def of(cls, event: dict[str, Any]) -> Whole:
        """Of an event.

        Raises:
            ValueError: it is not plain.
        """
        return cls(bytes_of({**event, "event_id": ""}))

    def changed(self, event: dict[str, Any]) -> dict[str, Any]:
        """The fields that are not equal, or are new."""
        before: dict[str, Any] = marshal.loads(self.look)  # noqa: S302 - of the event itself
        try:
            # In C, as most fields are equal: a tuple tells by the class before it asks the value.
            # By the class's id, since a class may have its own way to compare as well.
            values = event.values()
            were = [*map(before.get, event, repeat(_ABSENT))]
            differ = map(
                ne,
                zip(map(id, map(type, were)), were, strict=True),
                zip(map(id, map(type, values)), values, strict=True),
            )
            return dict(compress(event.items(), differ))
        except Exception:  # an object of the app's, which has its own way to compare
            return dict(event)


def look_at(event: dict[str, Any]) -> Fields | Whole:
    """What an event looks like, to be compared with what becomes of it."""
    if event.get("type") == "transaction":
        try:
            return Whole.of(event)
        except ValueError:
            pass
    return Fields.of(event)


def _look_of(value: Any) -> bytes | None:
    try:
        return bytes_of(value)
    except ValueError:  # no plain value
        return None


class Tag(str):
    """An id that knows its request's report.

    Equal to the plain string in every way; whoever sends the item takes the tag off. An item that
    waits in a batch keeps its request's report alive for just as long as it waits.
    """

    __slots__ = ("owed", "place", "report", "sampling", "settled")
    report: Reporter
    settled: Settled | None  # before a hook of the user's saw the event
    place: str | None  # where a message comes from (`kinds.place_of`)
    owed: Owed | None  # what the door is to put in
    sampling: dict[str, Any] | None  # the dynamic sampling context, as a hook was shown it

    def __new__(  # noqa: PYI034 - typing.Self is newer than 3.10
        cls, text: str, report: Reporter, place: str | None = None
    ) -> Tag:
        """Tag the text."""
        tag = super().__new__(cls, text)
        tag.report = report
        tag.settled = None
        tag.place = place
        tag.owed = tag.sampling = None
        return tag

    def plain(self) -> str:
        """The string without the tag."""
        return str.__str__(self)

    def __deepcopy__(self, memo: object) -> Tag:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (self.plain(),)
