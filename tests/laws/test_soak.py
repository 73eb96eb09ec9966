"""Law 10 in the long run: nothing grows with the number of requests, and all memories together are bounded."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.untraced

ROOT = Path(__file__).parents[2]
REQUESTS = 100_000 if os.environ.get("CI") else 20_000


@pytest.mark.skipif(sys.platform != "linux", reason="memory is read as Linux tells it")
def test_a_soak() -> None:
    """In a process of its own, whose memory nobody else fills. A million are run by hand."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.soak", "--requests", str(REQUESTS)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-2_000:]
