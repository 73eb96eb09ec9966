"""Law 5: outgoing requests continue the incoming trace, with the decision that was made about it.

By real requests over loopback, from handlers, with the SDK's httpx integration on.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import anyio
import httpx
import pytest
import sentry_sdk
from sentry_sdk.tracing_utils import Baggage

import asgi_sentry
from asgi_sentry.testing import RecordingTransport, request
from tests import apps
from tests.conftest import DSN, transactions

TRACE, PARENT = "0123456789abcdef0123456789abcdef", "fedcba9876543210"
HEADER = re.compile(r"([0-9a-f]{32})-([0-9a-f]{16})(?:-([01]))?")


class Heard(NamedTuple):
    """The trace headers of one request as they arrived."""

    sentry_trace: str | None
    baggage: str | None

    @property
    def trace_id(self) -> str:
        return self._parts()[0]

    @property
    def decision(self) -> str | None:
        return self._parts()[2]

    @property
    def span_id(self) -> str:
        return self._parts()[1]

    @property
    def items(self) -> dict[str, str]:
        """The `sentry-` items of the baggage."""
        return Baggage.from_incoming_header(self.baggage).sentry_items

    def _parts(self) -> tuple[Any, ...]:
        match = HEADER.fullmatch(self.sentry_trace or "")
        assert match, self.sentry_trace
        return match.groups()


@pytest.fixture(scope="module")
def upstream() -> Iterator[tuple[str, list[Heard]]]:
    """A server that notes what it hears."""
    heard: list[Heard] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            # Several header lines of one name are one list, as HTTP has it.
            baggage = self.headers.get_all("baggage")
            heard.append(Heard(self.headers.get("sentry-trace"), ",".join(baggage) if baggage else None))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", heard
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


@pytest.fixture
def ask(upstream, client) -> Any:
    """`await ask(stack, headers)`: a request to the stack around an app that calls the upstream, which heard this."""
    url, heard = upstream

    def calling(request: Any) -> None:
        client.get(url)

    async def ask(stack: Any, headers: Any = (), *, path: str = "/work", times: int = 1) -> Heard:
        heard.clear()
        app = stack(apps.starlette_app(work=lambda request: [calling(request) for _ in range(times)] and None))
        await request(app, path=path, headers=headers)
        return heard[-1] if times == 1 else list(heard)  # type: ignore[return-value]

    return ask


def sampling(**arguments: Any) -> Any:
    return lambda app: asgi_sentry.PathSamplingMiddleware(app, **arguments)


def filtering(app: Any) -> Any:
    return asgi_sentry.TransactionFilterMiddleware(app, exclude=("/work",))


STACKS: dict[str, tuple[Any, str]] = {  # and the decision that it makes of a request without one
    "sampled": (asgi_sentry.SentryMiddleware, "1"),
    "unsampled": (sampling(rates={"/work": 1e-9}, parent="ignore"), "0"),
    "rate 0": (sampling(rates={"/work": 0}), "0"),
    "excluded": (filtering, "0"),
    "excluded further in": (lambda app: asgi_sentry.SentryMiddleware(apps.hiding(filtering(app))), "0"),
}


@pytest.mark.anyio
@pytest.mark.parametrize("came", ["", "-0", "-1"])
@pytest.mark.parametrize("stack", STACKS)
async def test_the_trace_goes_on_with_the_decision(start, ask, mode, stack, came):
    transport = start()
    build, decision = STACKS[stack]
    if stack == "sampled" and came:
        decision = came[1]
    heard = await ask(build, [("sentry-trace", f"{TRACE}-{PARENT}{came}"), ("baggage", "other=1,sentry-public_key=k")])
    assert (heard.trace_id, heard.decision) == (TRACE, decision)
    assert heard.span_id != PARENT
    assert "other=1" not in heard.baggage  # the SDK passes on no third party's, which the app's own client does
    assert heard.items["public_key"] == "k"
    roots = transactions(transport)
    assert len(roots) == int(decision == "1")
    for root in roots:
        assert (root["trace_id"], root["parent"]) == (TRACE, PARENT)


@pytest.mark.anyio
@pytest.mark.parametrize("stack", STACKS)
async def test_a_new_trace_is_one_for_all_that_a_request_does_and_no_other_requests(start, ask, mode, stack):
    start(release="app@7", environment="staging", transport=RecordingTransport)  # a class: it is told the DSN
    build, decision = STACKS[stack]
    first, second = await ask(build, times=2), await ask(build, times=2)
    assert len({each.trace_id for each in first}) == len({each.trace_id for each in second}) == 1
    assert first[0].trace_id != second[0].trace_id
    for each in (*first, *second):
        items = each.items
        assert (each.decision, items["trace_id"]) == (decision, each.trace_id)
        assert items["sampled"] == ("true" if decision == "1" else "false")
        assert (items["release"], items["environment"], items["public_key"]) == ("app@7", "staging", "publickey")
        assert 0 <= float(items["sample_rand"]) < 1
    assert first[0].items["sample_rand"] == first[1].items["sample_rand"]


@pytest.mark.anyio
async def test_the_effective_rate_and_the_dice_travel(start, ask, mode):
    start()
    rand = "sentry-sample_rand=0.200000"
    headers = [("sentry-trace", f"{TRACE}-{PARENT}"), ("baggage", f"sentry-trace_id={TRACE},{rand}")]
    heard = await ask(sampling(rates={"/work": 0.25}), headers)
    assert heard.decision == "1"
    assert (heard.items["sample_rand"], float(heard.items["sample_rate"])) == ("0.200000", 0.25)
    heard = await ask(sampling(rates={"/work": 0.15}), headers)
    assert heard.decision == "0"


@pytest.mark.anyio
async def test_without_tracing_the_trace_goes_on_without_a_decision(start, ask, mode):
    transport = start(asgi_sentry.Settings(dsn=DSN, enable_tracing=False))
    for came in ("", "-0", "-1"):
        heard = await ask(asgi_sentry.wrap, [("sentry-trace", f"{TRACE}-{PARENT}{came}")])
        assert heard.trace_id == TRACE
        # The SDK, too, passes the parent's on where it makes none of its own.
        assert heard.decision in {None, came[1:] or None}
    assert (await ask(asgi_sentry.wrap)).trace_id != (await ask(asgi_sentry.wrap)).trace_id
    assert transactions(transport) == []


@pytest.mark.anyio
@pytest.mark.parametrize(
    "header",
    ["", "nonsense", "0" * 31, f"{TRACE}-{PARENT}-2x", f"{TRACE}-", f"{TRACE}-{PARENT}-1-junk", "\xff\xfe", "-" * 9999],
)
@pytest.mark.parametrize(
    "baggage", ["", "=,;==,sentry-=x,%", "sentry-sample_rand=nan", "sentry-sample_rate=-1", "\xff"]
)
async def test_headers_that_make_no_sense_do_no_harm(start, ask, mode, header, baggage):
    start()
    heard = await ask(asgi_sentry.wrap, [("sentry-trace", header), ("baggage", baggage)])
    assert re.fullmatch("[0-9a-f]{32}", heard.trace_id)
    assert heard.decision in {"0", "1"}


@pytest.mark.anyio
async def test_baggage_in_several_headers_is_one(start, ask, mode):
    start()
    headers = [
        ("sentry-trace", f"{TRACE}-{PARENT}-1"),
        ("baggage", "other=1"),
        ("baggage", f"sentry-trace_id={TRACE},sentry-release=up@1"),
        ("baggage", "sentry-environment=upstream"),
    ]
    items = (await ask(asgi_sentry.wrap, headers)).items
    assert (items["release"], items["environment"], items["trace_id"]) == ("up@1", "upstream", TRACE)


@pytest.mark.anyio
async def test_the_incoming_context_is_not_added_to(start, ask, mode):
    """What the head of a trace said of it is frozen: https://develop.sentry.dev/sdk/telemetry/traces/."""
    start(release="ours@1")
    for stack in STACKS.values():
        headers = [("sentry-trace", f"{TRACE}-{PARENT}-1"), ("baggage", f"sentry-trace_id={TRACE},sentry-release=up@1")]
        items = (await ask(stack[0], headers)).items
        assert items["release"] == "up@1"
        assert "environment" not in items


