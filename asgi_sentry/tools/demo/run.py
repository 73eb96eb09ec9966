"""The demo's course: start the sink and the apps, drive traffic at them, stop them, count, tell.

Each app runs in a process of its own, as in production, so that what the driver does is not seen by
the SDK (its httpx integration would join all requests to one trace, and with it to one throw of the
dice).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from typing import IO, TYPE_CHECKING, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from asgi_sentry.tools.demo.planting import Planter
from asgi_sentry.tools.demo.shop_routes import APPS, DEFAULT_RATE, RATES
from asgi_sentry.tools.demo.tables import show
from asgi_sentry.tools.demo.tally import settle
from asgi_sentry.tools.demo.traffic import drive, plan, plan_twice
from asgi_sentry.tools.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asgi_sentry.tools.demo.tally import Result
    from asgi_sentry.tools.demo.traffic import Driven, Planned
    from asgi_sentry.tools.sink import Received

_STOP_SECONDS = 40.0


class DemoError(RuntimeError):
    """The demo could not be run; the message says why."""


class _Served(NamedTuple):
    name: str
    process: subprocess.Popen[str]
    log: IO[str]


def run(
    *,
    dsn: str | None = None,
    requests: int = 3000,
    seed: int = 1,
    serve: bool = False,
    port: int = 0,
    console: Console | None = None,
) -> int:
    """Run the demo and print what it measured.

    Args:
        dsn: a real Sentry to which everything is sent on from the sink.
        requests: how many, over all apps.
        seed: of the traffic; the same seed asks the same questions.
        serve: leave a page open on what was sent, and on what the SDK alone sends for the same
            requests.
        port: of the page; 0 takes a free one.
        console: where to print.

    Returns:
        The exit code: 0 if no secret got through and every count agrees, else 1.
    """
    console = console or Console()
    started = time.monotonic()
    kept: list[Received] = []
    result = measure(
        dsn=dsn, requests=requests, seed=seed, console=console, kept=kept if serve else None
    )
    asked = f"{len(APPS)} apps, {sum(row.requests for row in result.rows):,} requests, seed {seed}"
    show(console, result, took=f"{asked}, {time.monotonic() - started:.1f} s")
    if serve:
        leave_open(kept, result, port=port, console=console)
    if result.problems:
        return 1
    return 0


def leave_open(kept: list[Received], result: Result, *, port: int, console: Console) -> None:
    """Show what was sent on the sink's page, until interrupted.

    Raises:
        DemoError: the port can't be listened on.
    """
    from asgi_sentry.tools.demo.page import opened  # noqa: PLC0415  # needs the extra `sink`

    try:
        server = opened(kept, result, port=port)
    except OSError as error:
        raise DemoError(f"port {port} can't be listened on: {error.strerror}") from None
    console.print(
        f"the page on all this: {server.url} (Ctrl-C ends)", highlight=False, soft_wrap=True
    )
    server.run()


def measure(
    *,
    dsn: str | None,
    requests: int,
    seed: int,
    console: Console,
    kept: list[Received] | None = None,
) -> Result:
    """Run the demo without telling.

    Args:
        dsn: as in `run`, and the other arguments.
        requests: how many.
        seed: of the traffic.
        console: where progress is shown.
        kept: takes what arrived, and what the SDK alone sends for a few of the same requests.
    """
    # The seed makes a run repeatable; nothing is guarded by it.
    dice = random.Random(seed)  # noqa: S311
    planter = Planter(dice)
    share = [requests // len(APPS) + (number < requests % len(APPS)) for number in range(len(APPS))]
    traffic = {app: plan(count, dice, planter) for app, count in zip(APPS, share, strict=True)}
    twice = {}
    if kept is not None:
        twice = {app: plan_twice(dice, planter) for app in APPS}
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Sink(forward_to=dsn) as sink, Progress(*columns, console=console) as progress:
        bar = progress.add_task("starting the apps", total=sum(share))
        with _serving(sink, planter) as served:
            ports = {app.name: _port_of(app) for app in served}
            progress.update(bar, description="sending requests")
            driven = asyncio.run(_drive_all(ports, traffic, lambda: progress.advance(bar)))
            if kept is not None:
                progress.update(bar, description="sending some again to the SDK alone")
                again = asyncio.run(_drive_all(ports, twice, lambda: None))
                for name, course in again.items():
                    driven[name].add(course)
                kept += _by_the_sdk_alone(twice, planter)
            progress.update(bar, description="waiting for what is left")
            for app in served:  # all at once; then wait for each
                _end_input(app)
            decisions: Counter[str] = Counter()
            for app in served:
                _wait(app)
                decisions += _decided(app)
        result = settle(driven, sink.received, planter.planted)
        if kept is not None:
            kept += sink.received
        problems = list(result.problems)
        if sink.dropped:
            problems.append(
                f"the sink had to drop {sink.dropped} envelopes, so the counts can't be trusted"
            )
        problems += [f"the sink refused an envelope: {reason}" for reason in sink.refused]
    return replace(result, problems=tuple(problems), decisions=decisions)


async def _drive_all(
    ports: dict[str, int], traffic: dict[str, list[Planned]], on_answer: Callable[[], object]
) -> dict[str, Driven]:
    done = await asyncio.gather(
        *(drive(port, traffic[app], on_answer) for app, port in ports.items())
    )
    return dict(zip(ports, done, strict=True))


def _by_the_sdk_alone(traffic: dict[str, list[Planned]], planter: Planter) -> list[Received]:
    """What plain sentry-sdk sends for these requests.

    To a sink of its own, from which nothing is sent on.
    """
    with Sink() as sink, _serving(sink, planter, plain=True) as served:
        ports = {app.name: _port_of(app) for app in served}
        asyncio.run(_drive_all(ports, traffic, lambda: None))
        for app in served:
            _end_input(app)
        for app in served:
            _wait(app)
        return sink.received


@contextlib.contextmanager
def _serving(sink: Sink, planter: Planter, *, plain: bool = False) -> Iterator[list[_Served]]:
    """All apps, started side by side; none is left behind, whatever happens."""
    with contextlib.ExitStack() as stack:
        served = []
        for app in APPS:
            log = stack.enter_context(
                tempfile.TemporaryFile("w+", prefix=f"asgi-sentry-demo-{app}-")
            )
            in_url = planter.secret("command line, URL")
            process = subprocess.Popen(  # noqa: S603  # our own module, run by our own interpreter
                [
                    sys.executable,
                    *("-m", "asgi_sentry.tools.demo.serve", app),
                    *(("--plain",) if plain else ()),
                    # On the command line, where the SDK's argv integration finds them.
                    "--database-url",
                    f"postgres://shop:{in_url}@db.example.com/shop",
                    *("--api-key", planter.secret("command line, option")),
                ],
                env=_environment(sink.dsn_for(f"/plain/{app}" if plain else f"/{app}")),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            stack.callback(_end, process)
            served.append(_Served(app, process, log))
        yield served


def _environment(dsn: str) -> dict[str, str]:
    """The environment of an app.

    Ours without any settings of the user's, which are meant for other apps.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SENTRY_", "ASGI_SENTRY_"))
    }
    return kept | {
        "SENTRY_DSN": dsn,
        "SENTRY_ENVIRONMENT": "demo",
        "SENTRY_RELEASE": "asgi-sentry-demo@1",
        "SENTRY_TRACES_SAMPLE_RATE": str(DEFAULT_RATE),
        "ASGI_SENTRY_RATES": ",".join(f"{rule}={rate}" for rule, rate in RATES.items()),
    }


