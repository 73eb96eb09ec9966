"""Spans of the app's own functions."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry._sdk.client_view import view
from asgi_sentry._sdk.names import Scope, has, traces


def span(op: str, name: str, *, active: bool = True) -> AbstractContextManager[Any]:
    """A span below the current one, as a context manager that raises nothing of its own.

    Nothing outside of a trace.

    Args:
        op: such as `function`.
        name: of the span.
        active: whether spans started within it become its children. A generator's must not: between
            two values its consumer runs, in the same context.
    """
    current = view()
    if current is None or not has("scopes", "spans" if current.streaming else "transactions"):
        return nullcontext()
    try:
        parent: Any = Scope.get_current_scope()._span
        if parent is None:
            return nullcontext()
        if current.streaming:
            attributes: dict[str, Any] = {"sentry.op": op, "sentry.origin": "manual"}
            started: AbstractContextManager[Any] = traces.start_span(
                name, attributes=attributes, active=active
            )
        elif active:
            started = sentry_sdk.start_span(op=op, name=name)
        else:
            started = _Detached(parent.start_child(op=op, name=name))
    except Exception as exc:
        faults.note("starting a span", exc, "the function runs without one")
        return nullcontext()
    return started


class _Detached:
    """A classic span that is timed, but is nobody's current span."""

    __slots__ = ("_span",)

    def __init__(self, span: Any) -> None:
        self._span = span

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, ty: type[BaseException] | None, value: BaseException | None, tb: object
    ) -> None:
        if value is not None and not isinstance(value, GeneratorExit):
            self._span.set_status("internal_error")
        self._span.finish()
