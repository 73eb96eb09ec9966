"""A transaction that takes the direct lane is the one that the SDK's own way would have sent."""

from __future__ import annotations

import copy
import datetime as dt
import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from typing import Any

import anyio
import pytest
import sentry_sdk
from sentry_sdk import scope as sdk_scope
from sentry_sdk.integrations.argv import ArgvIntegration
from sentry_sdk.integrations.modules import ModulesIntegration
from sentry_sdk.integrations.stdlib import StdlibIntegration
from sentry_sdk.scope import Scope, global_event_processors

import asgi_sentry
from asgi_sentry import _sdk as sdk
from asgi_sentry._sdk import classic, client_view, direct_transaction, lane, request_scopes
from asgi_sentry._sdk.fork import has_known_slots
from asgi_sentry.testing import RecordingTransport, request
from tests.conftest import DSN

pytestmark = [
    pytest.mark.skipif(sentry_sdk.VERSION.startswith("3"), reason="version 3 has no transactions"),
    pytest.mark.skipif(not has_known_slots, reason="this version is an older one, whose transactions take no lane"),
]

BATCH = 25
REQUESTS = int(os.environ.get("ASGI_SENTRY_LANE_REQUESTS") or (1_000 if os.environ.get("CI") else 500))
VOLATILE = {"event_id", "timestamp", "start_timestamp", "span_id", "parent_span_id", "sent_at", "thread.id"}
SECRET = "Tr0ub4dor-3xyz-9917"


