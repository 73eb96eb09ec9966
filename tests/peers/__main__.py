"""Run their tests with the SDK alone and within our stack, and hold what fails additionally against the list.

    python -m tests.peers                    all four
    python -m tests.peers starlette asgi     these
    python -m tests.peers --beyond           with names, mechanisms and origins in the SDK's words: what else differs
    python -m tests.peers --reasons          how many tests each reason accounts for, and nothing is run

Fails for a test that fails additionally and is not on the list, and for one on the list that passes. With another
release of the SDK than the list's, both are told and neither fails. What can't be had fails in any case.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from functools import partial

import sentry_sdk

from tests.peers import suite, verdicts


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.peers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("frameworks", nargs="*", metavar="FRAMEWORK", help=", ".join(suite.FRAMEWORKS))
    parser.add_argument("--beyond", action="store_true")
    parser.add_argument("--reasons", action="store_true")
    asked = parser.parse_args(arguments)
    listed = verdicts.current()
    if asked.reasons:
        print_reasons(listed)
        return 0
    print(f"sentry-sdk {sentry_sdk.VERSION}; the list is of {listed.version}")
    print(f"{'':10} {'tests':>6} {'pass':>6} {'with us':>8} {'fail more':>10} {'wanted':>7} {'bugs':>5}")
    bad, whole = suite.compared(
        asked.frameworks or suite.FRAMEWORKS, partial(compare, listed=listed, beyond=asked.beyond)
    )
    print(*bad, sep="\n")
    return int(not whole or (bool(bad) and listed.version == sentry_sdk.VERSION))


def compare(framework: str, *, listed: verdicts.Verdicts, beyond: bool = False) -> list[str]:
    """Run the tests of a framework both ways and print a line of counts.

    Returns:
        What does not agree with the list, in lines.
    """
    plain, ours = suite.outcomes(framework, ours=False), suite.outcomes(framework, ours=True, beyond=beyond)
    more = {test: why for test, why in ours.items() if why and plain.get(test) == ""}
    known = [listed.of[test] for test in more if test in listed.of]
    wanted = sum(each.wanted for each in known)
    passed = [sum(not why for why in each.values()) for each in (plain, ours)]
    print(
        f"{framework:10} {len(plain):6} {passed[0]:6} {passed[1]:8} {len(more):10} {wanted:7} {len(known) - wanted:5}",
        flush=True,
    )
    bad = [f"not on the list: {test}  {why}" for test, why in more.items() if test not in listed.of]
    if beyond:  # the list is about what they say without
        return [f"{test}  {why}" for test, why in more.items()]
    own = [test for test in listed.of if test.startswith(f"{framework}::")]
    return bad + [f"on the list, and passes: {test}" for test in own if ours.get(test) == ""]


def print_reasons(listed: verdicts.Verdicts) -> None:
    counts = Counter((each.wanted, each.reason) for each in listed.of.values())
    for (wanted, reason), count in counts.most_common():
        print(f"{count:4} {'wanted' if wanted else 'bug':7} {reason}: {listed.reasons[reason]}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
