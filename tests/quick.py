"""What keeps the suite within minutes: parts of what takes long by default, and quick starts of the SDK.

`ASGI_SENTRY_SWEEP=all` asks for the whole: every order of layers, all products of parameters, and ten times the
examples of the property tests.
"""

from __future__ import annotations

import functools
import importlib
import os
from typing import Any
from zlib import crc32

from sentry_sdk import integrations, utils

_MANY = 16  # variants of one test
WHOLE = os.environ.get("ASGI_SENTRY_SWEEP") == "all"


def examples(number: int) -> int:
    """How many examples a property test tries."""
    return 10 * number if WHOLE else number


def chosen(variants: list[Any]) -> list[Any]:
    """A third of a test's many variants, in which each value of each parameter is met.

    Args:
        variants: pytest's items of one function.
    """
    if WHOLE or len(variants) < _MANY:
        return variants
    met: set[tuple[str, int]] = set()
    kept = []
    for variant in variants:
        values = {(name, id(value)) for name, value in variant.callspec.params.items()}
        if values - met or crc32(variant.name.encode()) % 3 == 0:
            kept.append(variant)
            met |= values
    return kept


def _can_be_imported(integration: str) -> bool:
    try:
        importlib.import_module(integration.rpartition(".")[0])
    except (integrations.DidNotEnable, SyntaxError):
        return False
    return True


def remember() -> None:
    """Look once for what can be imported, what is installed, and the revision.

    Each start of the SDK tries again to import the integrations of what is not installed, and asks git for the release.
    """
    known = integrations._AUTO_ENABLING_INTEGRATIONS
    known[:] = filter(_can_be_imported, list(known))
    utils.get_git_revision = functools.cache(utils.get_git_revision)
    utils._get_installed_modules()
