"""How the door is set before a transport, whichever form the user's own takes."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sentry_sdk.transport import Transport, make_transport

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._exit.courier import Courier
from asgi_sentry._exit.door import Door
from asgi_sentry._exit.encoding import packed
from asgi_sentry._exit.later import Later
from asgi_sentry._exit.lean import LeanPool
from asgi_sentry._exit.users_hooks import event_hook, telemetry_hook

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sentry_sdk.envelope import Envelope, Item

    from asgi_sentry._scrubbing import Scrubber


def guarded(
    transport: Any, options: Mapping[str, Any], scrubber: Scrubber, attachments: str = "text"
) -> Any:
    """The `transport` option for `sentry_sdk.init`: the door, in front of the user's own transport.

    Args:
        transport: the user's option: `"lean"`, None, a class, an instance, or (deprecated) a
            function of events.
        options: all options, which decide what the SDK takes for None.
        scrubber: of the door.
        attachments: as `Settings` has it.
    """
    door = Door(scrubber, attachments=attachments)
    if isinstance(transport, str):
        if transport != "lean":
            raise ValueError(
                f'transport must be "lean", or as sentry_sdk.init takes it, got {transport!r}'
            )
        lean = sdk.transport_by(LeanPool)
        return _subclass(sdk.quickened(lean, pack=packed, worker=Courier), door)
    if transport is None:
        usual = sdk.default_transport(options)
        if usual is None:
            return _behind_the_sdks_own(door)
        return _subclass(sdk.quickened(usual, pack=packed, worker=Courier), door)
    if inspect.isclass(transport):
        return _subclass(transport, door)
    return GuardedInstance(transport, door)


def set_door(client: Any, made: Door) -> None:
    """Set a door before a client that exists already. The hooks tell whose a log or a metric is.

    Its transport stays the one object that it is, since the SDK and others ask what kind it has.

    Args:
        client: that was made by hand.
        made: the door of the client that `asgi_sentry.init` made.
    """
    transport, options = client.transport, client.options
    door = Door(made.scrubber, attachments=made.attachments)
    hand_on = transport.capture_envelope

    def capture_envelope(envelope: Envelope) -> None:
        _send(envelope, door, transport, hand_on)

    transport.capture_envelope = capture_envelope
    transport.asgi_sentry_door = door
    sdk.guard_spotlight(client, door)
    add_hooks(options, options, door)


def add_hooks(options: dict[str, Any], own: Mapping[str, Any], door: Door) -> None:
    """Set our hooks for all that is sent into `options`, around the user's `own`."""
    for option in ("before_send", "before_send_transaction"):
        hook = own.get(option)
        if hook is not None:
            options[option] = event_hook(hook, door)
    experiments = own.get("_experiments") or {}
    for option in ("before_send_log", "before_send_metric"):
        if sdk.supports(option):
            options[option] = telemetry_hook(own.get(option) or experiments.get(option))
    if sdk.streams(options):  # in classic mode the SDK warns that it takes no such hook
        options["before_send_span"] = telemetry_hook(own.get("before_send_span"))


def _send(
    envelope: Envelope, door: Door, transport: Any, hand_on: Callable[[Envelope], None]
) -> None:
    """Through the door to a transport of the user's.

    What that raises, the SDK would pass on to the app at times. What waits to be scrubbed is not
    left to a thread that gets behind, which beside a busy loop waits long for each of its turns.
    """
    lose = transport.record_lost_event
    sent: Envelope | None = envelope  # not looked at: it may be one that waits to be scrubbed
    try:
        sent = door.scrub(envelope, lose)
        if sent is not None:
            if type(sent) is Later and sdk.is_behind(transport):
                sent.look_at()
            hand_on(sent)
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("the transport", exc, "an envelope is lost")
        with suppress(Exception):
            for item in (sent or envelope).items:
                lose("internal_sdk_error", item=item)


def _subclass(base: type, door: Door) -> type:
    """A subclass, not a wrapper: the SDK asks what kind of transport it has."""

    class GuardedTransport(base):  # type: ignore[misc]
        asgi_sentry_door = door

        def capture_envelope(self, envelope: Envelope) -> None:
            _send(envelope, door, self, super().capture_envelope)

    GuardedTransport.__name__ = GuardedTransport.__qualname__ = f"Guarded{base.__name__}"
    return GuardedTransport


def _behind_the_sdks_own(door: Door) -> type:
    """For an SDK whose transports are not where they were.

    The door before whatever it makes itself.
    """

    class GuardedDefault(GuardedInstance):
        asgi_sentry_door = door

        def __init__(self, options: dict[str, Any]) -> None:
            super().__init__(make_transport({**options, "transport": None}), door)

    return GuardedDefault


class GuardedInstance(Transport):
    """A door before a transport that exists already, or before a plain function."""

    def __init__(self, inner: Any, door: Door) -> None:
        super().__init__(getattr(inner, "options", None))
        self.inner = inner
        self.parsed_dsn = getattr(inner, "parsed_dsn", None)
        self.asgi_sentry_door = door

    def capture_envelope(self, envelope: Envelope) -> None:
        """Scrub the envelope and hand it on."""
        _send(envelope, self.asgi_sentry_door, self, self._hand_on)

    def _hand_on(self, scrubbed: Envelope) -> None:
        if isinstance(self.inner, Transport):
            self.inner.capture_envelope(scrubbed)
            return
        event = scrubbed.get_event()  # all that the SDK gives a function, too
        if event is not None:
            self.inner(event)

    def record_lost_event(
        self, reason: str, data_category: Any = None, item: Item | None = None, *, quantity: int = 1
    ) -> None:
        """Count a loss where the transport counts it."""
        if isinstance(self.inner, Transport):
            self.inner.record_lost_event(reason, data_category, item, quantity=quantity)

    def flush(self, timeout: float, callback: Any = None) -> Any:
        """Wait for what is on its way."""
        if isinstance(self.inner, Transport):
            return self.inner.flush(timeout, callback)
        return None

    def kill(self) -> Any:
        """Close the transport."""
        if isinstance(self.inner, Transport):
            return self.inner.kill()
        return None

    def is_healthy(self) -> bool:
        """Whether the transport keeps up."""
        if isinstance(self.inner, Transport):
            return self.inner.is_healthy()
        return True

    def __getattr__(self, name: str) -> Any:
        if name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)
