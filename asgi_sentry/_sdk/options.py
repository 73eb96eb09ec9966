"""What follows from the options of `sentry_sdk.init`, before there is a client."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from asgi_sentry._sdk.names import (
    DEFAULT_OPTIONS,
    DidNotEnable,
    has_span_streaming_enabled,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ORIGIN = "auto.http.asgi_sentry"  # https://develop.sentry.dev/sdk/telemetry/traces/trace-origin/
# What the layers do in their place. https://docs.sentry.io/platforms/python/integrations/
FRAMEWORK_INTEGRATIONS = (
    ("starlette", "StarletteIntegration"),
    ("fastapi", "FastApiIntegration"),
    ("litestar", "LitestarIntegration"),
)


def supports(option: str) -> bool:
    """Whether the installed SDK has this `init` option."""
    return option in DEFAULT_OPTIONS


def streams(options: Mapping[str, Any]) -> bool:
    """Whether `sentry_sdk.init` with these options would stream spans."""
    return has_span_streaming_enabled({**DEFAULT_OPTIONS, **options})


def framework_integrations() -> list[Any]:
    """The SDK's integrations for the frameworks that are installed: its `disabled_integrations`."""
    found = []
    for module, name in FRAMEWORK_INTEGRATIONS:
        try:
            found.append(getattr(import_module(f"sentry_sdk.integrations.{module}"), name))
        except (DidNotEnable, ImportError, AttributeError):
            # The framework is not installed, or the SDK has moved.
            continue
    return found
