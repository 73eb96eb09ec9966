"""`asgi-sentry demo`: three apps, some thousand requests full of secrets, and what was sent.

What is needed beside the core is in the extra `demo`; `missing` says what of it is not installed,
without importing it.
"""

from __future__ import annotations

from importlib.util import find_spec

_NEEDED = {
    "fastapi": "fastapi",
    "httpx": "httpx",
    "litestar": "litestar",
    "python_multipart": "python-multipart",
    "rich": "rich",
    "starlette": "starlette",
    "uvicorn": "uvicorn",
    "websockets": "websockets",
}


def missing() -> list[str]:
    """The packages of the extra `demo` that are not installed."""
    return [package for module, package in _NEEDED.items() if find_spec(module) is None]
