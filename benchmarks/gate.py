"""The targets, held: `python -m benchmarks --gate` exits 1 where one is missed by more than the spread of its rounds.

Ratios and differences within rounds, of processor time, so that neither a slow machine nor a busy one fails it. What
fails is measured a second time before it is believed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import costs, layers, load, machine, servers
from benchmarks.harness import Spread, ratios, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One line of the table of targets. Of several variations, the worst counts."""

    what: str
    measured: Spread
    least: float | None = None  # for a ratio
    most: float | None = None  # for µs

    @property
    def met(self) -> bool:
        """Not missed by more than the spread."""
        if self.least is not None:
            return self.measured.high >= self.least
        return self.most is None or self.measured.low <= self.most

    def row(self) -> list[str]:
        """Of the table."""
        wanted = f"at least {self.least}" if self.least is not None else f"at most {self.most} µs"
        short = (self.least is not None and self.measured.median < self.least) or (
            self.most is not None and self.measured.median > self.most
        )
        verdict = "MISSED" if not self.met else ("within the spread" if short else "met")
        return [self.what, wanted, self.measured.show(2), verdict]


def _worst(spreads: Sequence[Spread], *, ratio: bool) -> Spread:
    return (min if ratio else max)(spreads, key=lambda spread: spread.median)


LEAST = {"excluded": 10.0, "unsampled": 4.0, "sampled": 1.2, "error": 1.0}
NO_DSN_MICROSECONDS = 1.0
FURTHER_LAYER_MICROSECONDS = 0.5
SERVER_RATIO = 1.5


def _of_requests(say: Say, rounds: int) -> list[Target]:
    found = costs.measure(("ours", "sdk", "ours_off"), "raw", rounds, say)
    targets = [
        Target(
            what=f"{case}: sentry-sdk ÷ asgi-sentry",
            least=least,
            measured=_worst(
                [Spread.of(ratios(found["sdk", case, trace], found["ours", case, trace])) for trace in (False, True)],
                ratio=True,
            ),
        )
        for case, least in LEAST.items()
    ]
    off = [Spread.of(values) for (name, case, _), values in found.items() if name == "ours_off" and case != "error"]
    targets.append(
        Target(what="no DSN: over the bare app", most=NO_DSN_MICROSECONDS, measured=_worst(off, ratio=False))
    )
    return targets


def _of_layers(say: Say, rounds: int) -> list[Target]:
    found = layers.measure(rounds, say, ("f", "s", "u", "h", "b", "fsuhb"))
    further = [Spread.of(layers.each_further(found, trace=trace)) for trace in (False, True)]
    return [
        Target(
            what="each further layer, unsampled",
            most=FURTHER_LAYER_MICROSECONDS,
            measured=_worst(further, ratio=False),
        )
    ]


def _of_servers(say: Say, rounds: int) -> list[Target]:
    with servers.servers("uvicorn", ("ours", "sdk"), "fastapi", say) as running:
        ratio = []
        for trace in (False, True):
            found = servers.measure(running, servers.PATH, rounds, 1, trace=trace)
            ratio.append(Spread.of(ratios(found["ours"].per_processor_second(), found["sdk"].per_processor_second())))
    return [
        Target(
            what=f"uvicorn and FastAPI, rate {servers.RATE}: requests, asgi-sentry ÷ sentry-sdk",
            least=SERVER_RATIO,
            measured=_worst(ratio, ratio=True),
        )
    ]


def main(say: Say) -> int:
    """Print the table of targets; 1 where one is missed."""
    began = time.monotonic()
    print(machine.describe())
    targets: list[Target] = []
    for measure, rounds in ((_of_requests, 10), (_of_layers, 10), (_of_servers, 4)):
        part = measure(say, rounds)
        if not all(target.met for target in part):
            say("missed: " + "; ".join(target.what for target in part if not target.met) + "; once more")
            part = measure(say, rounds)
        targets += part
    rows = [target.row() for target in targets]
    print(table("Targets", ["", "target", "measured", ""], rows))
    print(f"load by {load.generator()}, uvicorn on {servers.installed_loop()}, {time.monotonic() - began:.0f} s")
    return 0 if all(target.met for target in targets) else 1
