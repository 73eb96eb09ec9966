"""Hyperscan's patterns are made ready beside whoever looks, and hold nobody up."""

from __future__ import annotations

import pytest

pytest.importorskip("hyperscan")

from asgi_sentry._scrubbing.text.expressions import ANY, Expression
from asgi_sentry._scrubbing.text.scanner import Scanner


def scanner() -> Scanner:
    return Scanner(lambda: [Expression(rb"secret", caseless=False, database=ANY)])


def test_each_match_is_told_by_its_end_once_the_patterns_are_ready() -> None:
    looks = scanner()
    assert looks.ready()
    assert looks.ends(b"a secret and a secret") == [(8, 0), (21, 0)]


def test_whoever_looks_while_somebody_else_begins_does_not_wait() -> None:
    looks = scanner()
    with looks._lock:
        assert looks.ends(b"a secret") is None
    assert looks.ready()


def test_a_lock_that_was_held_at_a_fork_is_none_in_the_child() -> None:
    """The thread that holds it does not exist there."""
    looks = scanner()
    looks._pid = -1  # of the parent
    with looks._lock:
        assert looks.ready()
    assert looks.ends(b"a secret") == [(8, 0)]
