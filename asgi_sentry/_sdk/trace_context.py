"""The trace of a request: what came in, the dice, and the decision as it is passed on."""

from __future__ import annotations

import os
import re
from operator import itemgetter
from random import random
from typing import TYPE_CHECKING

from asgi_sentry import _faults as faults
from asgi_sentry._sdk.baggage import parsed_baggage
from asgi_sentry._sdk.names import (
    SENTRY_TRACE_REGEX,
    Baggage,
    PropagationContext,
    _generate_sample_rand,
    _should_continue_trace,
    has,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._sdk.client_view import ClientView


_CAN_READ = has("traces")
_name = itemgetter(0)
_TRACE_HEADERS = frozenset({b"sentry-trace", b"baggage"})
_RAND = re.compile(r"(?:^|,)[ \t]*sentry-sample_rand=([0-9.]+)[ \t]*(?:,|$)")


def _is_ours_to_continue(view: ClientView, baggage: str | None) -> bool:
    """https://develop.sentry.dev/sdk/telemetry/traces/#stricttracecontinuation."""
    if view.org is None and not view.strict:
        return True
    if not view.strict and (baggage is None or "sentry-org_id" not in baggage):
        return True
    return _should_continue_trace(Baggage.from_incoming_header(baggage) if baggage else None)


class TraceContext(PropagationContext):
    """The trace of a request, and the decision about it.

    Without a span on the scope it goes on as `-0` or `-1`. Headers are read, and ids and baggage
    made, when something asks for them: a request that is excluded, sends nothing and calls nobody
    never does.

    Args:
        view: the client's, which says whose traces are continued; None for a trace that begins
            here.
        headers: of the request, as ASGI has them.
        rand: the dice, within [0, 1), of a trace that begins here and has rolled them by now.
    """

    # What a request has of these only where something asks is on the class until then.
    _trace_id = _span_id = None
    _parent_span_id: str | None = None
    _parent_sampled: bool | None = None
    custom_sampling_context = None
    incoming = False  # whether the trace began elsewhere, once the headers have been read
    sampled: bool | None = None  # None: not decided, since tracing is off
    rate: float | None = None  # the effective one; None: the incoming one stays
    _headers: tuple[tuple[bytes, bytes], ...] | None = None  # None: they have been read
    _header: str | None = None  # the incoming baggage, until something asks for it
    _known: Baggage | None = None
    _rand: float | None = None

    def __init__(
        self,
        view: ClientView | None = None,
        headers: Iterable[tuple[bytes, bytes]] = (),
        rand: float | None = None,
    ) -> None:
        self._view = view
        self._rand = rand
        if _CAN_READ:
            self._headers = tuple(headers)

    def _read(self) -> None:
        """Find the trace that came in, in one pass over the headers.

        As `PropagationContext.from_incoming_data` reads them, less the cost: the baggage is parsed
        when it is asked for. https://develop.sentry.dev/sdk/telemetry/traces/#propagation
        """
        headers = self._headers or ()
        # Most requests have none: a look without a step of ours for each header.
        if b"sentry-trace" in map(_name, headers):
            trace = baggage = None
            for name, value in headers:
                if name in _TRACE_HEADERS:  # one look at each of the others, not two
                    text = value.decode("latin-1")
                    if name == b"baggage":
                        if baggage is not None:
                            text = f"{baggage},{text}"
                        baggage = text
                    else:
                        trace = trace or text
            if trace is not None:
                self._continue(trace, baggage)
        # Last, since threads of the app's may ask at the same time: each finds the same.
        self._headers = None

    def _continue(self, trace: str, baggage: str | None) -> None:
        match = SENTRY_TRACE_REGEX.match(trace)
        if match is None:
            if "," in trace:  # several headers, combined by a proxy: the first that is not empty
                trace = next((part.strip() for part in trace.split(",") if part.strip()), "")
            # Https://www.w3.org/TR/trace-context/.
            if trace.startswith("00-") and trace.endswith("-00"):
                trace = trace[3:-3]
            match = SENTRY_TRACE_REGEX.match(trace)
        if match is None or self._view is None or not _is_ours_to_continue(self._view, baggage):
            return
        trace_id, self._parent_span_id, sampled = match.groups()
        if trace_id is not None:
            self._trace_id, self.incoming = trace_id, True
        if sampled:
            self._parent_sampled = sampled != "0"
        self._header = baggage

    @classmethod
    def of(cls, other: PropagationContext) -> TraceContext:
        """The same trace."""
        context = cls()
        context._headers = None
        context._trace_id = other.trace_id
        context._span_id = other._span_id
        context._parent_span_id = other.parent_span_id
        context._parent_sampled = other.parent_sampled
        context._known = other.baggage
        context.incoming = True
        return context

    @property
    def came_in(self) -> bool:
        """Whether the headers say of a trace that it goes on here."""
        if self._headers is not None:
            self._read()
        return self.incoming

    @property
    def trace_id(self) -> str:
        """32 hexadecimal digits."""
        if self._headers is not None:
            self._read()
        if self._trace_id is None:
            made = os.urandom(16).hex()  # random enough, at a fifth of the cost of uuid4
            if self._trace_id is None:  # by another thread meanwhile
                self._trace_id = made
        return self._trace_id

    @trace_id.setter
    def trace_id(self, value: str) -> None:
        if self._headers is not None:
            self._read()
        self._trace_id = value

    @property
    def parent_span_id(self) -> str | None:
        """16 hexadecimal digits; None where the trace begins here."""
        if self._headers is not None:
            self._read()
        return self._parent_span_id

    @parent_span_id.setter
    def parent_span_id(self, value: str | None) -> None:
        if self._headers is not None:
            self._read()
        self._parent_span_id = value

    @property
    def parent_sampled(self) -> bool | None:
        """What the parent decided."""
        if self._headers is not None:
            self._read()
        return self._parent_sampled

    @parent_sampled.setter
    def parent_sampled(self, value: bool | None) -> None:
        if self._headers is not None:
            self._read()
        self._parent_sampled = value

    @property
    def span_id(self) -> str:
        """16 hexadecimal digits, for what has no span of its own."""
        if self._span_id is None:
            self._span_id = os.urandom(8).hex()
        return self._span_id

    @span_id.setter
    def span_id(self, value: str) -> None:
        self._span_id = value

    @property
    def baggage(self) -> Baggage | None:
        """The incoming baggage, parsed; with the effective rate where there is one."""
        if self._headers is not None:
            self._read()
        if self._header is not None:
            header, self._header = self._header, None
            try:
                self._known = parsed_baggage(header)
                self._fill_sample_rand()
            except Exception as exc:  # such as a sample rate of 1e999, with which the SDK counts
                faults.note("reading a baggage", exc, "the trace goes on without it")
                self._known = None
            self.note_rate()
        return self._known

    @baggage.setter
    def baggage(self, value: Baggage | None) -> None:
        if self._headers is not None:
            self._read()
        self._header, self._known = None, value

    def note_rate(self) -> None:
        """Put the effective rate into a baggage that is parsed already."""
        if self.rate is not None and self._known is not None:
            self._known.sentry_items["sample_rate"] = str(self.rate)

    def rand(self) -> float:
        """The trace's own dice, within [0, 1).

        Its baggage's, else as every SDK of the trace makes them from its id. A trace that begins
        here rolls them, and passes them on by its baggage.
        """
        rand = self._rand
        if rand is None:
            if self._headers is not None:
                self._read()
            if self.incoming or self._header is not None or self._known is not None:
                rand = self._rand_that_came_in()
            if rand is None:
                rand = _rolled()
            self._rand = rand
        return rand

    def _rand_that_came_in(self) -> float | None:
        rand = None
        if self._header is not None:
            found = _RAND.search(self._header)
            if found is not None:
                rand = _within_one(found[1])
        if (
            rand is None
            and (self._header is not None or self._known is not None)
            and self.baggage is not None
        ):
            rand = self.baggage._sample_rand()
        if rand is None and self.incoming:
            rand = _generate_sample_rand(self.trace_id)
        return rand

    def parent_rate(self) -> float | None:
        """The sample rate that came in, within (0, 1], if one did."""
        text = None
        if self.baggage is not None:
            text = self.baggage.sentry_items.get("sample_rate")
        try:
            rate = 0.0
            if text is not None:
                rate = float(text)
        except ValueError:
            return None
        if 0 < rate <= 1:
            return rate
        return None

    def to_traceparent(self) -> str:
        """The `sentry-trace` header."""
        plain = f"{self.trace_id}-{self.span_id}"
        if self.sampled is None:
            return plain
        return f"{plain}-{int(self.sampled)}"

    def get_baggage(self) -> Baggage:
        """The baggage as it came in, or that of a trace that begins here, with the decision."""
        known = self.baggage
        if known is not None and not known.mutable:
            return known
        fresh = Baggage.populate_from_propagation_context(self)
        items = fresh.sentry_items
        if self.sampled is not None:
            items["sampled"] = "true" if self.sampled else "false"
            # Also where they were not rolled for the decision: whoever is called may decide anew,
            # by the same dice.
            items["sample_rand"] = f"{self.rand():.6f}"
        if self.rate is not None:
            items["sample_rate"] = str(self.rate)
        if known is not None:
            items.update(known.sentry_items)
            fresh.third_party_items = known.third_party_items
        self._known = fresh
        return fresh

    def baggage_for_root(self) -> Baggage | None:
        """The baggage for the root span.

        Of a trace that begins here just the dice, which the SDK completes.
        """
        known = self.baggage
        if known is None and self._rand is not None:
            return Baggage({"sample_rand": f"{self._rand:.6f}"})
        return known


def dice_of(headers: Iterable[tuple[bytes, bytes]]) -> float | None:
    """The dice of a trace that begins with a request; None where one comes in.

    Args:
        headers: of the request, as ASGI has them.
    """
    if b"sentry-trace" in map(_name, headers):  # as `_read` looks
        return None
    return _rolled()


def _rolled() -> float:
    """Six digits, as the SDK makes and prints them: what is passed on is what decided."""
    return int(random() * 1_000_000) / 1_000_000  # noqa: S311 - a sample


def _within_one(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    if 0 <= value < 1:
        return value
    return None
