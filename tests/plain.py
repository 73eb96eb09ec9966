"""What comes of requests with a plain `sentry_sdk.init`, as JSON on standard output.

Its framework integrations patch the frameworks for the rest of a process, so each run is one of its own. By default
with our layers in every arrangement; with the argument `sdk`, the sessions that are counted without any.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import sentry_sdk

from asgi_sentry.testing import RecordingTransport
from tests import apps
from tests.conftest import DSN, V3, mode_options, options_of_v3
from tests.outcomes import COUNTED, PLAIN_SETUPS, SETUPS, outcomes, sessions_of


def start(mode: str) -> RecordingTransport:
    transport = RecordingTransport()
    options: dict[str, Any] = {"release": "app@1", "traces_sample_rate": 1.0, **mode_options(mode)}
    options |= {
        "include_local_variables": False,
        "include_source_context": False,
    }  # most of the cost, and not asked for
    sentry_sdk.init(dsn=DSN, transport=transport, **(options_of_v3(options) if V3 else options))
    client = sentry_sdk.get_client()
    missing = [name for name in apps.FRAMEWORKS if client.get_integration(name) is None]
    if missing:
        raise RuntimeError(f"these integrations are not on: {missing}")
    return transport


def with_our_layers(mode: str) -> dict[str, Any]:
    transport = start(mode)
    return {
        framework: {setup: outcomes(SETUPS[setup](build), transport) for setup in PLAIN_SETUPS}
        for framework, build in apps.FRAMEWORKS.items()
    }


def sessions_without_ours(mode: str) -> dict[str, Any]:
    transport = start(mode)
    return {framework: sessions_of(build(), transport, COUNTED) for framework, build in apps.FRAMEWORKS.items()}


if __name__ == "__main__":
    modes = ["stream"] if V3 else ["classic", "stream"]
    look = sessions_without_ours if sys.argv[1:] == ["sdk"] else with_our_layers
    json.dump({mode: look(mode) for mode in modes}, sys.stdout)
