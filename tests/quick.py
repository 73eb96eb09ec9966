"""What keeps the suite within minutes: parts of what takes long by default, quick starts of the SDK, little tracing.

`ASGI_SENTRY_SWEEP=all` asks for the whole: every order of layers, all products of parameters, and ten times the
examples of the property tests.
"""

from __future__ import annotations

import functools
import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from zlib import crc32

from sentry_sdk import integrations, utils
from sentry_sdk._batcher import Batcher
from sentry_sdk._span_batcher import SpanBatcher
from sentry_sdk.monitor import Monitor
from sentry_sdk.sessions import SessionFlusher

_MANY = 16  # variants of one test
_MEASURED = "COVERAGE_PROCESS_CONFIG"  # by which a process that is started knows that it is measured
_measured = os.environ.get(_MEASURED)
WHOLE = os.environ.get("ASGI_SENTRY_SWEEP") == "all"


def examples(number: int) -> int:
    """How many examples a property test tries."""
    return 10 * number if WHOLE else number


def chosen(variants: list[Any]) -> list[Any]:
    """A fifth of a test's many variants, in which each value of each parameter is met.

    Args:
        variants: pytest's items of one function; where it is marked `costly`, few are many already.
    """
    if WHOLE or (len(variants) < _MANY and not variants[0].get_closest_marker("costly")):
        return variants
    first = first_met(variants)
    return [variant for variant in variants if variant in first or crc32(variant.name.encode()) % 5 == 0]


def first_met(variants: list[Any]) -> set[Any]:
    """Those of a test's variants in which a value of a parameter is met for the first time.

    Args:
        variants: pytest's items of one function.
    """
    met: set[tuple[str, int]] = set()
    first = set()
    for variant in variants:
        values = {(name, id(value)) for name, value in variant.callspec.params.items()}
        if values - met:
            first.add(variant)
            met |= values
    return first


@contextmanager
def untraced() -> Iterator[None]:
    """Where coverage is measured it is not, within this block.

    To trace costs as much again as to run, so what runs the same code many times is not traced. What is reported as
    covered is covered all the same, and the bound of it holds.
    """
    measuring = sys.modules["coverage"].Coverage.current() if "coverage" in sys.modules else None
    if measuring is None:
        yield
        return
    measuring.stop()
    try:
        yield
    finally:
        measuring.start()
        cheap_processes()  # it has said again that what is started be measured


def cheap_processes() -> None:
    """Of processes that tests start coverage is not measured, and the package's bytecode is shared by them.

    They run what tests of this process cover, and to trace an interpreter's start costs more than the start. The few
    that alone run a module are started by tests that are marked `measured_processes`.
    """
    os.environ.pop(_MEASURED, None)
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # by which each of hundreds compiles the package anew


@contextmanager
def measured_processes() -> Iterator[None]:
    """Where coverage is measured it is within this block also in processes that are started."""
    if _measured is not None:
        os.environ[_MEASURED] = _measured
    try:
        yield
    finally:
        cheap_processes()


def _ensure_no_thread(batcher: Any) -> bool:
    """In the place of a batcher's own, which begins a thread."""
    batcher._flusher, batcher._flusher_pid = threading.Thread(), os.getpid()  # never begun
    return batcher._running


def without_threads() -> None:
    """Have the SDK begin no thread that batches, counts sessions or looks at a transport.

    What is batched is then sent when a test flushes it, and not at a moment of a thread's own: one that has taken a
    batch out of the buffer, and not sent it yet, makes a flush come back empty-handed. Nor does a thread of a client
    that a former test had look at its transport, or send its sessions, in the midst of the next test.
    """
    for batcher in (Batcher, SpanBatcher):
        batcher._ensure_thread = _ensure_no_thread
    for regular in (Monitor, SessionFlusher):
        regular._ensure_running = lambda _: None


def _can_be_imported(integration: str) -> bool:
    try:
        importlib.import_module(integration.rpartition(".")[0])
    except (integrations.DidNotEnable, SyntaxError):
        return False
    return True


def remember() -> None:
    """Look once for what can be imported, what is installed, and the revision.

    Each start of the SDK tries again to import the integrations of what is not installed, and asks git for the release.
    """
    known = integrations._AUTO_ENABLING_INTEGRATIONS
    known[:] = filter(_can_be_imported, list(known))
    utils.get_git_revision = functools.cache(utils.get_git_revision)
    utils._get_installed_modules()
