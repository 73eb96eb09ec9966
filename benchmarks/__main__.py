"""`python -m benchmarks`: see README.md beside this file."""

from __future__ import annotations

import argparse
import time

from benchmarks import costs, profiling
from benchmarks.traffic import CASES


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="What asgi-sentry costs, beside others.")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: under a minute")
    parser.add_argument("--rounds", type=int, default=None, help="of the table of costs")
    parser.add_argument("--profile", choices=CASES, help="instead: where the time of such a request goes")
    parser.add_argument("--trace", action="store_true", help="with --profile: a trace comes in")
    parser.add_argument("--contender", default="ours", help="with --profile: ours, sdk, ours:fs for some layers, ...")
    arguments = parser.parse_args()
    if arguments.profile:
        print(profiling.profile(arguments.profile, arguments.contender, trace=arguments.trace))
        return
    began = time.monotonic()
    rounds = arguments.rounds or (10 if arguments.quick else 30)
    found = costs.measure(costs.ALL, "raw", rounds, print)
    for text in costs.report(found, "raw").tables:
        print(text)
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
