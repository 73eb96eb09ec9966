"""The app alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.contenders import Build


def make(build: Build) -> Any:
    return build()
