"""A scrubber goes to workers that are spawned, and does there what it does here."""

from __future__ import annotations

import copy
import pickle

import pytest

from asgi_sentry import DEFAULT_RULES, Rule, Scrubber

EMPLOYEE = Rule("@employee", r"\bEMP-\d{6}\b", literals=("EMP-",), validate=str.isascii)
TEXT = "EMP-123456 of bob@example.com at 10.0.0.1"
VALUE = {"customer_no": "7", "session_color": "red", "extra": {"token": "a"}, "password": "b", "text": TEXT}
redacted = []


def note(path, rule):
    redacted.append((path, rule))


SCRUBBERS = [
    Scrubber(),
    Scrubber(deny=("customer_no",), allow=("session_color", ("extra", "token")), on_redact=note),
    Scrubber(rules=(*(rule for rule in DEFAULT_RULES if rule.id != "@email"), "@ip", EMPLOYEE)),
]


@pytest.mark.parametrize("scrubber", SCRUBBERS)
@pytest.mark.parametrize("how", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy, copy.copy])
def test_a_copy_scrubs_alike(scrubber, how):
    other = how(scrubber)
    assert other.scrub(VALUE) == scrubber.scrub(VALUE)
    assert other.scrub_text(TEXT) == scrubber.scrub_text(TEXT)
    assert [rule.id for rule in other.ruleset.rules] == [rule.id for rule in scrubber.ruleset.rules]


def test_a_copy_tells_of_redactions_too():
    redacted.clear()
    pickle.loads(pickle.dumps(SCRUBBERS[1])).scrub({"customer_no": "7"})
    assert redacted == [(("customer_no",), "@password")]


def test_a_pickle_holds_nothing_that_was_scrubbed():
    scrubber = Scrubber()
    scrubber.scrub_text("password=hunter2-hunter2 and more")
    assert b"hunter2" not in pickle.dumps(scrubber)


def test_a_rule_survives():
    other = pickle.loads(pickle.dumps(EMPLOYEE))
    assert (other.id, other.pattern, other.literals, other.validate) == (
        *(EMPLOYEE.id, EMPLOYEE.pattern, EMPLOYEE.literals),
        EMPLOYEE.validate,
    )
