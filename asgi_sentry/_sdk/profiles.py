"""Whose thread a profile shows: that in which the function ran that served the request.

Sentry shows one thread of a profile. A framework runs a `def` handler in a worker thread, and the
request is followed in that of the event loop, which waits meanwhile. The SDK's integrations patch
the frameworks to ask the worker; we look for the function in what was sampled.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from asgi_sentry._sdk.threads import Worker, code_of


def thread_of(profile: Any, function: Any) -> Worker | None:
    """The only thread in whose samples a plain function stands.

    Args:
        profile: the SDK's, of one transaction.
        function: that served it; decorators are looked through.

    Returns:
        None where it stands in none, or in those of several, as when two requests ran it at once.
    """
    code = code_of(function)
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
    if len(threads) != 1:
        return None
    ident = int(threads.pop())
    named = {thread.ident: thread.name for thread in threading.enumerate()}
    return Worker(ident, named.get(ident, ""))
