"""The lines of source around a frame, read once for as long as the file is as it was."""

from __future__ import annotations

import os
from importlib.machinery import SourceFileLoader
from typing import TYPE_CHECKING, Any

from asgi_sentry import _state as state
from asgi_sentry._scrubbing.memory import Memory
from asgi_sentry._sdk.names import (
    sdk_utils,
)

if TYPE_CHECKING:
    from types import FrameType

    Lines = tuple[list[Any], Any, list[Any]]

_lines: Memory[tuple[Any, ...], tuple[tuple[int, int], Any]] = Memory(4_096)
state.register("_sdk.source: lines", _lines.clear)


def source_of(
    frame: FrameType, lineno: int, limit: int | None, files: dict[str, tuple[int, int]]
) -> Lines:
    """The source lines around one, as the SDK reads them.

    Args:
        frame: of which.
        lineno: of the line.
        limit: of characters of a line.
        files: the versions of those that were asked for already, on behalf of one event.
    """
    path = frame.f_code.co_filename
    loader, module = frame.f_globals.get("__loader__"), frame.f_globals.get("__name__")
    if type(loader) is SourceFileLoader:
        read = loader.path
    elif loader is None or not hasattr(loader, "get_source"):
        read = path
    else:  # from an archive, say
        module = None
    if module is None:
        return sdk_utils.get_source_context(frame, lineno, limit)
    version, key = files.get(read), (path, read, module, lineno, limit)
    if version is None:
        try:
            found = os.stat(read)  # noqa: PTH116 - a third of the cost of a `Path`
        except OSError:
            return sdk_utils.get_source_context(frame, lineno, limit)
        version = files[read] = (found.st_mtime_ns, found.st_size)
    known = _lines.get(key)
    if known is None or known[0] != version:
        made = sdk_utils.get_source_context(frame, lineno, limit)
        if not _is_plain(made):  # a line that was cut
            return made
        known = version, made
        _lines.keep(key, known)
    before, line, after = known[1]
    return [*before], line, [*after]


def _is_plain(lines: Any) -> bool:
    before, line, after = lines
    return all(type(each) is str for each in (*before, *after)) and (
        line is None or type(line) is str
    )
