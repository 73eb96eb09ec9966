"""The public surface: its names and arguments are promised, and each says what it is."""

from __future__ import annotations

import inspect
import pkgutil
from typing import Any

import pytest

import asgi_sentry
import asgi_sentry.keep
import asgi_sentry.testing
import asgi_sentry.types

NAMES = [
    "init",
    "Settings",
    "SettingsError",
    "wrap",
    "compose",
    "SentryMiddleware",
    "TransactionFilterMiddleware",
    "PathSamplingMiddleware",
    "Rate",
    "UserContextMiddleware",
    "HeaderScrubbingMiddleware",
    "BodyScrubbingMiddleware",
    "Scrubber",
    "Rule",
    "DEFAULT_RULES",
    "DEFAULT_EXCLUDE",
    "capture_exception",
    "capture_message",
    "set_user_context",
    "set_context",
    "add_breadcrumb",
    "trace_function",
    "ErrorPolicyMiddleware",
    "SharedLimits",
    "PROBE_USER_AGENTS",
    "budgets",
    "counters",
]

ARGUMENTS: dict[str, dict[str, Any]] = {
    "SentryMiddleware": {"failed_request_status_codes": range(500, 600), "websockets": "handshake"},
    "TransactionFilterMiddleware": {
        "exclude": asgi_sentry.DEFAULT_EXCLUDE,
        "methods": ("HEAD", "OPTIONS"),
        "user_agents": (),
    },
    "PathSamplingMiddleware": {"default": None, "parent": "inherit"},
    "UserContextMiddleware": {
        "resolve": None,
        "fields": ("id",),
        "pseudonymize_with": None,
        "client_ip": "drop",
        "trusted_proxies": (),
    },
    "HeaderScrubbingMiddleware": {"deny": (), "allow": (), "scrubber": None},
    "BodyScrubbingMiddleware": {"max_bytes": 16_384, "attach": "errors", "deny": (), "allow": (), "scrubber": None},
    "Rate": {"at_most": None, "at_least": None},
    "Scrubber": {"rules": asgi_sentry.DEFAULT_RULES, "deny": (), "allow": (), "on_redact": None},
    "capture_exception": {"level": "error", "tags": None, "extra": None},
    "capture_message": {"level": "info", "tags": None, "extra": None},
    "add_breadcrumb": {"category": None, "level": "info", "data": None},
    "trace_function": {"name": None},
}
"""What is given by name, and its default."""

MODULES = [asgi_sentry, asgi_sentry.keep, asgi_sentry.testing, asgi_sentry.types]


@pytest.mark.parametrize("name", NAMES)
def test_a_promised_name_is_there(name):
    assert name in asgi_sentry.__all__
    assert hasattr(asgi_sentry, name)


@pytest.mark.parametrize(("name", "argument"), [(name, each) for name, them in ARGUMENTS.items() for each in them])
def test_a_promised_argument_is_there_with_its_default(name, argument):
    parameter = inspect.signature(getattr(asgi_sentry, name)).parameters[argument]
    assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
    assert parameter.default == ARGUMENTS[name][argument]


def test_all_else_says_that_it_is_private():
    public = {name for _, name, _ in pkgutil.iter_modules(asgi_sentry.__path__) if not name.startswith("_")}
    assert public == {"keep", "testing", "types", "tools"}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module in MODULES for name in getattr(module, "__all__", ())]
)
def test_each_public_name_is_described(module, name):
    value = getattr(module, name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value)
        assert value.__doc__ != value.__mro__[1].__doc__ if inspect.isclass(value) else True
