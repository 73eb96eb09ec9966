"""The sender's thread does what the SDK's does: in turn, bounded, waited for by a flush, and begun anew in a child."""

from __future__ import annotations

import contextvars
import gc
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.transport import HttpTransport
from sentry_sdk.worker import BackgroundWorker, Worker

import asgi_sentry
from asgi_sentry._exit import courier
from asgi_sentry._exit.courier import Courier
from tests.conftest import DSN
from tests.sdk.test_after_fork import in_child

LONG = 20.0  # seconds: a test that needs them has failed
Make = Callable[..., Any]


@pytest.fixture(params=[Courier, BackgroundWorker], ids=["ours", "the SDK's"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """What holds for both."""
    made: list[Any] = []

    def worker(size: int = 100) -> Any:
        made.append(request.param(size))
        return made[-1]

    yield worker
    for each in made:
        end(each)


@pytest.fixture
def ours() -> Iterator[Courier]:
    made = Courier(10)
    yield made
    end(made)


def end(worker: Any) -> None:
    thread = worker._thread
    worker.kill()
    if thread is not None:
        thread.join(LONG)
        assert not thread.is_alive()


def busy(worker: Any) -> threading.Event:
    """Have it do something that takes until the event is set."""
    began, go = threading.Event(), threading.Event()
    assert worker.submit(lambda: (began.set(), go.wait(LONG)))
    assert began.wait(LONG)
    return go


def test_all_is_run_in_turn(make: Make) -> None:
    worker, ran = make(), []
    for number in range(90):
        assert worker.submit(lambda number=number: ran.append((number, threading.current_thread().name)))
    worker.flush(LONG)
    assert ran == [(number, "sentry-sdk.BackgroundWorker") for number in range(90)]


def test_no_more_waits_than_may(make: Make) -> None:
    worker, ran = make(3), []
    go = busy(worker)
    assert [worker.submit(lambda number=number: ran.append(number)) for number in range(5)] == [True] * 3 + [False] * 2
    assert worker.full()
    go.set()
    worker.flush(LONG)
    assert ran == [0, 1, 2]
    assert not worker.full()


def test_a_flush_waits_for_what_is_submitted_meanwhile(make: Make) -> None:
    worker, ran = make(), []
    worker.submit(lambda: worker.submit(lambda: ran.append("report")))
    worker.flush(LONG)
    assert ran == ["report"]


def test_a_flush_that_takes_long_says_how_much_is_pending(make: Make) -> None:
    worker, said = make(), []
    go = busy(worker)
    for _ in range(4):
        worker.submit(lambda: None)
    worker.flush(0.2, lambda pending, timeout: said.append((pending, timeout)))
    assert [timeout for _, timeout in said] == [0.2]
    assert 5 <= said[0][0] <= 6
    go.set()
    worker.flush(LONG)
    assert len(said) == 1


def test_what_fails_costs_nothing_else(make: Make) -> None:
    worker, ran = make(), []
    worker.submit(lambda: 1 / 0)
    worker.submit(lambda: ran.append("next"))
    worker.flush(LONG)
    assert ran == ["next"]


def test_one_that_was_killed_does_what_it_had_and_begins_again(make: Make) -> None:
    worker, ran = make(), []
    go = busy(worker)
    first = worker._thread
    worker.submit(lambda: ran.append("before"))
    worker.kill()
    assert not worker.is_alive
    worker.flush(LONG)  # nobody is there to wait for
    go.set()
    first.join(LONG)
    assert ran == ["before"]
    worker.submit(lambda: ran.append("after"))
    worker.flush(LONG)
    assert ran == ["before", "after"]
    assert worker.is_alive
    assert worker._thread is not first


def test_without_a_thread_there_is_nothing_to_wait_for(make: Make) -> None:
    worker = make()
    worker.flush(LONG)
    worker.kill()
    assert not worker.is_alive
    worker.submit(lambda: None)
    worker.flush(0)


def test_where_no_thread_can_be_started_nothing_is_raised(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    worker, ran = make(), []
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", fail)
        assert worker.submit(lambda: ran.append(1))
    worker.submit(lambda: ran.append(2))
    worker.flush(LONG)
    assert ran == [1, 2]


def test_a_thread_that_is_ended_from_within_is_made_anew(ours: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[Any] = []
    monkeypatch.setattr(threading, "excepthook", ended.append)

    def leave() -> None:
        raise SystemExit

    go = busy(ours)
    thread: Any = ours._thread
    ours.submit(leave)
    go.set()
    thread.join(LONG)
    ran: list[int] = []
    ours.submit(lambda: ran.append(1))
    ours.flush(LONG)
    assert ran == [1]


def test_while_many_come_none_wakes_the_thread_but_a_flush_does(ours: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a pause that outlasts the test."""
    monkeypatch.setattr(courier, "_PAUSE", 3 * LONG)
    rung: list[int] = []
    monkeypatch.setattr(ours, "_ring", lambda ring=ours._ring: (rung.append(len(ran)), ring()))
    ran: list[int] = []
    for number in range(3):
        ours.submit(lambda number=number: ran.append(number))
    assert rung == []
    ours.flush(LONG)
    ours.submit(lambda: ran.append(3))
    assert rung == [rung[0]]
    ours.flush(LONG)
    assert ran == [0, 1, 2, 3]


def test_a_quarter_of_what_may_wait_wakes_the_thread(ours: Courier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courier, "_PAUSE", 3 * LONG)
    ours.submit(lambda: None)
    ours.flush(LONG)  # it pauses now, or does so soon
    all_ran = threading.Event()
    for _ in range(6):
        ours.submit(lambda: None)
    ours.submit(all_ran.set)
    assert all_ran.wait(LONG)


def test_it_keeps_nothing_of_what_it_ran_nor_of_who_began_it(ours: Courier) -> None:
    class Thing:
        pass

    of_a_request: contextvars.ContextVar[Thing] = contextvars.ContextVar("of_a_request")

    def run() -> list[Any]:
        things = [Thing(), Thing()]
        of_a_request.set(things[0])
        ours.submit(lambda thing=things[1]: None)
        return [weakref.ref(each) for each in things]

    references = contextvars.Context().run(run)
    ours.flush(LONG)
    gc.collect()
    assert [reference() for reference in references] == [None, None]


def test_what_the_garbage_collector_ends_may_send(ours: Courier) -> None:
    """In any moment, within any method."""
    ran: list[int] = []

    class Ends:
        def __del__(self) -> None:
            ours.submit(lambda: ran.append(1))
            ours._ring()
            ours.start()

    with ours._lock:
        Ends()
    ours._ring()
    Ends()
    ours.flush(LONG)
    assert ran == [1, 1]


def test_it_has_all_that_the_sdks_has() -> None:
    """Otherwise it is not taken: see what a release of the SDK has added."""
    assert [name for name in vars(Worker) if not name.startswith("_") and not hasattr(Courier, name)] == []


@pytest.mark.parametrize(
    ("transport", "kind"),
    [("lean", Courier), (None, Courier), (HttpTransport, BackgroundWorker)],
    ids=["lean", "default", "the user's own"],
)
def test_who_has_it(transport: Any, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    def worker() -> Any:
        asgi_sentry.init(asgi_sentry.Settings(dsn=DSN), transport=transport, default_integrations=False)
        return sentry_sdk.get_client().transport._worker  # type: ignore[union-attr]

    assert type(worker()) is kind
    monkeypatch.setattr(Worker, "pause", lambda self: None, raising=False)  # of a release to come
    assert type(worker()) is BackgroundWorker


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_begins_anew(ours: Courier) -> None:
    go = busy(ours)
    ran: list[str] = []
    ours.submit(lambda: ran.append("the parent's"))

    def child() -> str:
        ours.submit(lambda: ran.append("the child's"))
        ours.flush(LONG)
        return ",".join(ran)

    held, enough = threading.Event(), threading.Event()
    holder = threading.Thread(target=lambda: hold(ours, held, enough))
    holder.start()
    held.wait(LONG)
    assert in_child(child) == "the child's"
    enough.set()
    holder.join(LONG)
    go.set()
    ours.flush(LONG)
    assert ran == ["the parent's"]


def hold(worker: Courier, held: threading.Event, enough: threading.Event) -> None:
    with worker._lock:
        held.set()
        enough.wait(LONG)
