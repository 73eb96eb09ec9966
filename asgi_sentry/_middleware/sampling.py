"""How many of the requests on a path become transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry._middleware.filter import several
from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request.plan import Allowance, Plan
from asgi_sentry._sampling.late import KeepRule, LateDecisions
from asgi_sentry._sampling.sampler import PathSampler
from asgi_sentry._sampling.spending import budget as made_budget

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asgi_sentry._paths import PathRule
    from asgi_sentry._sampling.rate import Rate
    from asgi_sentry._sampling.redis.shared import SharedLimits
    from asgi_sentry.types import ASGIApp


class PathSamplingMiddleware(Layer):
    """A sample rate per path. The dice are the trace's own, so that every process decides alike.

    Args:
        app: the ASGI3 app to wrap.
        rates: path rule to a fraction within [0, 1] or a `Rate`; the first match wins. 0 is an
            exclusion, whatever the parent decided.
        default: for paths that no rule matches; None: the SDK's `traces_sampler` or
            `traces_sample_rate` decides.
        parent: `inherit` follows the decision that came in with the trace; `ignore` rolls anew.
        keep: requests that are kept for how they ended though the dice said no: `errors()`,
            `slower_than(1.5)`, `status(429, "5xx")`. With any, all requests are recorded until
            their end, which costs most of what a sampled one costs before it is sent. Not in
            streaming mode, which sends spans as they end.
        keep_at_most: the limit of those, such as `"10/second"`.
        budget: of transactions in all, such as `"10000/month"`: spent evenly over the period, with
            room for bursts, never over.
        workers: the number of processes that share limits, targets and budget in equal parts, where
            no `sharing` does it better.
        sharing: `SharedLimits(redis_url)`, for limits of all processes together.

    Raises:
        TypeError: `app` is no ASGI3 app, or `rates` no mapping.
        ValueError: a rule, rate, limit or `parent` is wrong; it is named, with the remedy.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        rates: Mapping[PathRule, float | Rate] | None = None,
        default: float | Rate | None = None,
        parent: str = "inherit",
        keep: Iterable[KeepRule] = (),
        keep_at_most: str = "10/second",
        budget: str | None = None,
        workers: int = 1,
        sharing: SharedLimits | None = None,
    ) -> None:
        sampler = PathSampler(
            {} if rates is None else rates,
            default=default,
            parent=parent,
            workers=workers,
            sharing=sharing,
        )
        late = LateDecisions(several("keep", keep), keep_at_most, workers=workers, sharing=sharing)
        spent = made_budget(budget, what="budget", workers=workers, sharing=sharing)
        plan = Plan(
            samplers=(sampler,) if rates or default is not None else (),
            late=late or None,
            budgets=() if spent is None else (Allowance(gate=spent),),
        )
        super().__init__(app, plan)
