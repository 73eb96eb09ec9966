"""Fuzzing by hand: `python -m tests.fuzz`.

    python -m tests.fuzz --conversations 500000 --seconds 600    made-up ASGI conversations against the bare app
    python -m tests.fuzz --atheris 600                           a coverage-guided look at whatever reads text and bytes

The second needs `pip install atheris`. Both say what broke and by which input, and end with a status of 1. What they
find becomes a test.
"""

from __future__ import annotations

import argparse
import logging
import sys
import time
from functools import partial
from typing import Any

import asgi_sentry
from asgi_sentry import Scrubber
from asgi_sentry._scrubbing import parse_body
from asgi_sentry._sdk.baggage import parsed_baggage
from asgi_sentry.testing import RecordingTransport
from tests.conversations import Dice, foreign_layer, hold, make

STACKS: dict[str, Any] = {
    "wrap": asgi_sentry.wrap,
    "root": asgi_sentry.SentryMiddleware,
    "apart": lambda app: asgi_sentry.compose(
        app,
        asgi_sentry.UserContextMiddleware,
        foreign_layer,
        partial(asgi_sentry.BodyScrubbingMiddleware, attach="always"),
        partial(asgi_sentry.SentryMiddleware, websockets="lifetime"),
        foreign_layer,
        partial(asgi_sentry.PathSamplingMiddleware, rates={"/p/{id}": 0.0}, default=0.5, parent="ignore"),
    ),
}
"""Stacks that a conversation passes: our own seven, one layer, and layers that can't see each other."""


def differing(
    count: int, seconds: float, seed: int, transport: RecordingTransport
) -> tuple[int, list[tuple[str, int]]]:
    """Hold conversations four at a time, interleaved, with a stack and without.

    Returns:
        How many there were until the processor time was up, and the stacks and seeds of those that differed.
    """
    names, wrong, began, held = list(STACKS), [], time.process_time(), 0
    while held < count and time.process_time() - began < seconds:
        number = seed + held
        each = [make(Dice(at)) for at in range(number, number + 4)]
        name = names[held // 4 % len(names)]
        if hold(each, STACKS[name], Dice(number)) != hold(each, None):
            wrong.append((name, number))
        held += 4
        transport.clear()
    return held, wrong


def converse(count: int, seconds: float, seed: int) -> int:
    """Print how many conversations were held, and which were not as without us."""
    transport = RecordingTransport()
    logging.getLogger("asgi_sentry").setLevel(logging.ERROR)  # faults over scopes that break the protocol are many
    logging.getLogger("tests.conversations").addHandler(logging.NullHandler())
    wrong = []
    for mode in ({}, {"trace_lifecycle": "stream"}):
        asgi_sentry.init(
            asgi_sentry.Settings(dsn="http://publickey@localhost/1", release="app@1", traces_sample_rate=0.2),
            transport=transport,
            include_source_context=False,
            include_local_variables=False,
            **mode,
        )
        held, differ = differing(count // 2, seconds / 2, seed, transport)
        print(f"{mode.get('trace_lifecycle', 'classic')}: {held} conversations, {len(differ)} differ")
        wrong += differ
    print(*(f"{name}, seed {number}" for name, number in wrong), sep="\n")
    return 1 if wrong else 0


SECRET = "kT9vQ2mXw7Lp4Rz8Yc3N"
TYPES = ["application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"]
TYPES += ["application/x-ndjson", "application/graphql", "", "a/b; charset=utf-16", "a/b;;;;"]


def look(data: bytes) -> None:
    """One input, as a body, a text, a trace header and in an event; raises where a law does not hold."""
    text = data.decode("utf-8", "replace")
    scrubber = Scrubber()
    scrubbed = scrubber.scrub_text(text)
    if scrubber.scrub_text(scrubbed) != scrubbed:
        raise AssertionError(f"not idempotent: {text!r}")
    kind = TYPES[data[0] % len(TYPES)] if data else ""
    value = parse_body(data, content_type=kind, truncated=len(data) % 2 == 1).value
    scrubber.scrub({"body": value, "password": SECRET, text[:50]: text})
    parsed_baggage(text)
    event = {"message": text, "extra": {"password": SECRET, "beside": f"{text} {SECRET}"}, "tags": {"a": text}}
    scrubber.scrub_event(event)
    if SECRET in repr(event["extra"].get("password")):
        raise AssertionError(f"a denied key is shown: {text!r}")


def guided(seconds: int) -> int:
    """Have atheris look for inputs that break something."""
    import atheris

    with atheris.instrument_imports(include=["asgi_sentry"]):
        pass
    atheris.instrument_all()
    logging.getLogger("asgi_sentry").setLevel(logging.CRITICAL)
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=4096", "-rss_limit_mb=4096"], look)
    atheris.Fuzz()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--conversations", type=int, default=50_000, metavar="COUNT")
    parser.add_argument("--seconds", type=float, default=120.0, help="of processor time, at most")
    parser.add_argument("--seed", type=int, default=time.time_ns() % 10**9)
    parser.add_argument("--atheris", type=int, metavar="SECONDS", help="instead: coverage-guided")
    options = parser.parse_args()
    if options.atheris:
        return guided(options.atheris)
    print(f"from seed {options.seed}")
    return converse(options.conversations, options.seconds, options.seed)


if __name__ == "__main__":
    sys.exit(main())
