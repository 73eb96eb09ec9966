"""An envelope that is scrubbed when somebody looks at it.

Mostly that is the transport's thread, just before it sends: then the event loop, which waits for
nothing of it, has the next request meanwhile. Whoever looks sooner, such as a transport of the
user's, has it scrubbed at once. So nobody can tell the difference, and nothing is ever seen as it
was before.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any
from weakref import ref

from sentry_sdk.envelope import Envelope

from asgi_sentry import _faults as faults
from asgi_sentry._request.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable

    from sentry_sdk.envelope import Item


class Later(Envelope):
    """An envelope that is made once, by whoever looks at it first.

    Args:
        make: makes it; None: nothing is left of it.
        lost: counts what is in it as lost, since to make it failed with this fault.
        before: another one of the same request, which is made before this one: what is redacted in
            an item is a secret in those that are sent later.
    """

    def __init__(
        self,
        make: Callable[[], Envelope | None],
        lost: Callable[[BaseException], None],
        before: Later | None = None,
    ) -> None:
        self._make: Callable[[], Envelope | None] | None = make
        self._lost = lost
        self._before = before
        self._made: Envelope | None = None
        self._lock = RLock()

    def __reduce__(self) -> tuple[type[Envelope], tuple[dict[str, Any], list[Item]]]:
        """A copy of it is a plain one."""
        return Envelope, (self.headers, self.items)

    @property
    def items(self) -> list[Item]:
        """The envelope's items."""
        made = self._made
        if made is None:
            try:
                made = self.look_at()
            except faults.SIGNALS:
                raise
            except BaseException as exc:
                made = self._made = Envelope()
                self._lost(exc)
        return made.items

    @items.setter
    def items(self, items: list[Item]) -> None:
        self.look_at().items = items

    @property
    def headers(self) -> dict[str, Any]:
        """The envelope's headers."""
        if not self.items:
            return {}
        return self.look_at().headers

    @headers.setter
    def headers(self, headers: dict[str, Any]) -> None:
        self.look_at().headers = headers

    @property
    def is_made(self) -> bool:
        """Whether somebody has looked at it."""
        return self._made is not None

    def ensure(self) -> None:
        """Have it made, whatever comes of it."""
        _ = self.items

    def look_at(self) -> Envelope:
        """What it is, made if it is not yet."""
        if self._made is None:
            with self._lock:
                if self._made is None:
                    self._make_it()
        return self._made  # type: ignore[return-value]  # made by now

    def _make_it(self) -> None:
        before, self._before = self._before, None
        if before is not None:
            before.ensure()
        make, self._make = self._make, None
        made = None
        try:
            if make is not None:
                made = make()
        finally:  # whatever happens: what could not be scrubbed is not sent
            self._made = Envelope() if made is None else made


def later_of(
    report: Report, make: Callable[[], Envelope | None], lost: Callable[[BaseException], None]
) -> Later:
    """An envelope of a request, which is made after those that were sent for it before."""
    before = _earlier(report)
    later = Later(make, lost, None if before is None or before.is_made else before)
    report.later = ref(later)
    return later


def _earlier(report: Report) -> Later | None:
    return None if report.later is None else report.later()


def await_earlier(report: object) -> None:
    """Have what was sent before for the same request be scrubbed before."""
    earlier = _earlier(report) if type(report) is Report else None
    if earlier is not None:
        earlier.ensure()
