"""Starting Sentry with our hooks in place, and putting a stack of layers around an app."""

from __future__ import annotations

import atexit
import warnings
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from weakref import WeakSet

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry import _sdk as sdk
from asgi_sentry import _state as state
from asgi_sentry._announcement import announce
from asgi_sentry._exit.encoding import lightly_compressed
from asgi_sentry._exit.transport import add_hooks, guarded, set_door
from asgi_sentry._exit.users_scrubber import UsersScrubber
from asgi_sentry._middleware.body import BodyScrubbingMiddleware
from asgi_sentry._middleware.errors import ErrorPolicyMiddleware
from asgi_sentry._middleware.filter import TransactionFilterMiddleware
from asgi_sentry._middleware.headers import HeaderScrubbingMiddleware
from asgi_sentry._middleware.layer import Layer, check_app, look_down_again
from asgi_sentry._middleware.layer_spans import SpannedLayer, wants_middleware_spans
from asgi_sentry._middleware.root import SentryMiddleware
from asgi_sentry._middleware.sampling import PathSamplingMiddleware
from asgi_sentry._middleware.user import UserContextMiddleware
from asgi_sentry._paths import DEFAULT_EXCLUDE
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry._sampling.spending import forget_budget
from asgi_sentry._scrubbing import Scrubber
from asgi_sentry._settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry.types import ASGIApp, LayerLike

_started: Settings | None = None  # of the last `init`, for a `wrap` without settings


def _forget_settings() -> None:
    global _started  # noqa: PLW0603
    _started = None


state.register("_setup: the settings of the last init", _forget_settings)


def init(settings: Settings | None = None, /, **sdk_options: Any) -> Settings:
    """`sentry_sdk.init` with the door in place.

    The SDK's Starlette, FastAPI and Litestar integrations are off. Can be called again; the last
    call counts.

    Args:
        settings: the default is `Settings.from_env()`.
        sdk_options: any option of `sentry_sdk.init`; each wins over the settings. Your own
            `before_send*`, `traces_sampler`, `event_scrubber` and `transport` are kept and called,
            and what they add is scrubbed after them. An `asgi_sentry.Scrubber` as `event_scrubber`
            becomes the door's.

    Returns:
        The settings that are in force.

    Raises:
        SettingsError: a setting is wrong; all of them are named.
        TypeError, ValueError: the SDK refuses an option.
    """
    global _started  # noqa: PLW0603 - one SDK a process
    if settings is None:
        settings = Settings.from_env()
    _start(sentry_sdk.init, settings, sdk_options)
    _started = settings
    sdk.offer_trace_meta()
    _bind(settings)
    client = sentry_sdk.get_client()
    announce(settings, None if client.transport is None else client.options)
    return settings


def started() -> Settings | None:
    """The settings of the last `init`; None where there was none."""
    return _started


def make_client(settings: Settings | None = None, /, **sdk_options: Any) -> sentry_sdk.Client:
    """A second client, for another project or a tenant's DSN, behind a door of its own.

    The client that sends decides: what a request sends by this one, on a scope where it was set
    (`scope.set_client(client)`) or by hand, has this one's options, hooks and scrubber.

    Args:
        settings: the default is `Settings.from_env()`.
        sdk_options: any option of `sentry_sdk.Client`, as for `init`.

    Returns:
        The client, which is on no scope yet.

    Raises:
        SettingsError: a setting is wrong; all of them are named.
        TypeError, ValueError: the SDK refuses an option.
    """
    if settings is None:
        settings = Settings.from_env()
    made: sentry_sdk.Client = _start(sentry_sdk.Client, settings, sdk_options)
    return made


def _start(make: Callable[..., Any], settings: Settings, own: dict[str, Any]) -> Any:
    """Make a client, or the SDK's own, with the door in place."""
    options = _options(settings, own)
    with warnings.catch_warnings():
        # No other option says which share of the sampled transactions is profiled.
        warnings.filterwarnings(
            "ignore", "Transaction-based profiling is deprecated", DeprecationWarning
        )
        made = make(**options)
    client = made
    if not isinstance(client, sentry_sdk.Client):
        client = sentry_sdk.get_client()
    sdk.guard_spotlight(client, options["transport"].asgi_sentry_door)
    sdk.guard_by(set_door)
    return made


def _options(settings: Settings, own: dict[str, Any]) -> dict[str, Any]:
    """The options for `sentry_sdk.init`: ours, under the user's own, under the hooks."""
    tracing = settings.enable_tracing
    options: dict[str, Any] = {
        "dsn": settings.dsn or "",  # None would make the SDK look into the environment again
        "environment": settings.environment,
        "release": settings.release,
        "debug": settings.debug,
        "traces_sample_rate": settings.traces_sample_rate if tracing else None,
        # Bodies are cut by the body layer, by bytes; the SDK would cut them again, to ten fields.
        "max_request_body_size": "always",
        **own,
    }
    if settings.profiles_sample_rate and tracing:
        for option, value in _profiling(settings.profiles_sample_rate, options).items():
            options.setdefault(option, value)
    options["disabled_integrations"] = [
        *(own.get("disabled_integrations") or ()),
        *sdk.framework_integrations(),
    ]
    scrubber = own.get("event_scrubber")
    door_scrubber = scrubber
    if not isinstance(door_scrubber, Scrubber):
        door_scrubber = Scrubber()
    if sdk.supports("event_scrubber") and (scrubber is None or scrubber is door_scrubber):
        # The SDK's default would go through every event for a few exact keys before the door goes
        # through it for all.
        options["event_scrubber"] = False
    elif scrubber:
        options["event_scrubber"] = UsersScrubber(scrubber)
    options["_experiments"] = lightly_compressed(own.get("_experiments"))
    options["transport"] = guarded(
        own.get("transport"), options, door_scrubber, settings.attachments
    )
    add_hooks(options, own, options["transport"].asgi_sentry_door)
    return options