def stable(value: Any) -> Any:
    """The same without what differs from one run to the next."""
    if isinstance(value, dict):
        return {key: stable(each) for key, each in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [stable(each) for each in value]
    return value if value == value else "not a number"  # noqa: PLR0124 - as no other is


@pytest.fixture(autouse=True)
def _own_processors(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(classic, "WORTH_A_SPAN", 60.0)  # by the clock: a span the more or less
    before = list(global_event_processors)
    yield
    # Ours are added once a process.
    global_event_processors[:] = [
        each for each in global_event_processors if each in before or each.__module__.startswith("asgi_sentry")
    ]
    sdk_scope._global_scope = None  # on which what the requests did would be found by other tests


def init(transport: RecordingTransport, **options: Any) -> None:
    asgi_sentry.init(
        asgi_sentry.Settings(dsn=DSN, release="app@1", traces_sample_rate=1.0),
        transport=transport,
        default_integrations=False,
        include_local_variables=False,
        integrations=[ArgvIntegration(), ModulesIntegration(), StdlibIntegration()],
        **options,
    )


def by_both(
    app: Callable[..., Any], options: dict[str, Any], scope: dict[str, Any]
) -> list[tuple[list[Any], list[Any], str]]:
    """What is sent and lost, and what was raised, by each way."""
    found = []
    for direct in (True, False):
        transport = RecordingTransport()
        sdk_scope._global_scope = None
        init(transport, **options)
        view = sdk.view()
        assert view is not None
        assert view.direct
        client_view._last_view = view = _with(view, direct=direct)
        raised = ""
        try:
            anyio.run(lambda: request(asgi_sentry.wrap(app), **copy.deepcopy(scope)))
        except Exception as exc:
            raised = repr(exc)
        items = [
            (item.type, stable(item.payload.json), stable(envelope.headers))
            for envelope in transport.envelopes
            for item in envelope.items
        ]
        found.append((items, sorted(transport.lost, key=repr), raised))
    return found


def _with(view: Any, **changes: Any) -> Any:
    from dataclasses import replace

    return replace(view, **changes)


# --- generated requests ------------------------------------------------------------------------------------------

WORDS = ("plan", "region", "token", "user_name", "password", "cart", "x", "Ünï", "api-key", "")
VALUES: tuple[Callable[[random.Random], Any], ...] = (
    lambda dice: dice.choice(WORDS),
    lambda dice: dice.randrange(10**6),
    lambda dice: dice.random(),
    lambda dice: None,
    lambda dice: dice.random() < 0.5,
    lambda dice: f"Bearer {dice.getrandbits(128):032x}",
    lambda dice: SECRET,
    lambda dice: f"user{dice.randrange(99)}@example.com",
    lambda dice: float("nan"),
    lambda dice: object,
    lambda dice: b"\xff bytes",
    lambda dice: dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc),
    lambda dice: {1, 2},
    lambda dice: ("a", 1),
)


def value(dice: random.Random, depth: int = 3) -> Any:
    if depth and dice.random() < 0.3:
        if dice.random() < 0.5:
            return [value(dice, depth - 1) for _ in range(dice.randrange(12))]
        return {dice.choice(WORDS): value(dice, depth - 1) for _ in range(dice.randrange(12))}
    return dice.choice(VALUES)(dice)


def deed(dice: random.Random) -> Callable[[], Any]:
    """Something that an app does within a request."""
    name, given = dice.choice(WORDS), value(dice)
    scope = dice.choice((sentry_sdk.get_isolation_scope, sentry_sdk.get_current_scope, sentry_sdk.get_global_scope))
    kind = dice.randrange(16)
    if kind == 0:
        return lambda: scope().set_tag(name, given)
    if kind == 1:
        return lambda: scope().set_context(name or "c", {"value": given})
    if kind == 2:
        return lambda: scope().set_extra(name, given)
    if kind == 3:
        return lambda: scope().set_user({"id": "7", "email": "a@example.com", "custom": given})
    if kind == 4:
        return lambda: setattr(scope(), "fingerprint", ["{{ default }}", str(name)])
    if kind == 5:
        return lambda: scope().set_level(dice.choice(("info", "warning")))
    if kind == 6:
        return lambda: scope().set_transaction_name(name or "named", source=dice.choice((None, "route", "custom")))
    if kind == 7:
        return lambda: sentry_sdk.add_breadcrumb(message=str(name), data={"value": given})
    if kind == 8:
        return lambda: sentry_sdk.get_current_span().set_data(name, given)  # type: ignore[union-attr]
    if kind == 9:
        return lambda: sentry_sdk.get_current_span().containing_transaction.set_context(name or "c", {"v": given})  # type: ignore[union-attr]
    if kind == 10:
        return lambda: asgi_sentry.set_user_context(dice.randrange(99), plan=given)
    if kind == 11:

        def spans() -> None:
            with sentry_sdk.start_span(op="db", name=f"SELECT {name} = '{SECRET}'") as span:
                span.set_data("rows", given)
                span.set_tag("t", str(given)[:20])
                sentry_sdk.start_span(op="open", name="never ended").__enter__()

        return spans
    if kind == 12:
        return lambda: sentry_sdk.get_current_span().set_status("aborted")  # type: ignore[union-attr]
    if kind == 13:
        return lambda: scope().add_attachment(bytes=b"text", filename="f.txt", add_to_transactions=dice.random() < 0.5)
    if kind == 14:
        return lambda: sentry_sdk.capture_message("from within")
    return lambda: scope().add_event_processor(processor(random.Random(dice.randrange(10**9))))


def processor(dice: random.Random) -> Callable[[Any, Any], Any]:
    kind, name, given = dice.randrange(12), dice.choice(WORDS), value(dice)

    def process(event: dict[str, Any], hint: dict[str, Any]) -> Any:
        if kind == 0:
            event.setdefault("extra", {})[name] = given
        elif kind == 1:
            event["spans"] = [span for span in event.get("spans", []) if span["op"] == "db"][:1]
        elif kind == 2:
            raise ValueError("a processor that fails")
        elif kind == 3:
            return None if event.get("type") == "transaction" and dice.random() < 0.5 else event
        elif kind == 4:
            event.setdefault("request", {})["note"] = f"{SECRET} and {name}"
        elif kind == 5:
            return {**event, "tags": {**(event.get("tags") or {}), "added": given}}
        elif kind == 6:
            event.setdefault("tags", {})["added"] = name
        elif kind == 7:
            event.pop(("user", "tags", "measurements", "extra", "transaction_info")[len(name) % 5], None)
        elif kind == 8:
            event.setdefault("contexts", {}).setdefault("trace", {}).setdefault("data", {})["added"] = given
        elif kind == 9:
            event["transaction"] = f"GET /{name}"
        elif kind == 10:
            for span in event.get("spans", []):
                span["description"] = f"{span['description']} {name}"
        return event

    return process


def options(dice: random.Random) -> dict[str, Any]:
    chosen: dict[str, Any] = {}
    if dice.random() < 0.3:
        chosen["before_send_transaction"] = processor(random.Random(dice.randrange(10**9)))
    if dice.random() < 0.1:
        chosen["trace_ignore_status_codes"] = {404}
    if dice.random() < 0.2:
        chosen["max_value_length"] = dice.choice((64, 100))
    if dice.random() < 0.1:
        chosen["_experiments"] = {"max_spans": 2}
    if dice.random() < 0.2:
        chosen["dist"] = " dist "
    return chosen


def document(dice: random.Random, depth: int = 4) -> Any:
    """JSON, of which some is secret, and some is more than the SDK shows of a body."""
    kind = dice.randrange(8 if depth else 5)
    if kind < 5:
        chosen: tuple[Any, ...] = (
            None,
            True,
            dice.randrange(99),
            1.5,
            "please ring twice",
            "a: b",
            SECRET,
            "{}",
            "",
            "q=1",
        )
        return dice.choice(chosen)
    if kind == 5:
        return [document(dice, depth - 1) for _ in range(dice.choice((1, 2, 3, 12)))]
    names = (
        *WORDS,
        *(f"field{number}" for number in range(dice.choice((1, 2, 14)))),
        "name",
        "value",
        "query",
        "state",
    )
    return {name: document(dice, depth - 1) for name in dice.sample(names, dice.randrange(len(names)))}


def scope_of(dice: random.Random) -> dict[str, Any]:
    headers = [
        (b"content-type", b"application/json"),
        (b"sentry-trace", b"%032x-%016x-1" % (dice.getrandbits(128) | 1, dice.getrandbits(64) | 1)),
        (b"host", b"example.com"),
        (b"cookie", b"sid=%032x; theme=dark" % dice.getrandbits(128)),
        (b"x-api-key", SECRET.encode()),
    ]
    return {
        "method": dice.choice(("GET", "POST")),
        "path": f"/items/{dice.randrange(10**6)}",
        "query": b"page=%d&token=abcdef123456" % dice.randrange(99),
        "body": json.dumps(document(dice)).encode(),
        "headers": headers,
    }


def app_of(seed: int) -> Callable[..., Any]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        dice = random.Random(seed)
        await receive()
        for _ in range(dice.randrange(6)):
            act = deed(dice)
            try:
                act()
            except Exception:  # a deed that the SDK refuses, in both ways alike
                continue
        if dice.random() < 0.1:
            raise LookupError(SECRET)
        await send({"type": "http.response.start", "status": dice.choice((200, 404, 503)), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    return app


@pytest.mark.untraced
def test_both_ways_send_the_same() -> None:
    """Some requests share a client, as in production; each such client has options of its own."""
    sent = 0
    for batch in range(0, REQUESTS, BATCH):
        dice = random.Random(batch)
        chosen = options(dice)
        transports = {}
        apps = {}
        for direct in (True, False):
            transports[direct] = RecordingTransport()
            again = random.Random(batch)
            init(transports[direct], **options(again))
            view = sdk.view()
            assert view is not None
            apps[direct] = _with(view, direct=direct and view.direct)

        async def run(numbers: range, dice: random.Random = dice) -> list[Any]:
            seen = []
            for seed in numbers:
                app, scope = app_of(seed), scope_of(random.Random(seed))
                if seed % 2:
                    app = asgi_sentry.BodyScrubbingMiddleware(app, attach="always")
                app = asgi_sentry.wrap(app)
                try:
                    await request(app, **scope)
                    seen.append("")
                except Exception as exc:
                    seen.append(repr(exc))
            return seen

        results = []
        for direct in (True, False):
            sdk_scope._global_scope = None
            sentry_sdk.get_global_scope().set_client(apps[direct].client)
            client_view._last_view = apps[direct]
            random.seed(batch)
            raised = anyio.run(run, range(batch, min(batch + BATCH, REQUESTS)))
            items = [
                (item.type, stable(item.payload.json), stable(dict(envelope.headers)))
                for envelope in transports[direct].envelopes
                for item in envelope.items
            ]
            results.append((raised, items, transports[direct].lost))
        assert results[0] == results[1], (batch, chosen)
        sent += sum(kind == "transaction" for kind, _, _ in results[0][1])
        assert SECRET not in repr(results[0][1])
    lanes = asgi_sentry.counters()["lanes"]
    assert sent > REQUESTS * 0.25
    assert lanes["direct"] > REQUESTS * 0.25


# --- the order ---------------------------------------------------------------------------------------------------


def test_processors_and_hooks_are_called_in_the_sdks_order_with_such_an_event() -> None:
    seen: list[tuple[str, Any]] = []

    def noting(name: str) -> Callable[[Any, Any], Any]:
        def process(event: dict[str, Any], hint: dict[str, Any]) -> Any:
            if event.get("type") == "transaction":
                seen.append((name, (sorted(event), {k: type(v).__name__ for k, v in event.items()}, sorted(hint))))
            return event

        return process

    async def app(scope: Any, receive: Any, send: Any) -> None:
        for name, get in (
            ("current", sentry_sdk.get_current_scope),
            ("isolation", sentry_sdk.get_isolation_scope),
            ("global scope", sentry_sdk.get_global_scope),
        ):
            get().add_event_processor(noting(name))
        sentry_sdk.set_tag("a", "b")
        with sentry_sdk.start_span(op="db", name="SELECT 1"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    sentry_sdk.scope.add_global_event_processor(noting("process"))
    by_both(app, {"before_send_transaction": noting("hook")}, {"path": "/a"})
    half = len(seen) // 2
    names = [name for name, _ in seen[:half]]
    assert names == ["process", "global scope", "isolation", "current", "hook"]
    assert [name for name, _ in seen[:half]] == [name for name, _ in seen[half:]]
    assert seen[:half] == seen[half:]


# --- what goes the general way -----------------------------------------------------------------------------------


async def fine(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def lanes_of(app: Any = fine, **options: Any) -> dict[str, int]:
    transport = RecordingTransport()
    init(transport, **options)
    anyio.run(lambda: request(asgi_sentry.wrap(app)))
    lanes: dict[str, int] = asgi_sentry.counters()["lanes"]
    assert len(transport.items("transaction")) == sum(lanes.values())
    return lanes


def test_the_counters_tell_the_ways() -> None:
    assert lanes_of() == {"direct": 1}


def test_an_attachment_goes_the_general_way() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.get_isolation_scope().add_attachment(bytes=b"a", filename="f", add_to_transactions=True)
        await fine(scope, receive, send)

    assert lanes_of(app) == {"general": 1}


def test_a_scrubber_of_the_users_goes_the_general_way() -> None:
    class Scrubbing:
        def scrub_event(self, event: Any) -> None: ...

    assert lanes_of(event_scrubber=Scrubbing()) == {"general": 1}


def test_a_function_of_the_sdks_that_was_replaced_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    called = []
    own = Scope.capture_event

    def replaced(self: Scope, event: Any, *args: Any, **kwargs: Any) -> Any:
        called.append(event["type"])
        return own(self, event, *args, **kwargs)

    monkeypatch.setattr(Scope, "capture_event", replaced)
    assert lanes_of() == {"general": 1}
    assert called == ["transaction"]


@pytest.mark.parametrize("fault", ["Merged", "_processed", "serialized", "complete"])
def test_a_fault_is_counted_and_never_the_apps(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any) -> Any:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(direct_transaction if fault == "Merged" else lane, fault, fail)
    transport = RecordingTransport()
    init(transport)
    sentry_sdk.scope.add_global_event_processor(lambda event, hint: {**event, "extra": {"a": 1}})
    assert anyio.run(lambda: request(asgi_sentry.wrap(fine))).status == 200
    if fault == "Merged":  # before anything was called
        assert len(transport.items("transaction")) == 1
        assert asgi_sentry.counters()["lanes"] == {"general": 1}
    else:
        assert transport.items("transaction") == []
        assert ("internal_sdk_error", "transaction", 1) in transport.lost
        assert ("internal_sdk_error", "span", 1) in transport.lost


# --- what processors leave ---------------------------------------------------------------------------------------


class Odd:
    """Something that can't be compared."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("it can't be compared")

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "odd"


def _without(field: str) -> Callable[[Any, Any], Any]:
    def process(event: dict[str, Any], hint: dict[str, Any]) -> Any:
        event.pop(field, None)
        return event

    return process


def _odd(event: dict[str, Any], hint: dict[str, Any]) -> Any:
    event["contexts"]["odd"] = {"odd": Odd()}
    event["measurements"] = Odd()
    return event


def _of_the_runtime(event: dict[str, Any], hint: dict[str, Any]) -> Any:
    runtime = event["contexts"]["runtime"] = {**event["contexts"]["runtime"]}
    runtime["flavour"] = "vanilla"
    return event


def _within(*path: Any) -> Callable[[Any, Any], Any]:
    """Changes what stands at a path, in place, to what JSON does not have."""

    def process(event: dict[str, Any], hint: dict[str, Any]) -> Any:
        holder: Any = event
        for step in path[:-1]:
            holder = holder[step]
        holder[path[-1]] = dt.datetime(2026, 1, 1, tzinfo=dt.timezone.utc)
        return event

    return process


WITHIN = (
    ("user", "since"),
    ("contexts", "response", "at"),
    ("contexts", "trace", "at"),
    ("contexts", "trace", "data", "at"),
    ("contexts", "trace", "dynamic_sampling_context", "at"),
    ("transaction_info", "at"),
    ("measurements", "at"),
    ("extra", "at"),
    ("tags", "at"),
    ("spans", 0, "at"),
    ("spans", 0, "data", "at"),
    ("spans", 0, "tags", "at"),
    ("spans", 0, "timestamp"),
    ("start_timestamp",),
)


@pytest.mark.parametrize(
    "process",
    [
        *map(_without, ("user", "measurements", "extra", "tags", "spans", "contexts")),
        *(_within(*path) for path in WITHIN),
        _odd,
        _of_the_runtime,
    ],
)
def test_what_a_processor_takes_away_or_changes_is_not_what_was_composed(process: Callable[[Any, Any], Any]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        sentry_sdk.set_user({"id": "7"})
        with sentry_sdk.start_span(op="db", name="SELECT 1") as span:
            span.set_data("rows", 7)
            span.set_tag("table", "orders")
            await fine(scope, receive, send)

    sentry_sdk.scope.add_global_event_processor(process)
    direct, general = by_both(app, {}, scope_of(random.Random(1)))
    assert direct == general


@pytest.mark.parametrize("is_first", [True, False])
def test_what_the_sdks_own_processors_do_is_seen_by_those_behind_them_alone(is_first: bool) -> None:
    seen: list[Any] = []

    def look(event: dict[str, Any], hint: dict[str, Any]) -> Any:
        seen.append((copy.deepcopy(event.get("extra")), copy.deepcopy(event["contexts"].get("runtime"))))
        event.setdefault("tags", {})["looked"] = "yes"
        return event

    ArgvIntegration.setup_once()  # once more, for this test's list of processors
    if is_first:
        global_event_processors.insert(0, look)
    else:
        global_event_processors.append(look)
    direct, general = by_both(fine, {}, scope_of(random.Random(1)))
    assert direct == general
    assert seen[0] == seen[1]
    assert (seen[0][0] is None) == is_first
    assert direct[0][0][1]["tags"]["looked"] == "yes"
    assert "sys.argv" in direct[0][0][1]["extra"]


def test_a_context_of_the_apps_is_scrubbed_by_whatever_name_and_also_if_there_is_no_status() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        root = sentry_sdk.get_current_span()
        assert root is not None
        assert root.containing_transaction is not None
        root.containing_transaction.set_context("response", {"note": f"password={SECRET}", "status_code": 200})

    transport = RecordingTransport()
    init(transport)
    for _ in range(3):  # the later ones by what was met before
        anyio.run(lambda: request(asgi_sentry.wrap(app), headers=[(b"host", b"example.com"), (b"accept", b"*/*")]))
    sent = transport.items("transaction")
    assert [each["contexts"]["response"]["note"] for each in sent] == ["password=[Filtered]"] * 3


def test_what_is_said_of_a_request_stays_where_the_program_has_many_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    ArgvIntegration.setup_once()  # once more, for this test's list of processors
    monkeypatch.setattr(sys, "argv", ["serve", *(f"--worker-{number}" for number in range(12))])
    transport = RecordingTransport()
    init(transport)
    for number in range(3):  # the later ones by what was met before
        anyio.run(lambda: request(asgi_sentry.wrap(fine), **scope_of(random.Random(number))))  # noqa: B023 - at once
    for sent in transport.items("transaction"):
        assert sent["_meta"]["extra"]["sys.argv"][""]["len"] == 13
        assert sent["_meta"]["request"]["headers"]["x-api-key"]


def test_a_transaction_makes_no_session_of_its_request_that_nobody_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    own = request_scopes.RequestSession

    def noting(*args: Any) -> Any:
        made.append(args)
        return own(*args)

    monkeypatch.setattr(request_scopes, "RequestSession", noting)
    assert lanes_of() == {"direct": 1}
    assert made == []

    async def asking(scope: Any, receive: Any, send: Any) -> None:
        assert sentry_sdk.get_isolation_scope()._session is not None
        await fine(scope, receive, send)

    anyio.run(lambda: request(asgi_sentry.wrap(asking)))
    assert len(made) == 1
