"""The list of sentry-python's tests that fail within our stack is well-formed; where it is asked for, it holds."""

from __future__ import annotations

import os

import pytest

from tests.peers import suite, verdicts
from tests.peers.__main__ import main


def test_each_line_has_a_reason_that_is_used_and_said():
    listed = verdicts.current()
    assert listed.version
    assert listed.of
    assert {each.reason for each in listed.of.values()} == listed.reasons.keys()
    assert all(len(reason) > 20 for reason in listed.reasons.values())
    assert {test.partition("::")[0] for test in listed.of} <= set(suite.FRAMEWORKS)


def test_no_bug_is_left():
    assert not [test for test, verdict in verdicts.current().of.items() if not verdict.wanted]


@pytest.mark.parametrize(
    "line", ["wanted nothing asgi::test_x", "wanted names", "perhaps names asgi::test_x", "wanted names asgi::test_y"]
)
def test_what_is_no_line_is_refused(line):
    with pytest.raises(ValueError, match="line 3"):
        verdicts.read(f"reason names: they begin with the method\nbug names asgi::test_y\n{line}")


@pytest.mark.skipif(not os.environ.get("ASGI_SENTRY_PEERS"), reason="runs for minutes: set ASGI_SENTRY_PEERS=1")
@pytest.mark.parametrize("framework", suite.FRAMEWORKS)
def test_the_list_holds(framework, capsys):
    try:
        suite.unpacked(), suite.extras()
    except suite.Missing as missing:
        pytest.skip(str(missing))
    assert main([framework]) == 0, capsys.readouterr().out
