"""The scopes that a request starts with: what the SDK forks, less what is of no request."""

from __future__ import annotations

from collections import Counter, deque
from contextlib import suppress
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk import scope as sdk_scope
from sentry_sdk.feature_flags import FlagBuffer
from sentry_sdk.scope import Scope

from asgi_sentry import PathSamplingMiddleware, SentryMiddleware, TransactionFilterMiddleware
from asgi_sentry._sdk import bare, fork, request_scopes, scopes
from asgi_sentry.testing import request
from tests.conftest import Start, transactions


def filled() -> Scope:
    scope = Scope()
    scope.set_tag("a", "b")
    scope.set_user({"id": "1"})
    scope.set_context("c", {"d": 1})
    scope.set_extra("e", [1])
    scope.add_breadcrumb({"message": "m"})
    scope.add_attachment(bytes=b"x", filename="f")
    scope.add_event_processor(lambda event, _: event)
    scope.fingerprint = ["x"]
    scope.set_level("error")
    scope.set_attribute("g", 1)
    return scope


quick_forks = pytest.mark.skipif(
    request_scopes.forks is request_scopes._whole_forks, reason="a slot has moved: the SDK's own forks are in use"
)
SURROUNDINGS = [Scope, filled, lambda: collecting(Scope())]


def collecting(scope: Scope) -> Scope:
    """What apps set for the whole process as they start."""
    scope.set_tag("a", "b")
    scope.add_breadcrumb({"message": "m"})
    scope._last_event_id = "0" * 32
    return scope


def same_scope(ours: Scope, theirs: Scope, source: Scope, *, but: frozenset[str] = frozenset()) -> None:
    for name in {*Scope.__slots__} - but:
        mine, its = getattr(ours, name, "missing"), getattr(theirs, name, "missing")
        assert type(mine) is type(its), name
        if name in {"_flags", "client"} and mine is not its:  # which have no equality
            continue
        assert mine == its, name
        shared = mine is getattr(source, name, "missing")
        assert shared == (its is getattr(source, name, "missing")), name


@quick_forks
@pytest.mark.parametrize("make", SURROUNDINGS)
@pytest.mark.parametrize("again", [False, True])
def test_our_fork_is_the_sdks(start: Start, make: Any, again: bool) -> None:
    start()
    source = fork.fork(make()) if again else make()
    same_scope(fork.fork(source), source.__copy__(), source)


@quick_forks
@pytest.mark.parametrize("here", SURROUNDINGS)
@pytest.mark.parametrize("around", SURROUNDINGS)
def test_a_request_starts_with_the_sdks_forks_less_spans_and_breadcrumbs(start: Start, here: Any, around: Any) -> None:
    start()
    sources = here(), around()
    theirs = tuple(source.__copy__() for source in sources)
    theirs[1].clear_breadcrumbs()
    ours = request_scopes.forks(*sources)
    replaced = frozenset({"_type", "_propagation_context"})
    # Nobody asks a current scope for the last event.
    same_scope(ours[0], theirs[0], sources[0], but=replaced | {"_last_event_id"})
    same_scope(ours[1], theirs[1], sources[1], but=replaced)


@quick_forks
def test_they_are_of_the_kinds_that_the_sdk_has(start: Start) -> None:
    start()
    sources = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()
    assert [scope._type for scope in request_scopes.forks(*sources)] == [source._type for source in sources]


