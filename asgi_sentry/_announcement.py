"""The line that is logged at start, where people look for it."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry._settings import Settings

logger = logging.getLogger("asgi_sentry")
_SERVERS = ("uvicorn", "gunicorn.error", "hypercorn.error", "_granian", "daphne")
"""The loggers by which servers speak of themselves."""


def announce(settings: Settings, options: Mapping[str, Any] | None) -> None:
    """Log how Sentry was started.

    Args:
        settings: that are in force.
        options: of the SDK's client; None where nothing will be sent.
    """
    if options is None:
        _say("Sentry is off: no DSN is set (SENTRY_DSN)")
        return
    traces = _percent(options["traces_sample_rate"])
    if callable(options.get("traces_sampler")):
        traces = "by traces_sampler"
    _say(
        "Sentry initialized for environment: %s (release %s, traces %s, profiles %s)",
        options["environment"],
        options["release"] or "unknown",
        traces,
        _percent(settings.profiles_sample_rate),
    )


def _say(message: str, *arguments: Any) -> None:
    """Log a line; where nobody has configured logging, write it where the server writes its own.

    Python shows nothing below a warning until somebody asks for it, and servers ask for their own
    loggers alone. No handler is added and no level set: what the app configures later, or has
    configured, stays as it is.
    """
    if logger.hasHandlers() or logger.level != logging.NOTSET:
        logger.info(message, *arguments)
        return
    record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, message, arguments, None)
    for handler in _handlers():
        if record.levelno >= handler.level:
            handler.handle(record)


def _handlers() -> list[logging.Handler]:
    for name in _SERVERS:
        if handlers := logging.getLogger(name).handlers:
            return handlers
    plain = logging.StreamHandler(sys.stderr)
    plain.setFormatter(logging.Formatter("%(levelname)s:     %(message)s"))
    return [plain]


def _percent(rate: Any) -> str:
    if rate is None:
        return "off"
    return f"{rate:.1%}"
