"""Laws 10 and 11: memory is bounded, and a request for which nothing is sent pays for nothing."""

from __future__ import annotations

import gc
import time
import tracemalloc
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
import sentry_sdk

from asgi_sentry import (
    BodyScrubbingMiddleware,
    HeaderScrubbingMiddleware,
    PathSamplingMiddleware,
    Rate,
    Scrubber,
    SentryMiddleware,
    UserContextMiddleware,
    capture_message,
    compose,
    wrap,
)
from asgi_sentry._request import head as content_module
from asgi_sentry._request import report as report_module
from asgi_sentry._request import secrets as secrets_module
from asgi_sentry._request.body_copy import BodyCopy
from asgi_sentry._request.record import RequestRecord, current
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import Start

pytestmark = pytest.mark.untraced

SPARE = 4096


class Silent(RecordingTransport):
    """Keeps nothing."""

    def capture_envelope(self, envelope: Any) -> None:
        pass

    def record_lost_event(self, *_: Any, **__: Any) -> None:
        pass


def traced(work: Any, *, peak: bool = False) -> int:
    """Bytes that are kept after some work, or held at its peak: the least of two takes, of three where it is soon done.

    What is traced is the process: a thread of another test's, or of a library's, may allocate meanwhile, and whatever
    is done for the first time is remembered (by a measurement of coverage too), which is no request's.
    """
    began = time.monotonic()
    takes = [_traced_once(work, peak=peak) for _ in range(2)]
    if time.monotonic() - began < 0.2:
        takes.append(_traced_once(work, peak=peak))
    return min(takes)


def _traced_once(work: Any, *, peak: bool) -> int:
    gc.collect()
    tracemalloc.start()
    try:
        kept = work()
        now, highest = tracemalloc.get_traced_memory()
        del kept
    finally:
        tracemalloc.stop()
    return highest if peak else now


