"""`asgi-sentry check`: what the settings are, what they mean, and whether they are good."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import sentry_sdk

import asgi_sentry
from asgi_sentry import _sdk as sdk
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry._sampling.spending import budget
from asgi_sentry._settings import Settings, SettingsError
from asgi_sentry.tools.printing import complain, print_table
from asgi_sentry.tools.sink import Sink

if TYPE_CHECKING:
    import argparse

_LISTED = ("fastapi", "starlette", "litestar", "django", "quart", "uvicorn", "granian", "hypercorn", "daphne", "redis")
_SEND_SECONDS = 30.0


def check(options: argparse.Namespace) -> int:
    """Print what is in force; 1 where a setting is wrong, or a test event was not accepted."""
    try:
        settings = Settings.from_env()
    except SettingsError as error:
        complain(str(error))
        return 1
    print("settings")
    print_table(settings.described())
    print("\nwhat they mean")
    print_table(_meaning(settings))
    if settings.budget or settings.error_budget:
        print("\nleft of the budgets")
        print_table(_left(settings))
    print("\ninstalled")
    print_table(_installed())
    return _send(settings) if options.send else 0


def _meaning(settings: Settings) -> list[tuple[str, str]]:
    def share(rate: float | None, of: str) -> str:
        return f"{rate:.1%} of {of}" if rate else "off"

    host = urlsplit(settings.dsn).hostname if settings.dsn else None
    part = "all in one process" if settings.workers == 1 else f"an equal part for each of {settings.workers} processes"
    tracing = settings.traces_sample_rate if settings.enable_tracing else None
    return [
        ("errors", f"sent to {host}" if host else "off: SENTRY_DSN is not set, every layer only passes through"),
        ("transactions", share(tracing, "the requests without a rate of their own") if host else "off"),
        ("rates by path", f"{len(settings.rates)} rules" if settings.rates and settings.enable_tracing else "none"),
        ("excluded paths", f"{len(asgi_sentry.DEFAULT_EXCLUDE)} default rules and {len(settings.exclude)} of your own"),
        ("profiles", share(settings.profiles_sample_rate, "the sampled transactions") if host and tracing else "off"),
        ("request bodies", f"the first {settings.max_body_bytes:,} bytes" if settings.max_body_bytes else "off"),
        ("budgets", f"{settings.budget or 'unlimited'} transactions, {settings.error_budget or 'unlimited'} errors"),
        ("limits", "shared by Redis" if settings.redis_url else part),
    ]


def _left(settings: Settings) -> list[tuple[str, str]]:
    """What is left of each budget, where the processes share it; else only each of them knows its part."""
    asked = {"budget": settings.budget, "error_budget": settings.error_budget}
    if settings.redis_url is None:
        return [(what, "each process knows its own: asgi_sentry.budgets()") for what, text in asked.items() if text]
    try:
        sharing = SharedLimits(settings.redis_url, workers=settings.workers)
    except RuntimeError as error:
        return [("budgets", str(error))]
    shared = {what: budget(text, what=what, sharing=sharing) for what, text in asked.items()}
    try:
        if not sharing.refresh():
            return [("budgets", "Redis does not answer")]
        rows = []
        for what, made in shared.items():
            if made is None:
                continue
            status = made.status()
            left = f"{status.remaining} of {status.count} left, {status.available} of them now"
            rows.append((what, f"{left}; starts anew at {status.resets_at:%Y-%m-%d %H:%M} UTC"))
        return rows
    finally:
        sharing.close()


def _installed() -> list[tuple[str, str]]:
    classic, streaming = sdk.supports("before_send_transaction"), sdk.supports("trace_lifecycle")
    modes = " and ".join(
        mode for mode, there in (("classic", classic), ("streaming", streaming or not classic)) if there
    )
    rows = [
        ("python", sys.version.split()[0]),
        ("asgi-sentry", version("asgi-sentry") or "not installed, only importable"),
        ("sentry-sdk", f"{version('sentry-sdk')} ({modes} mode)"),
    ]
    return rows + [(name, there) for name in _LISTED if (there := version(name)) is not None]


def version(package: str) -> str | None:
    """The version of an installed distribution; None where it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _send(settings: Settings) -> int:
    """Send one event by way of a sink on loopback, since the SDK itself does not tell what was answered."""
    if settings.dsn is None:
        complain("no test event was sent: SENTRY_DSN is not set")
        return 1
    with Sink(forward_to=settings.dsn) as sink:
        own = Settings(dsn=sink.dsn, environment=settings.environment, release=settings.release)
        asgi_sentry.init(own, debug=False, auto_session_tracking=False)
        event_id = asgi_sentry.capture_message("asgi-sentry check: it works", level="info")
        sentry_sdk.flush(timeout=_SEND_SECONDS)
        sentry_sdk.get_client().close(timeout=0)
        answers = list(sink.answers)
    if not answers:
        complain("no test event was sent within 30 s")
        return 1
    status, detail = answers[0]
    host = urlsplit(settings.dsn).hostname
    if status == 200:
        print(f"\n{host} accepted the test event {event_id}")
        return 0
    complain(f"{host} refused the test event: {status} {detail}")
    return 1
