"""Exceptions that are logged before they are reported: by whom tells whether anybody handled them.

An app that logs an exception has it in hand. A framework that logs one (Litestar with
`log_exceptions="always"` or `debug=True`, Quart, Falcon, Sanic, BlackSheep, Django) says that
nobody else did: it is about to answer 500. The SDK reports such exceptions as unhandled, before
they are logged, by patching the frameworks.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from asgi_sentry import _faults as faults

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


# And those that come with exceptions of their own, which are answers.
_WITH_ANSWERS = _FRAMEWORKS | {"ninja", "rest_framework", "werkzeug"}


def is_answer(exc: BaseException) -> bool:
    """Whether an exception is an answer itself, such as an `HTTPException`.

    A status alone does not tell: the client of an API raises what that answered, and nobody means
    to answer so.
    """
    if faults.asked(exc, "status_code") is None and faults.asked(exc, "code") is None:
        return False
    return any(cls.__module__.partition(".")[0] in _WITH_ANSWERS for cls in type(exc).__mro__[:-1])


def is_unhandled(exc: BaseException, record: Any) -> bool:
    """Whether a log record of an exception is a framework's, which found nobody who handles it.

    Args:
        exc: the exception. One that is an answer itself is meant.
        record: the `logging.LogRecord`; None for an exception that was not logged.
    """
    path = getattr(record, "pathname", None)
    if not isinstance(path, str) or is_answer(exc):
        return False
    return not _FRAMEWORKS.isdisjoint(PurePath(path).parts[-6:-1])
