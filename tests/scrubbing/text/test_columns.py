"""Tables in a text: files with cells, and what psql prints."""

from __future__ import annotations

import time

import pytest

from asgi_sentry._scrubbing import FILTERED, Scrubber

SCRUBBER = Scrubber()


@pytest.mark.parametrize(
    ("table", "secrets"),
    [
        ("user,password\nann,{}\nbob,{}\n", ("kettle!77", "hunter22")),
        ("id;name;api_key\n1;ann;{}\n", ("x8Kd29vQ",)),
        ("user\ttoken\tn\nann\t{}\t3", ("abc123def",)),
        (" user | password | n \n------+----------+---\n ann  | {} | 3\n(1 row)", ("hunter2x",)),
        ("| user | password |\n| --- | --- |\n| ann | {} |\n", ("hunter2x",)),
        ('"user","password"\r\n"ann","{}"\r\nbob,{}\r\n', ("hunter,2x", "hunter22")),
        ("\ufeffuser,password\nann,{}", ("hunter22",)),
    ],
)
def test_a_column_with_a_sensitive_name_is_redacted(table, secrets):
    left = SCRUBBER.scrub_text(table.format(*secrets))
    assert left == table.format(*[FILTERED] * len(secrets))
    assert SCRUBBER.scrub_text(left) == left


@pytest.mark.parametrize(
    "table",
    [
        "user, password\nplease enter, now!!\n",
        "import token, session\nfrom x import a, bcd2024\n",
        "a,b\n1,2\n",
        "time,session\n12:00,active-now\n",
        "name,session_count\nann,1234567\n",
        "password,hint\nrequired,none\n",
        "user,password\n",
        "user,password\na,b,c12345\n",
        "user,password\nann,changed at 12:00\n",
        "title,author\nx,ann-2024\n",
    ],
)
def test_what_is_no_table_or_no_value_stays(table):
    assert SCRUBBER.scrub_text(table) == table


def test_more_rows_than_are_looked_at_go_as_a_whole():
    table = "user,password\n" + "".join(f"ann,hunter{number}\n" for number in range(4000))
    left = SCRUBBER.scrub_text(table)
    assert "hunter" not in left


@pytest.mark.parametrize("unit", ['"a', '""', ",", "a,", '",', "x|", '"x","'])
def test_the_cost_is_linear(unit):
    def cost(size: int) -> float:
        text = "user,password\n" + unit * (size // len(unit))
        took = []
        for _ in range(5):
            begun = time.process_time()
            SCRUBBER.scrub_text(text)
            took.append(time.process_time() - begun)
        return min(took)

    assert cost(64_000) < 16 * cost(16_000) + 0.01
