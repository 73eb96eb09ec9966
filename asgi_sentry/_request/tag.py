"""How an item, on its way through hooks and batches, keeps its request at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from asgi_sentry._scrubbing import Scrubber, Taint


class Reporter(Protocol):
    """What a tag leads to: whoever knows the request of an item, and scrubs it accordingly (`report.Report`)."""

    def admits(self, event: dict[str, Any]) -> bool:
        """Whether an event may be sent after all hooks have run."""

    def clean_event(
        self, event: dict[str, Any], clean: Clean | None = None, *, scrubber: Scrubber | None = None
    ) -> None:
        """Scrub an event in place."""

    def clean_telemetry(
        self, kind: str, entries: list[dict[str, Any]], *, scrubber: Scrubber | None = None
    ) -> list[dict[str, Any]]:
        """Logs, metrics or streamed spans, scrubbed."""


class Clean(NamedTuple):
    """The request section of an event, scrubbed before the user's hooks see it."""

    request: dict[str, Any]
    meta: dict[str, Any] | None  # the remarks that belong to it
    taint: Taint  # by which it was scrubbed


class Tag(str):
    """An id that knows its request's report.

    Equal to the plain string in every way; whoever sends the item takes the tag off. An item that waits in a batch
    keeps its request's report alive for just as long as it waits.
    """

    __slots__ = ("clean", "place", "report")
    report: Reporter
    clean: Clean | None
    place: str | None  # where a message comes from (`kinds.place_of`)

    def __new__(  # noqa: PYI034 - typing.Self is newer than 3.10
        cls, text: str, report: Reporter, clean: Clean | None = None, place: str | None = None
    ) -> Tag:
        """Tag the text."""
        tag = super().__new__(cls, text)
        tag.report = report
        tag.clean = clean
        tag.place = place
        return tag

    def plain(self) -> str:
        """The string without the tag."""
        return str.__str__(self)

    def __deepcopy__(self, memo: object) -> Tag:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        return str, (self.plain(),)
