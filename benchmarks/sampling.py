"""What a head decision costs: by number of rules, with limits, adaptive, and with Redis.

Method: all cases run in one process in turns (a round of each, many rounds), garbage collection off, and the median of
the rounds is printed, so that a noisy moment hits all alike. `ratio` is to the call of a function that does nothing
with the same arguments, which says more than microseconds do on another machine.

    python benchmarks/sampling.py [--quick]
"""

from __future__ import annotations

import argparse
import gc
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import time

from asgi_sentry._paths import PathRules
from asgi_sentry._sampling.rate import Rate
from asgi_sentry._sampling.redis.shared import SharedLimits
from asgi_sentry._sampling.sampler import PathSampler

METHOD = "One process, all cases in turns, garbage collection off; medians of the rounds, wall clock."


def scope(path):
    return {"type": "http", "method": "GET", "path": path, "root_path": "", "headers": []}


def rules(count, rate):
    """Half exact, half prefix, as in most apps."""
    half = max(1, count // 2)
    return {f"/api/v{i}/x": rate for i in range(half)} | {f"/p{i}/**": rate for i in range(half)}


def decision(sampler, path):
    asked = scope(path)
    match, choose = sampler.match, sampler.choose

    def decide():
        state = match(asked)
        return None if state is None else choose(state, sample_rand=0.3, parent_sampled=None, scope=asked)

    return decide


def nothing():
    asked = scope("/")

    def match(_):
        return asked

    def choose(state, *, sample_rand, parent_sampled, scope):
        return state

    def decide():
        state = match(asked)
        return None if state is None else choose(state, sample_rand=0.3, parent_sampled=None, scope=asked)

    return decide


def cases(sharing):
    made = {"nothing (two empty calls)": nothing()}
    for count in (5, 50, 500, 5_000):
        sampler = PathSampler(rules(count, 0.1))
        made[f"{count} rules, exact path"] = decision(sampler, "/api/v1/x")
        made[f"{count} rules, prefix"] = decision(sampler, "/p1/a/b")
        made[f"{count} rules, no match"] = decision(sampler, "/nothing/like/it")
    limited = {
        "at_most, met": Rate(1.0, at_most="1000000000/second"),
        "at_most, exhausted": Rate(1.0, at_most="1/month"),
        "at_least, met": Rate(0.1, at_least="1/month"),
        "at_most and at_least": Rate(0.5, at_most="1000000/second", at_least="1/month"),
    }
    for name, rate in limited.items():
        made[f"500 rules, {name}"] = decision(PathSampler(rules(500, rate)), "/p1/a/b")
    adaptive = PathSampler({**rules(500, 0.1), "/t/**": Rate.adaptive("20/second")})
    state = adaptive.match(scope("/t/x"))
    for n in range(100):
        state.learn(f"/t/r{n}/{{id}}")
    made["500 rules, adaptive, 100 templates"] = decision(adaptive, "/t/r7/1")
    if sharing is not None:
        for name in ("at_most, met", "at_most, exhausted"):
            sampler = PathSampler({**rules(500, 0.1), "/s/**": limited[name]}, sharing=sharing)
            made[f"500 rules, {name}, Redis"] = decision(sampler, "/s/x")
        sharing.start()
    return made


def measure(made, rounds, calls):
    times = {name: [] for name in made}
    gc.disable()
    try:
        for function in made.values():
            for _ in range(calls):
                function()
        for _ in range(rounds):
            for name, function in made.items():
                began = time.perf_counter()
                for _ in range(calls):
                    function()
                times[name].append((time.perf_counter() - began) / calls)
    finally:
        gc.enable()
    return {name: statistics.median(each) * 1e6 for name, each in times.items()}


def redis_server():
    binary = shutil.which("redis-server")
    if binary is None:
        return None, None
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return process, f"redis://127.0.0.1:{port}/0"


def run(quick: bool = False) -> list[dict]:
    """Rows with `case`, `us` and `ratio`, the first being the call of nothing."""
    process, url = redis_server()
    sharing = None
    try:
        if url is not None:
            sharing = SharedLimits(url, namespace="benchmark")
        made = cases(sharing)
        if sharing is not None:
            deadline = time.monotonic() + 10  # until the first leases are there
            met = made["500 rules, at_most, met, Redis"]
            while not met().sampled and time.monotonic() < deadline:
                time.sleep(0.05)
        found = measure(made, *((15, 2_000) if quick else (40, 6_000)))
        base = found["nothing (two empty calls)"]
        return [{"case": name, "us": round(us, 3), "ratio": round(us / base, 1)} for name, us in found.items()]
    finally:
        if sharing is not None:
            sharing.close()
        if process is not None:
            process.kill()
            process.wait()


def construction(count=5_000):
    """Seconds to compile so many rules."""
    listed = list(rules(count, 0.1).items())
    began = time.perf_counter()
    PathRules(listed)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description="the cost of a head decision")
    parser.add_argument("--quick", action="store_true")
    rows = run(parser.parse_args().quick)
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {platform.machine()}")
    width = max(len(row["case"]) for row in rows)
    print(f"{'case':<{width}}  {'us':>7}  {'ratio':>6}")
    for row in rows:
        print(f"{row['case']:<{width}}  {row['us']:>7.3f}  {row['ratio']:>6.1f}")
    print(f"compiling 5000 rules: {construction() * 1e3:.0f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