def _port_of(app: _Served) -> int:
    """The port that the app prints when it is ready to be asked."""
    line = ""
    if app.process.stdout:
        line = app.process.stdout.readline()
    if not line.strip().isdigit():
        app.process.wait(_STOP_SECONDS)
        app.log.seek(0)
        raise DemoError(f"the {app.name} app did not start:\n{app.log.read()[-4000:]}")
    return int(line)


def _end_input(app: _Served) -> None:
    """Upon this an app finishes its requests and sends what it still has."""
    if app.process.stdin:
        app.process.stdin.close()


def _wait(app: _Served) -> None:
    try:
        code = app.process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise DemoError(f"the {app.name} app did not stop within {_STOP_SECONDS:.0f} s") from None
    if code:
        app.log.seek(0)
        raise DemoError(f"the {app.name} app ended with {code}:\n{app.log.read()[-4000:]}")


def _decided(app: _Served) -> Counter[str]:
    """What the app says that it decided, in its last line."""
    line = ""
    if app.process.stdout:
        line = app.process.stdout.readline()
    counted: dict[str, dict[str, int]] = json.loads(line or "{}")
    decided = ((what, counted.get(what, {})) for what in ("transactions", "errors"))
    return Counter(
        {f"{what}: {reason}": n for what, reasons in decided for reason, n in reasons.items()}
    )


def _end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe:
            pipe.close()
