"""All processor time of a request that is sent, with real HTTP to a sink on loopback in another process."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from benchmarks import targets
from benchmarks.contenders import TITLES, entry_of
from benchmarks.guards import Guard
from benchmarks.harness import BenchmarkError, Process, Result, Spread, ratios, table
from benchmarks.traffic import CASES
from benchmarks.wired import BATCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.harness import Log

SINK = "benchmarks.sink"
WIRED = "benchmarks.wired"
CASE = CASES["sampled"]
# Of ours, each with the SDK that does the same job: with the team's hooks where ours has them.
SAME_JOB = {"ours_plain": "sdk_same", "ours_plain_lean": "sdk_same", "ours": "sdk", "ours_lean": "sdk"}
ALL = (*SAME_JOB, "sdk_same", "sdk", "sdk_plain")
QUICK = ("ours_plain_lean", "sdk_same")
RUSHED = ("ours_plain", "ours_plain_lean", "sdk_same")
PACES = (100, 200, 500, 1_000)  # requests a second
_METHOD = (
    "Sampled requests, raw ASGI, each contender in a process of its own with the transport that it has in production, "
    "its DSN on a sink in another process, which answers at once and keeps connections. In turn, round by round, "
    "{batch} requests at a time, after each of which all is waited for that is queued (the SDK's queue holds 100), and "
    "at the end of a round `flush`, which sends the session counts as well. The processor time of the contender's "
    "process with all its threads, over the bare app's, by request. A round counts only if the sink got as many "
    "transactions as there were requests. asgi-sentry {extra}. Medians of the rounds, in parentheses their 10th and "
    "90th percentile; ratios taken within each round. Targets: what is to hold, in parentheses what is aimed at; they "
    "are of the SDK doing the same job. What arrives: sampled requests at a steady pace for {seconds} seconds, on a "
    "loop that computes in between and is never idle, so that the thread that sends has to wait for its turn; what "
    "finds the queue full is lost, and counted as lost."
)
SECONDS = 4  # of a pace


def method(seconds: float) -> str:
    """How it is measured here: what the extra `fast` brings makes a difference."""
    brought = [f"{'with' if find_spec(name) else 'without'} {name}" for name in ("orjson", "isal", "hyperscan")]
    return _METHOD.format(batch=BATCH, seconds=seconds, extra=", ".join(brought))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A contender, and its project at the sink."""

    name: str
    process: Process
    sink: Process
    project: str

    def counts(self) -> dict[str, Any]:
        """What has come from it so far."""
        counts: dict[str, Any] = self.sink.tell("counts", project=self.project)
        return counts

    def block(self, requests: int) -> tuple[float, float]:
        """Microseconds for a request to the bare app and to its own; BenchmarkError if not all of them came."""
        before = self.counts()["transactions"]
        bare, spent = self.process.tell("block", requests=requests)
        came = self.counts()["transactions"] - before
        if came != requests:
            raise BenchmarkError(f"{self.name}: {came} transactions at the sink, of {requests} requests")
        return bare, spent

    def rush(self, requests: int, per_second: int) -> float:
        """Which part of the requests arrives."""
        before = self.counts()["transactions"]
        self.process.tell("rush", requests=requests, per_second=per_second)
        return float(self.counts()["transactions"] - before) / requests

    def check(self) -> None:
        """Look at a transaction as it came; BenchmarkError where it is not what it should be."""
        entry, detail = entry_of(self.name)
        before = self.counts()["transactions"]
        self.process.tell("one")
        if self.counts()["transactions"] != before + 1:
            raise BenchmarkError(f"{self.name}: not one transaction of one request")
        guard = Guard(None, CASE, trace=False, **entry.duties(detail))
        wrong = list(guard.check_payload(self.sink.tell("last", project=self.project), [], user=guard.user))
        if wrong:
            raise BenchmarkError(f"{self.name}: " + "; ".join(wrong))


