"""The request body, scrubbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry._middleware.headers import own_scrubber
from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request.plan import BodyPolicy, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry._scrubbing import Scrubber
    from asgi_sentry.types import ASGIApp

_ATTACH = ("errors", "always", "never")


class BodyScrubbingMiddleware(Layer):
    """Attaches the request's body to what is sent, parsed and scrubbed.

    The app reads its body as if we were not there: what passes is looked at, up to `max_bytes`, and
    parsed only when something is sent. Without this layer no body is attached, and secrets in
    bodies are not known by value.

    Args:
        app: the ASGI3 app to wrap.
        max_bytes: how much of the body is kept; a longer one is attached up to there and marked as
            truncated.
        attach: to `errors` alone, `always` (to transactions too), or `never` (but known for the
            taint).
        deny: key terms to redact beside the default ones.
        allow: key terms to let pass though they are denied by default.
        scrubber: a whole `Scrubber` for bodies, with its own terms and rules, in place of both.

    Raises:
        TypeError: `app` is no ASGI3 app, or an argument is of the wrong type.
        ValueError: `max_bytes` or `attach` is out of range, or `scrubber` is given together with
            terms.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int = 16_384,
        attach: str = "errors",
        deny: Iterable[str] = (),
        allow: Iterable[str] = (),
        scrubber: Scrubber | None = None,
    ) -> None:
        if not isinstance(max_bytes, int) or isinstance(max_bytes, bool) or max_bytes < 0:
            raise ValueError(f"max_bytes must be a number of bytes, 0 or more, got {max_bytes!r}")
        if attach not in _ATTACH:
            raise ValueError(
                f"attach must be one of {', '.join(map(repr, _ATTACH))}, got {attach!r}"
            )
        policy = BodyPolicy(
            max_bytes=max_bytes, attach=attach, scrubber=own_scrubber(deny, allow, scrubber)
        )
        super().__init__(app, Plan(bodies=(policy,)))
