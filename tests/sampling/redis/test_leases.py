"""Leases on a real Redis whose time a test sets: limits are exact whatever happens to Redis, its data and its clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_sentry._sampling.adaptive import Adaptive
from asgi_sentry._sampling.budgets import allowed, period_at
from asgi_sentry._sampling.rate import PERIODS, Limit
from asgi_sentry._sampling.redis.counted import SharedReservoir, SharedTarget
from asgi_sentry._sampling.redis.exchange import Answer
from asgi_sentry._sampling.redis.leased_budget import LeasedBudget
from asgi_sentry._sampling.redis.leased_window import LeasedWindow
from asgi_sentry._sampling.redis.script import GRACE, HOLD, LEASE_SECONDS, SCRIPTS
from tests.quick import examples
from tests.redis_server import BINARY, Server
from tests.strategies import Clock

pytestmark = [
    pytest.mark.service("redis-server"),
    pytest.mark.skipif(BINARY is None, reason="no redis-server"),
]

MARCH = datetime(2026, 3, 1, tzinfo=timezone.utc).timestamp()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server()
    yield made
    made.kill()


TIMED = {kind: text.replace("redis.call('TIME')", "{ARGV[#ARGV], '0'}") for kind, text in SCRIPTS.items()}
assert all(TIMED[kind] != text for kind, text in SCRIPTS.items())


class Lender:
    """The scripts on a real Redis, in whose place a test sets the time."""

    def __init__(self, server: Server) -> None:
        self.client = server.client()
        self.reset()

    def reset(self, now: float = MARCH) -> None:
        self.client.flushall()
        self.now = now  # as the world has it,
        self.wrong = 0.0  # and how wrong the server's clock is

    def run(self, question: Any, worker: str, *, workers: int = 1) -> Answer:
        arguments = [*question.arguments(worker, workers), f"{self.now + self.wrong:.6f}"]
        keys = (f"limit:{question.name}:{question.kind}", "workers", "names")
        return Answer.read(self.client.eval(TIMED[question.kind], len(keys), *keys, *arguments))

    def call(self, asker: Any, worker: str, *, workers: int = 1) -> Answer:
        answer = self.run(asker.ask(), worker, workers=workers)
        asker.answer(answer)
        return answer


@pytest.fixture(scope="module")
def lender(server: Server) -> Iterator[Lender]:
    made = Lender(server)
    yield made
    made.client.close()


@pytest.fixture(autouse=True)
def _fresh(lender: Lender) -> None:
    lender.reset()


class Skewed(Clock):
    """A monotonic clock that has nothing in common with the server's but its pace."""

    def __init__(self, lender: Lender, skew: float) -> None:
        self.lender, self.skew = lender, skew

    def __call__(self) -> float:
        return self.lender.now + self.skew


def settled(lender: Lender, askers: list[Any]) -> None:
    """Let the grace of a new lender go by, so that leases begin."""
    for _ in range(4):
        for n, asker in enumerate(askers):
            lender.call(asker, str(n))
        lender.now += GRACE / 2


# What happens next, to which worker, and after how many seconds.
EVENTS = (
    *("ask", "ask", "ask", "ask", "call", "call", "call"),
    "refused",  # a call that does not reach the lender
    "unheard",  # a call whose answer does not come
    "late",  # a call that is run after the next one
    "flush",  # the lender loses all data,
    "evict",  # or one key,
    "clock",  # or its clock is set
    "restart",  # a worker closes, and another takes its place
)
steps = st.lists(
    st.tuples(
        st.integers(0, 2),
        st.sampled_from(EVENTS),
        st.integers(1, 12),
        st.sampled_from([0.0, 0.0, 0.0, 0.0, 0.125, 0.5, 1.0, 2.0]),
    ),
    max_size=120,
)


