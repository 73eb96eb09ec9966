"""sentry-python's own tests of ASGI, Starlette, FastAPI and Litestar within our stack: `python -m tests.peers`."""
