"""Exceptions that are logged before they are reported: by whom tells whether anybody handled them.

An app that logs an exception has it in hand. A framework that logs one (Litestar with
`log_exceptions="always"` or `debug=True`, Quart, Falcon, Sanic, BlackSheep, Django) says that
nobody else did: it is about to answer 500. The SDK reports such exceptions as unhandled, before
they are logged, by patching the frameworks.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

_FRAMEWORKS = frozenset(
    {
        "blacksheep",
        "connexion",
        "django",
        "falcon",
        "fastapi",
        "flask",
        "litestar",
        "quart",
        "robyn",
        "sanic",
        "starlette",
    }
)


def is_unhandled(exc: BaseException, record: Any) -> bool:
    """Whether a log record of an exception is a framework's, which found nobody who handles it.

    Args:
        exc: the exception. One that is an answer itself, such as an `HTTPException`, is meant.
        record: the `logging.LogRecord`; None for an exception that was not logged.
    """
    path = getattr(record, "pathname", None)
    if (
        not isinstance(path, str)
        or getattr(exc, "status_code", None) is not None
        or hasattr(exc, "code")
    ):
        return False
    return not _FRAMEWORKS.isdisjoint(PurePath(path).parts[-6:-1])
