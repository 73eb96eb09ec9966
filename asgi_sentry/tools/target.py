"""The app that `check` is asked about: imported as a server would, and what stands around it."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any, NamedTuple

from asgi_sentry._middleware.layer import Layer

_DEEPEST = 64  # middlewares looked through, as a layer does that looks below it


class TargetError(Exception):
    """The app can't be imported; the text says what was looked for and why it failed."""


class Around(NamedTuple):
    """One middleware around an app."""

    name: str
    """Of its class, with its module where it is not ours."""
    ours: bool
    own_task: bool
    """Whether it runs the app in a task of its own, as Starlette's `BaseHTTPMiddleware` does."""


def load(target: str) -> Any:
    """Import `module:attribute`, from the current folder as servers do.

    Raises:
        TargetError: it is not of that form, or the import failed.
    """
    module_name, colon, attribute = target.partition(":")
    if not colon or not module_name or not attribute:
        raise TargetError(f"an app is named as module:attribute, such as main:app, got {target!r}")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = importlib.import_module(module_name)
    except Exception as error:
        # Its type alone: the message of an app's own error may hold anything.
        what = ""
        if isinstance(error, ImportError) and error.name:
            what = f"no module {error.name!r}"
        detail = what or type(error).__name__
        raise TargetError(f"importing {module_name!r} failed: {detail}") from error
    for name in attribute.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise TargetError(f"{module_name!r} has no attribute {attribute!r}") from None
    if not callable(found):
        raise TargetError(f"{target} is no ASGI app: {type(found).__name__} can't be called")
    return found


def around(app: Any) -> list[Around]:
    """The middlewares around and in an app, the outermost first.

    They are found by the attributes in which frameworks and middlewares hold what they wrap: `app`,
    and the list of those that Starlette and FastAPI have yet to build.
    """
    found: list[Around] = []
    below = app
    for _ in range(_DEEPEST):
        declared = getattr(below, "user_middleware", None)
        # Starlette and FastAPI; what stands in their `app` is a router's.
        if isinstance(declared, list):
            found += [
                _seen(each.cls) for each in declared if isinstance(getattr(each, "cls", None), type)
            ]
            break
        declared = getattr(below, "middleware", None)
        if isinstance(declared, list):  # Litestar
            classes = (getattr(each, "middleware", each) for each in declared)
            found += [_seen(each) for each in classes if isinstance(each, type)]
            break
        inner = getattr(below, "app", None)
        if inner is None or not callable(inner):
            break
        found.append(_seen(type(below)))
        below = inner
    return found


def _seen(kind: type) -> Around:
    ours = issubclass(kind, Layer)
    name = kind.__name__ if ours else f"{kind.__module__}.{kind.__name__}"
    own_task = any(base.__name__ == "BaseHTTPMiddleware" for base in kind.__mro__)
    return Around(name, ours, own_task)
