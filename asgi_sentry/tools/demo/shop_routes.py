"""The routes of the demo's apps, as path rules. Everything is counted by these."""

from __future__ import annotations

from typing import NamedTuple

from asgi_sentry._paths import DEFAULT_EXCLUDE, PathRules

APPS = ("fastapi", "starlette", "litestar")

RATES = {"/api/chat": 0.1, "/api/voice": 0.1}
"""The rates by path that the apps run with, as in `ASGI_SENTRY_RATES`."""

DEFAULT_RATE = 0.5
"""The rate of every other route that is not excluded."""


class Route(NamedTuple):
    """One route: its path rule, and how many of a hundred requests go there."""

    rule: str
    share: int


ROUTES = (
    Route("/health", 22),
    Route("/docs", 3),
    Route("/static/app.css", 10),
    Route("/api/chat", 20),
    Route("/api/voice", 12),
    Route("/login", 8),
    Route("/upload", 6),
    Route("/orders/{order_id}", 13),
    Route("/fail", 4),
    Route("/ws", 2),
)

_BY_PATH = PathRules((route.rule, route.rule) for route in ROUTES)
_EXCLUDED = PathRules((rule, True) for rule in DEFAULT_EXCLUDE)


def route_of(path: str) -> str:
    """The rule of the route that a path belongs to, or the path itself.

    That shows up as a row of its own.
    """
    return _BY_PATH.match({"type": "http", "path": path}) or path


def excluded(path: str) -> bool:
    """Whether the rules say that a path never becomes a transaction."""
    return bool(_EXCLUDED.match({"type": "http", "path": path}))
