"""Starts of the SDK without what is the same each time and costs two thirds of it.

Each start tries again to import the integrations of what is not installed, and asks git for the release.
"""

from __future__ import annotations

import functools
import importlib

from sentry_sdk import integrations, utils


def _can_be_imported(integration: str) -> bool:
    try:
        importlib.import_module(integration.rpartition(".")[0])
    except (integrations.DidNotEnable, SyntaxError):
        return False
    return True


def remember() -> None:
    """Look once for what can be imported, what is installed, and the revision."""
    known = integrations._AUTO_ENABLING_INTEGRATIONS
    known[:] = filter(_can_be_imported, list(known))
    utils.get_git_revision = functools.cache(utils.get_git_revision)
    utils._get_installed_modules()
