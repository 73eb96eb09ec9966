"""Throughput and latency behind a real server, loaded from another process on loopback."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError

from benchmarks import load, targets
from benchmarks.contenders import TITLES
from benchmarks.harness import PATIENCE, ROOT, BenchmarkError, Result, Spread, ratios, table
from benchmarks.load import Traffic
from benchmarks.traffic import RATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.harness import Log
    from benchmarks.load import Load

METHOD = (
    "One worker each, all servers started, one loaded at a time for a second, in turn, round by round; processor "
    "seconds are the server's own. Medians of the rounds, in parentheses their 10th and 90th percentile; ratios taken "
    "within each round. Unsampled is a rate of a thousand millionth, so that the dice are rolled. Targets: what is to "
    "hold, in parentheses what is aimed at."
)
PATHS = {
    "rate 0.1": "/api/tenth/NUMBER",
    "excluded": "/health",
    "unsampled": "/api/rare/NUMBER",
    "sampled": "/api/orders/NUMBER",
    "error": "/api/broken/NUMBER",
}
RATE_OF_A_TENTH = Traffic(path=PATHS["rate 0.1"])
RATE_OF_A_TENTH_TRACE = Traffic(path=PATHS["rate 0.1"], trace=True)
EXCLUDED = Traffic(path=PATHS["excluded"])
UNSAMPLED = Traffic(path=PATHS["unsampled"])
SAMPLED = Traffic(path=PATHS["sampled"])
ERROR = Traffic(path=PATHS["error"], status=500)
EXPECTED_RATES = {path: RATES.get(path.rpartition("/")[0], 0.0) for path in PATHS.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A server, as it is set up."""

    title: str
    needs: tuple[str, ...]  # modules


KINDS = {
    "uvicorn": Kind(title="uvicorn", needs=("uvicorn",)),  # on what it picks by itself
    "uvicorn-h11": Kind(title="uvicorn with h11", needs=("uvicorn", "h11")),
    "uvicorn-uvloop": Kind(title="uvicorn with uvloop and httptools", needs=("uvicorn", "uvloop", "httptools")),
    "granian": Kind(title="granian", needs=("granian",)),
}
# What is shown as a share of the bare app's requests, on every server, and the targets, which are of uvicorn with h11.
SHARES = {RATE_OF_A_TENTH: targets.SHARE_TENTH, UNSAMPLED: targets.SHARE_UNSAMPLED}
_SHARING = ("bare", "ours", "ours_plain", "sdk")
_UNSENT = ("bare", "ours", "sdk")  # where nothing is sent no hook is called
_COUNTED = frozenset({"ours", "ours_plain", "sdk"})  # whose transport counts
# By server: what it is loaded with, and who is measured. The others sample nothing here, so where something is sampled
# they would do less.
FULL: dict[str, dict[Traffic, Sequence[str]]] = {
    "uvicorn-h11": {
        RATE_OF_A_TENTH: _SHARING,
        EXCLUDED: ("bare", "noop", "ours", "sdk", "ours_off", "otel", "elastic"),
        UNSAMPLED: _UNSENT,
        SAMPLED: ("ours", "sdk"),
        ERROR: ("ours", "sdk"),
    },
    "uvicorn-uvloop": {RATE_OF_A_TENTH: _SHARING, UNSAMPLED: _UNSENT},
    "granian": {RATE_OF_A_TENTH: _SHARING, UNSAMPLED: _UNSENT},
}
QUICK: dict[str, dict[Traffic, Sequence[str]]] = {"uvicorn-h11": {RATE_OF_A_TENTH: _SHARING}}
ROUNDS, SECONDS = 3, 1
_IDLE = 0.2  # seconds; a server that spends no tick in them has nothing left to do
_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A contender behind a server, in a process of its own."""

    def __init__(self, kind: str, contender: str, framework: str) -> None:
        self.label = f"{contender} on {framework} behind {KINDS[kind].title}"
        self.contender = contender
        self.framework = framework
        self._warm = False
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - lives as long as the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.server", kind, contender, framework, str(self.port)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": "0"},
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
            text=True,
        )

    def await_start(self) -> str | None:
        """Wait until it answers; the reason, where it can't."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                self._errors.seek(0)
                return (self._errors.read().strip().splitlines() or ["it ended"])[-1]
            if self.get(PATHS["unsampled"]) is not None:
                return None
            time.sleep(0.05)
        raise BenchmarkError(f"{self.label} does not answer in {PATIENCE} s")

    def warm_up(self) -> None:
        """Have it answer a few requests of each kind, once, and end what it began: Hyperscan compiles in a thread."""
        if self._warm:
            return
        for path in 10 * [*PATHS.values()]:
            self.get(path)
        deadline = time.monotonic() + PATIENCE
        before, now = -1.0, self.processor_seconds()
        while now > before and time.monotonic() < deadline:
            time.sleep(_IDLE)
            before, now = now, self.processor_seconds()
        self._warm = True

    def get(self, path: str, headers: Iterable[tuple[str, str]] = ()) -> tuple[int, bytes] | None:
        """One request; None where nobody listens."""
        url = f"http://127.0.0.1:{self.port}{path.replace('NUMBER', '1')}"
        request = urllib.request.Request(url, headers=dict(headers))
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, answer.read()
        except HTTPError as answer:
            return answer.code, answer.read()
        except (URLError, OSError):
            return None

    def stats(self) -> dict[str, int]:
        """What it sent to Sentry, by its own count."""
        answer = self.get("/stats")
        if answer is None or answer[0] != 200:
            raise BenchmarkError(f"{self.label} tells no counts: {answer}")
        counts: dict[str, int] = json.loads(answer[1])
        return counts

    def processor_seconds(self) -> float:
        """Of its process and its workers, so far."""
        return sum(_processor_seconds(pid) for pid in _family(self._process.pid))

    def close(self) -> None:
        """End it."""
        self._process.terminate()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._errors.close()


