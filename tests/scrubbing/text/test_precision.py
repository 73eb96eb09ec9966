# ruff: noqa: E501, B023, PLW0108 - tables read best one case a line; the functions are called at once
"""What is no secret stays: source code, documentation, and the data that business is made of."""

from __future__ import annotations

import random
import sysconfig
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from asgi_sentry._scrubbing import DEFAULT_RULES, Scrubber

pytestmark = pytest.mark.untraced

STDLIB = Path(sysconfig.get_paths()["stdlib"])
LIMIT = 0.003  # of lines; what changes beyond the real e-mail addresses of authors must stay far below


def changed(lines: list[str], scrubber: Scrubber) -> list[str]:
    cleaned = scrubber.scrub(lines)
    return [line for line, after in zip(lines, cleaned, strict=True) if line != after]


def source_lines() -> list[str]:
    files = sorted(path for path in STDLIB.glob("*.py")) + sorted(STDLIB.glob("*/*.py"))
    kept = [path for path in files if not {"test", "tests", "site-packages", "idlelib"} & set(path.parts)]
    return [line for path in kept for line in path.read_text("utf-8", "replace").splitlines()]


def test_the_standard_library_stays():
    lines = source_lines()
    assert len(lines) > 100_000
    assert len(changed(lines, Scrubber())) < LIMIT * len(lines)


def test_and_more_so_without_its_authors_addresses():
    lines = source_lines()
    without = Scrubber(rules=[rule for rule in DEFAULT_RULES if rule.id != "@email"])
    assert len(changed(lines, without)) < LIMIT / 3 * len(lines)


def business_lines(seed: int = 7, count: int = 20_000) -> list[str]:
    dice = random.Random(seed)
    start = datetime(2024, 1, 1, tzinfo=timezone.utc)
    made = []
    for number in range(count):
        when = start + timedelta(seconds=dice.randrange(10**8), microseconds=dice.randrange(10**6))
        made.append(
            dice.choice(
                [
                    lambda: str(uuid.UUID(int=dice.getrandbits(128))),
                    lambda: f"commit {dice.getrandbits(160):040x}",
                    lambda: f"sha256:{dice.getrandbits(256):064x}",
                    lambda: when.isoformat(),
                    lambda: when.strftime("%d/%b/%Y:%H:%M:%S +0000"),
                    lambda: f"order {when:%Y%m%d}-{number:08d} for {dice.randrange(10**6) / 100:.2f} EUR",
                    lambda: f"invoice {dice.randrange(10**9):09d}, customer {dice.randrange(10**6)}",
                    lambda: f"{dice.randrange(10)}.{dice.randrange(40)}.{dice.randrange(100)}rc{dice.randrange(9)}",
                    lambda: (
                        f"{when:%Y-%m-%d %H:%M:%S},123 INFO app.views: GET /orders/{number} 200 in {dice.random()} s"
                    ),
                    lambda: f"SELECT * FROM orders WHERE id = {number} AND created_at > '{when:%Y-%m-%d}' LIMIT 10",
                    lambda: f"tel +49 30 {dice.randrange(10**7)}, fax 030-{dice.randrange(10**6)}",
                    lambda: f"<app.models.Order object at 0x{dice.getrandbits(48):012x}>",
                    lambda: f"trace {dice.getrandbits(128):032x} span {dice.getrandbits(64):016x}",
                    lambda: f"timestamp {when.timestamp():.6f} ns {int(when.timestamp() * 1e9)}",
                    lambda: f"ISBN 978-3-16-{dice.randrange(10**6):06d}-{dice.randrange(10)}",
                    lambda: f"lat {dice.uniform(-90, 90)}, lon {dice.uniform(-180, 180)}",
                    lambda: "please reset the password of this user; the token has expired, sign in again",
                    lambda: "the session was closed; authorization is required for this key",
                    lambda: (
                        f"used {dice.randrange(5000)} tokens, max_tokens={dice.randrange(5000)}, session_count: {number}"
                    ),
                    lambda: f"GET /static/app.{dice.getrandbits(80):020x}.js HTTP/1.1",
                    lambda: f"item-{dice.getrandbits(40):010x}/variant_{number}?page={number}&sort=asc&q=blue+shoes",
                    lambda: f"Berlin, {dice.randrange(10**5):05d}, Long Street {dice.randrange(200)}",
                ]
            )()
        )
    return made


def test_the_data_of_a_business_stays():
    lines = business_lines()
    assert changed(lines, Scrubber()) == []
