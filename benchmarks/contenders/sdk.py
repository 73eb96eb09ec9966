"""sentry-sdk's own middleware, and with a framework its integrations, set up for what our five layers do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.integrations.asgi import SentryAsgiMiddleware
from sentry_sdk.scrubber import DEFAULT_DENYLIST, EventScrubber

from benchmarks.contenders import COMMON, DSN, hook, processor
from benchmarks.traffic import EXCLUDED, EXCLUDED_BELOW, RATES
from benchmarks.transport import Bench

if TYPE_CHECKING:
    from benchmarks.contenders import Build


def traces_sampler(context: dict[str, Any]) -> float:
    """Filter and rates, as the SDK's documentation has it."""
    path = context.get("asgi_scope", {}).get("path", "")
    if path in EXCLUDED or path.startswith(EXCLUDED_BELOW):
        return 0.0
    parent = context.get("parent_sampled")
    if parent is not None:
        return float(parent)
    return RATES.get(path.rpartition("/")[0], 0.0)


_SECRET_QUERY = re.compile(r"((?:password|token|secret|api_?key)=)[^&]*", re.IGNORECASE)


def scrub_request(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """What the SDK's scrubber leaves: the query string."""
    request = event.get("request") or {}
    if request.get("query_string"):
        request["query_string"] = _SECRET_QUERY.sub(r"\1[Filtered]", request["query_string"])
    return event


def scrub_and_hook(event: dict[str, Any], hint: dict[str, Any]) -> dict[str, Any]:
    """The same, in front of the team's own hook."""
    return hook(scrub_request(event, hint), hint)


def options(*, hooks: bool) -> dict[str, Any]:
    """The same job: excluded paths and rates by path, users, headers and frame variables scrubbed at any depth."""
    before_send = scrub_and_hook if hooks else scrub_request
    return {
        "traces_sampler": traces_sampler,
        "before_send": before_send,
        "before_send_transaction": before_send,
        "event_scrubber": EventScrubber(denylist=[*DEFAULT_DENYLIST, "authorization", "cookie"], recursive=True),
        **COMMON,
    }


def _set_user(user: Any) -> None:
    sentry_sdk.set_user({"id": user.identity})


def make(build: Build, dsn: str = DSN, *, hooks: bool = True, transport: Any = Bench) -> Any:
    """The SDK's own middleware around a raw app; a framework's integration is on by itself."""
    sentry_sdk.init(dsn=dsn, transport=transport if dsn else None, **options(hooks=hooks))
    if hooks:
        sentry_sdk.get_global_scope().add_event_processor(processor)
    return around(build(_set_user))


def around(app: Any) -> Any:
    """The SDK's middleware where no integration sets it."""
    return SentryAsgiMiddleware(app) if app.__class__.__module__ == "builtins" else app