def _profiling(share: float, options: dict[str, Any]) -> dict[str, Any]:
    """The SDK's options for profiling this share of the sampled transactions."""
    if sdk.supports("profiles_sample_rate") and not sdk.streams(options):
        return {"profiles_sample_rate": share}
    # The continuous profiler decides per process; within a profiled one it runs while a sampled
    # span does.
    return {"profile_session_sample_rate": share, "profile_lifecycle": "trace"}


def compose(app: ASGIApp, *layers: LayerLike) -> ASGIApp:
    """The app within these layers; the first one listed is the outermost.

    Args:
        app: an ASGI3 app.
        layers: middleware classes, `functools.partial`s of them, `starlette.middleware.Middleware`
            objects, or any `callable(app) -> app`. Other people's may stand between ours.

    Raises:
        TypeError: `app` is no ASGI3 app, or a layer can't be called or returns none.
    """
    check_app(app, "compose")
    spans = any(map(wants_middleware_spans, layers))
    for layer in reversed(layers):
        app = _applied(layer, app)
        check_app(app, f"the result of {_name(layer)}")
        if spans and not isinstance(app, Layer):
            app = SpannedLayer(app)
    return app


def _applied(layer: Any, app: ASGIApp) -> ASGIApp:
    if callable(layer):
        return cast("ASGIApp", layer(app))
    # Starlette's `Middleware`, recognised by what it promises rather than by importing Starlette.
    if hasattr(layer, "cls") and hasattr(layer, "args") and hasattr(layer, "kwargs"):
        return cast("ASGIApp", layer.cls(app, *layer.args, **layer.kwargs))
    raise TypeError(
        "a layer must be a middleware class, a functools.partial of one, a "
        "starlette.middleware.Middleware or a "
        f"callable(app) -> app, got {layer!r}"
    )


def _name(layer: Any) -> str:
    return getattr(layer, "__name__", None) or type(layer).__name__


def wrap(app: ASGIApp, settings: Settings | None = None) -> ASGIApp:
    """The app within the default production stack.

    Root, filter, sampling, errors, user, headers and body.

    Args:
        app: an ASGI3 app.
        settings: the default is those of the last `init`, also of one that is called later;
            `Settings.from_env()` until then.

    Raises:
        SettingsError: the environment is read and a setting in it is wrong.
        TypeError: `app` is no ASGI3 app.
    """
    if settings is not None:
        return _stack(app, settings)[0]
    settings = _started or Settings.from_env()
    stack, sharing = _stack(app, settings)
    _remember(stack, _Late(app, settings, sharing))
    return stack


class _Late(NamedTuple):
    """What a stack was made of that goes by the last `init`."""

    app: ASGIApp
    settings: Settings
    sharing: SharedLimits | None


_late: WeakSet[Layer] = WeakSet()  # the stacks that go by the last `init`


def _remember(stack: Layer, made_of: _Late) -> None:
    # The stack itself holds what it was made of. In a table beside it an app that holds its own
    # stack, by an attribute or by the traceback of an exception, would be kept for ever.
    vars(stack)["_made_of"] = made_of
    _late.add(stack)


def _bind(settings: Settings) -> None:
    """Have each stack that `wrap` made without settings of its own go by these.

    It may have been made before.
    """
    for stack in list(_late):
        late: _Late = vars(stack)["_made_of"]
        if late.settings == settings:
            continue
        if late.sharing is not None:
            atexit.unregister(late.sharing.close)
            late.sharing.close()
        for what in ("budget", "error_budget"):
            forget_budget(what)
        fresh, sharing = _stack(late.app, settings)
        vars(stack).clear()
        vars(stack).update(vars(fresh))
        _remember(stack, _Late(late.app, settings, sharing))
    look_down_again()


def _stack(app: ASGIApp, settings: Settings) -> tuple[Layer, SharedLimits | None]:
    """The default production stack."""
    shared: dict[str, Any] = {"workers": settings.workers}
    sharing = _sharing(settings)
    if sharing is not None:
        shared["sharing"] = sharing
    stack = compose(
        app,
        SentryMiddleware,
        partial(TransactionFilterMiddleware, exclude=(*DEFAULT_EXCLUDE, *settings.exclude)),
        partial(PathSamplingMiddleware, rates=settings.rates, budget=settings.budget, **shared),
        partial(ErrorPolicyMiddleware, error_budget=settings.error_budget, **shared),
        UserContextMiddleware,
        HeaderScrubbingMiddleware,
        partial(BodyScrubbingMiddleware, max_bytes=settings.max_body_bytes),
    )
    return cast("Layer", stack), sharing


def _sharing(settings: Settings) -> SharedLimits | None:
    """What limits and budgets are shared by; None where each process has an equal part."""
    if settings.redis_url is None:
        return None
    try:
        sharing = SharedLimits(
            settings.redis_url, namespace=settings.shared_under(), workers=settings.workers
        )
    except RuntimeError as error:  # redis-py is not installed, which is no reason not to serve
        faults.once(f"limits are not shared, and each process has an equal part: {error}")
        return None
    if settings.dsn is not None:  # else nothing is sent, and nothing is to be shared
        sharing.start()  # the first leases are there before the first request
        atexit.register(sharing.close)  # and what is left of them goes back
    return sharing