@contextmanager
def senders(names: Sequence[str], log: Log) -> Iterator[list[Sender]]:
    """A sink, and the contenders that send to it."""
    with ExitStack() as stack:
        sink = Process("sink", "loopback", module=SINK)
        stack.callback(sink.close)
        sink.await_start()
        port = str(sink.tell("port"))
        started = []
        for number, name in enumerate(names, start=1):
            process = Process(name, "raw", port, str(number), module=WIRED)
            stack.callback(process.close)
            started.append(Sender(name=name, process=process, sink=sink, project=str(number)))
        running = []
        for sender in started:
            sender.process.await_start()
            if sender.process.skipped is None:
                running.append(sender)
            else:
                log.skip(sender.name, sender.process.skipped)
        yield running


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the rounds of one contender gave."""

    over: list[float]  # microseconds over the bare app
    bare: list[float]
    kilobytes: float  # of a request to the sink, compressed as it is
    encodings: list[str]
    connections: int


def measure(names: Sequence[str], rounds: int, requests: int, log: Log) -> dict[str, Measured]:
    """By contender."""
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with senders(names, log) as running:
        for sender in running:
            sender.check()
            sender.process.tell("warm_up")
        before = {sender.name: sender.counts() for sender in running}
        for _ in range(rounds):
            for sender in running:
                times[sender.name].append(sender.block(requests))
        after = {sender.name: sender.counts() for sender in running}
        for sender in running:
            sender.check()
    found = {}
    for name, counts in after.items():
        sent = counts["transactions"] - before[name]["transactions"]
        found[name] = Measured(
            over=[spent - bare for bare, spent in times[name]],
            bare=[bare for bare, _ in times[name]],
            kilobytes=(counts["bytes"] - before[name]["bytes"]) / sent / 1e3,
            encodings=counts["encodings"],
            connections=counts["connections"],
        )
    return found


def arrived(names: Sequence[str], seconds: float, log: Log) -> dict[str, dict[int, float]]:
    """By contender and by pace, which part of the requests arrived."""
    with senders(names, log) as running:
        for sender in running:
            sender.process.tell("warm_up")
        return {sender.name: {pace: sender.rush(round(pace * seconds), pace) for pace in PACES} for sender in running}


def report(found: dict[str, Measured], rushed: dict[str, dict[int, float]], seconds: float) -> Result:
    """A row for each contender, in both tables."""
    rows, data = [], {}
    for name, measured in found.items():
        same = found.get(SAME_JOB.get(name, ""))
        default = found.get("sdk_plain") if name in SAME_JOB else None
        factors = {
            "same job / this": None if same is None else Spread.of(ratios(same.over, measured.over)),
            "default / this": None if default is None else Spread.of(ratios(default.over, measured.over)),
        }
        target = targets.WIRE if name in {"ours_plain", "ours_plain_lean"} else None
        entry = {
            "bare": Spread.of(measured.bare),
            "over the bare app": Spread.of(measured.over),
            "KB": measured.kilobytes,
            "encodings": measured.encodings,
            "connections": measured.connections,
            **factors,
            "target": target,
        }
        data[name] = entry
        rows.append(
            [
                TITLES[name],
                entry["over the bare app"].show(),
                *("-" if factor is None else factor.show() for factor in factors.values()),
                "-" if target is None else target.show(),
                f"{measured.kilobytes:.2f}",
                ", ".join(measured.encodings),
                str(measured.connections),
            ]
        )
    columns = ["", "µs a request", "sentry-sdk, same job ÷ this", "sentry-sdk, default ÷ this", "target"]
    columns += ["KB a transaction, as sent", "encoding", "connections"]
    title = "All processor time to a loopback sink, µs a sampled request over the bare app: raw ASGI"
    tables = [table(title, columns, rows)]
    for name, parts in rushed.items():
        data.setdefault(name, {})["arrived"] = parts
    tables.append(
        table(
            "What arrives beside a loop that is never idle, percent of the sampled requests: raw ASGI",
            ["", *(f"{pace} a second" for pace in PACES)],
            [[TITLES[name], *(f"{parts[pace]:.1%}" for pace in PACES)] for name, parts in rushed.items()],
        )
    )
    return Result(method=method(seconds), tables=tables, data=data)


def run(log: Log, *, quick: bool) -> Result:
    """With real HTTP."""
    if quick:
        return report(measure(QUICK, 2, 2 * BATCH, log), arrived(QUICK, 0.5, log), 0.5)
    return report(measure(ALL, 6, 4 * BATCH, log), arrived(RUSHED, SECONDS, log), SECONDS)
