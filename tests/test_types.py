"""The public surface as type checkers see it in a user's file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mypy")

ROOT = Path(__file__).parents[1]
CODE = (ROOT / "tests" / "user_code.py").read_text(encoding="utf-8")


def checked(source: str, folder: Path) -> list[str]:
    """What `mypy --strict` says of a file with this source, elsewhere and with no configuration of ours."""
    path = folder / "user.py"
    path.write_text(source, encoding="utf-8")
    options = ["--strict", "--follow-imports=silent", "--config-file=", f"--cache-dir={folder / 'cache'}"]
    environment = {**os.environ, "MYPYPATH": str(ROOT)}
    command = [sys.executable, "-m", "mypy", *options, path.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)
    assert done.returncode in {0, 1}, done.stderr
    return [line for line in done.stdout.splitlines() if ": error: " in line]


def test_what_users_write_is_right_and_their_mistakes_are_found(tmp_path):
    """One run for both, since most of it is spent on reading the frameworks."""
    mistakes = [
        'wrap(star, rates={"/a": 0.1})',
        'PathSamplingMiddleware(star, rates={"/a": "often"})',
        "SentryMiddleware(star, websockets=3)",
        'BodyScrubbingMiddleware(star, max_bytes="16 KB")',
        "UserContextMiddleware(star, resolve=7)",
        "compose(star, 5)",
        "compose(star, re.compile)",
        "wrap(5)",
        "Settings(dsn=5)",
        "Rate(0.1, at_most=5)",
        "asgi_sentry.capture_message(5)",
        "length: int = f(1)",
        "transport: int = RecordingTransport().lost",
    ]
    right = CODE.count("\n")
    found = checked("\n".join([CODE.rstrip("\n"), *mistakes]) + "\n", tmp_path)
    lines = {int(line.split(":")[1]) for line in found}
    assert not [line for line in found if int(line.split(":")[1]) <= right]
    assert sorted(lines) == list(range(right + 1, right + 1 + len(mistakes))), found