class World:
    """Three workers, one lender, and all that can happen to them but the death of a process."""

    def __init__(self, lender: Lender, make: Any) -> None:
        self.lender, self.make = lender, make
        self.gates = [make(n) for n in range(3)]
        self.names = ["0", "1", "2"]
        self.delayed: list[tuple[Any, str]] = []
        self.taken: list[float] = []
        settled(lender, self.gates)

    def step(self, worker: int, what: str, count: int, gap: float) -> None:
        lender, gate, name = self.lender, self.gates[worker], self.names[worker]
        self.pass_time(gap)
        if what == "ask":
            self.taken += [lender.now for _ in range(count) if gate.take()]
        elif what == "call":
            lender.call(gate, name)
            while self.delayed:
                lender.run(*self.delayed.pop())
        elif what == "refused":
            gate.ask()
            gate.lost()
        elif what == "unheard":
            lender.run(gate.ask(), name)
            gate.lost()
        elif what == "late":
            self.delayed.append((gate.ask(), name))
            gate.lost()
        elif what == "flush":
            self.everyone_calls()
            lender.client.flushall()
            self.everyone_calls()
        elif what == "evict":
            self.everyone_calls()
            for key in lender.client.keys("limit:*"):
                lender.client.delete(key)
            self.everyone_calls()
        elif what == "clock":
            self.set_clock(count)
        else:
            gate.close()
            lender.call(gate, name)
            self.gates[worker] = self.make(worker)
            self.names[worker] = f"{name}'"

    def set_clock(self, count: int) -> None:
        self.lender.wrong += (count - 6) * 900.0

    def everyone_calls(self) -> None:
        """As they do once a second, and so within the grace of a lender that has lost its data."""
        for gate, name in zip(self.gates, self.names, strict=True):
            self.lender.call(gate, name)

    def pass_time(self, gap: float) -> None:
        while gap > 0:
            self.lender.now += min(gap, 1.0)
            gap -= 1.0
            self.everyone_calls()


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60), steps)
def test_windows_are_never_exceeded(lender: Lender, count: int, steps: list[Any]) -> None:
    lender.reset()
    limit = Limit(count=count, seconds=10.0)
    world = World(lender, lambda n: LeasedWindow("x", limit, clock=Skewed(lender, 1_000_000.0 * n)))
    for step in steps:
        world.step(*step)
    for start in world.taken:
        assert sum(start <= time < start + limit.seconds for time in world.taken) <= count


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 60), st.sampled_from([3_600.0, PERIODS["month"]]), steps)
def test_budgets_are_never_over_and_never_ahead_of_their_line(
    lender: Lender, count: int, seconds: float, steps: list[Any]
) -> None:
    lender.reset(MARCH - 30)
    limit = Limit(count=count, seconds=seconds)
    world = World(
        lender,
        lambda n: LeasedBudget(
            "x", limit, clock=Skewed(lender, 5_000.0 * n), wall=Skewed(lender, 86_400.0 * 40 * (n - 1))
        ),  # the second has the right time, the others are off by forty days
    )
    world.set_clock = lambda _: world.pass_time(1.0)  # its calendar is the server's: a wrong one is another period
    spent: dict[float, int] = {}
    for step in steps:
        before = len(world.taken)
        world.step(*step)
        for time in world.taken[before:]:
            period = period_at(limit, time)
            spent[period.start] = spent.get(period.start, 0) + 1
            assert spent[period.start] <= allowed(count, period, time)


def test_a_lease_runs_out_and_its_tokens_go_to_others_a_period_later(lender: Lender) -> None:
    limit = Limit(count=30, seconds=10.0)
    dead, alive = (LeasedWindow("x", limit, clock=Skewed(lender, n)) for n in (5, 7))
    settled(lender, [dead, alive])
    held = dead.held
    assert held >= 10
    taken = [lender.now for _ in range(50) if dead.take()]
    at = lender.now
    while lender.now < at + LEASE_SECONDS + 30:
        lender.now += 0.5
        taken += [lender.now for _ in range(50) if alive.take()]
        lender.call(alive, "1")
    for start in taken:
        assert sum(start <= time < start + limit.seconds for time in taken) <= limit.count
    assert alive.held == limit.count
    assert not dead.take()  # it was stopped, and its lease is over: it may not go on with what it held


