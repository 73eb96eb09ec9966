"""Fail closed: whichever function raises, nothing unscrubbed leaves, the loss is counted, the app never notices.

A function fails at each of its calls, from its second one on, or from its fifth. By default each does so in one of
these ways, in turn; with `ASGI_SENTRY_SWEEP=all` in all of them.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import logging
import pkgutil
import sys

import pytest
import sentry_sdk

import asgi_sentry
from asgi_sentry import Settings
from asgi_sentry.testing import RecordingTransport, request
from tests import quick

ROOMS = ("asgi_sentry._scrubbing", "asgi_sentry._exit", "asgi_sentry._request.report", "asgi_sentry._request.head")
# What the SDK calls itself, and what a thread runs: nothing of ours stands above that could catch what it raises.
OUTERMOST = {
    "_exit.transport._send",
    "Scanner._compile",
    "GuardedInstance.capture_envelope",
    "GuardedInstance.flush",
    "GuardedInstance.is_healthy",
}
SECRET = "qHd7wLmPz3xVbN5k"
PASSWORD = "Tr0ub4dor&3x"
BODY = b'{"password": "Tr0ub4dor&3x", "note": "fine"}'


def modules():
    for room in ROOMS:
        module = importlib.import_module(room)
        yield module
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{room}."):
            yield importlib.import_module(found.name)


def functions():
    """Every function and method of these rooms: where it stands, and its name there."""
    for module in modules():
        for name, one in vars(module).items():
            if getattr(one, "__module__", None) != module.__name__:
                continue
            if inspect.isfunction(one):
                place = f"{module.__name__.removeprefix('asgi_sentry.')}.{name}"
                if not place.endswith(tuple(OUTERMOST)):
                    yield pytest.param(one, None, name, id=place)
            elif inspect.isclass(one):
                for method, held in vars(one).items():
                    if inspect.isfunction(held) and method not in {"__repr__", "__reduce__", "__getattr__"}:
                        place = f"{module.__name__.removeprefix('asgi_sentry.')}.{name}.{method}"
                        if not place.endswith(tuple(OUTERMOST)):
                            yield pytest.param(held, one, method, id=place)


async def app(scope, receive, send):
    body = (await receive())["body"]
    logging.getLogger("shop").warning("key %s of %s", SECRET, len(body))
    variable = body.decode()
    sentry_sdk.add_breadcrumb(message=f"called with {SECRET}")
    sentry_sdk.capture_message(f"no such key: {SECRET}")
    raise LookupError(f"{SECRET} {PASSWORD} {len(variable)}")


SPARED = {0: "each call", 1: "from the second call", 4: "from the fifth call"}


def faults():
    """Each function, with how many of its calls are spared."""
    for number, one in enumerate(functions()):
        chosen = SPARED if quick.WHOLE else [list(SPARED)[number % len(SPARED)]]
        for spared in chosen:
            marks = (pytest.mark.untraced,) if spared else ()  # what follows a fault is the same each time
            yield pytest.param(*one.values, spared, id=f"{one.id}-{SPARED[spared]}", marks=marks)


@pytest.mark.parametrize(("function", "owner", "name", "spared"), list(faults()))
def test_nothing_leaves_and_the_app_never_notices(monkeypatch, function, owner, name, spared):
    transport = RecordingTransport()
    settings = Settings(dsn="http://key@127.0.0.1:9/1", environment="test", release="1", traces_sample_rate=1.0)
    asgi_sentry.init(settings, transport=transport, enable_logs=True)
    calls = 0

    def failing(*args, **named):
        nonlocal calls
        calls += 1
        if calls > spared:
            raise RuntimeError("a fault of ours")
        return function(*args, **named)

    wrapped = asgi_sentry.wrap(app)
    if owner is not None:
        monkeypatch.setattr(owner, name, failing)
    else:
        for module in [module for key, module in sys.modules.items() if key.startswith("asgi_sentry")]:
            if getattr(module, name, None) is function:
                monkeypatch.setattr(module, name, failing)
    headers = [("authorization", f"Bearer {SECRET}"), ("content-type", "application/json")]
    with pytest.raises(LookupError):
        asyncio.run(request(wrapped, "POST", "/x", headers=headers, body=BODY))
    sentry_sdk.flush()
    monkeypatch.undo()
    sent = b"".join(envelope.serialize() for envelope in transport.envelopes)
    assert SECRET.encode() not in sent
    assert PASSWORD.encode() not in sent
    assert len(transport.items("event")) + sum(1 for _, kind, _ in transport.lost if kind == "error") >= 2
