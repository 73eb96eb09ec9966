"""What a request needs to know of the SDK's client, read once per client."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry import _state as state
from asgi_sentry._sdk import after_fork, by_hand, message_stacks, stack_frames
from asgi_sentry._sdk.bare import Bare, around_now, here_now
from asgi_sentry._sdk.collection import Collection, collection_of
from asgi_sentry._sdk.fork import Still
from asgi_sentry._sdk.names import (
    DEFAULT_OPTIONS,
    NonRecordingClient,
    has,
    has_span_streaming_enabled,
    has_tracing_enabled,
    losses,
    sdk_scope,
)
from asgi_sentry._sdk.options import FRAMEWORK_INTEGRATIONS
from asgi_sentry._sdk.usual import is_open

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asgi_sentry._sdk.root_span import Root


@dataclass(frozen=True, slots=True, eq=False)
class ClientView:
    """What a request needs to know of the SDK's client.

    It is read once a client, not once a request.
    """

    client: Any
    streaming: bool
    # There are transactions, and an unsampled request needs none.
    unsampled_has_no_span: bool
    may_decide_late: bool  # how a request ends may yet decide whether it is sent
    tracing: bool  # False: trace headers go on, but there are no transactions
    sampler: Callable[[dict[str, Any]], Any] | None
    rate: Any
    sessions: bool
    org: str | None  # of the DSN: a trace of another organisation is not continued
    strict: bool  # nor one that names none, where exactly one of both sides does
    # The door that `asgi_sentry.init` set before the transport; None with a plain
    # `sentry_sdk.init`.
    door: Any
    monitor: Any  # of its backpressure handling
    profiled: bool  # some profiler may want to know when a transaction starts
    max_spans: int  # of a transaction
    scrubs: bool  # a scrubber of the user's goes over events before they are serialized
    patched: bool  # the SDK's own framework integrations are on, and rename transactions
    direct: bool  # its transactions may take the direct lane
    collection: Collection  # what the options let be collected of a request
    # The roots of what is not sampled, by reason.
    unsampled: dict[str, Root] = field(default_factory=dict)
    # What is made once for a client, by name.
    made: dict[str, Any] = field(default_factory=dict)

    @property
    def sampler_failed(self) -> str:
        """Why a request is lost whose `traces_sampler` raised, as the SDK counts it."""
        return "callback_error" if self.streaming else "sample_rate"

    def downsample(self) -> int:
        """How many times the SDK's backpressure handling halves every sample rate at the moment."""
        factor: int = self.monitor._downsample_factor
        return factor

    def lose(self, reason: str, category: str, quantity: int = 1) -> None:
        """Count a loss for the SDK's client report."""
        if self.client.transport is not None:
            self.client.transport.record_lost_event(
                reason, data_category=category, quantity=quantity
            )


_PROFILING = (
    *(
        "profiles_sample_rate",
        "profiles_sampler",
        "profile_session_sample_rate",
        "profile_lifecycle",
    ),
    *("continuous_profiling_auto_start", "profiler_mode"),
)
_LOOKS_ITSELF = has("scopes", "options")
_last_view: ClientView | None = None


def view() -> ClientView | None:
    """The client's view, or None where nothing could be sent: no client, no DSN, or closed."""
    global _last_view  # noqa: PLW0603 - a cache of one; a lost race costs one more reading
    everywhere: Any = None
    if here_now().__class__ is Bare and around_now().__class__ is Bare:
        everywhere = sdk_scope._global_scope
    client = _client() if everywhere is None else everywhere.client
    if client.transport is None:
        return None
    last = _last_view
    if last is not None and last.client is client:
        return last
    _last_view = last = view_of(client)
    return last


def _client() -> Any:
    """The SDK's client.

    By a look of ours where none of the scopes around has one of its own, which is rare.
    """
    if _LOOKS_ITSELF:
        here, around = here_now(), around_now()
        everywhere = sdk_scope._global_scope
        if everywhere is not None and (
            (isinstance(here, Still) and isinstance(around, Still))
            or (
                here is not None
                and around is not None
                and type(here.client) is type(around.client) is NonRecordingClient
            )
        ):
            client = everywhere.client
            if client is not None:
                return client
    return sentry_sdk.get_client()


def forget_view() -> None:
    """Read the client anew the next time: something about it has changed."""
    global _last_view  # noqa: PLW0603
    _last_view = None


state.register("_sdk.client_view: the view of the last client", forget_view)
# The child's client has threads to begin.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=forget_view)


def view_of(client: Any) -> ClientView:
    """The view of a client, read anew."""
    options = client.options
    experiments = options.get("_experiments") or {}
    for text in losses():
        faults.once(text)
    after_fork.clients.add(client)
    stack_frames.install()
    message_stacks.install()
    by_hand.listen()
    streaming = has_span_streaming_enabled(options)
    door = getattr(client.transport, "asgi_sentry_door", None)
    whole = has("scopes", "traces", "spans" if streaming else "transactions")
    tracing = whole and has_tracing_enabled(options)
    return ClientView(
        client=client,
        streaming=streaming,
        unsampled_has_no_span=tracing and not streaming,
        may_decide_late=not streaming,
        tracing=tracing,
        sampler=options["traces_sampler"] if callable(options.get("traces_sampler")) else None,
        rate=options.get("traces_sample_rate"),
        sessions=bool(
            has("scopes", "sessions")
            and options.get("auto_session_tracking")
            and options.get("release")
        ),
        org=getattr(getattr(client, "parsed_dsn", None), "org_id", None),
        strict=bool(options.get("strict_trace_continuation")),
        door=door,
        monitor=_monitor_of(client),
        profiled=_may_profile(options),
        max_spans=experiments.get("max_spans") or 1_000,  # as the SDK has it
        scrubs=bool(options.get("event_scrubber")),
        direct=not streaming
        and is_open(client, scrubs=bool(options.get("event_scrubber")), door=door),
        patched=any(client.get_integration(name) is not None for name, _ in FRAMEWORK_INTEGRATIONS),
        collection=collection_of(options),
    )


class _NoMonitor:
    _downsample_factor = 0


class _AskedMonitor:
    """That of a release of the SDK which keeps its factor elsewhere."""

    def __init__(self, monitor: Any) -> None:
        self._monitor = monitor

    @property
    def _downsample_factor(self) -> int:
        factor: int = self._monitor.downsample_factor
        return factor


def _monitor_of(client: Any) -> Any:
    """What looks after the client's transport.

    Asked once, which begins its thread; after that its factor is read without asking the operating
    system for the process each time.
    """
    monitor = getattr(client, "monitor", None)
    if monitor is None:
        return _NoMonitor()
    if monitor.downsample_factor != getattr(monitor, "_downsample_factor", None):
        return _AskedMonitor(monitor)
    return monitor


def _may_profile(options: Mapping[str, Any]) -> bool:
    """Whether any option of the profilers is set.

    `profile_lifecycle`, for one, says "manual" where nobody did.
    """
    experiments = options.get("_experiments") or {}
    differs = any(options.get(option) != DEFAULT_OPTIONS.get(option) for option in _PROFILING)
    return differs or any(experiments.get(option) for option in _PROFILING)
