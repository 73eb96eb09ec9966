"""The list of sentry-python's tests that fail within our stack is well-formed; where it is asked for, it holds."""

from __future__ import annotations

import os
import tarfile
from typing import Any

import pytest

from tests.peers import suite, verdicts, wrapped
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


@pytest.mark.parametrize(
    ("kind", "asked", "status"),
    [
        (suite.Missing, ["asgi", "litestar"], 1),
        (suite.Missing, ["litestar"], 1),
        (suite.NoTests, ["asgi", "litestar"], 0),
        (suite.NoTests, ["litestar"], 1),  # nothing was compared
        (suite.NoTests, ["asgi"], 0),
    ],
)
def test_what_cannot_be_had_fails(monkeypatch, capsys, kind, asked, status):
    def compare(framework: str, **_: Any) -> list[str]:
        if framework == "litestar":
            raise kind("it can't be had")
        return []

    monkeypatch.setattr("tests.peers.__main__.compare", compare)
    monkeypatch.setattr("tests.peers.wrapped.compare", compare)
    assert main(asked) == wrapped.main(asked) == status
    assert ("skipped" in capsys.readouterr().out) == ("litestar" in asked)


def test_a_distribution_without_tests_is_told_from_one_that_is_not_to_be_had(monkeypatch, tmp_path):
    monkeypatch.setattr(suite, "HOME", tmp_path)
    monkeypatch.setattr(suite, "installed", lambda _: "1.0")

    def pip(*_: str) -> None:
        (tmp_path / "made-1.0").mkdir()
        (tmp_path / "made-1.0" / "setup.py").touch()
        with tarfile.open(tmp_path / "made-1.0.tar.gz", "w:gz") as packed:
            packed.add(tmp_path / "made-1.0", "made-1.0")

    monkeypatch.setattr(suite, "_pip", pip)
    with pytest.raises(suite.NoTests):
        suite.unpacked("made", part="")

    def fails(*_: str) -> None:
        raise suite.Missing("pip download failed")

    monkeypatch.setattr(suite, "_pip", fails)
    with pytest.raises(suite.Missing) as missing:
        suite.unpacked("other")
    assert not isinstance(missing.value, suite.NoTests)


@pytest.mark.skipif(not os.environ.get("ASGI_SENTRY_PEERS"), reason="runs for minutes: set ASGI_SENTRY_PEERS=1")
@pytest.mark.parametrize("framework", suite.FRAMEWORKS)
def test_the_list_holds(framework, capsys):
    try:
        suite.unpacked(), suite.extras()
    except suite.Missing as missing:
        pytest.skip(str(missing))
    assert main([framework]) == 0, capsys.readouterr().out
