"""How many of the requests on a path become transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry.middleware.layer import Layer
from asgi_sentry.plan import Plan
from asgi_sentry.sampling.sampler import PathSampler

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asgi_sentry.paths import PathRule
    from asgi_sentry.sampling.rate import Rate
    from asgi_sentry.types import ASGIApp


class PathSamplingMiddleware(Layer):
    """A sample rate per path, rolled with the trace's own dice, so that every process decides alike.

    Args:
        app: the ASGI3 app to wrap.
        rates: path rule to a fraction within [0, 1] or a `Rate`; the first match wins. 0 is an exclusion, whatever
            the parent decided.
        default: for paths that no rule matches; None: the SDK's `traces_sampler` or `traces_sample_rate` decides.
        parent: `inherit` follows the decision that came in with the trace; `ignore` rolls anew.

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
    ) -> None:
        sampler = PathSampler({} if rates is None else rates, default=default, parent=parent)
        super().__init__(app, Plan(samplers=(sampler,) if rates or default is not None else ()))
