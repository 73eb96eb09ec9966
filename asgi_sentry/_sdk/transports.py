"""The SDK's transports: which it would take, and what of them can be done by something else."""

from __future__ import annotations

import asyncio
import io
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import urllib3
from sentry_sdk.envelope import Envelope

from asgi_sentry._sdk.names import EndpointType, Worker, has, transport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_REPORTS = 30  # seconds after which what was lost is told along with an envelope, as by the SDK

SOME = 4
"""A thread is behind that has not got to one in so many of what may wait."""


def is_behind(transport: Any) -> bool:
    """Whether what is to be sent gathers before a transport's thread; False: it can't be told."""
    queue = getattr(getattr(transport, "_worker", None), "_queue", None)
    if queue is None:
        return False
    return bool(SOME * queue.qsize() >= transport.options["transport_queue_size"])


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


def quickened(
    base: type[Any],
    *,
    pack: Callable[[Envelope, int], bytes],
    worker: type[Any],
) -> type[Any]:
    """A transport of the SDK's, with an encoder and a thread of ours in the place of its own.

    Args:
        base: the transport's class. One that has no thread keeps what it has.
        pack: makes of an envelope, and of a level of compression, what is sent in gzip.
        worker: of the size of a queue. One that has not all that the SDK's has is not taken.
    """
    packs = has("packing")
    works = has("workers") and issubclass(base, transport.HttpTransport) and _fits(worker)

    class QuickTransport(base):  # type: ignore[misc]
        """Packs by a function of ours, whatever that can't pack as the SDK does."""

        def _create_worker(self, options: Mapping[str, Any]) -> Any:
            if works:
                return worker(options["transport_queue_size"])
            return super()._create_worker(options)

        def _serialize_envelope(self, envelope: Envelope) -> tuple[str | None, io.BytesIO]:
            if packs and self._compression_algo == "gzip" and self._compression_level:
                with suppress(Exception):
                    return "gzip", io.BytesIO(pack(envelope, self._compression_level))
            packed: tuple[str | None, io.BytesIO] = super()._serialize_envelope(envelope)
            return packed

    QuickTransport.__name__ = QuickTransport.__qualname__ = base.__name__
    return QuickTransport


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

        def _send_envelope(self, envelope: Envelope) -> None:
            """As the SDK does it, less what it looks at for each where there is nothing to see."""
            if self.options["debug"] or self._is_rate_limited():
                super()._send_envelope(envelope)
                return
            if not envelope.items:  # nothing is left of it
                return
            report = self._fetch_pending_client_report(interval=_REPORTS)
            if report is not None:
                envelope = Envelope(headers=envelope.headers, items=[*envelope.items, report])
            encoding, body = self._serialize_envelope(envelope)
            headers = {"Content-Type": "application/x-sentry-envelope"}
            if encoding:
                headers["Content-Encoding"] = encoding
            self._send_request(
                body.getvalue(),
                headers=headers,
                endpoint_type=EndpointType.ENVELOPE,
                envelope=envelope,
            )

    return LeanHttpTransport


def _fits(worker: type[Any]) -> bool:
    return all(hasattr(worker, name) for name in vars(Worker) if not name.startswith("_"))


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