# --- law 10: the body ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [0, 1, 1_000, 16_384, 100_000])
@pytest.mark.parametrize("size", [1, 7, 1_000, 16_383, 65_536])
def test_a_copy_holds_its_limit_and_little_more_however_a_body_comes(limit: int, size: int) -> None:

    def feed() -> BodyCopy:
        copy = BodyCopy(limit)
        for _ in range(max(1, 2 * limit // size)):
            copy.feed({"type": "http.request", "body": bytes(size), "more_body": True})
        return copy

    assert traced(feed) <= limit + SPARE
    # While it is fed: one chunk of the server's, and one piece of ours as it is frozen.
    assert traced(feed, peak=True) <= limit + SPARE + size + 2 * 16_384


def test_an_upload_of_100_mb_holds_what_the_limit_says() -> None:
    chunk = 1 << 20

    def feed() -> BodyCopy:
        copy = BodyCopy(16_384)
        for _ in range(100):
            copy.feed({"type": "http.request", "body": bytes(chunk), "more_body": True})
        return copy

    assert traced(feed) <= 16_384 + SPARE
    assert traced(feed, peak=True) <= chunk + 16_384 * 2 + SPARE


@pytest.mark.parametrize("chunks", ["one by one", "at once"])
def test_requests_in_flight_hold_what_the_limit_says_each(start: Start, chunks: str) -> None:
    """What stays over the same stack without the body layer, for each request that waits in its app."""
    start(traces_sample_rate=0.0, transport=Silent())
    limit, many = 2_048, 16
    body = b"x" * (2 * limit)
    pieces = [bytes(bytearray(body))] if chunks == "at once" else [b"%c" % byte for byte in body]

    class Waiting:
        def __await__(self) -> Any:
            yield

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in pieces:
            await receive()
        await Waiting()

    def in_flight(stack: Any) -> list[Any]:
        started = []
        for _ in range(many):
            messages = iter(pieces)

            async def receive(messages: Any = messages) -> Any:
                return {"type": "http.request", "body": bytes(bytearray(next(messages))), "more_body": True}

            scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
            coroutine = stack(scope, receive, None)
            coroutine.send(None)
            started.append(coroutine)
        return started

    def measured(*layers: Any) -> int:
        stack = compose(app, *layers)
        kept: list[Any] = []

        def take() -> None:
            while kept:
                kept.pop().close()  # each closed before the one it began within
            kept.extend(in_flight(stack))

        size = traced(take)
        while kept:
            kept.pop().close()
        return size

    without = measured(SentryMiddleware)
    layer = partial(BodyScrubbingMiddleware, max_bytes=limit)
    assert (measured(SentryMiddleware, layer) - without) / many <= limit + SPARE


# --- law 10: many requests ----------------------------------------------------------------------------------------


def growth(stack: Any, requests: int, make: Any) -> int:
    """Bytes that our code keeps of the second half of many requests, each with another path, user or key."""
    ours = [tracemalloc.Filter(inclusive=True, filename_pattern=f"{Path(report_module.__file__).parents[1]}/*")]

    async def serve(first: int, last: int) -> None:
        for number in range(first, last):
            await request(stack, **make(number))
        sentry_sdk.flush()
        gc.collect()

    async def main() -> int:
        await serve(0, requests)
        tracemalloc.start()
        before = tracemalloc.take_snapshot().filter_traces(ours)
        await serve(requests, 2 * requests)
        after = tracemalloc.take_snapshot().filter_traces(ours)
        tracemalloc.stop()
        return sum(each.size_diff for each in after.compare_to(before, "filename"))

    return anyio.run(main)


async def saying(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    scope["user"] = {"id": scope["path"]}
    sentry_sdk.set_tag("key", scope["path"])
    if scope["path"].endswith("0"):
        capture_message("hello")
    await send({"type": "http.response.start", "status": 200, "headers": []})


def test_nothing_grows_with_paths_users_headers_keys_or_traces(start: Start) -> None:
    start(traces_sample_rate=0.0, transport=Silent(), enable_backpressure_handling=False)
    stack = compose(
        saying,
        partial(PathSamplingMiddleware, rates={"/never": 0.5, "/x/{id}": Rate(1.0, at_most="5/second")}),
        partial(UserContextMiddleware, pseudonymize_with="k" * 16),
        HeaderScrubbingMiddleware,
        BodyScrubbingMiddleware,
    )

    def make(number: int) -> dict[str, Any]:
        return {
            "method": "POST",
            "path": f"/x/{number}",
            "query": b"key%d=value%d" % (number, number),
            "headers": [
                (f"x-key-{number}", f"value {number}"),
                ("cookie", f"c{number}=abcdefghijklmnop{number}"),
                ("content-type", "application/json"),
                ("sentry-trace", f"{number:032x}-{number:016x}-1"),
                ("baggage", f"sentry-trace_id={number:032x},sentry-sample_rate=0.5,other{number}=1"),
            ],
            "body": b'{"key%d": "%d", "password": "abcdef%d"}' % (number, number, number),
        }

    def crowded(number: int) -> dict[str, Any]:
        """With as many keys as fit, harmless and not, which fills what is remembered of keys and names."""
        fields = ",".join(f'"{word}{number}x{n}": 1' for n in range(300) for word in ("w", "password"))
        usual = make(10 * number)
        headers = [*usual["headers"], *((f"x-key-{number}-{n}", "1") for n in range(300))]
        return {**usual, "headers": headers, "body": b"{" + fields.encode() + b"}"}

    growth(stack, 10, crowded)
    many = 1_500
    assert growth(stack, many, make) < 48 * many  # the smallest object that could hold a name takes more


def test_a_long_websocket_that_reports_errors_does_not_grow(start: Start) -> None:
    """Every exception was remembered, with its frames, until the end of the request."""
    start(transport=Silent(), traces_sample_rate=0.0)
    sizes: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        def fail(times: int) -> None:
            for number in range(times):
                payload = bytes(10_000)
                try:
                    raise ValueError(number, payload[:1])
                except ValueError:
                    sentry_sdk.capture_exception()

        fail(50)
        sizes.append(traced(lambda: fail(50)))
        record = current()
        assert record is not None

    async def main() -> None:
        scope = {"type": "websocket", "path": "/", "headers": []}
        await compose(app, SentryMiddleware)(scope, None, None)  # type: ignore[arg-type]

    anyio.run(main)
    assert sizes[0] < 50 * 10_000 / 2


@pytest.mark.parametrize("rate", [0.0, 1.0])
@pytest.mark.parametrize("failing", [False, True])
def test_a_record_is_gone_with_its_request_and_not_when_the_collector_comes(
    start: Start, mode: str, rate: float, failing: bool
) -> None:
    if mode == "stream" and rate:
        pytest.skip("sampled spans wait for their batch, and their request's record with them")
    start(traces_sample_rate=rate, transport=Silent(), enable_backpressure_handling=False)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        capture_message("hello")
        if failing:
            try:
                raise ValueError("handled")
            except ValueError:
                await send({"type": "http.response.start", "status": 500, "headers": []})

    stack = wrap(app)

    def records() -> int:
        return sum(type(each) is RequestRecord for each in gc.get_objects())

    async def main() -> None:
        for _ in range(3):
            await request(stack, "POST", body=b"body")
        gc.collect()
        before = records()
        gc.disable()
        try:
            for _ in range(20):
                await request(stack, "POST", body=b"body")
            # The last exception is the SDK's to remember, and its traceback holds the frames it came through.
            assert records() - before <= (1 if failing else 0)
        finally:
            gc.enable()

    anyio.run(main)


# --- law 11: a request for which nothing is sent ------------------------------------------------------------------


class Counted(bytes):
    """A header's name or value that counts how often it is decoded."""

    decoded = 0

    def decode(self, *args: Any, **kwargs: Any) -> str:
        Counted.decoded += 1
        return super().decode(*args, **kwargs)


class CountingScrubber(Scrubber):
    calls = 0

    def __getattribute__(self, name: str) -> Any:
        if not name.startswith("_"):
            CountingScrubber.calls += 1
        return super().__getattribute__(name)


class Counts:
    """How often each kind of work was done."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.resolved = 0
        self.other = 0
        Counted.decoded = CountingScrubber.calls = 0
        for module, name in [
            (report_module, "describe_head"),
            (secrets_module, "parse_body"),
            (report_module, "Report"),
            (report_module, "name_of"),
            (content_module, "named_headers"),
        ]:
            monkeypatch.setattr(module, name, self._counting(getattr(module, name)))

    def _counting(self, work: Any) -> Any:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.other += 1
            return work(*args, **kwargs)

        return counted

    def resolve(self, scope: Mapping[str, Any]) -> Any:
        self.resolved += 1
        return {"id": "u1"}

    def all(self) -> tuple[int, int, int, int]:
        return Counted.decoded, CountingScrubber.calls, self.resolved, self.other


def stack_of(counts: Counts, app: Any, **rates: float) -> Any:
    scrubber = CountingScrubber()
    CountingScrubber.calls = 0  # of making it
    return compose(
        app,
        partial(PathSamplingMiddleware, rates={f"/{path}": rate for path, rate in rates.items()}),
        partial(UserContextMiddleware, resolve=counts.resolve, client_ip="keep", trusted_proxies=("127.0.0.0/8",)),
        partial(HeaderScrubbingMiddleware, scrubber=scrubber),
        partial(BodyScrubbingMiddleware, scrubber=scrubber, attach="always"),
    )


HEADERS = [
    (Counted(name), Counted(value))
    for name, value in [
        (b"authorization", b"Bearer abcdefghijklmnop"),
        (b"cookie", b"session=abcdefghijklmnop"),
        (b"content-type", b"application/json"),
        (b"user-agent", b"Mozilla/5.0"),
        (b"x-forwarded-for", b"192.0.2.7"),
        (b"host", b"example.org"),
    ]
]


def serve(stack: Any, path: str) -> None:
    async def main() -> None:
        await request(stack, "POST", path, body=b'{"a": 1}', query=b"a=b", scope={"headers": HEADERS})

    anyio.run(main)


async def quiet(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    sentry_sdk.add_breadcrumb(message="crumb")
    sentry_sdk.set_tag("tag", "value")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"answer"})


@pytest.mark.parametrize("path", ["/excluded", "/unsampled", "/sampled-by-the-sdk"])
def test_a_request_for_which_nothing_is_sent_pays_for_nothing(
    start: Start, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    start(traces_sample_rate=0.0)
    counts = Counts(monkeypatch)
    serve(stack_of(counts, quiet, excluded=0.0, unsampled=1e-12), path)
    assert counts.all() == (0, 0, 0, 0)


def test_an_excluded_request_pays_once_something_is_sent(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """The counts above count: the same request with one message in it does each kind of work."""
    transport = start(traces_sample_rate=0.0)
    counts = Counts(monkeypatch)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await quiet(scope, receive, send)
        capture_message("hello")

    serve(stack_of(counts, app, excluded=0.0), "/excluded")
    assert all(counts.all())
    (event,) = transport.items("event")
    assert event["user"]["id"] == "u1"


def test_what_is_sent_several_times_is_resolved_anew_but_parsed_once(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    start(traces_sample_rate=0.0)
    parsed: list[int] = []
    original = secrets_module.parse_body

    def parse(*args: Any, **kwargs: Any) -> Any:
        parsed.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(secrets_module, "parse_body", parse)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        for _ in range(5):
            capture_message("hello")

    serve(wrap(app), "/x")
    assert parsed == [1]


def test_an_app_that_reads_nothing_has_nothing_copied(start: Start) -> None:
    start(traces_sample_rate=0.0)
    sizes: list[int] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        record = current()
        assert record is not None
        sizes.append(record.body.size if record.body is not None else 0)

    serve(wrap(app), "/x")
    assert sizes == [0]
