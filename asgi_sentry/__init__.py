"""Decides what leaves an ASGI app for Sentry: which requests become transactions, whose they are, and no secrets."""

from asgi_sentry.counters import counters
from asgi_sentry.helpers import (
    add_breadcrumb,
    capture_exception,
    capture_message,
    set_context,
    set_user_context,
    trace_function,
)
from asgi_sentry.middleware.body import BodyScrubbingMiddleware
from asgi_sentry.middleware.errors import ErrorPolicyMiddleware
from asgi_sentry.middleware.filter import BOT_USER_AGENTS, PROBE_USER_AGENTS, TransactionFilterMiddleware
from asgi_sentry.middleware.headers import HeaderScrubbingMiddleware
from asgi_sentry.middleware.root import SentryMiddleware
from asgi_sentry.middleware.sampling import PathSamplingMiddleware
from asgi_sentry.middleware.user import UserContextMiddleware
from asgi_sentry.paths import DEFAULT_EXCLUDE
from asgi_sentry.sampling.rate import Rate
from asgi_sentry.scrubbing import DEFAULT_RULES, Rule, Scrubber
from asgi_sentry.settings import Settings, SettingsError
from asgi_sentry.setup import compose, init, wrap
from asgi_sentry.spending import budgets

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
    "TransactionFilterMiddleware",
    "UserContextMiddleware",
    "add_breadcrumb",
    "budgets",
    "capture_exception",
    "capture_message",
    "compose",
    "counters",
    "init",
    "set_context",
    "set_user_context",
    "trace_function",
    "wrap",
]