@quick_forks
@pytest.mark.parametrize("name", sorted(Scope.__slots__))
def test_whatever_is_set_around_a_request_is_on_its_forks(start: Start, name: str) -> None:
    """Also where the surroundings were looked at before, and nothing was set on them then."""
    start()
    if name in {"_span", "_type", "_propagation_context"}:
        pytest.skip("a request has its own")
    sources = Scope(), Scope()
    request_scopes.forks(*sources)
    values = {
        "client": sentry_sdk.Client(),
        "_n_breadcrumbs_truncated": 3,
        "_breadcrumbs": deque([{"message": "m"}]),
        "_flags": FlagBuffer(capacity=2),
    }
    like = getattr(sources[0], name)
    value = values.get(name, type(like)("x") if like == [] else {"x": "y"} if like == {} else "x")
    of_both = name not in {"_breadcrumbs", "_n_breadcrumbs_truncated", "_last_event_id"}
    of_one = name == "_last_event_id"
    for source in sources:
        setattr(source, name, value)
    for _ in range(2):
        current, isolation = request_scopes.forks(*sources)
        if name == "_flags":
            assert type(current._flags) is type(isolation._flags) is FlagBuffer
            continue
        assert (getattr(isolation, name) == value) == (of_both or of_one)
        assert (getattr(current, name) == value) == (not of_one)


@quick_forks
def test_surroundings_that_are_filled_meanwhile_are_seen_by_the_next_request(start: Start) -> None:
    start()
    sources = Scope(), Scope()
    first = request_scopes.forks(*sources)
    sources[0].set_extra("e", 1)
    sources[1].set_tag("t", "1")
    sources[1].set_user({"id": "7"})
    second = request_scopes.forks(*sources)
    assert (first[0]._extras, first[1]._tags, first[1]._user) == ({}, {}, None)
    assert (second[0]._extras, second[1]._tags, second[1]._user) == ({"e": 1}, {"t": "1"}, {"id": "7"})


def surroundings() -> tuple[Scope, Scope]:
    kinds = sdk_scope.ScopeType
    return Scope(ty=kinds.CURRENT), Scope(ty=kinds.ISOLATION)


def kinds_of(scopes: tuple[Scope, Scope]) -> list[type]:
    return [type(scope) for scope in scopes]


def make_bare(here: Scope, around: Scope) -> None:
    """By two requests, with no second in between."""
    request_scopes.forks(here, around)
    assert kinds_of((here, around)) == [bare.Resting] * 2
    request_scopes.forks(here, around)
    assert kinds_of((here, around)) == [bare.Bare] * 2


@pytest.fixture
def at_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """No container was asked for within the last second, whenever it was."""
    monkeypatch.setattr(bare, "_AT_REST", -1.0)


ASKING = {
    "tag": lambda scope: scope.set_tag("a", "b"),
    "context": lambda scope: scope.set_context("c", {"d": 1}),
    "extra": lambda scope: scope.set_extra("e", 1),
    "attribute": lambda scope: scope.set_attribute("g", 1),
    "processor": lambda scope: scope.add_event_processor(lambda event, _: event),
    "attachment": lambda scope: scope.add_attachment(bytes=b"x", filename="f"),
    "level": lambda scope: scope.set_level("error"),
    "user": lambda scope: scope.set_user({"id": "1"}),
    "client": lambda scope: scope.set_client(sentry_sdk.Client()),
    "clear": lambda scope: scope.clear(),
}


@quick_forks
@pytest.mark.usefixtures("at_rest")
@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("asks", ASKING)
def test_bare_surroundings_are_looked_at_again_once_something_asks_for_what_they_hold(
    start: Start, which: int, asks: str
) -> None:
    start()
    sources = surroundings()
    make_bare(*sources)
    ASKING[asks](sources[which])
    assert kinds_of(sources)[which] in (fork.Still, Scope)
    theirs = sources[which].__copy__()
    theirs.clear_breadcrumbs()
    ours = request_scopes.forks(*sources)[which]
    same_scope(ours, theirs, sources[which], but=frozenset({"_type", "_propagation_context"}))


