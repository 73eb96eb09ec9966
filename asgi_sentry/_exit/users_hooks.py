"""The user's own hooks, which see scrubbed events, and tell whose a log, a metric or a span is."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._exit.door import ATTRIBUTE
from asgi_sentry._request.finding import reporter_of
from asgi_sentry._request.report import Report
from asgi_sentry._request.tag import Tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry._exit.door import Door

    Hook = Callable[[dict[str, Any], dict[str, Any]], dict[str, Any] | None]


def event_hook(user_hook: Hook, door: Door) -> Hook:
    """A `before_send` or `before_send_transaction` of the user's, which sees scrubbed events."""

    @functools.wraps(user_hook, updated=())
    def hook(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any] | None:
        door.settle(event)
        return user_hook(event, hint)

    setattr(hook, sdk.SEPARATES, True)
    return hook


def telemetry_hook(user_hook: Hook | None) -> Hook:
    """A `before_send_log`, `_metric` or `_span`: the user's own, then the request's tag and user.

    It runs where the item is made, in the context of its request; the door runs later, in the
    thread that flushes.
    """

    def hook(item: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any] | None:
        sent = item if user_hook is None else user_hook(item, hint)
        if not isinstance(sent, dict):
            return sent
        try:
            report = reporter_of(sent, hint)
            if report is None:
                return sent
            attributes = sent.setdefault("attributes", {})
            attributes[ATTRIBUTE] = Tag("", report)
        except Exception as exc:
            faults.note(
                "telling whose request it is",
                exc,
                "an item is not sent, since its secrets are not known",
            )
            return None
        try:
            if isinstance(report, Report):
                report.enrich(attributes)
        except Exception as exc:
            faults.note("describing the request", exc, "an item goes without it")
        return sent

    return hook
