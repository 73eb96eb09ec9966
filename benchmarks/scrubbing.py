# ruff: noqa: E501 - tables read best one case a line
"""What scrubbing costs, beside the SDK's own scrubber and Sentry Relay's: `python benchmarks/scrubbing.py [--quick]`.

All contestants run in one process, in turns, so that what the machine does meanwhile meets them alike; the figure is
the median over all turns of the CPU time spent, and what counts are the ratios. Each turn gets copies of the data that nobody has seen
before: fresh strings with another number in each, so that no cache of whole texts could help.
"""

from __future__ import annotations

import json
import sys
import time
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sentry_sdk.scrubber import EventScrubber

from asgi_sentry._scrubbing import DEFAULT_RULES, Scrubber, Taint, collect_taint, parse_body
from benchmarks.adversarial import PIECES, combined
from benchmarks.captured import another, capture
from benchmarks.harness import Spread, ratios

METHOD = (
    "One process, in turns that begin with another contestant each, each with a copy of the data that nobody has seen; "
    "medians of the thread's processor time. The captured error is what sentry-sdk itself made of a failing FastAPI app; "
    "the others are synthetic. sdk is `EventScrubber(recursive=True)`, which looks at keys only; relay is sentry-relay."
)
_MEASURABLE = 0.002  # seconds, below which a ratio is chance
_SOURCE = Path(json.__file__).with_name("decoder.py").read_text(encoding="utf-8").splitlines()


def make_event(random: Random, frames: int = 40) -> dict:
    """An error as the SDK sends it for a request: 40 frames with source and variables, in about 37 KB."""

    def frame(number: int) -> dict:
        line = 10 + number * 5
        return {
            "filename": f"app/module_{number}.py",
            "abs_path": f"/srv/app/module_{number}.py",
            "function": f"handle_{number}",
            "module": f"app.module_{number}",
            "lineno": line,
            "in_app": True,
            "pre_context": _SOURCE[line - 5 : line],
            "context_line": _SOURCE[line],
            "post_context": _SOURCE[line + 1 : line + 6],
            "vars": {
                "self": f"<app.module_{number}.Service object at 0x7f{random.randrange(16**8):08x}>",
                "order_id": str(random.randrange(10**6)),
                "items": [f"'item-{random.randrange(10**6)}'", "'blue'", "3"],
                "options": {
                    "currency": "'EUR'",
                    "password": "'hunter2'",
                    "retries": "3",
                    "note": f"'{random.random()}'",
                },
            },
        }

    return {
        "event_id": f"{random.randrange(16**32):032x}",
        "level": "error",
        "platform": "python",
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "release": "shop@1.2.3",
        "environment": "production",
        "server_name": "web-1",
        "transaction": "/orders/{order_id}",
        "exception": {
            "values": [
                {
                    "type": "ValueError",
                    "module": None,
                    "value": f"order {random.randrange(10**6)} of bob@example.com can't be paid",
                    "mechanism": {"type": "asgi", "handled": False},
                    "stacktrace": {"frames": [frame(number) for number in range(frames)]},
                }
            ]
        },
        "breadcrumbs": {
            "values": [
                {
                    "type": "default",
                    "category": "query",
                    "level": "info",
                    "timestamp": "2026-01-01T00:00:00.000000Z",
                    "message": f"SELECT id, name FROM orders WHERE id = {random.randrange(10**6)}",
                    "data": {"db.system": "postgresql", "rows": 3},
                }
                for _ in range(10)
            ]
        },
        "request": {
            "method": "POST",
            "url": "https://shop.example.com/orders/7",
            "query_string": "a=1&b=2",
            "headers": {
                "host": "shop.example.com",
                "accept": "*/*",
                "authorization": "[Filtered]",
                "user-agent": "curl/8.5",
            },
            "data": {"amount": random.randrange(1000), "note": "two of the blue ones, please"},
        },
        "tags": {"region": "eu"},
        "contexts": {"trace": {"trace_id": "a" * 32, "span_id": "b" * 16, "op": "http.server"}},
        "extra": {"sys.argv": ["uvicorn", "app:app"]},
        "modules": {f"package-{number}": f"1.{number}.0" for number in range(40)},
    }


def make_dense_event(random: Random) -> dict:
    """The same error with no source in its frames and more variables instead, so that keys are most of its 37 KB."""
    event = make_event(random)
    for number, frame in enumerate(event["exception"]["values"][0]["stacktrace"]["frames"]):
        for field in ("pre_context", "context_line", "post_context"):
            del frame[field]
        frame["vars"] = {
            "self": f"<app.module_{number}.Service object at 0x7f{random.randrange(16**8):08x}>",
            "request": "<starlette.requests.Request object>",
            "order_id": str(random.randrange(10**6)),
            "count": "3",
            "options": {
                "currency": "'EUR'",
                "retries": "3",
                "timeout": "10.5",
                "headers": {"accept": "'*/*'", "host": "'x.org'"},
            },
            "items": [
                {"sku": f"'sku-{random.randrange(10**6)}'", "qty": "2", "price": "12.5", "name": "'blue shoes'"}
                for _ in range(3)
            ],
            "user": {
                "id": "7",
                "name": "'someone'",
                "roles": ["'a'", "'b'"],
                "settings": {"theme": "'dark'", "lang": "'en'"},
            },
            "result": "None",
        }
    return event


