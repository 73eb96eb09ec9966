"""Run by `test_names`: serves requests with one name of sentry-sdk hidden, in a fork for each name.

    python -m tests.sdk.hiding MODE MODULE.NAME ...

Prints a line of JSON for each.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import types
from contextlib import suppress
from importlib import import_module
from typing import Any

import fastapi  # noqa: F401 - here once, not in each fork
import litestar  # noqa: F401
import sentry_sdk.integrations.fastapi
import sentry_sdk.integrations.litestar
import sentry_sdk.traces

from tests import quick

with suppress(ImportError):
    import hyperscan  # noqa: F401

if not sentry_sdk.VERSION.startswith("3"):  # which has no transactions
    import sentry_sdk.tracing

# What is batched is sent by the flush, and not meanwhile by a thread that the flush does not wait for (see `conftest`).
quick.without_threads()

SECRET = "correct-horse-battery-staple-7731"


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def hide(module: str, name: str) -> None:
    """Hide a name from our package; the SDK's own modules, some of which are imported late, go on finding it."""
    real = import_module(module)

    class Without(types.ModuleType):
        def __getattr__(self, wanted: str) -> Any:
            if wanted == name and sys._getframe(1).f_globals["__name__"].startswith("asgi_sentry"):
                raise AttributeError(f"{wanted} is hidden")
            return getattr(real, wanted)

        def __setattr__(self, wanted: str, value: Any) -> None:
            setattr(real, wanted, value)

    without = Without(module)
    vars(without).update({key: vars(real)[key] for key in ("__spec__", "__path__", "__file__") if key in vars(real)})
    sys.modules[module] = without
    parent, _, last = module.rpartition(".")
    if parent:
        setattr(sys.modules[parent], last, without)


def served(mode: str) -> dict[str, Any]:
    """What came of two requests, and what was logged."""
    handler = Lines()
    logger = logging.getLogger("asgi_sentry")
    logger.addHandler(handler)
    logger.propagate = False

    import asgi_sentry
    from asgi_sentry.testing import RecordingTransport, request

    transport = RecordingTransport()
    options = {"trace_lifecycle": "stream"} if mode == "stream" else {}
    settings = asgi_sentry.Settings(dsn="http://key@localhost/1", release="a@1", traces_sample_rate=1.0)
    asgi_sentry.init(settings, transport=transport, **options)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/error":
            sentry_sdk.set_extra("note", f"password={SECRET}")
            credential = dict(scope["headers"])[b"x-api-key"].decode()
            raise ValueError(f"failed with {credential}")
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"fine"})

    wrapped = asgi_sentry.wrap(app)

    async def main() -> tuple[bytes, str]:
        headers = [(b"x-api-key", SECRET.encode()), (b"sentry-trace", b"0" * 31 + b"1-" + b"0" * 15 + b"1-1")]
        answer = await request(wrapped, path="/fine", headers=headers)
        try:
            await request(wrapped, path="/error", headers=headers)
        except ValueError as exc:
            return answer.body, type(exc).__name__
        return answer.body, ""

    body, raised = asyncio.run(main())
    sentry_sdk.flush()
    sent = json.dumps([item.payload.json for envelope in transport.envelopes for item in envelope.items], default=repr)
    errors = transport.items("event")
    return {
        "body": body.decode(),
        "raised": raised,
        "errors": [event["exception"]["values"][-1]["type"] for event in errors],
        "leaks": SECRET in sent,
        "transactions": len(transport.items("transaction")) + sum(s["is_segment"] for s in transport.items("span")),
        "lines": handler.lines,
    }


def warm() -> None:
    """Do once what each fork would do anew: compile patterns, and import what integrations import."""
    with suppress(ImportError):
        import redis.asyncio  # noqa: F401
    import asgi_sentry  # noqa: F401

    for name in [name for name in sys.modules if name.partition(".")[0] == "asgi_sentry"]:
        del sys.modules[name]  # each fork imports it with a name of the SDK's hidden


def main(mode: str, *names: str) -> None:
    quick.remember()
    warm()
    for full in names:
        module, _, name = full.rpartition(".")
        child = os.fork()
        if child == 0:
            try:
                if full != "nothing":
                    hide(module, name)
                result = {"name": full, **served(mode)}
            except BaseException as exc:  # the parent's test tells of it
                import traceback

                result = {"name": full, "failed": repr(exc), "trace": traceback.format_exc()}
            sys.stdout.write(json.dumps(result) + "\n")
            sys.stdout.flush()
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
