"""Law 7 as a table: what `python -m benchmarks.leaks` measures, each column in a process of its own."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import pytest
import sentry_sdk

if sentry_sdk.VERSION.startswith("3"):
    pytest.skip("the table's other side is classic mode, which version 3 of the SDK has not", allow_module_level=True)

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
leaks = pytest.importorskip("benchmarks.leaks")

# Some of what the SDK alone sends by default, one of each kind: where these are not found, the search is broken.
LEAKS_BY_DEFAULT = {
    "`Authorization: Bearer`": "V",
    "`X-Custom-Token`": "T",
    "query `?token=`": "E",
    "JSON password three deep": "E",
    "exception text": "E",
    "log message": "L",
    "breadcrumb message": "E",
    "span description": "T",
    "metric attribute `token`": "M",
    "attachment": "A",
    "added late, by `before_send` and its like": "M",
    "`Authorization` again, in a thread's log after the response": "L",
}


@functools.cache
def column(name: str) -> dict[str, Any]:
    return leaks.run([name])[name]


@pytest.fixture(scope="module", params=leaks.OURS)
def name(request):
    """Of one of our columns: what asks for the same one runs one after the other, and measures it once."""
    return request.param


def test_no_row_leaks(name):
    assert {row: cell for row, cell in column(name)["leaked"].items() if cell != "-"} == {}


def test_what_stood_beside_the_secrets_is_sent(name):
    """So nothing is clean because it was not sent: each row's request fails and is traced, in each kind of item."""
    found, sdk = column(name), column("streaming" if "streaming" in name else "default")
    traced = "span" if "streaming" in name else "transaction"
    assert min(found["items"]["event"], found["items"][traced]) >= len(leaks.ROWS)
    assert set(found["items"]) >= {"log", "trace_metric", "attachment"}
    assert {row for row, cell in sdk["kept"].items() if cell != "-"} <= {
        row for row, cell in found["kept"].items() if cell != "-"
    }


@pytest.mark.parametrize(("row", "letter"), LEAKS_BY_DEFAULT.items())
def test_the_search_finds_what_the_sdk_alone_sends(row, letter):
    assert letter in column("default")["leaked"][row].split(",")


@pytest.mark.parametrize("text", ["a Secret", 'with "quotes" & more'])
def test_the_forms_that_are_searched_for(text):
    encoded = [leaks.base64.b64encode(b"u:"[:at] + text.encode() + b" and").decode() for at in range(3)]
    for sent in (text, leaks.quote(text, safe=""), text.encode().hex(), *encoded):
        assert any(form in sent for form in leaks.forms(text)), sent