def test_who_comes_back_after_its_lease_has_nothing_but_counts(lender: Lender) -> None:
    limit = Limit(count=30, seconds=10.0)
    gate = LeasedWindow("x", limit, clock=Skewed(lender, 5))
    settled(lender, [gate])
    assert gate.held
    lender.client.hdel("limit:x:window", "w:0")
    assert gate.take()
    assert lender.call(gate, "0").lost
    assert gate.held <= limit.count - 1


def test_the_whole_of_a_limit_is_used_by_one_while_the_others_idle(lender: Lender) -> None:
    limit = Limit(count=100, seconds=10.0)
    gates = [LeasedWindow("x", limit, clock=Skewed(lender, n)) for n in range(3)]
    settled(lender, gates)
    for _ in range(2):  # all of it, again and again
        taken = 0
        for _ in range(20):
            lender.now += 0.5
            taken += sum(gates[0].take() for _ in range(100))
            for n, gate in enumerate(gates):
                lender.call(gate, str(n))
    assert taken >= 95


@pytest.mark.parametrize("count", [5, 40])
def test_the_busy_share_alike(lender: Lender, count: int) -> None:
    """Whoever came first: those that want more than their part give it to those that have less."""
    limit = Limit(count=count, seconds=2.0)
    gates = [LeasedWindow("x", limit, clock=Skewed(lender, n)) for n in range(4)]
    settled(lender, gates[:1])
    taken = [0, 0, 0, 0]
    for step in range(200):
        lender.now += 0.25
        for n, gate in enumerate(gates):
            got = sum(gate.take() for _ in range(count))
            taken[n] += got if step > 100 else 0
            lender.call(gate, str(n))
    assert min(taken) >= 0.5 * max(taken) > 0
    assert sum(taken) >= 0.9 * count * 12


def test_a_burst_after_quiet_finds_a_reserve(lender: Lender) -> None:
    """Before any call can be made."""
    window = [LeasedWindow("w", Limit(count=120, seconds=60.0), clock=Skewed(lender, n)) for n in range(3)]
    settled(lender, window)
    month = Limit(count=10_000, seconds=PERIODS["month"])
    budgets = [LeasedBudget("b", month, clock=Skewed(lender, n), wall=Skewed(lender, n)) for n in range(3)]
    settled(lender, budgets)
    assert all(sum(gate.take() for _ in range(30)) == 30 for gate in window)
    assert all(sum(budget.take() for _ in range(60)) == 60 for budget in budgets)


def test_idle_workers_give_a_small_budget_to_who_needs_it(lender: Lender) -> None:
    limit = Limit(count=30, seconds=PERIODS["month"])
    budgets = [LeasedBudget("x", limit, clock=Skewed(lender, n), wall=Skewed(lender, n)) for n in range(3)]
    settled(lender, budgets)
    spent = 0
    for _ in range(20):
        lender.now += 0.5
        spent += sum(budgets[0].take() for _ in range(5))
        for n, budget in enumerate(budgets):
            lender.call(budget, str(n))
    assert spent == allowed(30, period_at(limit, lender.now), lender.now) == 3


