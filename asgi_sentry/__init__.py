"""Decides what leaves an ASGI app for Sentry.

Which requests become transactions, whose they are, and no secrets.
"""

from asgi_sentry._counters import counters
from asgi_sentry._helpers import (
    add_breadcrumb,
    capture_exception,
    capture_message,
    set_context,
    set_user_context,
    trace_function,
)
from asgi_sentry._middleware.body import BodyScrubbingMiddleware
from asgi_sentry._middleware.errors import ErrorPolicyMiddleware
from asgi_sentry._middleware.filter import (
    BOT_USER_AGENTS,
    PROBE_USER_AGENTS,
    TransactionFilterMiddleware,
)
from asgi_sentry._middleware.headers import HeaderScrubbingMiddleware
from asgi_sentry._middleware.root import SentryMiddleware
from asgi_sentry._middleware.sampling import PathSamplingMiddleware
from asgi_sentry._middleware.user import UserContextMiddleware
from asgi_sentry._paths import DEFAULT_EXCLUDE
from asgi_sentry._sampling.rate import Rate
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry._sampling.spending import budgets
from asgi_sentry._scrubbing import DEFAULT_RULES, Rule, Scrubber
from asgi_sentry._settings import Settings, SettingsError
from asgi_sentry._setup import compose, init, make_client, wrap

__all__ = [
    "BOT_USER_AGENTS",
    "DEFAULT_EXCLUDE",
    "DEFAULT_RULES",
    "PROBE_USER_AGENTS",
    "BodyScrubbingMiddleware",
    "ErrorPolicyMiddleware",
    "HeaderScrubbingMiddleware",
    "PathSamplingMiddleware",
    "Rate",
    "Rule",
    "Scrubber",
    "SentryMiddleware",
    "Settings",
    "SettingsError",
    "SharedLimits",
    "TransactionFilterMiddleware",
    "UserContextMiddleware",
    "add_breadcrumb",
    "budgets",
    "capture_exception",
    "capture_message",
    "compose",
    "counters",
    "init",
    "make_client",
    "set_context",
    "set_user_context",
    "trace_function",
    "wrap",
]
