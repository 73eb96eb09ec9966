"""Which of many keys may say something: the same, or more, by Hyperscan as by the pattern."""

from __future__ import annotations

from random import Random

import pytest

from asgi_sentry._scrubbing import Scrubber, terms
from asgi_sentry._scrubbing.keys import PLAIN, Keys
from asgi_sentry._scrubbing.stems import Stems
from asgi_sentry._scrubbing.text.scanner import Scanner, is_installed

OWN = (), ("customer",), ("k9", "x"), ("stra\xdfe",)
WORDS = [*terms.STEMS.split(), *terms.STEM_ENDS.split(), "cc", "ccn", "path", "order", "7", "12", "\u212a", "\xdf"]
SIGNS = ("", "", "_", "-", ".", "X", " ", "0")


def drawn(dice: Random) -> list[str]:
    """Many keys that differ, a few of which say something."""

    def key() -> str:
        if dice.random() < 0.1:
            word = dice.choice(WORDS)
            return dice.choice((word, word.upper(), word.title())) + dice.choice(SIGNS) + dice.choice(WORDS)
        return "".join(dice.choices("bdfglmnoqruvwxyz_0123456789", k=30))

    return sorted({key() for _ in range(40)})


@pytest.mark.parametrize("own", OWN)
def test_whatever_says_something_is_told_of(own):
    keys, stems, dice = Keys(deny=own), Stems(own), Random(5)
    assert stems.ready() == (is_installed() and "stra\xdfe" not in own)
    for _ in range(2000):
        some = drawn(dice)
        told = {some[index] for index in stems.suspects(some)}
        assert {key for key in some if keys[key] != PLAIN} <= told
        stems._scanner, scanner = None, stems._scanner
        assert told == {some[index] for index in stems.suspects(some)}
        stems._scanner = scanner


@pytest.mark.parametrize("own", OWN)
def test_stems_stand_at_the_same_places_in_a_long_text(own):
    stems, dice = Stems(own), Random(6)
    stems.ready()
    for _ in range(300):
        some = [word for _ in range(5) for word in drawn(dice)]
        text = "".join(word + dice.choice((" ", "", "=", "\0", "\n")) for word in some).lower()
        if dice.random() < 0.8:
            text = text.encode("ascii", "ignore").decode()
        text += dice.choice(("", "pat", "access"))
        known = stems.following(text)
        stems._starts, scanner = None, stems._starts
        searched = stems.following(text)
        stems._starts = scanner
        at = 0
        while at >= 0:
            assert known(at) == searched(at)
            at = searched(at) + 1 or -1


def test_few_keys_and_keys_with_a_nul_are_told_of():
    stems = Stems(())
    assert list(stems.suspects(["order", "api_key"])) == [1]
    assert list(stems.suspects(["or\0der", "api_key"])) == [0, 1]


def test_a_fault_takes_the_other_way(monkeypatch):
    stems = Stems(())
    stems.ready()
    monkeypatch.setattr(Scanner, "ends", lambda *_: 1 / 0)
    assert stems.following("a" * 2000 + "token")(0) == 2000
    some = drawn(Random(1))
    stems._scanner, scanner = None, stems._scanner
    expected = stems.suspects(some)
    stems._scanner = scanner
    assert stems.suspects(some) == expected


def test_who_waits_for_the_rules_waits_for_the_stems_too():
    scrubber = Scrubber(deny=("a term of its own",))
    assert scrubber.ruleset.texts.ready() == is_installed()
    stems = scrubber.ruleset.keys._stems
    assert all(
        (one is not None and one._compiled is not None) == is_installed() for one in (stems._scanner, stems._starts)
    )