def make_body(random: Random, size: int = 10_000, key: str | None = None) -> bytes:
    """A JSON body: a list of orders with ordinary keys, or, with `key`, with keys that nobody used before."""
    orders: list[dict] = []
    length = 0
    while length < size:
        order = {
            "id": random.randrange(10**9),
            "customer_name": f"customer {random.randrange(10**6)}",
            "street": f"{random.randrange(200)} Long Street, Springfield",
            "note": "please ring twice and leave it with the neighbours",
            "amount": random.randrange(10**4) / 100,
            "paid": True,
        }
        if key is not None:
            order = {f"{key}_{random.randrange(16**10):010x}": value for value in order.values()}
        orders.append(order)
        length += len(json.dumps(order)) + 2
    return json.dumps({"orders": orders}).encode()


def make_taint(scrubber: Scrubber) -> Taint:
    return collect_taint(
        headers=[
            (b"authorization", b"Bearer 0aG9vZCBtb3JuaW5nLCBkZWFyIHJlYWRlcg.x9"),
            (b"cookie", b"session=7f3b9c1d5e8a4f60; theme=dark; _ga=GA1.2.1234567890.987654321"),
            (b"x-api-key", b"live-4242-internal-key"),
        ],
        query=b"token=q1w2e3r4t5z6",
        body={"user": {"password": "correct horse battery"}},
        keys=scrubber.ruleset,
    )


def _relay():
    try:
        relay = import_module("sentry_relay.processing")
    except ImportError:
        return None
    config = relay.convert_datascrubbing_config(
        {"scrubData": True, "scrubDefaults": True, "scrubIpAddresses": True, "sensitiveFields": [], "excludeFields": []}
    )
    return lambda event: relay.pii_strip_event(config, event)


def _timed(contestants: dict, turns: int) -> dict[str, list[float]]:
    """Microseconds of each, turn by turn; `contestants` maps names to (make input, work)."""
    spent: dict[str, list[float]] = {name: [] for name in contestants}
    names = list(contestants)
    for turn in range(turns):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            make, work = contestants[name]
            given = make(Random(turn))
            start = time.thread_time()
            work(given)
            spent[name].append((time.thread_time() - start) * 1e6)
    return spent


def _event(random: Random) -> dict:
    return json.loads(json.dumps(make_event(random)))


def gate(turns: int) -> dict[str, Spread]:
    """What the regression gate looks at: by name, the ratios of the turns. None of Relay where it is not installed."""
    scrubber, sdk, relay = Scrubber(), EventScrubber(recursive=True), _relay()
    scrubber.ruleset.texts.ready()  # as in a process that has served for a second
    taint, captured = make_taint(scrubber), capture()
    found = {}
    for name, make in (("scrubbing", _event), ("captured", lambda random: another(captured, random))):
        contestants = {
            "sdk": (make, sdk.scrub_event),
            "ours": (make, lambda given: scrubber.scrub_event(given, taint=taint)),
        }
        if relay is not None and name == "scrubbing":
            contestants["relay"] = (make, relay)
        times = _timed(contestants, turns)
        found[name] = Spread.of(ratios(times["ours"], times["sdk"]))
        if "relay" in times:
            found["relay"] = Spread.of(ratios(times["relay"], times["ours"]))
    return found


