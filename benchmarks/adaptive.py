"""A simulated day of an adaptive rate and of a budget: target, offered and kept, as figures and as a PNG.

Traffic: 60 route templates with a long tail (the busiest has half of all, the rarest one request a minute), a day's
curve, bursts of five times a template's traffic for one to five minutes, Poisson arrivals, fixed seed.

    python benchmarks/adaptive.py [--quick]      writes benchmarks/results/adaptive.png
"""

from __future__ import annotations

import argparse
import math
import pathlib
import random
import sys

import matplotlib as mpl
from matplotlib import pyplot as plt

from asgi_sentry._sampling.adaptive import Adaptive
from asgi_sentry._sampling.budgets import Budget, allowed, period_at
from asgi_sentry._sampling.rate import PERIODS, Limit

RESULTS = pathlib.Path(__file__).parent / "results"
TARGET = 20
METHOD = "A simulation with a fixed seed and a clock of its own: nothing here depends on the machine."

mpl.use("Agg")  # no display needed


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def arrivals(rng, minute, base, burst_ends, minutes):
    daylight = 0.55 + 0.45 * math.sin(2 * math.pi * minute / minutes - 1.5)
    found = []
    for i, rate in enumerate(base):
        if rng.random() < 0.002:
            burst_ends[i] = minute + rng.randint(1, 5)
        busy = max(rate * daylight, 1 / 60) * (5 if burst_ends[i] > minute else 1)
        at = rng.expovariate(busy)
        while at < 60:
            found.append((at, i))
            at += rng.expovariate(busy)
    return sorted(found)


def simulate(minutes, scale, seed=1, templates=60):
    """A row for each minute: offered, kept, extrapolated, and how many templates were asked for but not seen."""
    rng, clock = random.Random(seed), Clock()
    adaptive = Adaptive(Limit(count=TARGET, seconds=1.0), clock=clock)
    base = [max(scale / (i + 1) ** 1.6, 1 / 60) for i in range(templates)]
    burst_ends = [0] * templates
    scopes = [{"type": "http", "method": "GET", "path": f"/r{i}/7"} for i in range(templates)]
    rows = []
    for minute in range(minutes):
        offered = kept = 0
        extrapolated = 0.0
        asked, seen = set(), set()
        for at, i in arrivals(rng, minute, base, burst_ends, minutes):
            clock.now = minute * 60 + at
            rate = adaptive.choose(scopes[i], rng.random())
            adaptive.learn(f"/r{i}/{{id}}")
            offered += 1
            asked.add(i)
            if rate is not None:
                kept += 1
                extrapolated += 1 / rate
                seen.add(i)
        rows.append({"offered": offered, "kept": kept, "extrapolated": extrapolated, "unseen": len(asked - seen)})
    return rows


def simulate_budget(seed=2):
    """A month of 10000 with a day's curve and a flood in the second week: (day, offered, spent, line) by the hour."""
    rng, clock = random.Random(seed), Clock()
    limit = Limit(count=10_000, seconds=PERIODS["month"])
    budget = Budget(limit, clock=clock)
    rows, offered, spent = [], 0, 0
    for hour in range(31 * 24):
        many = int(12 * (1 + math.sin(2 * math.pi * hour / 24)) * rng.uniform(0.5, 1.5))
        if 200 <= hour < 224:
            many += 2_000
        for n in range(many):
            clock.now = hour * 3_600 + n * 3_600 / many
            offered += 1
            spent += budget.take()
        rows.append((hour / 24, offered, spent, allowed(10_000, period_at(limit, clock.now), clock.now)))
    return rows


def plot(rows, budget_rows, path):
    figure, (above, below) = plt.subplots(2, 1, figsize=(10, 8), constrained_layout=True)
    minutes = range(len(rows))
    above.plot(minutes, [row["offered"] / 60 for row in rows], color="0.7", lw=0.8, label="offered")
    above.plot(minutes, [row["kept"] / 60 for row in rows], color="C0", lw=0.8, label="kept")
    above.axhline(TARGET, color="C3", ls="--", lw=1, label=f"target, {TARGET} a second")
    above.set(yscale="log", xlabel="minute", ylabel="requests a second", title="Adaptive rate")
    above.legend(loc="upper left")
    days, offered, spent, line = zip(*budget_rows, strict=True)
    below.plot(days, offered, color="0.7", label="offered")
    below.plot(days, spent, color="C0", label="spent")
    below.plot(days, line, color="C3", ls="--", lw=1, label="allowed by then")
    below.set(ylim=(0, 12_000), xlabel="day", ylabel="transactions", title="Budget of 10000 a month")
    below.legend(loc="lower right")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=110)


def run(quick: bool = False) -> list[dict]:
    """One row of figures; writes the plot."""
    rows = simulate(60 if quick else 1_440, 40)
    budget_rows = simulate_budget()
    plot(rows, budget_rows, RESULTS / "adaptive.png")
    after = rows[1:]
    misses = sorted(row["kept"] / min(row["offered"], TARGET * 60) - 1 for row in after)
    offered = sum(row["offered"] for row in rows)
    return [
        {
            "minutes": len(rows),
            "offered": offered,
            "kept": sum(row["kept"] for row in rows),
            "extrapolated": round(sum(row["extrapolated"] for row in rows)),
            "worst minute below target": f"{misses[0]:+.1%}",
            "worst minute above target": f"{misses[-1]:+.1%}",
            "minutes more than 10 % off": sum(abs(miss) > 0.1 for miss in misses),
            "template-minutes unseen": sum(row["unseen"] for row in after),
            "budget offered": budget_rows[-1][1],
            "budget spent": budget_rows[-1][2],
            "budget ever over its line": any(spent > line for _, _, spent, line in budget_rows),
        }
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="a simulated day of an adaptive rate and a month of a budget")
    parser.add_argument("--quick", action="store_true")
    for row in run(parser.parse_args().quick):
        for name, value in row.items():
            print(f"{name:<28} {value}")
    print(f"plot: {RESULTS / 'adaptive.png'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