def _family(pid: int) -> list[int]:
    """A process and its descendants; each thread lists the children that it made."""
    found = [pid]
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in listed.read_text().split():
            found += _family(int(child))
    return found


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def servers(kind: str, contenders: Sequence[str], framework: str, log: Log) -> Iterator[list[Server]]:
    """Those that can be started; the others are named with the reason."""
    missing = [name for name in KINDS[kind].needs if importlib.util.find_spec(name) is None]
    if missing:
        log.skip(KINDS[kind].title, f"not installed: {', '.join(missing)}")
        yield []
        return
    with ExitStack() as stack:
        started = [Server(kind, contender, framework) for contender in contenders]
        for server in started:
            stack.callback(server.close)
        running = []
        for server in started:
            reason = server.await_start()
            if reason is None:
                running.append(server)
            else:
                log.skip(server.label, reason)
        yield running


class Measured:
    """What the rounds of one server gave."""

    def __init__(self) -> None:
        self.loads: list[Load] = []
        self.spent: list[float] = []  # processor seconds

    def per_second(self) -> list[float]:
        return [load.requests / load.seconds for load in self.loads]

    def per_processor_second(self) -> list[float]:
        return [load.requests / max(spent, 0.01) for load, spent in zip(self.loads, self.spent, strict=True)]

    def percentile(self, name: str) -> Spread:
        return Spread.of([getattr(load, name) for load in self.loads])


def measure(running: Sequence[Server], traffic: Traffic, rounds: int, seconds: float) -> dict[str, Measured]:
    """Load one server after another, round by round, when they are warm."""
    found = {server.contender: Measured() for server in running}
    for server in running:
        server.warm_up()
    for number in range(rounds):
        # The other way round each time: whoever comes first after a pause is not always the same.
        for server in running if number % 2 else reversed(running):
            before, counted = server.processor_seconds(), _counts(server)
            one = load.put(server.port, traffic, seconds)
            measured = found[server.contender]
            measured.spent.append(server.processor_seconds() - before)
            measured.loads.append(one)
            _check(server, traffic, one, counted)
    for server in running:
        _check_error(server)
    return found


def _counts(server: Server) -> dict[str, int]:
    return server.stats() if server.contender in _COUNTED else {}


def _check(server: Server, traffic: Traffic, one: Load, before: dict[str, int]) -> None:
    """That all were answered, and as much was sent as it should; BenchmarkError otherwise."""
    if one.failed or not one.requests:
        raise BenchmarkError(f"{server.label}: {one.failed} of {one.requests} requests failed")
    if server.contender not in _COUNTED:
        return
    after = _counts(server)
    sent, unsampled, errors = (
        after.get(kind, 0) - before.get(kind, 0) for kind in ("transaction", "unsampled", "event")
    )
    rate = EXPECTED_RATES[traffic.path]
    # A few more than were answered in time: those that the end of the load cut off, and the guard's own.
    slack = load.CONNECTIONS + 5
    if not 0 <= sent + unsampled - one.requests <= slack:
        raise BenchmarkError(f"{server.label}: {sent} sent and {unsampled} not, of {one.requests} requests")
    if traffic.status == 500 and not 0 <= errors - one.requests <= slack:
        raise BenchmarkError(f"{server.label}: {errors} errors, of {one.requests} requests that failed")
    deviation = 5 * (rate * (1 - rate) / one.requests) ** 0.5 + 0.005
    if abs(sent / (sent + unsampled) - rate) > deviation:
        raise BenchmarkError(f"{server.label}: {sent} of {one.requests} sampled, expected {rate:.0%}")