def run(quick: bool = False) -> list[dict]:
    """All figures as rows: what, value, spread, unit, target."""
    turns = 24 if quick else 400
    scrubber, sdk = Scrubber(), EventScrubber(recursive=True)
    keys_only = Scrubber(rules=())
    rows: list[dict] = []

    def row(what: str, value: float | list[float], unit: str, target: str = "") -> None:
        """Of several values, one for each turn, the median and the 10th and 90th percentile."""
        spread = Spread.of(value if isinstance(value, list) else [value])
        between = f"{spread.low:.4g}..{spread.high:.4g}" if isinstance(value, list) else ""
        rows.append({"what": what, "value": round(spread.median, 3), "spread": between, "unit": unit, "target": target})

    row("size of the event", len(json.dumps(make_event(Random(0)))) / 1000, "KB")
    taint = make_taint(scrubber)
    contestants = {
        "sdk": (_event, sdk.scrub_event),
        "ours": (_event, lambda given: scrubber.scrub_event(given, taint=taint)),
        "ours, no taint": (_event, scrubber.scrub_event),
        "ours, keys alone": (_event, keys_only.scrub_event),
        "ours, first event": (_event, lambda given: Scrubber().scrub_event(given, taint=make_taint(scrubber))),
    }
    relay = _relay()
    if relay is not None:
        contestants["relay"] = (_event, relay)
    times = _timed(contestants, turns)
    for name, micros in times.items():
        row(f"event: {name}", micros, "µs")
    row("event: ours / sdk", ratios(times["ours"], times["sdk"]), "x", "at most 1.25")
    if relay is not None:
        row("event: relay / ours", ratios(times["relay"], times["ours"]), "x", "at least 5")

    def dense(random: Random) -> dict:
        return json.loads(json.dumps(make_dense_event(random)))

    times = _timed(
        {"sdk": (dense, sdk.scrub_event), "ours": (dense, lambda given: scrubber.scrub_event(given, taint=taint))},
        turns,
    )
    row("event of many variables: ours / sdk", ratios(times["ours"], times["sdk"]), "x", "at most 1.25")

    captured = capture()
    row("size of a captured FastAPI error", len(captured) / 1000, "KB")
    row("frames in it", captured.count('"lineno"'), "")

    def real(random: Random) -> dict:
        return another(captured, random)

    contestants = {
        "sdk": (real, sdk.scrub_event),
        "ours": (real, lambda given: scrubber.scrub_event(given, taint=taint)),
    }
    if relay is not None:
        contestants["relay"] = (real, relay)
    times = _timed(contestants, max(20, turns // 4))
    for name, micros in times.items():
        row(f"captured FastAPI error: {name}", micros, "µs")
    row("captured FastAPI error: ours / sdk", ratios(times["ours"], times["sdk"]), "x", "at most 1.25")
    if relay is not None:
        row("captured FastAPI error: relay / ours", ratios(times["relay"], times["ours"]), "x", "at least 5")

    body = make_body
    known, unique = (
        (lambda random: json.loads(make_body(random))),
        (lambda random: json.loads(make_body(random, key="k"))),
    )
    times = _timed(
        {
            "scrub": (known, scrubber.scrub),
            "unique keys": (unique, scrubber.scrub),
            "parse and scrub": (
                body,
                lambda raw: scrubber.scrub(parse_body(raw, content_type="application/json").value),
            ),
        },
        turns,
    )
    size = len(make_body(Random(0)))
    row("10 KB JSON body: scrub", [size / micros for micros in times["scrub"]], "MB/s", "at least 40")
    row("10 KB JSON body: parse and scrub", [size / micros for micros in times["parse and scrub"]], "MB/s")
    few = Scrubber()
    items = 2000
    warm = {f"name{number}": number for number in range(items)}
    for _ in range(4):
        few.scrub(warm)
    for turn in range(4000 // items + 2):
        few.scrub({f"fill{turn}_{number}": 1 for number in range(items)})
    times = _timed(
        {
            "warm": (
                lambda random: {f"name{number}": f"value {random.random()}" for number in range(items)},
                few.scrub,
            ),
            "cold": (
                lambda random: {f"k{random.randrange(16**12):012x}": f"value {random.random()}" for _ in range(items)},
                few.scrub,
            ),
        },
        max(10, turns // 10),
    )
    row("unique keys / known keys", ratios(times["cold"], times["warm"]), "x", "at most 2")

    worst_growth, worst_time, slowest, fastest_growing = 0.0, 0.0, "", ""
    texts = (*PIECES, *combined(400))
    for piece in texts[:: 48 if quick else 6]:  # all of them take longer than the rest of the suite
        spent = []
        for length in (8_000, 16_000, 32_000, 64_000):
            text = (piece * (length // len(piece) + 1))[:length]
            spent.append(min(_once(text) for _ in range(2 if quick else 3)))
        growth = max((late / early for early, late in pairwise(spent) if late > _MEASURABLE), default=0.0)
        if growth > worst_growth:
            worst_growth, fastest_growing = growth, piece
        if spent[2] > worst_time:
            worst_time, slowest = spent[2], piece
    row(f"adversarial text: growth per doubling ({fastest_growing!r})", worst_growth, "x", "below 3")
    row(f"adversarial text: 32k characters ({slowest!r})", worst_time * 1e3, "ms", "below 20")
    row("rules", len(DEFAULT_RULES), "")
    return rows


def _once(text: str) -> float:
    scrubber = Scrubber()  # who has met the text before finds it harmless at once
    start = time.thread_time()
    scrubber.scrub_text(text)
    return time.thread_time() - start


def main() -> None:
    for entry in run(quick="--quick" in sys.argv):
        print(f"{entry['what']:<60} {entry['value']:>10.2f} {entry['spread']:<18} {entry['unit']:<5} {entry['target']}")


if __name__ == "__main__":
    main()
