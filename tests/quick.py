"""What keeps the suite within minutes: parts of what takes long by default, and quick starts of the SDK.

`ASGI_SENTRY_SWEEP=all` asks for the whole: every order of layers, all products of parameters, and ten times the
examples of the property tests.
"""

from __future__ import annotations

import functools
import importlib
import os

from sentry_sdk import integrations, utils

WHOLE = os.environ.get("ASGI_SENTRY_SWEEP") == "all"


def examples(number: int) -> int:
    """How many examples a property test tries."""
    return 10 * number if WHOLE else number


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
