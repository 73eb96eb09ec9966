"""asgi-sentry, with its five policy layers unless told otherwise."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import sentry_sdk

import asgi_sentry
from asgi_sentry._exit.courier import Courier
from benchmarks.contenders import COMMON, DSN, hook, processor
from benchmarks.traffic import ORDER, RATES
from benchmarks.transport import Bench

if TYPE_CHECKING:
    from benchmarks.contenders import Build


class OwnBench(Bench):
    """With the thread that asgi-sentry has in production."""

    def threaded(self) -> Any:
        return Courier(self.options["transport_queue_size"])


def layers(rules: int = 0, attach: str = "errors") -> dict[str, Any]:
    """The layers by their initials; with so many rules of exclusion and so many rates in front of those in use."""
    exclude = tuple(f"/internal/{number}/**" if number % 2 else f"/internal/{number}" for number in range(rules))
    rates = {f"/v{number}/{{id}}" if number % 2 else f"/v{number}": 0.5 for number in range(rules)}
    by_route = {f"{folder}/{ORDER}": rate for folder, rate in RATES.items()}
    return {
        "r": asgi_sentry.SentryMiddleware,
        "f": partial(asgi_sentry.TransactionFilterMiddleware, exclude=(*exclude, *asgi_sentry.DEFAULT_EXCLUDE)),
        "s": partial(asgi_sentry.PathSamplingMiddleware, rates={**rates, **by_route}),
        "u": asgi_sentry.UserContextMiddleware,
        "h": asgi_sentry.HeaderScrubbingMiddleware,
        "b": partial(asgi_sentry.BodyScrubbingMiddleware, attach=attach),
    }


def make(
    build: Build,
    names: str = "fsuhb",
    dsn: str = DSN,
    *,
    hooks: bool = True,
    attach: str = "errors",
    transport: Any = OwnBench,
) -> Any:
    """The app in the layers of these initials, the first the outermost; a number after them adds so many rules."""
    initials = names.rstrip("0123456789")
    # What no rate decides is not sampled, so that a layer alone has the same outcomes as all together.
    settings = asgi_sentry.Settings(dsn=dsn or None, traces_sample_rate=0.0)
    own: dict[str, Any] = {"before_send": hook, "before_send_transaction": hook} if hooks else {}
    asgi_sentry.init(settings, transport=transport, **own, **COMMON)
    if hooks:
        sentry_sdk.get_global_scope().add_event_processor(processor)
    made = layers(int(names[len(initials) :] or 0), attach)
    return asgi_sentry.compose(build(), *(made[name] for name in initials))
