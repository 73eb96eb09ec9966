"""What the `keep` of `PathSamplingMiddleware` takes.

`keep=(errors(), slower_than(1.5), status(429))`.
"""

from asgi_sentry._sampling.late import KeepRule, errors, slower_than, status

__all__ = ["KeepRule", "errors", "slower_than", "status"]
