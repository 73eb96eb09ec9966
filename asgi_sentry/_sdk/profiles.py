"""Whose thread a profile shows: that in which the function ran that served the request.

Sentry shows one thread of a profile. A framework runs a `def` handler in a worker thread, and the
request is followed in that of the event loop, which waits meanwhile. The SDK's integrations patch
the frameworks to ask the worker; we look for the function in what was sampled.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any


def thread_of(profile: Any, function: Any) -> str | None:
    """The only thread in whose samples a plain function stands.

    Args:
        profile: the SDK's, of one transaction.
        function: that served it; decorators are looked through.

    Returns:
        The thread's id; None where it stands in none, or in those of several, as when two requests
        ran it at once.
    """
    code = _code_of(function)
    if code is None:
        return None
    # The latter from Python 3.11 on.
    names = {code.co_name, getattr(code, "co_qualname", code.co_name)}
    frames = {
        index
        for index, frame in enumerate(profile.frames)
        if frame["function"].rpartition(".")[2] == code.co_name
        and (frame["function"] in names or len(names) == 1)
        and Path(frame["abs_path"]) == Path.cwd() / code.co_filename
    }
    if frames:
        stacks = {
            index for index, stack in enumerate(profile.stacks) if not frames.isdisjoint(stack)
        }
    else:
        stacks = set()
    threads = {sample["thread_id"] for sample in profile.samples if sample["stack_id"] in stacks}
    return threads.pop() if len(threads) == 1 else None


def _code_of(function: Any) -> Any:
    """The code of a plain function or method.

    None for a coroutine function, which runs where the event loop does.
    """
    while hasattr(function, "func") and not hasattr(function, "__code__"):  # `functools.partial`
        function = function.func
    function = inspect.unwrap(function)
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        return None
    return getattr(function, "__code__", None)
