"""The root span of a request, in whatever form the SDK's mode wants it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._sdk.threads import Threads


class Root(Protocol):
    """The root span of a request, in whatever form the SDK's mode wants it."""

    name: str
    source: str

    may_be_decided_late: bool
    """Whether how the request ends may still decide.

    Nothing of it is sent before its root span is.
    """

    has_request_section: bool
    """Whether what is sent describes the request by itself; otherwise attributes have to."""

    has_span: bool
    """Whether it is a span; otherwise the scopes have one for whoever asks."""

    hides_its_trace: bool
    """Whether nobody finds the trace once the root has ended, unless the scopes go on with it."""

    @property
    def sampled(self) -> bool:
        """Whether it is to be sent, as things stand."""

    @property
    def threads(self) -> Threads | None:
        """In which threads it was seen at work; None for one that is not sent."""

    @property
    def recording(self) -> bool:
        """Whether it may be sent yet, so that it is worth describing."""

    def set_status(self, status: int) -> None:
        """Note the HTTP status."""

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Attach what describes the request."""

    def ran(self, function: Any) -> None:
        """Say which function served the request: its thread is the one to be shown."""

    def ended(
        self, at: float, until: float, failure: BaseException | None, *, worked: bool
    ) -> None:
        """Say that the request ended before.

        What has been done since is a child span, `asgi.background`.

        Args:
            at: when the last message of the response passed, by the monotonic clock.
            until: when the app was done.
            failure: what was raised since.
            worked: whether anything was done, and not just returned, as far as that can be told.
        """

    def finish(self, exc: BaseException | None) -> None:
        """End it: send what was sampled, count what was not."""

    def keep(self, rate: float) -> None:
        """Send it after all, as one of `1 / rate`."""

    def drop(self, reason: str) -> None:
        """End it without sending it, and count it and its spans as lost for this reason."""

    def discard(self) -> None:
        """Take it back as if it had never been started."""


class SpanOfRoot:
    """A root that is a span of the SDK's, which keeps its name."""

    __slots__ = ("_span",)
    _span: Any

    @property
    def name(self) -> str:
        """Of the request, as it stands."""
        name: str = self._span.name
        return name

    @name.setter
    def name(self, name: str) -> None:
        self._span.name = name


BACKGROUND = "asgi.background"
"""The op of what is done for a request after its response has ended."""

WORTH_A_SPAN = 0.005
"""Seconds that it takes at least. Frameworks return within some tenths of a millisecond."""


_SAME_CLOCK = (
    time.get_clock_info("monotonic").implementation
    == time.get_clock_info("perf_counter").implementation
)


def on_the_spans_clock(at: float) -> int:
    """A reading of the monotonic clock, in seconds, as nanoseconds of the spans' clock.

    Where both are one clock, as on Linux, it is exact: two readings of it would be apart by
    whatever came between them, and a span that ended just before would be taken for a later one.
    """
    at_ns = int(at * 1e9)
    if _SAME_CLOCK:
        return at_ns
    return at_ns + time.perf_counter_ns() - time.monotonic_ns()