ORG_DSN = "http://publickey@o1.ingest.localhost/1"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("strict", "org", "continued"),
    [
        (False, "1", True),
        (False, "2", False),
        (False, None, True),
        (True, "1", True),
        (True, "2", False),
        (True, None, False),
    ],
)
async def test_a_trace_of_another_organisation_is_not_continued(start, ask, mode, strict, org, continued):
    start(
        asgi_sentry.Settings(dsn=ORG_DSN, traces_sample_rate=1.0),
        strict_trace_continuation=strict,
        transport=RecordingTransport,
    )
    baggage = f"sentry-trace_id={TRACE}" + (f",sentry-org_id={org}" if org else "")
    heard = await ask(asgi_sentry.wrap, [("sentry-trace", f"{TRACE}-{PARENT}-1"), ("baggage", baggage)])
    assert (heard.trace_id == TRACE) is continued


@pytest.mark.anyio
@pytest.mark.parametrize("stack", STACKS)
async def test_within_a_span_of_the_apps_own(start, upstream, client, mode, stack):
    """Child spans of an unsampled request propagate it all the same."""
    url, heard = upstream

    @asgi_sentry.trace_function
    def outer() -> None:
        inner()

    @asgi_sentry.trace_function
    def inner() -> None:
        client.get(url)

    start()
    heard.clear()
    build, decision = STACKS[stack]
    app = build(apps.starlette_app(work=lambda _: outer()))
    await request(app, path="/work", headers=[("sentry-trace", f"{TRACE}-{PARENT}")])
    assert [(each.trace_id, each.decision) for each in heard] == [(TRACE, decision)]


