"""The end of a process.

While `lifespan.shutdown.complete` passes, what is pending is sent, and leases go back. The SDK
flushes at the interpreter's exit. A server that ends by the signal that it was told to end by, as
uvicorn does, never comes there. The last message of the lifespan is the last moment that an app is
sure to have.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import sentry_sdk

from asgi_sentry import _faults as faults
from asgi_sentry._sampling.redis.shared import rest_all

if TYPE_CHECKING:
    from collections.abc import Callable

    from asgi_sentry.types import Message, Send

_SECONDS = 2.0  # where there is no client to say


_FAILED = frozenset({"lifespan.startup.failed", "lifespan.shutdown.failed"})


def flushing(send: Send, report: Callable[[], None]) -> Send:
    """The same messages; before the last one passes, what is pending is sent.

    Args:
        send: the server's.
        report: called where the last one says that the lifespan failed. The server may be gone
            before the app has raised.
    """

    async def watched(message: Message) -> None:
        try:
            kind = message.get("type")
            if kind in _FAILED:
                report()
            if kind in _FAILED or kind == "lifespan.shutdown.complete":
                await flush()
        except faults.SIGNALS:
            raise
        except Exception as exc:  # a message that is none is the server's to refuse
            faults.note("flushing at the end", exc, "what was pending may be lost")
        await send(message)

    return watched


async def flush() -> None:
    """Send what is pending, and give leases back, within the SDK's `shutdown_timeout`."""
    client = sentry_sdk.get_client()
    seconds = _SECONDS
    if client.is_active():
        seconds = float(client.options.get("shutdown_timeout") or 0)

    def work() -> None:
        until = time.monotonic() + seconds
        # Two at once: a Sentry that hangs must not keep the leases, nor a Redis that hangs the
        # events.
        leases = threading.Thread(target=rest_all, name="asgi-sentry-end", daemon=True)
        leases.start()
        if not _is_async(client):
            client.flush(timeout=seconds)
        leases.join(max(0.0, until - time.monotonic()))

    await _in_thread(work)
    if _is_async(client):  # its transport lives on this loop
        await client.flush_async(timeout=seconds)


def _is_async(client: Any) -> bool:
    return type(client.transport).__name__.endswith("AsyncHttpTransport")


async def _in_thread(work: Callable[[], None]) -> None:
    """Without keeping the loop from its other tasks. The flush may wait for one of these."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        trio = sys.modules.get("trio")
        if trio is not None and trio.lowlevel.in_trio_run():
            await trio.to_thread.run_sync(work)
        else:
            work()
    else:
        await asyncio.to_thread(work)
