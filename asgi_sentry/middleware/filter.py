"""Which requests never become transactions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asgi_sentry.middleware.layer import Layer
from asgi_sentry.paths import DEFAULT_EXCLUDE, PathRule, PathRules
from asgi_sentry.plan import FilterPolicy, Plan

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asgi_sentry.types import ASGIApp


class TransactionFilterMiddleware(Layer):
    """Requests that match are never transactions and count in no session; their errors are still reported.

    Args:
        app: the ASGI3 app to wrap.
        exclude: path rules (see the README), matched on the path that the wrapped app's router sees.
        methods: HTTP methods that are excluded on every path.
        user_agents: substrings of the `User-Agent` header that are excluded, case-sensitive, such as `kube-probe`.

    Raises:
        TypeError: `app` is no ASGI3 app, or an argument is a string where several are meant.
        ValueError: a rule can't be compiled, or a method or user agent is empty.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        exclude: Iterable[PathRule] = DEFAULT_EXCLUDE,
        methods: Iterable[str] = ("HEAD", "OPTIONS"),
        user_agents: Iterable[str] = (),
    ) -> None:
        policy = FilterPolicy(
            paths=PathRules((rule, True) for rule in several("exclude", exclude)),
            methods=frozenset(text.upper() for text in _texts("methods", methods)),
            user_agents=tuple(text.encode("latin-1", "replace") for text in _texts("user_agents", user_agents)),
        )
        super().__init__(app, Plan(filters=(policy,)))


def several(name: str, values: Iterable[PathRule]) -> tuple[PathRule, ...]:
    """The values of an argument that takes several; a lone string would otherwise be taken for its letters.

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
    return texts  # type: ignore[return-value]
