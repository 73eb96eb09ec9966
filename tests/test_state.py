"""What a process remembers is listed in one place, and can be forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import asgi_sentry
from asgi_sentry import Settings, _faults, _state
from asgi_sentry import _sdk as sdk
from tests.conftest import Start

PACKAGE = Path(asgi_sentry.__file__).parent
GLOBALS = re.compile(r"^ +global (\w+)", re.MULTILINE)
CACHES = re.compile(r"^@(?:functools\.)?(?:lru_cache|cache)\b", re.MULTILINE)
UNLISTED = {
    "_sdk/senders.py",  # how a door is set, which is the same for the whole of a process
    "_scrubbing/keys.py",  # how the terms that are secret are looked for
    "_scrubbing/text/linear.py",  # what a letter of a pattern stands for
}


def test_reset_forgets(start: Start) -> None:
    start(Settings(dsn="http://key@localhost/1"))
    assert sdk.view() is sdk.view()
    before = sdk.view()
    _faults.once("said")
    _state.reset()
    assert sdk.view() is not before
    assert _faults._said == set()


def test_every_module_that_rebinds_a_global_or_caches_a_result_is_in_the_list() -> None:
    listed = {name.partition(":")[0] for name in _state.names()}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "tools" not in path.parts and (GLOBALS.search(text := path.read_text()) or CACHES.search(text))
    }
    missing = {path for path in found - UNLISTED if path.removesuffix(".py").replace("/", ".") not in listed}
    assert not missing, "register how it is forgotten in `_state`"
