"""Fixtures for all tests: the SDK in each of its modes, recording what it would send, and both event loops."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from hypothesis import HealthCheck, settings
from sentry_sdk import scope as sdk_scope
from sentry_sdk.integrations.logging import LoggingIntegration

import asgi_sentry
from asgi_sentry import _sdk as sdk
from asgi_sentry import _state
from asgi_sentry.testing import RecordingTransport
from tests import quick

quick.without_threads()
quick.remember()

DSN = "http://publickey@localhost/1"
V3 = sentry_sdk.VERSION.startswith("3")


def options_of_v3(options: dict[str, Any]) -> dict[str, Any]:
    """The same options by the names of version 3, where no logged line makes an event unless that is asked for."""
    given = {"integrations": [LoggingIntegration(event_level=logging.ERROR)], **options}
    given.pop("enable_logs", None)
    if given.pop("include_local_variables", True) is False:
        given["data_collection"] = {"stack_frame_variables": False}
    if given.pop("include_source_context", True) is False:
        given["data_collection"] = {**given.get("data_collection", {}), "frame_context_lines": 0}
    return given


settings.register_profile(
    "dev", deadline=None, max_examples=quick.examples(25), suppress_health_check=[HealthCheck.function_scoped_fixture]
)
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_configure(config: pytest.Config) -> None:
    # Threads of the SDK's batchers use `random` while a strategy draws, which hypothesis takes for the strategy's.
    config.addinivalue_line("filterwarnings", "ignore:Do not use the `random` module inside strategies")
    if hasattr(config, "workerinput") or not getattr(config.option, "tx", None):  # the process that runs tests
        quick.cheap_processes()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of a test with many variants a part is run, unless somebody asks for it by name."""
    if config.option.keyword or any("::" in arg for arg in config.args):
        return
    functions: dict[str, list[pytest.Item]] = {}
    for item in items:
        if hasattr(item, "callspec"):
            functions.setdefault(item.nodeid.partition("[")[0], []).append(item)
    left_out = {item for variants in functions.values() for item in set(variants).difference(quick.chosen(variants))}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Any:
    with contextlib.ExitStack() as stack:
        if item.get_closest_marker("untraced"):
            stack.enter_context(quick.untraced())
        if item.get_closest_marker("measured_processes"):
            stack.enter_context(quick.measured_processes())
        return (yield)


def pytest_collection_finish() -> None:
    """What is there before the first test stays to the end: no collection of garbage looks at it again."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """A worker keeps what stands together: what a module starts once, such as a browser, is not started by each."""
    if config.getoption("dist") != "load":
        return None
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """In CI a test that needs a service and does not find it has failed: it would be skipped for ever, unseen."""
    report = yield
    if os.environ.get("CI") and report.skipped and item.get_closest_marker("service"):
        report.outcome = "failed"
        report.longrepr = f"the service that this test needs is missing: {report.longrepr}"
    return report


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Async tests (marked `anyio`) run on both."""
    return request.param


@pytest.fixture(params=["classic", "stream"])
def mode(request: pytest.FixtureRequest) -> str:
    """How the SDK sends traces: as transactions, or as spans one by one."""
    if request.param == "classic" and V3:
        pytest.skip("version 3 of the SDK only streams")
    return request.param


def mode_options(mode: str) -> dict[str, Any]:
    if V3 or mode == "classic":
        return {}
    return {"trace_lifecycle": mode}


@pytest.fixture(autouse=True)
def _clean_loggers() -> Iterator[None]:
    """No server that ran in this process, and no configuration of logging, silences a logger for the next test."""
    yield
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.disabled = False
    logging.getLogger("uvicorn.error").setLevel(logging.NOTSET)


@pytest.fixture(autouse=True)
def _clean_sdk() -> Iterator[None]:
    """No client, scope or settings of one test are seen by the next."""
    yield
    client = sentry_sdk.get_client()
    client.close(timeout=0)
    sdk_scope._global_scope = None
    sdk_scope._isolation_scope.set(None)
    sdk_scope._current_scope.set(None)
    _state.reset()


Start = Callable[..., RecordingTransport]


@pytest.fixture
def start(mode: str) -> Start:
    """`asgi_sentry.init` in each mode, with everything sampled unless said otherwise; gives the transport."""

    def start(settings: asgi_sentry.Settings | None = None, /, **options: Any) -> RecordingTransport:
        transport = options.pop("transport", None) or RecordingTransport()
        if V3:
            options = options_of_v3(options)
        asgi_sentry.init(
            settings or asgi_sentry.Settings(dsn=DSN, release="app@1", traces_sample_rate=1.0),
            transport=transport,
            **mode_options(mode),
            **options,
        )
        return transport

    return start


@pytest.fixture
def start_plain(mode: str) -> Start:
    """A plain `sentry_sdk.init`, less its framework integrations.

    Those patch the frameworks for the rest of the process: with them, `plain.py` runs in one of its own.
    """

    def start_plain(**options: Any) -> RecordingTransport:
        transport = RecordingTransport()
        options = {"traces_sample_rate": 1.0, "release": "app@1", **mode_options(mode), **options}
        options.setdefault("disabled_integrations", sdk.framework_integrations())
        sentry_sdk.init(dsn=DSN, transport=transport, **options)
        return transport

    return start_plain


def transactions(transport: RecordingTransport) -> list[dict[str, Any]]:
    """The root spans that were sent, in one shape: name, trace_id, request data, status, in either mode."""
    sentry_sdk.flush()
    roots = [
        {
            "name": event["transaction"],
            "source": event["transaction_info"]["source"],
            "trace_id": event["contexts"]["trace"]["trace_id"],
            "span_id": event["contexts"]["trace"]["span_id"],
            "parent": event["contexts"]["trace"].get("parent_span_id"),
            "status": event["contexts"]["trace"]["data"].get("http.response.status_code"),
            "user": event.get("user", {}).get("id"),
            "spans": [span["description"] for span in event["spans"]],
        }
        for event in transport.items("transaction")
    ]
    spans = transport.items("span")
    for span in spans:
        if not span["is_segment"]:
            continue
        attributes = {key: entry["value"] for key, entry in span["attributes"].items()}
        roots.append(
            {
                "name": span["name"],
                "source": attributes["sentry.segment.name.source"],
                "trace_id": span["trace_id"],
                "span_id": span["span_id"],
                "parent": span.get("parent_span_id"),
                "status": attributes.get("http.response.status_code"),
                "user": attributes.get("user.id"),
                "spans": [
                    child["name"]
                    for child in spans
                    if child.get("attributes", {}).get("sentry.segment.id", {}).get("value") == span["span_id"]
                    and not child["is_segment"]
                ],
            }
        )
    return roots
