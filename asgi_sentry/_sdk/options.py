"""What follows from the options of `sentry_sdk.init`, before there is a client."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress
from importlib import import_module
from typing import TYPE_CHECKING, Any

import urllib3

from asgi_sentry._sdk.names import (
    DEFAULT_OPTIONS,
    DidNotEnable,
    has,
    has_span_streaming_enabled,
    transport,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sentry_sdk.envelope import Envelope

ORIGIN = "auto.http.asgi_sentry"  # https://develop.sentry.dev/sdk/telemetry/traces/trace-origin/
# What the layers do in their place. https://docs.sentry.io/platforms/python/integrations/
FRAMEWORK_INTEGRATIONS = (
    ("starlette", "StarletteIntegration"),
    ("fastapi", "FastApiIntegration"),
    ("litestar", "LitestarIntegration"),
)


def supports(option: str) -> bool:
    """Whether the installed SDK has this `init` option."""
    return option in DEFAULT_OPTIONS


def streams(options: Mapping[str, Any]) -> bool:
    """Whether `sentry_sdk.init` with these options would stream spans."""
    return has_span_streaming_enabled({**DEFAULT_OPTIONS, **options})


def framework_integrations() -> list[Any]:
    """The SDK's integrations for the frameworks that are installed: its `disabled_integrations`."""
    found = []
    for module, name in FRAMEWORK_INTEGRATIONS:
        try:
            found.append(getattr(import_module(f"sentry_sdk.integrations.{module}"), name))
        except (DidNotEnable, ImportError, AttributeError):
            # The framework is not installed, or the SDK has moved.
            continue
    return found


def default_transport(options: Mapping[str, Any]) -> type[Any] | None:
    """The class of transport that the SDK would take for these options, with none given.

    None: it can't be told.
    """
    if not has("transports"):
        return None
    experiments = options.get("_experiments") or {}
    if experiments.get("transport_async") and _can_send_async(options):
        return transport.AsyncHttpTransport
    if experiments.get("transport_http2"):
        return transport.Http2Transport
    return transport.HttpTransport


def transport_by(make_pool: Callable[..., Any]) -> type[Any]:
    """The SDK's transport in all but the HTTP. With a proxy it is the SDK's own in that too.

    Args:
        make_pool: is called with the pool that the SDK would send by, and as keywords with
            `ca_certs`, `cert_file`, `key_file` and `socket_options`; what it returns has a method
            `request`, as that pool.

    Raises:
        ValueError: the installed SDK has no such transport.
    """
    if not has("transports", "pools"):
        raise ValueError(
            'transport="lean" is not to be had with this version of sentry-sdk: leave it out'
        )

    class LeanHttpTransport(transport.HttpTransport):
        """Sends by a pool of ours."""

        def _make_pool(self) -> Any:
            usual = super()._make_pool()
            if type(usual) is not urllib3.PoolManager:  # a proxy's
                return usual
            known = super()._get_pool_options()
            own = ("ca_certs", "cert_file", "key_file", "socket_options")
            return make_pool(usual, **{name: known[name] for name in own if name in known})

    return LeanHttpTransport


def packing(base: type[Any], pack: Callable[[Envelope, int], bytes]) -> type[Any]:
    """A transport of the SDK's, with a function in the place of its encoder.

    Args:
        base: the transport's class.
        pack: makes of an envelope, and of a level of compression, what is sent in gzip.
    """
    if not has("packing"):
        return base

    class PackingTransport(base):  # type: ignore[misc]
        """Packs by a function of ours, whatever that can't pack as the SDK does."""

        def _serialize_envelope(self, envelope: Envelope) -> tuple[str | None, io.BytesIO]:
            if self._compression_algo == "gzip" and self._compression_level:
                with suppress(Exception):
                    return "gzip", io.BytesIO(pack(envelope, self._compression_level))
            packed: tuple[str | None, io.BytesIO] = super()._serialize_envelope(envelope)
            return packed

    PackingTransport.__name__ = PackingTransport.__qualname__ = base.__name__
    return PackingTransport


def _can_send_async(options: Mapping[str, Any]) -> bool:
    """The SDK's own conditions, of `make_transport`; it looks at the integration's name as well."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    named = any(
        type(each).__name__ == "AsyncioIntegration" for each in options.get("integrations") or ()
    )
    return named and bool(getattr(transport, "ASYNC_TRANSPORT_AVAILABLE", False))
