"""The dynamic sampling context on its way from an event to its envelope's header."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asgi_sentry import _sdk as sdk
from asgi_sentry._scrubbing.sentry.trace import TEXTS, VERSIONED, scrub_trace, scrubbed_own

if TYPE_CHECKING:
    from asgi_sentry._scrubbing import Scrubber

SAMPLING = "dynamic_sampling_context"  # of a trace


def header_of(trace: Any, known: dict[str, str], scrubber: Scrubber) -> dict[str, Any]:
    """The dynamic sampling context; of the names in it what became of them is known."""
    if not isinstance(trace, dict):
        return {}
    if trace.__class__ is sdk.OwnSampling:
        own = scrubbed_own(trace, known, scrubber.ruleset.lines)
        if own is not None:
            return own
    # Release and environment are the same in each event, and mostly known to be harmless from
    # there.
    harmless = scrubber.ruleset.lines
    others = [
        text
        for text in map(trace.get, TEXTS)
        if text.__class__ is str
        and text not in known
        and text not in harmless
        and VERSIONED.match(text) is None
    ]
    # One look at all costs less than to scrub each.
    is_clean = not others or not scrubber.ruleset.texts.finds_in(others)

    def scrub(text: str) -> str:
        if text in known:
            return known[text]
        return text if is_clean or text in harmless else scrubber.scrub_text(text)

    return scrub_trace(trace, scrub)


def take_sampling(event: dict[str, Any]) -> Any:
    """The dynamic sampling context of an event, which is taken out of it.

    It is for the envelope's header, where the SDK puts it once the hooks have run, and has a way of
    its own through the door.
    """
    trace = trace_of(event)
    if trace is None:
        return None
    return trace.pop(SAMPLING, None)


def trace_of(event: dict[str, Any]) -> dict[str, Any] | None:
    contexts = event.get("contexts")
    if not isinstance(contexts, dict):
        return None
    trace = contexts.get("trace")
    return trace if isinstance(trace, dict) else None
