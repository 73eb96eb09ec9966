# ruff: noqa: E501 - tables read best one case a line
"""Nobody stalls it: whatever a text or a body holds, its cost grows with its length and no faster.

Measured by processor time, the least of a few turns, as growth from one length to twice that: a quadratic cost quadruples.
What is too short to be measured passes. The bounds in absolute time are ten times what was measured.
"""

from __future__ import annotations

import gzip
import json
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asgi_sentry._scrubbing import Scrubber, parse_body
from tests.quick import examples
from tests.scrubbing.samples import PIECES

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.untraced

SCRUBBER = Scrubber(rules=(*Scrubber().ruleset.rules, "@ip"))
LENGTH = 32_000
MEASURABLE = 0.020  # seconds, below which growth is chance
MOST = 0.2  # seconds for 32,000 characters: 20 ms are the aim, measured in a quiet hour
GROWTH = 3.2

SHAPES: dict[str, Callable[[str, int], str]] = {
    "again and again": lambda piece, length: (piece * (length // len(piece) + 1))[:length],
    "opened, never closed": lambda piece, length: (piece * (length // len(piece) // 2) + "a" * length)[:length],
    "behind a long run": lambda piece, length: ("a" * (length // 2) + piece * length)[:length],
    "closed at the end": lambda piece, length: (
        (piece * length)[: length // 2] + "]})'\">"[len(piece) % 6] * (length // 2)
    ),
}


def least(act: Callable[[], object], turns: int = 3) -> float:
    """The least processor time of a few turns; what is soon done is done once."""
    best = float("inf")
    for _ in range(turns):
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
        if best < MEASURABLE / 2:
            break
    return best


def grows_linearly(make: Callable[[int], str], scrub: Callable[[str], object]) -> None:
    whole = make(LENGTH)
    spent = least(lambda: scrub(whole), 1)
    if spent > MEASURABLE:
        spent = least(lambda: scrub(whole))
    assert spent < MOST
    if spent > MEASURABLE:
        half = make(LENGTH // 2)
        ratio = spent / max(least(lambda: scrub(half)), 1e-9)
        if ratio > GROWTH:  # once more: somebody else may have had the processor
            ratio = least(lambda: scrub(whole), 5) / max(least(lambda: scrub(half), 5), 1e-9)
        assert ratio < GROWTH


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("piece", PIECES)
def test_a_text_of_one_piece(piece, shape):
    grows_linearly(lambda length: SHAPES[shape](piece, length), SCRUBBER.scrub_text)


@settings(max_examples=examples(30), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(PIECES), min_size=2, max_size=5), st.sampled_from(PIECES))
def test_a_text_of_several_pieces(pieces, end):
    unit = "".join(pieces)
    grows_linearly(lambda length: (unit * (length // len(unit) + 1))[:length] + end, SCRUBBER.scrub_text)


@pytest.mark.parametrize(
    "unit",
    [
        "{{\npin\n  aa key: ",  # brackets that nobody closes, behind a name that is looked at
        "\x1b[36mpintan=",  # the same name again and again, of no word that is remembered
        "mysql -ppin='''0\\u0026",  # one command without end
        "name=a_key value=`",  # a value in quotes, each of which may end it
        "(name=a_key value=",  # brackets that nobody closes, behind what is looked at by its look
    ],
)
def test_what_once_cost_more_than_its_share(unit):
    """These cost less than nine times what a text of nothing but secrets does, which is soon given up."""
    grows_linearly(lambda length: (unit * (length // len(unit) + 1))[:length], SCRUBBER.scrub_text)
    hostile, dense = (unit * LENGTH)[:LENGTH], ("password=a1b2c3d4, " * LENGTH)[:LENGTH]
    assert least(lambda: SCRUBBER.scrub_text(hostile), 5) < 9 * least(lambda: SCRUBBER.scrub_text(dense), 5)


BODIES: dict[str, Callable[[int], tuple[bytes, str, str | None]]] = {
    "a header of semicolons": lambda n: (b"{}", 'x/y; a="' + ";" * n * 4, None),
    "a header of parameters": lambda n: (b"{}", "x/y" + "; a=b" * n, None),
    "a header of quotes": lambda n: (b"{}", "x/y; a=" + '"\\' * n, None),
    "nested JSON": lambda n: (b'{"a":' * (n // 5), "application/json", None),
    "nested lists": lambda n: (b"[" * n, "application/json", None),
    "lines": lambda n: (b"{}\n" * (n // 3), "application/json", None),
    "lines that are cut": lambda n: (b"{}\n" * (n // 6) + b'{"a":' * (n // 10), "application/json", None),
    "backslashes": lambda n: (b'"' + b"\\" * n, "application/json", None),
    "escapes": lambda n: (b'"' + b"\\u" * (n // 2), "application/json", None),
    "digits": lambda n: (b"[1" + b"9" * n, "application/json", None),
    "secrets in keys": lambda n: (json.dumps({f"password=x{i}": 1 for i in range(n // 20)}).encode(), "application/json", None),
    "secrets in texts": lambda n: (json.dumps([f"a{i}@b.co" for i in range(n // 14)]).encode(), "application/json", None),
    "a form": lambda n: (b"a=%25&" * (n // 6), "application/x-www-form-urlencoded", None),
    "parts": lambda n: (b"--a\r\n" * (n // 5), "multipart/form-data; boundary=a", None),
    "headers of a part": lambda n: (b'--a\r\nContent-Disposition: form-data; name="' + b'\\"' * (n // 2), "multipart/form-data; boundary=a", None),
    "packed zeros": lambda n: (gzip.compress(b"\0" * n * 100), "text/plain", "gzip"),
    "packed lines": lambda n: (gzip.compress(b'{"password":"a"}\n' * n), "application/json", "gzip"),
    "packed twice": lambda n: (gzip.compress(gzip.compress(b"a" * n * 400)), "text/plain", "gzip, gzip"),
    "packed members": lambda n: (gzip.compress(b"") * (n // 20), "text/plain", "gzip"),
}  # fmt: skip


@pytest.mark.parametrize("name", BODIES)
def test_a_body(name):
    def report(length: int) -> float:
        raw, content_type, encoding = BODIES[name](length)

        def act() -> None:
            body = parse_body(raw, content_type=content_type, encoding=encoding, truncated=True)
            SCRUBBER.scrub(body.value)

        return least(act)

    spent = report(16_000)
    assert spent < MOST
    if spent > MEASURABLE:
        assert spent / max(report(8_000), 1e-9) < GROWTH + 0.8


def test_a_long_ordinary_text_costs_little():
    words = "the quick brown fox jumps over it and order 4711 was sent to Berlin, "
    assert least(lambda: SCRUBBER.scrub_text(words * 1500)) < MOST