@quick_forks
def test_they_are_bare_once_nothing_has_asked_for_a_second(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was asked for may be filled by another thread, which comes to it later, but within that second."""
    start()
    now = [1_000.0]
    monkeypatch.setattr(bare, "monotonic", lambda: now[0])
    monkeypatch.setattr(bare, "_asked_at", 0.0)
    sources = surroundings()

    def next_request(*, after: float) -> tuple[list[Any], Any]:
        now[0] += after
        current, _ = request_scopes.forks(*sources)
        return kinds_of(sources), current._tags

    assert next_request(after=0) == ([bare.Resting] * 2, {})
    assert next_request(after=0.5) == ([bare.Resting] * 2, {})
    held = sources[0]._tags
    asked = [fork.Still, bare.Resting]
    assert kinds_of(sources) == asked
    assert next_request(after=0.7) == (asked, {})
    held["late"] = "yes"
    assert next_request(after=0.2) == (asked, {"late": "yes"})
    held.clear()
    assert next_request(after=0.2) == ([bare.Resting] * 2, {})
    assert next_request(after=0.9) == ([bare.Resting] * 2, {})
    held["later"] = "yes"  # by whoever has held it since, and did not ask again
    assert next_request(after=0.05) == ([bare.Resting] * 2, {"later": "yes"})
    held.clear()
    assert next_request(after=0.1) == ([bare.Bare] * 2, {})
    sources[0].set_tag("for", "all")
    assert next_request(after=0.5) == ([fork.Still, bare.Bare], {"for": "all"})
    assert next_request(after=0.5) == ([bare.Resting, bare.Bare], {"for": "all"})
    kinds, tags = next_request(after=1.0)
    assert kinds[0].looks[0][0] == "_tags"
    assert len(kinds[0].looks) == 1
    assert tags == {"for": "all"}
    sources[0].remove_tag("for")
    assert next_request(after=0) == ([fork.Still, bare.Bare], {})


@quick_forks
@pytest.mark.usefixtures("at_rest")
def test_breadcrumbs_around_requests_leave_them_bare(start: Start) -> None:
    """A server's logs are breadcrumbs of the isolation scope around, which no request takes over."""
    start()
    sources = surroundings()
    make_bare(*sources)
    for _ in range(2):
        _, isolation = request_scopes.forks(*sources)
        sources[1].add_breadcrumb({"message": "m"})
        assert kinds_of(sources) == [bare.Bare] * 2
        assert not isolation._breadcrumbs
    assert len(sources[1]._breadcrumbs) == 2
    sources[0].add_breadcrumb({"message": "of a current scope"})
    assert [each["message"] for each in request_scopes.forks(*sources)[0]._breadcrumbs] == ["of a current scope"]


@quick_forks
@pytest.mark.anyio
@pytest.mark.usefixtures("at_rest")
@pytest.mark.parametrize("path", ["/excluded", "/unsampled"])
async def test_a_requests_scopes_ask_it_for_what_they_have(start: Start, mode: str, path: str) -> None:
    """Its trace, its span, its session and its processor, once something asks for them, and always the same."""
    if mode == "stream":
        pytest.skip("a streamed request has a span of its own")
    transport = start()
    around = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()
    make_bare(*around)
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        current, isolation = sentry_sdk.get_current_scope(), sentry_sdk.get_isolation_scope()
        assert {*vars(current), *vars(isolation)} == {"owner", "tracks"}
        assert current._propagation_context is isolation._propagation_context is current._propagation_context
        assert current._span is current._span
        assert current._span.trace_id == current._propagation_context.trace_id
        seen.append(sentry_sdk.get_traceparent())
        assert seen[-1] == f"{current._span.trace_id}-{current._span.span_id}-0"
        assert (isolation._session is None) == (path == "/excluded")
        assert len(current._event_processors) == 1
        sentry_sdk.capture_message("hello")

    stack = TransactionFilterMiddleware(PathSamplingMiddleware(app, rates={"/unsampled": 1e-9}), exclude=["/excluded"])
    for _ in range(3):
        await request(stack, path=path)
    messages = transport.items("event")
    assert [each["contexts"]["trace"]["trace_id"] for each in messages] == [each[:32] for each in seen]
    assert [each["request"]["url"] for each in messages] == [f"http://testserver{path}"] * 3


@quick_forks
def test_the_scopes_around_stay_what_they_are(start: Start) -> None:
    """They are watched by a class of ours, as long as nothing is set on them."""
    start()
    sources = Scope(), Scope()
    request_scopes.forks(*sources)
    assert all(isinstance(source, fork.Still) for source in sources)
    assert fork.is_blank(sources[0])
    for source in sources:
        source.level = "error"
        assert type(source) is Scope
        assert source._level == "error"
        source.clear()
    copied = sources[0].__copy__()
    assert copied._level is None
    request_scopes.forks(*sources)
    assert all(isinstance(source, fork.Still) for source in sources)


def test_the_quick_forks_are_in_use_or_a_slot_has_moved() -> None:
    known = {*fork._REFERENCES, *fork.COLLECTED}
    assert (request_scopes.forks is request_scopes._whole_forks) == (known != {*Scope.__slots__})


def test_the_sdks_own_forks_are_watched_too(start: Start) -> None:
    start()
    around = filled()
    current, isolation = request_scopes._whole_forks(filled(), around)
    assert [type(scope) for scope in (current, isolation)] == [fork.Watched] * 2
    assert isolation._tags == {"a": "b"}
    assert not isolation._breadcrumbs
    assert around._breadcrumbs


@pytest.mark.anyio
async def test_with_the_sdks_own_forks_the_same_comes_of_it(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with a release of the SDK whose scopes hold more than is known."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        isolation, current = sentry_sdk.get_isolation_scope(), sentry_sdk.get_current_scope()
        decisions.append(sentry_sdk.get_traceparent()[-2:])  # type: ignore[index]
        assert current.span is None or current.span.sampled in (False, True)
        assert not isolation._breadcrumbs
        sentry_sdk.add_breadcrumb(message=scope["path"])
        if scope["path"].startswith("/error"):
            raise ValueError("boom")

    def hidden(scope: Any, receive: Any, send: Any) -> Any:
        return within(scope, receive, send)

    rules = {"/unsampled": 1e-9, "/error": 1e-9}
    within = TransactionFilterMiddleware(app, exclude=["/excluded"])
    stack = SentryMiddleware(PathSamplingMiddleware(hidden, rates=rules, default=1.0))
    came = []
    for forks in (request_scopes.forks, request_scopes._whole_forks):
        monkeypatch.setattr(scopes, "forks", forks)
        monkeypatch.setattr(scopes, "_BARE", bare.Bare if forks is request_scopes.forks else None)
        transport, decisions = start(), []
        for path in ("/excluded", "/unsampled", "/sampled", "/error", "/unsampled"):
            with suppress(ValueError):
                await request(stack, path=path)
        sentry_sdk.flush()
        sessions = [part for item in transport.items("sessions") for part in item.get("aggregates", [item])]
        # Of all minutes together: one may end in the midst of the test.
        ended: Counter[str] = Counter()
        for part in sessions:
            ended.update({how: number for how, number in part.items() if how != "started"})
        (error,) = transport.items("event")
        came.append(
            (
                decisions,
                len(transactions(transport)),
                ended,
                sorted(transport.lost),
                [crumb["message"] for crumb in error["breadcrumbs"]["values"]],
            )
        )
    assert came[0] == came[1]
    assert came[0][0] == ["-0", "-0", "-1", "-0", "-0"]


@quick_forks
@pytest.mark.usefixtures("at_rest")
def test_kinds_of_surroundings_are_bounded(start: Start) -> None:
    """Those that find no room for theirs are looked into by each request, and nothing of them is lost."""
    start()
    fillers = [ASKING[name] for name in ("tag", "context", "extra", "attribute", "processor", "attachment")]
    for number in range(1 << len(fillers)):
        sources = surroundings()
        chosen = [filler for place, filler in enumerate(fillers) if number >> place & 1]
        for filler in chosen:
            filler(sources[1])
        for _ in range(4):
            _, isolation = request_scopes.forks(*sources)
            filled = (isolation._tags, isolation._contexts, isolation._extras, isolation._attributes)
            held = [*filled, isolation._event_processors, isolation._attachments]
            assert [bool(each) for each in held] == [filler in chosen for filler in fillers]
    assert len(bare._kinds) == bare._MOST
