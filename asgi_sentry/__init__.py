"""Decides what leaves an ASGI app for Sentry."""
