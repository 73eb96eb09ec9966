"""Known mistakes of a configuration, each with its remedy: what `check` warns of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asgi_sentry._sampling.rate import PERIODS, Limit, Rate

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asgi_sentry._settings import Settings
    from asgi_sentry.tools.target import Around

_MONTH = PERIODS["month"]
# What the SDK's integrations name a transaction by, where a team has asked for the function instead
# of the route.
_STYLED = ("starlette", "fastapi", "litestar", "django", "quart", "flask")


class Found(NamedTuple):
    """What is known of a process, by as much of it as was looked at."""

    settings: Settings
    in_code: frozenset[str]
    """Names of the settings that code gives."""
    layers: Sequence[Around] | None
    """Around the app, the outermost first; None: no app was given."""
    options: Mapping[str, Any]
    """Of the SDK's client; empty where none was started."""
    guarded: bool
    """Whether `asgi_sentry.init` started that client, or it sends nothing."""


def warnings(found: Found) -> list[str]:
    """A sentence for each known mistake: what is wrong, what comes of it, and what to do."""
    return [*_of_settings(found), *_of_options(found), *_of_layers(found)]


def _of_settings(found: Found) -> Iterator[str]:
    settings = found.settings
    if settings.dsn is None:
        return
    if "dsn" in found.in_code:
        yield (
            "the DSN stands in the code: set SENTRY_DSN instead, "
            "so that each environment has its own"
        )
    if settings.release is None and not found.options.get("release"):
        yield (
            "no release is known: set SENTRY_RELEASE, or Sentry can't tell which deployment an "
            "error is of, and counts "
            "no sessions"
        )
    every = settings.enable_tracing and settings.traces_sample_rate == 1 and settings.budget is None
    if every and settings.environment == "production":
        yield (
            "every request of production becomes a transaction: lower SENTRY_TRACES_SAMPLE_RATE, "
            "or set ASGI_SENTRY_BUDGET"
        )
    yield from _of_budget(settings)


def _of_budget(settings: Settings) -> Iterator[str]:
    if settings.budget is None or not settings.enable_tracing:
        return
    budget = Limit.parse(settings.budget, what="budget")
    asked = sum(_a_month(rate) for rate in settings.rates.values() if isinstance(rate, Rate))
    allowed = budget.count * _MONTH / budget.seconds
    if asked > allowed:
        yield (
            f"the rates ask for up to {asked:,.0f} transactions a month, and ASGI_SENTRY_BUDGET "
            f"allows {allowed:,.0f}: "
            "lower at_least or target, or the budget decides which requests are seen"
        )


def _a_month(rate: Rate) -> float:
    """How many transactions a rate by itself wants at the least, or by its target, in a month."""
    limit = rate.goal or rate.least
    if limit is not None:
        return limit.count * _MONTH / limit.seconds
    return 0.0


def _of_options(found: Found) -> Iterator[str]:
    if found.options and not found.guarded:
        yield (
            "Sentry was started by sentry_sdk.init: logs, metrics and streamed spans are not "
            "scrubbed; start it by "
            "asgi_sentry.init"
        )
    if found.options.get("send_default_pii"):
        yield (
            "send_default_pii is on: the SDK's integrations attach personal data; "
            "leave it out, the layers attach what is safe"
        )
    for integration in found.options.get("integrations") or ():
        name = getattr(integration, "identifier", "")
        if name in _STYLED and getattr(integration, "transaction_style", None) in {
            "endpoint",
            "function_name",
        }:
            yield (
                f"the {name} integration was asked for "
                f"transaction_style={integration.transaction_style!r}: "
                'without SentryMiddleware(name="endpoint") names change, and dashboards and '
                "alerts that go by them"
            )


def _of_layers(found: Found) -> Iterator[str]:
    layers = found.layers
    if layers is None:
        return
    ours = [number for number, layer in enumerate(layers) if layer.ours]
    if not ours:
        yield "no layer of asgi-sentry stands around the app: app = asgi_sentry.wrap(app)"
        return
    if not found.options:
        yield (
            "the layers are there, but Sentry was not started when the app was imported: call "
            "asgi_sentry.init() where "
            "the app is made"
        )
    hidden = [layer.name for layer in layers[: max(ours)] if layer.own_task]
    behind = [
        layer.name for number, layer in enumerate(layers) if layer.own_task and number > max(ours)
    ]
    if behind and not hidden:
        yield (
            f"{behind[0]} runs the app in a task of its own, and no layer stands within it: an "
            "exception that the app "
            "answers itself can't be seen from outside; add SentryMiddleware inside of it as well"
        )
