"""Which requests never become transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from asgi_sentry._middleware.layer import Layer
from asgi_sentry._paths import DEFAULT_EXCLUDE, PathRule, PathRules
from asgi_sentry._request.plan import FilterPolicy, Plan
from asgi_sentry._sampling.request_outcome import statuses as parsed_statuses

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry.types import ASGIApp


T = TypeVar("T")

PROBE_USER_AGENTS = (
    "kube-probe",  # Kubernetes
    "ELB-HealthChecker",  # AWS
    "Amazon-Route53-Health-Check-Service",
    "GoogleHC",  # Google Cloud
    "GoogleStackdriverMonitoring-UptimeChecks",
    "Edge Health Probe",  # Azure Front Door
    "HealthChecker",
    "Consul Health Check",
    "Envoy/HC",
    "HAProxy",
    "Pingdom.com_bot",
    "UptimeRobot",
    "StatusCake",
    "Better Uptime Bot",
    "DatadogSynthetics",
    "SentryUptimeBot",
)
"""What load balancers and uptime monitors call themselves, for `user_agents`."""

BOT_USER_AGENTS = (
    *(
        "Googlebot",
        "bingbot",
        "YandexBot",
        "Baiduspider",
        "DuckDuckBot",
        "Applebot",
        "AhrefsBot",
        "SemrushBot",
    ),
    *(
        "MJ12bot",
        "DotBot",
        "PetalBot",
        "Bytespider",
        "GPTBot",
        "ClaudeBot",
        "CCBot",
        "PerplexityBot",
        "Amazonbot",
    ),
    *(
        "facebookexternalhit",
        "Twitterbot",
        "LinkedInBot",
        "Slackbot",
        "Discordbot",
        "WhatsApp",
        "TelegramBot",
    ),
)
"""Crawlers and link previews, as they write themselves."""


class TransactionFilterMiddleware(Layer):
    """Requests that match are never transactions and count in no session.

    Their errors are still reported.

    Args:
        app: the ASGI3 app to wrap.
        exclude: path rules (see the README), matched on the path that the wrapped app's router
            sees.
        methods: HTTP methods that are excluded on every path.
        user_agents: substrings of the `User-Agent` header that are excluded, case-sensitive, such
            as `kube-probe`; `PROBE_USER_AGENTS` has those of the usual load balancers and monitors.
        bots: exclude the crawlers that say so in their `User-Agent` as well.
        statuses: of responses, such as `(404, "3xx")`, whose transactions are dropped at their end,
            scans for instance. In streaming mode they can't be: their spans are on their way by
            then.

    Raises:
        TypeError: `app` is no ASGI3 app, or an argument is a string where several are meant.
        ValueError: a rule can't be compiled, a method or user agent is empty, or a status is none.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        exclude: Iterable[PathRule] = DEFAULT_EXCLUDE,
        methods: Iterable[str] = ("HEAD", "OPTIONS"),
        user_agents: Iterable[str] = (),
        bots: bool = False,
        statuses: Iterable[int | str | range] = (),
    ) -> None:
        agents = _texts("user_agents", user_agents) + (BOT_USER_AGENTS if bots else ())
        policy = FilterPolicy(
            paths=PathRules((rule, True) for rule in several("exclude", exclude)),
            methods=frozenset(text.upper() for text in _texts("methods", methods)),
            user_agents=tuple(text.encode("latin-1", "replace") for text in agents),
            statuses=parsed_statuses(several("statuses", statuses), what="statuses"),
        )
        super().__init__(app, Plan(filters=(policy,)))


def several(name: str, values: Iterable[T]) -> tuple[T, ...]:
    """The values of an argument that takes several.

    A lone string would otherwise be taken for its letters.

    Raises:
        TypeError: it is one string, or nothing that can be iterated.
    """
    if isinstance(values, (str, bytes)):
        raise TypeError(f"{name} takes several values: write {name}=({values!r},)")
    try:
        return tuple(values)
    except TypeError:
        raise TypeError(f"{name} takes several values, such as a tuple, got {values!r}") from None


def _texts(name: str, values: Iterable[str]) -> tuple[str, ...]:
    texts = several(name, values)
    for text in texts:
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"each of {name} must be a text that is not empty, got {text!r}")
    return texts
