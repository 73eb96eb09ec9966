"""One contender behind a server: `python -m benchmarks.server SERVER CONTENDER FRAMEWORK PORT`."""

from __future__ import annotations

import os
import sys
from typing import Any

from benchmarks.contenders import Skipped, make

# By the name of the server, as `servers.KINDS` has it: what it runs on.
UVICORN: dict[str, dict[str, Any]] = {
    "uvicorn": {},
    "uvicorn-h11": {"loop": "asyncio", "http": "h11"},
    "uvicorn-uvloop": {"loop": "uvloop", "http": "httptools"},
}


def app() -> Any:
    """The app that the environment names, for servers that import it in a worker of theirs."""
    return make(os.environ["BENCHMARK_CONTENDER"], os.environ["BENCHMARK_FRAMEWORK"])


def main() -> None:
    """Serve until told to end."""
    server, contender, framework, port = sys.argv[1:]
    os.environ["BENCHMARK_CONTENDER"], os.environ["BENCHMARK_FRAMEWORK"] = contender, framework
    try:
        served = app() if server in UVICORN else None
    except Skipped as exc:
        sys.exit(str(exc))
    if server in UVICORN:
        import uvicorn  # noqa: PLC0415 - one server a process

        uvicorn.run(served, port=int(port), log_level="critical", access_log=False, **UVICORN[server])
        return
    os.execvp(
        sys.executable,
        [
            *(sys.executable, "-m", "granian", "--interface", "asgi", "--port", port, "--log-level", "critical"),
            *("--no-access-log", "--factory", "benchmarks.server:app"),
        ],
    )


if __name__ == "__main__":
    main()
