"""The line at start is seen where people look, and nobody's logging is changed by it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.untraced

# Without what other libraries have integrations for: to look for those is half of what a start costs.
START = """
import asgi_sentry
settings = asgi_sentry.Settings(dsn="http://key@localhost/1", release="app@1")
asgi_sentry.init(settings, auto_enabling_integrations=False)
async def app(scope, receive, send): ...
"""
LINE = "Sentry initialized for environment: production (release app@1, traces 10.0%, profiles 0.0%)"


def shown(tmp_path: Path, before: str = "", after: str = "") -> str:
    (tmp_path / "started.py").write_text(f"import logging, sys\n{before}\n{START}\n{after}")
    command = [sys.executable, str(tmp_path / "started.py")]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr


def test_it_is_shown_where_nobody_has_configured_logging(tmp_path):
    assert shown(tmp_path) == f"INFO:     {LINE}\n"


@pytest.mark.parametrize("name", ["uvicorn", "gunicorn.error", "hypercorn.error"])
def test_it_is_shown_as_the_server_shows_its_own(tmp_path, name):
    before = f"""
handler = logging.StreamHandler(sys.stderr)
handler.setFormatter(logging.Formatter("server: %(message)s"))
logging.getLogger({name!r}).addHandler(handler)
"""
    assert shown(tmp_path, before) == f"server: {LINE}\n"


@pytest.mark.parametrize(
    ("before", "lines"),
    [
        ("logging.basicConfig(level='INFO')", [f"INFO:asgi_sentry:{LINE}"]),
        ("logging.basicConfig(level='WARNING')", []),
        ("logging.getLogger('asgi_sentry').setLevel('ERROR')", []),
        ("logging.getLogger('asgi_sentry').addHandler(logging.NullHandler())", []),
    ],
)
def test_who_has_configured_logging_decides(tmp_path, before, lines):
    assert shown(tmp_path, before).splitlines() == lines


def test_nothing_is_left_behind(tmp_path):
    after = """
for each in (logging.getLogger(), logging.getLogger("asgi_sentry")):
    print(each.handlers, file=sys.stderr)
print(logging.getLogger("asgi_sentry").level, file=sys.stderr)
"""
    assert shown(tmp_path, after=after).splitlines()[1:] == ["[]", "[]", "0"]


def test_uvicorn_shows_it(tmp_path):
    (tmp_path / "served.py").write_text(START)
    command = [sys.executable, "-m", "uvicorn", "--port", "0", "--app-dir", str(tmp_path), "served:app"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as served:
        said = []
        for line in served.stderr:
            said.append(line)
            if "Uvicorn running" in line:  # from here on it ends by a signal
                served.terminate()
    assert f"INFO:     {LINE}\n" in said
