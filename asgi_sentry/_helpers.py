"""What app code calls: the SDK's common calls. They work from anywhere within a request.

None of them raises because Sentry is off, or because of what it is given to send.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, overload

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry._request.record import current

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

F = TypeVar("F", bound="Callable[..., Any]")


def capture_exception(
    exc: BaseException | None = None,
    *,
    level: str = "error",
    tags: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> str | None:
    """Report an exception; within a request, the same one is reported once.

    Args:
        exc: the default is the one that is being handled.
        level: `fatal`, `error`, `warning`, `info` or `debug`.
        tags: for this event, indexed by Sentry.
        extra: for this event, not indexed.

    Returns:
        The event's id; None if it is not sent.
    """
    return _captured("capture_exception", sentry_sdk.capture_exception, exc, level, tags, extra)


def capture_message(
    message: str,
    *,
    level: str = "info",
    tags: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> str | None:
    """Report a text; arguments and result as for `capture_exception`."""
    return _captured("capture_message", sentry_sdk.capture_message, message, level, tags, extra)


def _captured(
    name: str,
    capture: Callable[..., str | None],
    what: Any,
    level: str,
    tags: Mapping[str, Any] | None,
    extra: Mapping[str, Any] | None,
) -> str | None:
    try:
        return capture(what, level=level, tags=dict(tags or {}), extras=dict(extra or {}))
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note(name, exc, "the event is lost")
        return None


def set_user_context(user_id: Any = None, **fields: Any) -> None:
    """Say whose request this is.

    From a dependency, a worker thread or a child task, for all that is sent afterwards. What
    `UserContextMiddleware` keeps of it is its decision; without that layer it is the id. Replaces
    what an earlier call said; without arguments it takes that back.

    Args:
        user_id: anything that `str` makes an id of.
        fields: such as `username` or `email`.
    """
    try:
        user = dict(fields)
        if user_id is not None:
            user = {"id": user_id, **user}
        record = current()
        if record is not None:
            record.bound_user = user
        else:  # outside of any request: the scope around, as the SDK has it
            sentry_sdk.set_user({"id": str(user_id)} if user_id is not None else None)
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("set_user_context", exc, "events go without the user")


def set_context(name: str, data: Mapping[str, Any]) -> None:
    """Attach a named block of data to the events of this request.

    Args:
        name: of the block, as Sentry shows it.
        data: copied, at the top.
    """
    try:
        sentry_sdk.get_isolation_scope().set_context(name, dict(data))
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("set_context", exc, "events go without it")


def add_breadcrumb(
    message: str,
    *,
    category: str | None = None,
    level: str = "info",
    data: Mapping[str, Any] | None = None,
) -> None:
    """Leave a note that the next error of this request is sent with.

    Args:
        message: for people.
        category: such as `auth`.
        level: as for `capture_exception`.
        data: copied, at the top.
    """
    try:
        sentry_sdk.add_breadcrumb(
            message=message, category=category, level=level, data=dict(data or {})
        )
    except faults.SIGNALS:
        raise
    except BaseException as exc:
        faults.note("add_breadcrumb", exc, "events go without it")


@overload
def trace_function(op: F, /) -> F: ...


@overload
def trace_function(op: str | None = None, *, name: str | None = None) -> Callable[[F], F]: ...


def trace_function(op: Any = None, *, name: str | None = None) -> Any:
    """A decorator: each call is a span. For functions, coroutines, generators and async generators.

    A generator's span lasts from its first value to its end; it is never the parent of its
    consumer's spans.

    Args:
        op: of the span, such as `db.query`; the default is `function`. Also usable bare:
            `@trace_function`.
        name: of the span; the default is the function's qualified name.
    """
    if callable(op):
        return _traced(op, None, None)
    if op is not None and not isinstance(op, str):
        raise TypeError(f"op must be a text such as 'db.query', got {op!r}")
    return lambda function: _traced(function, op, name)


def _traced(function: Callable[..., Any], op: str | None, name: str | None) -> Callable[..., Any]:
    op, name = op or "function", name or function.__qualname__
    if inspect.isasyncgenfunction(function):
        return _traced_async_generator(function, op, name)
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def traced_generator(*args: Any, **kwargs: Any) -> Any:
            with sdk.span(op, name, active=False):
                return (yield from function(*args, **kwargs))

        return traced_generator
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def traced_coroutine(*args: Any, **kwargs: Any) -> Any:
            with sdk.span(op, name):
                return await function(*args, **kwargs)

        return traced_coroutine

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with sdk.span(op, name):
            return function(*args, **kwargs)

    return traced


def _traced_async_generator(function: Callable[..., Any], op: str, name: str) -> Callable[..., Any]:
    @functools.wraps(function)
    async def traced(*args: Any, **kwargs: Any) -> Any:
        with sdk.span(op, name, active=False):
            generator = function(*args, **kwargs)
            try:
                value = await generator.__anext__()
                while True:
                    try:
                        sent = yield value
                    except GeneratorExit:
                        raise
                    except BaseException as exc:
                        # The consumer threw it into us; the function that we wrap handles it.
                        value = await generator.athrow(exc)
                    else:
                        value = await generator.asend(sent)
            except StopAsyncIteration:
                return
            finally:
                await generator.aclose()

    return traced
