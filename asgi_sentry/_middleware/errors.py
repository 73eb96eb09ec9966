"""Which errors are sent, what they are grouped by, and how many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request.error_policy import ErrorPolicy
from asgi_sentry._request.plan import ErrorRules, Plan
from asgi_sentry._sampling.spending import budget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asgi_sentry._paths import PathRule
    from asgi_sentry._request.error_policy import ExceptionRule, Fingerprint
    from asgi_sentry._sampling.redis.shared import SharedLimits
    from asgi_sentry.types import ASGIApp


class ErrorPolicyMiddleware(Layer):
    """Keeps the noise out of the errors that are sent for requests.

    Args:
        app: the ASGI3 app to wrap.
        ignore: exception classes, or their names (`"ValueError"`,
            `"starlette.exceptions.HTTPException"`), that are not sent; a subclass counts as its
            base.
        ignore_statuses: of the responses behind which errors are not sent, such as `(503, "4xx")`.
        ignore_paths: path rules of requests whose errors are not sent.
        disconnects: whether cancelled requests, and clients that went away, are errors.
        fingerprints: exception class or name to a list of texts, in which `"{{ default }}"` is
            Sentry's own grouping, or to a function of the exception that returns one or None. One
            that `before_send` sets wins.
        per_fingerprint: how many of the same kind (the fingerprint, else type and place) are sent,
            such as `"10/minute"`; the next one that is sent says in its extra data how many were
            not (`suppressed`). Each process has an equal part of it, and at least one.
        error_budget: how many errors are sent in all, such as `"5000/month"`: spent evenly over the
            period, with room for bursts, never over. A twentieth is kept for kinds that were not
            sent for an hour.
        workers: the number of processes that share these in equal parts, where no `sharing` does it
            better.
        sharing: `SharedLimits(redis_url)`, for a budget of all processes together.

    Raises:
        TypeError: `app` is no ASGI3 app, or a rule is of the wrong type.
        ValueError: a limit, a status or a path rule can't be read; it is named, with the remedy.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        ignore: Iterable[ExceptionRule] = (),
        ignore_statuses: Iterable[int | str | range] = (),
        ignore_paths: Iterable[PathRule] = (),
        disconnects: bool = False,
        fingerprints: Mapping[ExceptionRule, Fingerprint] | None = None,
        per_fingerprint: str | None = None,
        error_budget: str | None = None,
        workers: int = 1,
        sharing: SharedLimits | None = None,
    ) -> None:
        def count_workers() -> int:
            if sharing is None:
                return workers
            return sharing.workers

        policy = ErrorPolicy(
            ignore=ignore,
            ignore_statuses=ignore_statuses,
            ignore_paths=ignore_paths,
            disconnects=disconnects,
            fingerprints=fingerprints,
            per_fingerprint=per_fingerprint,
            workers=count_workers,
        )
        allowed = budget(error_budget, what="error_budget", workers=workers, sharing=sharing)
        super().__init__(app, Plan(errors=(ErrorRules(policy=policy, budget=allowed),)))
