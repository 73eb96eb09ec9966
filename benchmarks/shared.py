"""Four processes share a limit and a budget by a real Redis, which is killed and brought back in mid-run.

Two of the four have clocks that are wrong: one by forty days (wall and monotonic), one by minus six. Ten million
decisions in all, half of them on `at_most="200/second"`, half on a budget that has 3000 left by the even line. Printed
is the fullest window of one second there was, anywhere in the run, against the limit, which it never exceeds.

    python benchmarks/shared.py [--quick]        needs redis-server and redis-py
"""

from __future__ import annotations

import argparse
import multiprocessing
import platform
import shutil
import socket
import subprocess
import sys
import time

from asgi_sentry._sampling.budgets import allowed, period_at
from asgi_sentry._sampling.rate import PERIODS, Limit
from asgi_sentry._sampling.redis.shared import SharedLimits

SKEWS = (0.0, 0.0, 40 * 86_400.0, -6 * 86_400.0)
WINDOW = Limit(count=200, seconds=1.0)
SECONDS = 14.0
CHUNK = 500


def budget_limit(now):
    """A monthly budget whose even line stands at about 3000 now."""
    period = period_at(Limit(count=1, seconds=PERIODS["month"]), now)
    gone = (now - period.start) / (period.end - period.start)
    return Limit(count=int(3_000 / (gone + 0.1)), seconds=PERIODS["month"])


def work(url, limit, skew, decisions, ready, results):
    limits = SharedLimits(url, namespace="run", clock=lambda: time.monotonic() + skew, wall=lambda: time.time() + skew)
    gate, budget = limits.gate("at_most", WINDOW), limits.budget("budget", limit)
    limits.start()
    ready.wait()
    began = time.monotonic()
    taken, spent, done, shared, slowest = [], 0, 0, 0, 0.0
    chunks = decisions // (2 * CHUNK)
    for n in range(chunks):
        for _ in range(CHUNK):
            before = time.perf_counter()
            granted = gate.take()
            slowest = max(slowest, time.perf_counter() - before)
            if granted:
                taken.append(time.monotonic())
            spent += budget.take()
        done += 2 * CHUNK
        shared += gate.shared
        ahead = began + SECONDS * n / chunks - time.monotonic()
        if ahead > 0:
            time.sleep(ahead)
    limits.close()
    results.put((taken, spent, done, shared / chunks, slowest))


def fullest(times, seconds):
    first, most = 0, 0
    for last, moment in enumerate(times):
        while moment - times[first] >= seconds:
            first += 1
        most = max(most, last - first + 1)
    return most


def serve(port):
    return subprocess.Popen(
        [shutil.which("redis-server"), "--port", str(port), "--bind", "127.0.0.1", "--save", ""],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def run(quick: bool = False) -> list[dict]:
    """One row of figures; none without redis-server."""
    if shutil.which("redis-server") is None:
        return []
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    decisions = (400_000 if quick else 10_000_000) // len(SKEWS)
    limit = budget_limit(time.time())
    context = multiprocessing.get_context("spawn")
    ready, results = context.Barrier(len(SKEWS) + 1), context.Queue()
    url = f"redis://127.0.0.1:{port}/0"
    server = serve(port)
    workers = [context.Process(target=work, args=(url, limit, skew, decisions, ready, results)) for skew in SKEWS]
    try:
        for worker in workers:
            worker.start()
        ready.wait(60)
        began = time.monotonic()
        time.sleep(5)
        server.kill()
        server.wait()
        killed = time.monotonic()
        time.sleep(3)
        server = serve(port)
        back = time.monotonic()
        gathered = [results.get(timeout=300) for _ in workers]
    finally:
        for worker in workers:
            worker.join(10)
            worker.kill()
        server.kill()
        server.wait()
    taken = sorted(moment for times, *_ in gathered for moment in times)
    line = allowed(limit.count, period_at(limit, time.time()), time.time())
    before = [moment for moment in taken if moment < killed]
    return [
        {
            "decisions": sum(done for _, _, done, _, _ in gathered),
            "seconds": round(time.monotonic() - began, 1),
            "Redis gone from / to": f"{killed - began:.1f} / {back - began:.1f} s",
            "limit": f"{WINDOW.count} in any second",
            "fullest second before the kill": fullest(before, 1.0),
            "fullest second of the whole run": fullest(taken, 1.0),
            "taken": len(taken),
            "taken by each": [len(times) for times, *_ in gathered],
            "part of the run shared": [round(shared, 2) for *_, shared, _ in gathered],
            "budget, line at the end": line,
            "budget, spent": sum(spent for _, spent, *_ in gathered),
            "budget, spent by each": [spent for _, spent, *_ in gathered],
            "slowest decision, ms": round(max(slowest for *_, slowest in gathered) * 1e3, 1),
        }
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description="overshoot of limits that are shared by Redis")
    parser.add_argument("--quick", action="store_true")
    rows = run(parser.parse_args().quick)
    print(f"Python {platform.python_version()}")
    for row in rows:
        for name, value in row.items():
            print(f"{name:<34} {value}")
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