@pytest.mark.anyio
@pytest.mark.parametrize("stack", STACKS)
async def test_from_a_thread_a_child_task_and_async_code(start, upstream, mode, stack):
    url, heard = upstream
    build, decision = STACKS[stack]

    async def work(_: Any) -> None:
        async with httpx.AsyncClient(trust_env=False) as client:
            await client.get(url)
            async with anyio.create_task_group() as group:
                group.start_soon(client.get, url)
        with httpx.Client(trust_env=False) as client:
            await anyio.to_thread.run_sync(client.get, url)
            thread = threading.Thread(target=client.get, args=(url,))
            thread.start()
            thread.join()

    start()
    heard.clear()
    headers = [("sentry-trace", f"{TRACE}-{PARENT}")]
    await request(build(apps.starlette_app(work=work)), path="/work", headers=headers)
    assert [(each.trace_id, each.decision) for each in heard] == [(TRACE, decision)] * 4


@pytest.mark.anyio
@pytest.mark.parametrize("stack", STACKS)
async def test_html_and_the_sdks_own_calls_say_the_same(start, mode, stack):
    """`get_traceparent`, `get_baggage`, the meta tags of a page."""
    build, decision = STACKS[stack]
    said: list[str] = []

    def work(_: Any) -> None:
        said.extend(
            [
                sentry_sdk.get_traceparent(),
                sentry_sdk.get_baggage(),
                sentry_sdk.get_current_scope().trace_propagation_meta(),
            ]
        )

    start()
    headers = [("sentry-trace", f"{TRACE}-{PARENT}"), ("baggage", f"sentry-trace_id={TRACE},sentry-release=up@1")]
    await request(build(apps.starlette_app(work=work)), path="/work", headers=headers)
    traceparent, baggage, meta = said
    assert HEADER.fullmatch(traceparent).groups()[::2] == (TRACE, decision)
    assert Baggage.from_incoming_header(baggage).sentry_items["release"] == "up@1"
    assert traceparent in meta


@pytest.mark.anyio
@pytest.mark.parametrize("websockets", ["handshake", "lifetime", "off"])
async def test_from_a_websocket(start, upstream, client, mode, websockets):
    url, heard = upstream
    start()
    heard.clear()
    stack = partial(asgi_sentry.SentryMiddleware, websockets=websockets)
    app = stack(apps.starlette_app(work=lambda _: client.get(url)))
    await apps.converse(app, "/ws/talk", "hello", headers=[("sentry-trace", f"{TRACE}-{PARENT}")])
    (one,) = heard
    assert (one.trace_id, one.decision) == (TRACE, "0" if websockets == "off" else "1")


@pytest.mark.anyio
async def test_errors_carry_the_trace_of_their_request(start, mode):
    transport = start()
    for stack, _ in STACKS.values():
        transport.clear()
        app = stack(apps.starlette_app(work=lambda _: asgi_sentry.capture_message("here")))
        await request(app, path="/work", headers=[("sentry-trace", f"{TRACE}-{PARENT}")])
        await request(app, path="/work")
        given, new = [event["contexts"]["trace"]["trace_id"] for event in transport.items("event")]
        assert given == TRACE
        assert new != TRACE


@pytest.mark.anyio
async def test_the_surroundings_keep_their_own_trace(start, ask, mode):
    start()
    before = sentry_sdk.get_traceparent()
    for stack, _ in STACKS.values():
        await ask(stack, [("sentry-trace", f"{TRACE}-{PARENT}-1")])
        assert sentry_sdk.get_traceparent().split("-")[0] == before.split("-")[0]
