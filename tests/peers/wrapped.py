"""The frameworks' own tests with every app wrapped: `python -m tests.peers.wrapped`.

    python -m tests.peers.wrapped              Starlette's, FastAPI's and Litestar's
    python -m tests.peers.wrapped starlette    these

The source distribution of the release that is installed brings the tests, and they are run twice: as they are, and with
the app of each test client within `asgi_sentry.wrap`, which samples every request and sends to nowhere. Fails for a
test that passes as it is and fails when it is wrapped, unless it is listed below with its reason, and where tests can't
be had. Litestar's source distribution brings none.
"""

from __future__ import annotations

import argparse
import sys
import time

from tests.peers import suite

FRAMEWORKS = ("starlette", "fastapi", "litestar")
# What FastAPI's need besides our own tests' environment.
NEEDED = (
    "argon2-cffi",
    "argon2-cffi-bindings",
    "asttokens",
    "cffi",
    "dirty-equals",
    "dnspython",
    "email-validator",
    "executing",
    "inline-snapshot",
    "pwdlib",
    "pycparser",
    "pydantic-settings",
    "pyjwt",
    "pytest-timeout",
    "shellingham",
    "sqlmodel",
    "typer",
)
# Other people's telemetry, in processes of its own; and tests that share a folder, so that they can't run side by side.
LEFT_OUT = {
    "fastapi": (
        "--ignore=tests/test_telemetry",
        "--ignore=tests/test_tutorial/test_custom_docs_ui",
        "--ignore=tests/test_tutorial/test_static_files",
    )
}
PLUGINS = ("anyio.pytest_plugin", "xdist.plugin", "pytest_timeout")
# By module and function, with the reason.
ASGI_2 = "an app of ASGI 2 is refused at start, with what to do; a server or test client that takes one adapts it first"
ALLOWED = {
    "starlette::tests.test_testclient::test_testclient_asgi2": ASGI_2,
    "starlette::tests.test_testclient::test_websocket_blocking_receive": ASGI_2,
    "starlette::tests.test_testclient::test_websocket_not_block_on_close": ASGI_2,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.peers.wrapped", description=(__doc__ or "").partition(":")[0]
    )
    parser.add_argument("frameworks", nargs="*", metavar="FRAMEWORK", help=", ".join(FRAMEWORKS))
    asked = parser.parse_args(arguments)
    print(f"{'':10} {'version':8} {'tests':>6} {'pass':>6} {'wrapped':>8} {'fail more':>10} {'allowed':>8} {'s':>4}")
    bad, whole = suite.compared(asked.frameworks or FRAMEWORKS, compare)
    print(*bad, sep="\n")
    return int(bool(bad) or not whole)


def compare(framework: str) -> list[str]:
    """Run the tests of a framework both ways and print a line of counts.

    Returns:
        What fails more and is not allowed to, and what is allowed to fail and does not, in lines.
    """
    began = time.monotonic()
    home = suite.unpacked(framework, part="")
    beside = suite.extras("frameworks", NEEDED)
    # Their limit of time is short for a busy machine.
    options = ("-n2", "--dist=loadgroup", "--continue-on-collection-errors", "-o", "timeout=120")
    options += LEFT_OUT.get(framework, ())
    plain = suite.run(home, "tests", f"{framework}-plain", beside, PLUGINS, *options, environ={})
    wrapped = suite.run(home, "tests", f"{framework}-wrapped", beside, (*PLUGINS, "wrapped_apps"), *options, environ={})
    more = {test: why for test, why in wrapped.items() if why and plain.get(test) == ""}
    more |= dict.fromkeys(plain.keys() - wrapped.keys(), "not run")
    allowed = {test for test in more if f"{framework}::{test.partition('[')[0]}" in ALLOWED}
    passed = [sum(not why for why in each.values()) for each in (plain, wrapped)]
    print(
        f"{framework:10} {suite.installed(framework):8} {len(plain):6} {passed[0]:6} {passed[1]:8}"
        f" {len(more):10} {len(allowed):8} {time.monotonic() - began:4.0f}",
        flush=True,
    )
    own = {test for test in ALLOWED if test.startswith(f"{framework}::")}
    own -= {f"{framework}::{test.partition('[')[0]}" for test in allowed}
    bad = [f"fails more: {framework}::{test}  {why}" for test, why in more.items() if test not in allowed]
    return bad + [f"allowed to fail, and passes: {test}" for test in sorted(own)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
