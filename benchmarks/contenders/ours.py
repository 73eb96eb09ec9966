"""asgi-sentry, with its five policy layers unless told otherwise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import asgi_sentry
from benchmarks.contenders import COMMON, DSN
from benchmarks.traffic import RATES
from benchmarks.transport import Bench

if TYPE_CHECKING:
    from benchmarks.contenders import Build

LAYERS: dict[str, Any] = {
    "r": asgi_sentry.SentryMiddleware,
    "f": asgi_sentry.TransactionFilterMiddleware,
    "s": partial(asgi_sentry.PathSamplingMiddleware, rates=RATES),
    "u": asgi_sentry.UserContextMiddleware,
    "h": asgi_sentry.HeaderScrubbingMiddleware,
    "b": asgi_sentry.BodyScrubbingMiddleware,
}


def make(build: Build, names: str = "fsuhb", dsn: str = DSN) -> Any:
    """The app in the layers of these initials, the first the outermost."""
    settings = asgi_sentry.Settings(dsn=dsn or None, traces_sample_rate=0.1)
    asgi_sentry.init(settings, transport=Bench, **COMMON)
    return asgi_sentry.compose(build(), *(LAYERS[name] for name in names))
