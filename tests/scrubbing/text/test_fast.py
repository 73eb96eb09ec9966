"""With Hyperscan the same texts are suspected of the same as without it, only sooner."""

from __future__ import annotations

import copy
import pickle
import re
from random import Random
from threading import Thread

import pytest

from asgi_sentry._scrubbing import DEFAULT_RULES, Scrubber
from asgi_sentry._scrubbing.text import scanner
from asgi_sentry._scrubbing.text.expressions import expressions
from asgi_sentry._scrubbing.text.fast import FastGates
from asgi_sentry._scrubbing.text.gates import Gates
from asgi_sentry._scrubbing.text.literals import TOKEN_GATES
from asgi_sentry._scrubbing.text.scanner import Scanner
from asgi_sentry._scrubbing.text.single_gate import Gate
from tests.scrubbing.samples import MIXED, PIECES
from tests.strategies import FORMS

pytestmark = pytest.mark.untraced

pytest.importorskip("hyperscan")

RULES = (*DEFAULT_RULES, "@ip")
TEXTS = [*PIECES, *(form for forms in MIXED.values() for form in forms), *FORMS, "aB1cD2eF3gH4iJ5k", "\xff\u1234 x"]
EXAMPLES = 10_000


@pytest.fixture(scope="module")
def gates() -> FastGates:
    scanner._COMPILED.clear()  # it is full of what other tests compiled, and takes no more
    found = Scrubber(rules=RULES, deny=("x-internal",)).ruleset.texts._gates
    assert isinstance(found, FastGates)
    assert found.ready()
    return found


def drawn(dice: Random) -> list[str]:
    """A few texts that differ, each put together of a few others."""
    made = {"".join(dice.choices(TEXTS, k=dice.randint(1, 4))) for _ in range(dice.randint(1, 8))}
    return sorted(text.replace("\0", "") for text in made)


def test_the_same_is_suspected_both_ways(gates):
    plain, dice = Gates(gates.all), Random(5)
    for _ in range(EXAMPLES):
        texts = drawn(dice)
        data = "\0".join(texts).encode("latin-1", "replace")
        assert gates.suspects(texts, data) == plain.suspects(texts, data), texts


def test_what_is_dense_takes_the_way_without_it(gates):
    plain = Gates(gates.all)
    for piece in PIECES:
        texts = [piece * 2000, "x", piece]
        data = "\0".join(texts).encode("latin-1", "replace")
        assert gates.suspects(texts, data) == plain.suspects(texts, data)


def test_a_fault_takes_the_way_without_it(gates, monkeypatch):
    broken = FastGates(gates.all)
    assert broken.ready()
    monkeypatch.setattr(Scanner, "_scratch", lambda *_: 1 / 0)
    texts = ["password=hunter2 and so on, " * 4]
    data = texts[0].encode()
    assert broken.suspects(texts, data) == Gates(gates.all).suspects(texts, data)
    assert broken.suspects(texts, data) == Gates(gates.all).suspects(texts, data)


def test_without_a_thread_to_compile_in_it_takes_the_way_without_it(gates, monkeypatch):
    """As where there are too many, or while the interpreter ends."""

    def start(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(scanner, "_COMPILED", {})
    slow = FastGates(gates.all)
    monkeypatch.setattr(Thread, "start", start)
    texts = ["password=hunter2 and so on, " * 4]
    data = texts[0].encode()
    assert slow.suspects(texts, data) == Gates(gates.all).suspects(texts, data)
    assert not slow.ready()


def test_what_was_compiled_is_shared_by_those_that_look_for_the_same(gates, monkeypatch):
    other = FastGates(gates.all)
    monkeypatch.setattr(Thread, "start", None)
    assert other.ready()
    assert other.scanner._compiled is gates.scanner._compiled
    fewer = FastGates(dict(list(gates.all.items())[1:]))
    assert not fewer.ready()


def test_each_thread_scans_for_itself(gates):
    texts = ["password=hunter2 and so on, " * 4]
    data = texts[0].encode()
    expected = Gates(gates.all).suspects(texts, data)
    found: list[dict[int, int]] = []
    threads = [Thread(target=lambda: found.extend(gates.suspects(texts, data) for _ in range(200))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 800


def test_it_can_be_copied(gates):
    for other in (copy.deepcopy(gates), pickle.loads(pickle.dumps(gates))):
        assert other.all.keys() == gates.all.keys()
        assert other.ready()


def test_runs_that_are_short_or_names_or_ids_are_no_candidates():
    """So that these cost one look together, and not one each."""
    running, behind_signs = (one.pattern for one in expressions(Gate("run", b"a" * 16, re.compile(b""))))
    dice = Random(3)
    for _ in range(2000):
        for letters in ("abcdefghijklmnopqrstuvwxyz_-", "0123456789abcdef", "0123456789"):
            run = "".join(dice.choices(letters, k=dice.randint(16, 40)))
            assert re.search(running, f"a {run} b".encode()) is None, run
        run = "".join(dice.choices("aB1-", k=15))
        assert re.search(running, f"a {run} b".encode()) is None, run
        assert re.search(behind_signs, f"0.{dice.random()}".encode()) is None


def test_any_run_that_may_be_a_token_is_a_candidate():
    run_gate = next(gate for gate in TOKEN_GATES if gate.mask == "run")
    gates, dice = FastGates({run_gate: 1}), Random(4)
    assert gates.ready()
    letters = ("abcdef0123456789", "abcdefgh0123456789-_", "abcdefXYZ0123456789", "a1_", "fg0", "gG-")
    signs = (" ", ".", ":", "/", "+", "~", "A/", "0/", "a/", "=", "\xff", "")
    for _ in range(EXAMPLES):
        some, other = dice.choice(letters), dice.choice(letters)
        run = "".join(dice.choices(some, k=dice.randint(1, 70)) + dice.choices(other, k=dice.randint(0, 20)))
        texts = [dice.choice(signs) + run + dice.choice(signs), "x"]
        data = "\0".join(texts).encode("latin-1", "replace")
        assert gates.suspects(texts, data) == Gates(gates.all).suspects(texts, data), texts