@given(st.integers(946_684_800, 4_102_444_799), st.sampled_from(sorted(PERIODS)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_script_has_the_same_calendar(lender: Lender, now: int, period: str) -> None:
    lender.reset(float(now))
    limit = Limit(count=10, seconds=PERIODS[period])
    answer = lender.call(LeasedBudget("x", limit, clock=Skewed(lender, 0), wall=Skewed(lender, 0)), "0")
    assert tuple(map(float, answer.more[3:])) == period_at(limit, now)


def test_a_budget_goes_on_with_what_it_holds_and_its_part_of_what_time_adds(lender: Lender) -> None:
    lender.now += 10 * 86_400
    limit = Limit(count=31_000, seconds=PERIODS["month"])
    budgets = [LeasedBudget("x", limit, clock=Skewed(lender, n), wall=Skewed(lender, n)) for n in range(2)]
    settled(lender, budgets)
    held = [budget._tokens for budget in budgets]
    for budget in budgets:
        budget.ask()
        budget.lost()
        assert not budget.shared
    assert [sum(budget.take() for _ in range(5_000)) for budget in budgets] == held
    lender.now += 3_600.0
    alone = [sum(budget.take() for _ in range(5_000)) for budget in budgets]
    assert all(18 <= spent <= 21 for spent in alone)  # half of a thousand a day
    for n, budget in enumerate(budgets):
        answer = lender.call(budget, str(n))
        assert budget.shared
    assert int(answer.more[0]) == sum(held) + sum(alone)
    assert budgets[1].status().remaining == 31_000 - sum(held) - sum(alone)


def test_who_is_silent_keeps_its_part_for_an_hour(lender: Lender) -> None:
    """A process that alone can't reach the lender goes on, and the others leave it its part."""
    limit = Limit(count=31_000, seconds=PERIODS["month"])
    alone, other = (LeasedBudget("x", limit, clock=Skewed(lender, n), wall=Skewed(lender, n)) for n in range(2))
    settled(lender, [alone, other])
    alone.ask()
    alone.lost()
    spent = 0
    began = lender.now
    while lender.now < began + HOLD - 60:
        lender.now += 1.0 if lender.now < began + 30 else 2.5
        spent += sum(budget.take() for budget in (alone, other) for _ in range(50))
        lender.call(other, "1")
        assert spent <= allowed(limit.count, period_at(limit, lender.now), lender.now)
    assert spent > 3_000


@pytest.mark.parametrize("skew", [-40, 0, 40])
def test_a_wall_clock_that_is_wrong_by_days_costs_nothing(lender: Lender, skew: int) -> None:
    lender.now += 20 * 86_400
    limit = Limit(count=3_100, seconds=PERIODS["month"])
    budget = LeasedBudget("x", limit, clock=Skewed(lender, 7), wall=Skewed(lender, skew * 86_400.0))
    settled(lender, [budget])
    spent = 0
    for _ in range(300):
        spent += sum(budget.take() for _ in range(20))
        lender.call(budget, "0")
        lender.now += 1.0
    assert spent == allowed(3_100, period_at(limit, lender.now), lender.now)


def test_what_was_spent_survives_a_lender_that_forgets_everything(lender: Lender) -> None:
    """What dead processes spent as well, as long as one that knew of it lives."""
    lender.now += 20 * 86_400
    limit = Limit(count=3_100, seconds=PERIODS["month"])
    budgets = [LeasedBudget("x", limit, clock=Skewed(lender, n), wall=Skewed(lender, n)) for n in range(3)]
    settled(lender, budgets)
    spent = 0
    for n in range(300):
        spent += sum(budgets[n % 3].take() for _ in range(7))
        lender.call(budgets[n % 3], str(n % 3))
    budgets[0].close()
    lender.call(budgets[0], "0")
    budgets[0] = LeasedBudget("x", limit, clock=Skewed(lender, 0), wall=Skewed(lender, 0))
    lender.call(budgets[0], "0'")
    lender.call(budgets[1], "1")
    for _ in range(2):
        lender.client.flushall()
        settled(lender, budgets)
    assert spent + 400 > int(lender.call(budgets[0], "0").more[0]) >= spent > 1_000
    for n in range(3_000):
        spent += budgets[n % 3].take()
        lender.call(budgets[n % 3], str(n % 3))
    assert spent <= allowed(3_100, period_at(limit, lender.now), lender.now)


@pytest.mark.parametrize("kind", ["window", "budget"])
def test_who_is_too_busy_to_tell_in_time_is_waited_for(lender: Lender, kind: str) -> None:
    """A lender that has lost all data lends nothing of what a declared process may still hold."""
    seconds = 3_600.0
    limit = Limit(count=30, seconds=seconds)
    gates: list[Any] = [
        LeasedWindow("x", limit, workers=3, clock=Skewed(lender, n))
        if kind == "window"
        else LeasedBudget("x", limit, workers=3, clock=Skewed(lender, n), wall=Skewed(lender, n))
        for n in range(3)
    ]
    lender.now += seconds / 2  # of a budget, half is there
    for _ in range(6):
        for n, gate in enumerate(gates):
            gate.take()
            lender.call(gate, str(n), workers=3)
        lender.now += GRACE / 2
    lender.client.flushall()
    before = [gate.take() for gate in gates]
    assert all(before)
    granted = 0
    while lender.now % seconds < seconds / 2 + LEASE_SECONDS:
        for n, gate in enumerate(gates[:2]):
            while gate.take():
                continue
            granted += lender.call(gate, str(n), workers=3).granted
        lender.now += 1.0
    assert granted == 0


def test_a_lender_that_is_lost_in_mid_period_costs_little(lender: Lender) -> None:
    limit = Limit(count=400, seconds=10.0)
    gates = [LeasedWindow("x", limit, clock=Skewed(lender, 100 * n)) for n in range(4)]
    settled(lender, gates)
    taken: list[float] = []
    for step in range(2_000):  # a hundred seconds at twice the limit, lost after forty, back after seventy
        lender.now += 0.05
        for n, gate in enumerate(gates):
            taken += [lender.now] * gate.take()
            if 800 <= step < 1_400:
                if step % 20 == 0:
                    gate.ask()
                    gate.lost()
            elif gate.due(gate._clock()):
                lender.call(gate, str(n))
    assert max(sum(start <= time < start + limit.seconds for time in taken) for start in taken[::7]) <= 400
    assert len(taken) >= 0.9 * 10 * 400


def test_a_new_process_has_its_part_where_the_lender_never_answered(lender: Lender) -> None:
    window = LeasedWindow("x", Limit(count=40, seconds=10.0), workers=4, clock=Skewed(lender, 0))
    few = LeasedWindow("y", Limit(count=3, seconds=10.0), workers=4, clock=Skewed(lender, 0))
    for gate in (window, few):
        gate.ask()
        gate.lost()
    assert sum(window.take() for _ in range(100)) == 10
    assert sum(few.take() for _ in range(100)) == 0  # four of them would be more than three
    lender.now += 10.0
    assert sum(window.take() for _ in range(100)) == 10


def test_who_keeps_more_than_its_part_leaves_it_for_a_new_process(lender: Lender) -> None:
    """Where the number of processes is said, those that start while the lender is away have their part."""
    limit = Limit(count=40, seconds=10.0)
    gate = LeasedWindow("x", limit, workers=4, clock=Skewed(lender, 0))
    settled(lender, [gate])
    for _ in range(10):
        lender.now += 0.1
        for _ in range(40):
            gate.take()
        lender.call(gate, "0", workers=4)
    assert gate.held > 10
    gate.ask()
    gate.lost()
    assert gate.held == 10


def test_a_clock_that_is_set_lets_no_token_cool_early(lender: Lender) -> None:
    limit = Limit(count=10, seconds=10.0)
    first, second = (LeasedWindow("x", limit, clock=Skewed(lender, n)) for n in range(2))
    settled(lender, [first, second])
    for wrong in (3_600.0, -3_600.0, 0.0, 86_400.0 * 365):
        lender.wrong = wrong
        taken: list[float] = []
        for _ in range(60):
            lender.now += 0.5
            for n, gate in enumerate((first, second)):
                taken += [lender.now for _ in range(5) if gate.take()]
                lender.call(gate, str(n))
        assert max(sum(start <= time < start + 10 for time in taken) for start in taken) <= 10
        assert len(taken) >= 25


def test_targets_go_where_the_traffic_is(lender: Lender) -> None:
    limit = Limit(count=20, seconds=1.0)
    adaptives = [Adaptive(limit, clock=Skewed(lender, n)) for n in range(3)]
    targets = [
        SharedTarget("x", limit, adaptive, workers=3, clock=Skewed(lender, n)) for n, adaptive in enumerate(adaptives)
    ]
    assert [adaptive.target for adaptive in adaptives] == pytest.approx([20 / 3] * 3)
    for adaptive, traffic in zip(adaptives, (30.0, 10.0, 0.0), strict=True):
        adaptive._rest.traffic = traffic
    for _ in range(2):
        for n, target in enumerate(targets):
            lender.call(target, str(n))
    assert [adaptive.target for adaptive in adaptives] == pytest.approx([15, 5, 20 / 30])
    lender.now += 60
    lender.call(targets[1], "1")  # the others were not heard of for a minute
    assert adaptives[1].target == pytest.approx(20)
    targets[0].lost()
    assert adaptives[0].target == pytest.approx(20 / 3)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(1, 20), st.lists(st.tuples(st.integers(0, 2), st.integers(-1, 8), st.integers(0, 5)), max_size=80))
def test_a_shared_minimum_is_always_met(lender: Lender, count: int, steps: list[Any]) -> None:
    """In every period of the server's clock, in which something was asked, by whomever."""
    lender.reset(MARCH)
    limit = Limit(count=count, seconds=10.0)
    reservoirs = [SharedReservoir("x", limit, clock=Skewed(lender, 33.0 * n)) for n in range(3)]
    for n, reservoir in enumerate(reservoirs):
        lender.call(reservoir, str(n))
    asked: dict[float, int] = {}
    kept: dict[float, int] = {}
    for worker, what, gap in steps:
        lender.now += gap
        if what < 0:
            lender.call(reservoirs[worker], str(worker))
            continue
        period = lender.now // 10
        for _ in range(what):
            asked[period] = asked.get(period, 0) + 1
            if reservoirs[worker].lacks():
                reservoirs[worker].note()
                kept[period] = kept.get(period, 0) + 1
    assert all(kept.get(period, 0) >= min(count, n) for period, n in asked.items())
    assert all(n <= 3 * count for n in kept.values())


def test_a_shared_minimum_is_not_met_by_each(lender: Lender) -> None:
    reservoirs = [SharedReservoir("x", Limit(count=5, seconds=60.0), clock=Skewed(lender, n)) for n in range(3)]
    kept = 0
    for _ in range(20):
        lender.now += 1.0
        for n, reservoir in enumerate(reservoirs):
            lender.call(reservoir, str(n))
            if reservoir.lacks():
                reservoir.note()
                kept += 1
    assert 5 <= kept <= 8  # what each did not know yet of the others


def test_a_childs_uses_are_its_own(lender: Lender) -> None:
    limit = Limit(count=31_000, seconds=PERIODS["month"])
    clock = Skewed(lender, 0)
    window, budget = LeasedWindow("w", limit, clock=clock), LeasedBudget("b", limit, clock=clock, wall=clock)
    reservoir = SharedReservoir("r", limit, clock=clock)
    target = SharedTarget("t", limit, Adaptive(limit, clock=clock), clock=clock)
    settled(lender, [window])
    settled(lender, [budget])
    assert window.take()
    assert budget.take()
    reservoir.note()
    for asker in (window, budget, target, reservoir):
        asker.forget()
        assert asker.due(clock())
        assert asker.ask().generation == ""
    assert window.held == budget._tokens == 0
    assert not window.take()
    assert not budget.take()
    assert reservoir.ask().more[1] == 0


def test_a_parent_that_forked_holds_nothing_until_it_is_asked(lender: Lender) -> None:
    """The process that preloads an app serves no request, and what it holds is missing elsewhere."""
    limit = Limit(count=31_000, seconds=PERIODS["month"])
    clock = Skewed(lender, 0)
    for gate in (LeasedWindow("w", limit, clock=clock), LeasedBudget("b", limit, clock=clock, wall=clock)):
        settled(lender, [gate])
        gate.forked()
        question = gate.ask()
        gate.answer(lender.run(question, "0"))
        assert not gate.take()
        lender.call(gate, "0")
        assert gate.take()


def test_different_limits_under_one_name_are_noticed_while_both_live(lender: Lender) -> None:
    one, other = (LeasedWindow("x", Limit(count=count, seconds=10.0), clock=Skewed(lender, 0)) for count in (5, 6))
    for gate, name in ((one, "0"), (other, "1"), (one, "0")):
        lender.call(gate, name)
    assert one.conflict
    assert other.conflict
    lender.now += 60  # after a deployment
    changed = LeasedWindow("x", Limit(count=7, seconds=10.0), clock=Skewed(lender, 0))
    lender.call(changed, "2")
    assert not changed.conflict
