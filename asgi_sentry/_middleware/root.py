"""The request root alone."""

from __future__ import annotations

import inspect
from collections.abc import Container
from typing import TYPE_CHECKING, Any

from asgi_sentry._middleware.layer import Layer
from asgi_sentry._request.plan import Plan, RootPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asgi_sentry.types import ASGIApp

_NAMES = ("route", "endpoint")
_WEBSOCKETS = ("handshake", "lifetime", "off")


class SentryMiddleware(Layer):
    """Isolation, trace, errors, status, name and session of each request; nothing of its content.

    Every other layer brings this along with these defaults; this one is for a stack without
    policies, or for other values.

    Args:
        app: the ASGI3 app to wrap.
        failed_request_status_codes: statuses of a response behind which an exception that the
            framework handled is reported. One that the app raises is reported in any case.
        websockets: when the transaction of a websocket is sent: `handshake`, once the connection is
            accepted or refused; `lifetime`, once it closes, with a duration of hours for a long
            one; `off`, never.
        name: what transactions are called: by `route`, such as `GET /items/{id}`; by `endpoint`,
            such as `shop.views.show_item`; or by a function of the ASGI scope that returns a text.
            It is called once the request is routed; where it returns nothing, the name is the
            route's.
        report_failed_responses: report a response with one of the failed statuses for itself, once,
            where no error was reported or ignored for its request.
        middleware_spans: have a span, `middleware.asgi`, for each layer of other people's that is
            given to the same `compose`. Of those within a framework's own stack nobody knows
            without patching it.

    Raises:
        TypeError: `app` is no ASGI3 app, or the status codes are no container.
        ValueError: `websockets` is none of the three, or `name` is neither of both nor a plain
            function.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        failed_request_status_codes: Container[int] = range(500, 600),
        websockets: str = "handshake",
        name: str | Callable[[Mapping[str, Any]], Any] = "route",
        report_failed_responses: bool = False,
        # `compose` reads this from what it is given, before a root is made of it.
        middleware_spans: bool = False,
    ) -> None:
        if not isinstance(failed_request_status_codes, Container) or isinstance(
            failed_request_status_codes, str
        ):
            raise TypeError(
                "failed_request_status_codes must be a container of ints, such as range(500, 600) "
                "or {500, 503}, "
                f"got {failed_request_status_codes!r}"
            )
        if websockets not in _WEBSOCKETS:
            raise ValueError(
                f"websockets must be one of {', '.join(map(repr, _WEBSOCKETS))}, got {websockets!r}"
            )
        if name not in _NAMES and (not callable(name) or inspect.iscoroutinefunction(name)):
            raise ValueError(
                f"name must be 'route', 'endpoint' or a plain function of the scope, got {name!r}"
            )
        policy = RootPolicy(
            failed_request_status_codes=failed_request_status_codes,
            websockets=websockets,
            name=name,
            report_failed_responses=bool(report_failed_responses),
        )
        super().__init__(app, Plan(root=policy))
