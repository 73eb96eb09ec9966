"""Headers, cookies, query string and URL, scrubbed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry._middleware.filter import several
from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request.plan import Plan
from asgi_sentry._scrubbing import Scrubber

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry.types import ASGIApp


class HeaderScrubbingMiddleware(Layer):
    """Attaches the request's headers, cookies and query string to what is sent, scrubbed.

    Without this layer none of them is attached.

    Args:
        app: the ASGI3 app to wrap.
        deny: key terms to redact beside the default ones, such as `("x-internal-id",)`.
        allow: key terms to let pass though they are denied by default.
        scrubber: a whole `Scrubber` for these parts, with its own terms and rules, in place of
            both.

    Raises:
        TypeError: `app` is no ASGI3 app, or an argument is of the wrong type.
        ValueError: `scrubber` is given together with terms, which belong into it.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        deny: Iterable[str] = (),
        allow: Iterable[str] = (),
        scrubber: Scrubber | None = None,
    ) -> None:
        super().__init__(app, Plan(headers=(own_scrubber(deny, allow, scrubber),)))


def own_scrubber(
    deny: Iterable[str], allow: Iterable[str], scrubber: Scrubber | None
) -> Scrubber | None:
    """The scrubber of one layer.

    None where it wants no other than the one that scrubs everything else.
    """
    denied, allowed = several("deny", deny), several("allow", allow)
    if scrubber is None:
        if denied or allowed:
            return Scrubber(deny=denied, allow=allowed)
        return None
    if not isinstance(scrubber, Scrubber):
        raise TypeError(
            f"scrubber must be an asgi_sentry.Scrubber, got {type(scrubber).__qualname__}"
        )
    if denied or allowed:
        raise ValueError(
            "give deny and allow to the Scrubber itself: scrubber=Scrubber(deny=..., allow=...)"
        )
    return scrubber
