"""A soak: many requests of all kinds through the whole stack, and what the process has grown by since it was warm.

One in fifty is sampled, one logs, and one in two hundred fails. Each has a path, a user, a query, a body, a message and
a key of its own. Nothing
may grow with their number: memory stays within a megabyte of where it was, and no task, thread, context variable,
event processor or memory of ours is more than before.

    python -m benchmarks.soak [--requests 1000000]
"""

from __future__ import annotations

import argparse
import asyncio
import contextvars
import ctypes
import gc
import logging
import os
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sentry_sdk
from sentry_sdk.transport import Transport

import asgi_sentry
from asgi_sentry import ErrorPolicyMiddleware, PathSamplingMiddleware, Rate, Settings
from asgi_sentry._sampling.locks import live_locks

if TYPE_CHECKING:
    from sentry_sdk.envelope import Envelope

MEGABYTE = 2**20
ALLOWED = 1.0
"""Megabytes by which the process may have grown."""
BOUND = 12.0
"""Megabytes that all memories of the process together may take, filled by what clients send."""
WARM = 0.3
"""The part of the requests after which it counts as warm."""


class Counting(Transport):
    """Serializes what it gets, as a real one does, and keeps nothing."""

    def __init__(self) -> None:
        super().__init__({})
        self.items: Counter[str] = Counter()

    def capture_envelope(self, envelope: Envelope) -> None:
        for item in envelope.items:
            self.items[item.type or ""] += 1
            item.get_bytes()

    def record_lost_event(self, *_: Any, **__: Any) -> None:
        pass


async def app(scope: Any, receive: Any, send: Any) -> None:
    """Logs, remembers its user, reads its body, and fails now and then."""
    if scope["path"].endswith("/boom"):
        number = scope["path"]
        asgi_sentry.set_user_context(f"user-{number}")
        raise ValueError(f"no such thing: {number}")
    message = await receive()
    asgi_sentry.set_user_context(scope["path"])
    asgi_sentry.add_breadcrumb(f"read {len(message['body'])} for {scope['path']}")
    if scope["path"].endswith("/logged"):
        logging.getLogger("shop").warning("order %s", scope["path"])
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


def stack() -> Any:
    """All layers, with limits, budgets and an adaptive rate."""
    wrapped = asgi_sentry.wrap(app, Settings(dsn="http://key@localhost/1", budget="100000000/day"))
    wrapped = PathSamplingMiddleware(
        wrapped, rates={"/a/**": Rate(0.02, at_most="1000/second"), "/b/**": Rate.adaptive("5/second")}
    )
    return ErrorPolicyMiddleware(wrapped, per_fingerprint="1000/minute", error_budget="100000000/day")


async def drive(served: Any, first: int, count: int) -> None:
    """So many requests, one after the other."""
    for n in range(first, first + count):
        kind = "boom" if n % 200 == 0 else "logged" if n % 50 == 1 else "item"
        body = b'{"key_%d": "value-%d", "password": "secret-%d"}' % (n, n, n)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": f"/{'ab'[n % 2]}/{n}/{kind}",
            "query_string": b"q=%d&token_%d=abcdefgh%d" % (n, n, n),
            "root_path": "",
            "headers": [
                (b"host", b"localhost"),
                (b"content-type", b"application/json"),
                (b"x-header-%d" % n, b"value-%d" % n),
                (b"authorization", b"Bearer token-%d-abcdef" % n),
                (b"cookie", b"session=abcdefgh%d" % n),
            ],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }

        async def receive(body: bytes = body) -> Any:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            pass

        with suppress(ValueError):
            await served(scope, receive, send)
        if n % 100 == 0:
            await asyncio.sleep(0)


def census() -> dict[str, int]:
    """What there is of each kind of thing that must not grow."""
    gc.collect()
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "context variables": len(contextvars.copy_context()),
        "processors": len(sentry_sdk.get_isolation_scope()._event_processors)
        + len(sentry_sdk.get_global_scope()._event_processors),
        "locks": live_locks(),
    }


def resident() -> float:
    """Megabytes in memory, less what the allocator only keeps for later."""
    gc.collect()
    if sys.platform == "linux":
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MEGABYTE
    raise RuntimeError("only on Linux")


async def soak(requests: int) -> dict[str, Any]:
    """Run it: how much the process has grown since it was warm, and what there is more of."""
    transport = Counting()
    logging.getLogger("shop").addHandler(logging.NullHandler())
    logging.getLogger("shop").propagate = False
    asgi_sentry.init(
        Settings(dsn="http://key@localhost/1", release="app@1", traces_sample_rate=0.02),
        transport=transport,
        enable_logs=True,
    )
    served = stack()
    warm = int(requests * WARM)
    began = time.perf_counter()
    await drive(served, 0, 400)
    sentry_sdk.flush()
    start = resident()
    await drive(served, 400, warm - 400)
    sentry_sdk.flush()
    before, there = resident(), census()
    course = []
    step = (requests - warm) // 4
    for part in range(4):
        await drive(served, warm + part * step, step)
        sentry_sdk.flush()
        course.append(round(resident() - before, 2))
    now = census()
    return {
        "requests": warm + 4 * step,
        "seconds": round(time.perf_counter() - began, 1),
        "sent": dict(transport.items),
        "resident when warm, MB": round(before, 1),
        "of these all memories, MB": round(before - start, 1),
        "grown by, MB, at each quarter": course,
        "more than before": {what: now[what] - there[what] for what in now if now[what] > there[what]},
    }


def main() -> int:
    """Print it; 1 if something grew."""
    parser = argparse.ArgumentParser(description="what a process grows by in a million requests")
    parser.add_argument("--requests", type=int, default=1_000_000)
    found = asyncio.run(soak(parser.parse_args().requests))
    for name, value in found.items():
        print(f"{name:<32} {value}")
    return int(not is_flat(found))


def is_flat(found: dict[str, Any]) -> bool:
    """Whether nothing grew with the number of requests."""
    grown: list[float] = found["grown by, MB, at each quarter"]
    return grown[-1] <= ALLOWED and found["of these all memories, MB"] <= BOUND and not found["more than before"]


if __name__ == "__main__":
    sys.exit(main())
