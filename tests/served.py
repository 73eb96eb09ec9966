"""An app that fails in many ways, as a server on the command line takes it: `uvicorn tests.served:app`."""

# No `from __future__ import annotations`: FastAPI reads these annotations when the app is built.
import asyncio
import gc
import logging
import queue
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI, HTTPException, Request, WebSocket
from sentry_sdk.integrations.unraisablehook import UnraisablehookIntegration

import asgi_sentry
from tests.conftest import V3, options_of_v3

OPTIONS: dict[str, Any] = {"integrations": [UnraisablehookIntegration()]}
asgi_sentry.init(**(options_of_v3(OPTIONS) if V3 else OPTIONS))
api = FastAPI()
jobs: queue.Queue[Any] = queue.Queue()
pool = ThreadPoolExecutor(1)
pool.submit(lambda: None).result()


def fail(text: str) -> None:
    raise ValueError(text)


def log_failure(text: str) -> None:
    try:
        fail(text)
    except ValueError:
        logging.getLogger("worker").exception("a job failed")


def work() -> None:
    while True:
        text, done = jobs.get()
        log_failure(text)
        done.set()


threading.Thread(target=work, daemon=True).start()


async def raised(token: str) -> None:
    fail(f"raised {token}")


async def task(token: str) -> None:
    async def refused() -> None:
        fail(f"task {token}")

    left = asyncio.ensure_future(refused())
    await asyncio.wait([left])
    del left
    gc.collect()


async def thread(token: str) -> None:
    made = threading.Thread(target=fail, args=(f"thread {token}",))
    made.start()
    await asyncio.to_thread(made.join)


async def finalizer(token: str) -> None:
    class Held:
        def __del__(self) -> None:
            fail(f"finalizer {token}")

    Held()


async def worker(token: str) -> None:
    done = threading.Event()
    jobs.put((f"worker {token}", done))
    await asyncio.to_thread(done.wait)


async def pooled(token: str) -> None:
    await asyncio.wrap_future(pool.submit(log_failure, f"pooled {token}"))


WAYS = {each.__name__: each for each in (raised, task, thread, finalizer, worker, pooled)}


@api.post("/fails/{way}")
async def fails(way: str, request: Request) -> None:
    asgi_sentry.set_user_context("ada")
    await request.body()
    await WAYS[way](request.headers["authorization"].split()[1])


@api.get("/refuses")
async def refuses(request: Request) -> None:
    raise HTTPException(503, "refused " + request.headers["authorization"])


@api.websocket("/ws")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    fail("websocket " + await websocket.receive_text())


app = asgi_sentry.wrap(api)