def _check_error(server: Server) -> None:
    time.sleep(0.05)  # for requests that the end of the load cut off
    before = _counts(server)
    server.get(PATHS["error"])
    if before and _counts(server).get("event", 0) - before.get("event", 0) != 1:
        raise BenchmarkError(f"{server.label}: a failure is not one error")


def report(title: str, found: dict[str, Measured]) -> Result:
    """A row for each contender."""
    rows, data = [], {}
    for contender, measured in found.items():
        against = found["ours"].per_processor_second() if contender != "ours" else None
        processor = Spread.of(measured.per_processor_second())
        factor = None if against is None else Spread.of(ratios(against, measured.per_processor_second()))
        walls = None if against is None else Spread.of(ratios(found["ours"].per_second(), measured.per_second()))
        entry = {
            "requests a second": Spread.of(measured.per_second()),
            "requests a processor second": processor,
            **{name: measured.percentile(name) for name in ("p50", "p90", "p99")},
            "ours / this, processor": factor,
            "ours / this, wall": walls,
        }
        data[contender] = entry
        rows.append(
            [
                TITLES.get(contender, "the app alone"),
                entry["requests a second"].show(0),
                processor.show(0),
                *(entry[name].show(2) for name in ("p50", "p90", "p99")),
                "-" if walls is None else walls.show(2),
                "-" if factor is None else factor.show(2),
            ]
        )
    columns = ["", "requests/s", "requests per processor second", "p50 ms", "p90 ms", "p99 ms"]
    columns += ["asgi-sentry ÷ this, requests/s", "per processor second"]
    return Result(method=METHOD, tables=[table(title, columns, rows)], data=data)


def shares(found: dict[tuple[str, Traffic], dict[str, Measured]]) -> Result:
    """What is left of the bare app's requests a processor second, by server and by what becomes of the requests."""
    rows, data = [], {}
    for (kind, traffic), measured in found.items():
        bare = measured["bare"].per_processor_second()
        entry = {
            name: Spread.of(ratios(measured[name].per_processor_second(), bare))
            for name in _SHARING[1:]
            if name in measured
        }
        target = SHARES[traffic].show() if kind == "uvicorn-h11" else "-"
        what = f"{KINDS[kind].title}, {_what(traffic)}"
        rows.append(
            [what, Spread.of(bare).show(0), *(entry[n].show(2) if n in entry else "-" for n in _SHARING[1:]), target]
        )
        data[what] = {"bare": Spread.of(bare), **entry, "target": target}
    columns = ["", "the app alone, requests per processor second", *(TITLES[name] for name in _SHARING[1:]), "target"]
    title = "FastAPI behind a server: share of the bare app's requests per processor second"
    return Result(method=METHOD, tables=[table(title, columns, rows)], data=data)


def installed_loop() -> str:
    """What uvicorn picks by itself."""
    parts = [name for name in ("uvloop", "httptools") if importlib.util.find_spec(name) is not None]
    return " and ".join(parts) or "asyncio and h11"


def _what(traffic: Traffic) -> str:
    case = {path: name for name, path in PATHS.items()}[traffic.path]
    return f"{case}, {'trace' if traffic.trace else 'no trace'}"


def run(log: Log, *, quick: bool) -> Result:
    """On FastAPI, behind uvicorn and granian."""
    tables: list[str] = []
    data: dict[str, Any] = {"generator": load.generator()}
    shared: dict[tuple[str, Traffic], dict[str, Measured]] = {}
    for kind, traffics in QUICK.items() if quick else FULL.items():
        contenders = list(dict.fromkeys(name for names in traffics.values() for name in names))
        with servers(kind, contenders, "fastapi", log) as running:
            for traffic, names in traffics.items():
                these = [server for server in running if server.contender in names]
                if not these:
                    continue
                title = f"FastAPI behind {KINDS[kind].title}, {_what(traffic)}, {load.CONNECTIONS} connections"
                rounds = 2 if quick else ROUNDS
                found = measure(these, traffic, rounds, SECONDS)
                one = report(title, found)
                tables += one.tables
                data[title] = one.data
                if traffic in SHARES:
                    shared[kind, traffic] = found
    if shared:
        one = shares(shared)
        tables += one.tables
        data["shares"] = one.data
    return Result(method=f"{METHOD} Load by {load.generator()}.", tables=tables, data=data)
