"""What costs what is sent: by hooks, spans, body, authorization; beside the SDK doing the same job, and as it comes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks import targets
from benchmarks.contenders import CONTENDERS
from benchmarks.harness import Result, Spread, processes, ratios, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.harness import Log, Process
    from benchmarks.targets import Target

    Found = dict[str, dict[str, dict[str, list[float]]]]  # by way, row and column: a value for each round

METHOD = (
    "Measured as the costs of a request are, without a trace that comes in. In the rows without hooks nobody has any "
    "of the team's: the SDK doing the same job has but its sampler, its recursive scrubber and the hook that scrubs "
    "the query string. By default it has a rate alone, in every row, the rows with hooks included; the user is not "
    "told to it. The body has a kilobyte; on a raw app the SDK attaches none. In the first table the worker's job runs "
    "at once, up to serialising, so that nothing becomes cheap by being moved to its thread; in the second the worker "
    "is the thread that it is in production, and serialises and compresses, and only the event loop's own thread "
    "counts. Targets: what is to hold, in "
    "parentheses what is aimed at; they are of the SDK doing the same job."
)
SPANS = 10
BODY_BYTES = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of request that is sent, and who is compared on it."""

    title: str
    case: str = "sampled"
    shape: dict[str, Any] = field(default_factory=dict)  # as `worker.Subject.block` takes it
    ours: str = "ours_plain"
    same: str = "sdk_same"
    default: str = "sdk_plain"
    target: dict[str, Target] = field(default_factory=dict)  # by framework

    def contenders(self) -> dict[str, str]:
        """By column."""
        return {"ours": self.ours, "same": self.same, "default": self.default}


ROWS = (
    Row(title="sampled", target={"raw": targets.SAMPLED_RAW, "fastapi": targets.SAMPLED_FASTAPI}),
    Row(
        title="with hooks and an event processor",
        ours="ours",
        same="sdk",
        target={"raw": targets.HOOKS, "fastapi": targets.HOOKS},
    ),
    Row(
        title=f"with {SPANS} spans",
        shape={"spans": SPANS},
        target={"raw": targets.SPANS, "fastapi": targets.SPANS},
    ),
    Row(
        title="with a JSON body and a tag",
        shape={"body": BODY_BYTES, "tag": "blue"},
        ours="ours_body",
        target={"raw": targets.BODY, "fastapi": targets.BODY},
    ),
    Row(title="with Basic authorization", shape={"basic": True}),
    Row(
        title="error",
        case="error",
        default="sdk_plain_0",
        target={"raw": targets.ERROR_RAW, "fastapi": targets.ERROR_FASTAPI},
    ),
    Row(
        title="error, with hooks and an event processor",
        case="error",
        ours="ours",
        same="sdk",
        default="sdk_plain_0",
        target={"fastapi": targets.ERROR_FASTAPI_HOOKS},
    ),
)


def check(running: dict[str, Process], rows: Sequence[Row]) -> None:
    """Have guards look at everybody in every row; BenchmarkError where one does not do its job."""
    for case, name in dict.fromkeys((row.case, name) for row in rows for name in row.contenders().values()):
        running[name].tell("guard", case=case, trace=False)
    for row in rows:
        for name in row.contenders().values():
            running[name].tell("look", case=row.case, trace=False, **row.shape)


# What is told to the contenders, and what a table says of it.
WAYS = {
    "block": "What is sent, µs of processor time of all threads a request over the bare app",
    "loop": "What is sent, µs of the event loop's thread a request over the bare app",
}


def measure(framework: str, rounds: int, log: Log, rows: Sequence[Row] = ROWS) -> Found:
    """Overhead over the bare app in microseconds."""
    found: Found = {way: {} for way in WAYS}
    wanted = list(dict.fromkeys(name for row in rows for name in row.contenders().values()))
    with processes(wanted, framework, log) as running:
        check(running, rows)
        for _ in range(rounds):
            for row in rows:
                for way, by_row in found.items():
                    columns = by_row.setdefault(row.title, {})
                    blocks = {
                        column: running[name].tell(way, case=row.case, trace=False, **row.shape)
                        for column, name in row.contenders().items()
                    }
                    base = blocks["ours"][0]  # where the SDK patched the framework, its process has no bare app
                    columns.setdefault("bare", []).append(base)
                    for column, (bare, spent) in blocks.items():
                        columns.setdefault(column, []).append(spent - (base if bare is None else bare))
        check(running, rows)
    return found


def report(found: Found, framework: str, rows: Sequence[Row] = ROWS) -> Result:
    """A table for all threads and one for the event loop's, with a row for each kind of request."""
    tables, data = [], {}
    for way, title in WAYS.items():
        lines = []
        data[way] = by_row = {}
        for row in rows:
            columns = found[way][row.title]
            entry = {column: Spread.of(values) for column, values in columns.items()}
            for column in ("same", "default"):
                entry[f"{column} / ours"] = Spread.of(ratios(columns[column], columns["ours"]))
            target = row.target.get(framework)
            by_row[row.title] = {**entry, "target": target}
            shown = [entry[column].show() for column in ("ours", "same", "default", "same / ours", "default / ours")]
            goal = "-" if target is None else target.show()
            lines.append([row.title, f"{entry['bare'].median:.1f}", *shown, goal])
        names = ["request", "bare app", "asgi-sentry", "sentry-sdk, same job", CONTENDERS["sdk_plain"].title]
        names += ["same job ÷ asgi-sentry", "default ÷ asgi-sentry", "target"]
        on = {"raw": "raw ASGI"}.get(framework, framework)
        tables.append(table(f"{title}: {on}", names, lines))
    return Result(method=METHOD, tables=tables, data=data)


def run(log: Log, *, quick: bool) -> Result:
    """Without a framework, and on FastAPI."""
    if quick:
        rows = [row for row in ROWS if row.contenders() == ROWS[0].contenders()]
        one = report(measure("raw", 2, log, rows), "raw", rows)
        return Result(method=METHOD, tables=one.tables, data={"raw": one.data})
    tables, data = [], {}
    for framework, rounds in (("raw", 8), ("fastapi", 4)):
        one = report(measure(framework, rounds, log), framework)
        tables += one.tables
        data[framework] = one.data
    return Result(method=METHOD, tables=tables, data=data)
