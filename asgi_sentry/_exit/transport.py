"""How the door is set before a transport, whichever form the user's own takes."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sentry_sdk.transport import Transport

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._exit.door import Door

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sentry_sdk.envelope import Envelope, Item

    from asgi_sentry._scrubbing import Scrubber


def guarded(transport: Any, options: Mapping[str, Any], scrubber: Scrubber) -> Any:
    """The `transport` option for `sentry_sdk.init`, with the door in front of what the user's would have been.

    Args:
        transport: the user's option: None, a class, an instance, or (deprecated) a function of events.
        options: all options, which decide what the SDK takes for None.
        scrubber: of the door.
    """
    if transport is None:
        return _subclass(sdk.default_transport(options), scrubber)
    if inspect.isclass(transport):
        return _subclass(transport, scrubber)
    return GuardedInstance(transport, scrubber)


def _lost(envelope: Envelope, exc: Exception, lose: Callable[..., None]) -> None:
    """Note that a transport of the user's raised; the SDK would pass it on to the app in some of its calls."""
    faults.note("the transport", exc, "an envelope is lost")
    with suppress(Exception):
        for item in envelope.items:
            lose("internal_sdk_error", item=item)


def _subclass(base: type, scrubber: Scrubber) -> type:
    """A subclass, not a wrapper: the SDK asks what kind of transport it has."""
    door = Door(scrubber)

    class GuardedTransport(base):  # type: ignore[misc]
        asgi_sentry_door = door

        def capture_envelope(self, envelope: Envelope) -> None:
            cleaned = door.clean(envelope, self.record_lost_event)
            if cleaned is not None:
                try:
                    super().capture_envelope(cleaned)
                except Exception as exc:
                    _lost(cleaned, exc, self.record_lost_event)

    GuardedTransport.__name__ = GuardedTransport.__qualname__ = f"Guarded{base.__name__}"
    return GuardedTransport


class GuardedInstance(Transport):
    """A door before a transport that exists already, or before a plain function."""

    def __init__(self, inner: Any, scrubber: Scrubber) -> None:
        super().__init__(getattr(inner, "options", None))
        self.inner = inner
        self.parsed_dsn = getattr(inner, "parsed_dsn", None)
        self.asgi_sentry_door = Door(scrubber)

    def capture_envelope(self, envelope: Envelope) -> None:
        """Scrub the envelope and hand it on."""
        cleaned = self.asgi_sentry_door.clean(envelope, self.record_lost_event)
        if cleaned is None:
            return
        try:
            if isinstance(self.inner, Transport):
                self.inner.capture_envelope(cleaned)
                return
            event = cleaned.get_event()  # all that the SDK gives a function, too
            if event is not None:
                self.inner(event)
        except Exception as exc:
            _lost(cleaned, exc, self.record_lost_event)

    def record_lost_event(
        self, reason: str, data_category: Any = None, item: Item | None = None, *, quantity: int = 1
    ) -> None:
        """Count a loss where the transport counts it."""
        if isinstance(self.inner, Transport):
            self.inner.record_lost_event(reason, data_category, item, quantity=quantity)

    def flush(self, timeout: float, callback: Any = None) -> Any:
        """Wait for what is on its way."""
        return self.inner.flush(timeout, callback) if isinstance(self.inner, Transport) else None

    def kill(self) -> Any:
        """Close the transport."""
        return self.inner.kill() if isinstance(self.inner, Transport) else None

    def is_healthy(self) -> bool:
        """Whether the transport keeps up."""
        return self.inner.is_healthy() if isinstance(self.inner, Transport) else True

    def __getattr__(self, name: str) -> Any:
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)
