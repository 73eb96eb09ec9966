"""`init`, `compose` and `wrap`: the user's options win, the user's hooks are called, and all is scrubbed after them."""

from __future__ import annotations

import logging
import warnings
from functools import partial
from typing import Any

import anyio
import pytest
import sentry_sdk
from starlette.middleware import Middleware

import asgi_sentry
from asgi_sentry import _faults as faults
from asgi_sentry.testing import RecordingTransport, request
from tests import apps
from tests.conftest import DSN, mode_options, transactions

V3 = sentry_sdk.VERSION.startswith("3")
SECRET = "qX7mPz41vRt9Kd3w"
SETTINGS = asgi_sentry.Settings(dsn=DSN, release="app@1", traces_sample_rate=1.0)
NO_DSN = asgi_sentry.Settings()


def serve(app: Any, path: str = "/work", **arguments: Any) -> Any:
    return anyio.run(partial(request, app, path=path, **arguments))


# -- what it says ------------------------------------------------------------------------------------------------------


def test_one_line_says_what_is_on(caplog):
    caplog.set_level("INFO", "asgi_sentry")
    settings = asgi_sentry.Settings(
        dsn=DSN, release="shop@1.2", environment="production", traces_sample_rate=0.1, profiles_sample_rate=0.1
    )
    asgi_sentry.init(settings, transport=RecordingTransport())
    assert caplog.messages == [
        "Sentry initialized for environment: production (release shop@1.2, traces 10.0%, profiles 10.0%)"
    ]


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"traces_sampler": lambda _: 1}, "traces by traces_sampler"),
        ({"traces_sample_rate": 0.25}, "traces 25.0%"),
        ({"environment": "staging"}, "environment: staging"),
        ({"release": "other@2"}, "release other@2"),
    ],
)
def test_the_line_says_what_is_in_force(caplog, options, part):
    caplog.set_level("INFO", "asgi_sentry")
    asgi_sentry.init(SETTINGS, transport=RecordingTransport(), **options)
    assert part in caplog.text


def test_without_a_dsn_it_says_that_it_is_off_and_why(caplog):
    caplog.set_level("INFO", "asgi_sentry")
    asgi_sentry.init(NO_DSN)
    assert caplog.messages == ["Sentry is off: no DSN is set (SENTRY_DSN)"]


def test_the_log_shows_no_key(caplog):
    caplog.set_level("DEBUG")
    asgi_sentry.init(asgi_sentry.Settings(dsn=f"http://{SECRET}@localhost/1"), transport=RecordingTransport())
    assert SECRET not in caplog.text


# -- options -----------------------------------------------------------------------------------------------------------


def test_the_settings_in_force_are_returned(monkeypatch):
    monkeypatch.setenv("SENTRY_DSN", DSN)
    monkeypatch.setenv("SENTRY_ENVIRONMENT", "of-the-environment")
    settings = asgi_sentry.init(transport=RecordingTransport())
    assert (settings.dsn, settings.environment) == (DSN, "of-the-environment")
    assert sentry_sdk.get_client().options["environment"] == "of-the-environment"
    assert asgi_sentry.init(SETTINGS, transport=RecordingTransport()) is SETTINGS


def test_no_dsn_in_the_settings_is_none_though_the_environment_has_one(monkeypatch):
    monkeypatch.setenv("SENTRY_DSN", DSN)
    asgi_sentry.init(NO_DSN)
    assert sentry_sdk.get_client().transport is None


def test_a_bad_environment_is_told_before_anything_is_started(monkeypatch):
    monkeypatch.setenv("SENTRY_TRACES_SAMPLE_RATE", "often")
    with pytest.raises(asgi_sentry.SettingsError, match="SENTRY_TRACES_SAMPLE_RATE"):
        asgi_sentry.init()
    assert not sentry_sdk.get_client().is_active()


def test_an_option_that_the_sdk_does_not_know_is_refused():
    with pytest.raises(TypeError, match="unheard_of"):
        asgi_sentry.init(SETTINGS, unheard_of=1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("environment", "of-the-option"),
        ("release", "option@2"),
        ("traces_sample_rate", 0.5),
        ("server_name", "a-name"),
        ("max_breadcrumbs", 7),
        ("sample_rate", 0.5),
    ],
)
def test_each_option_wins(mode, option, value):
    asgi_sentry.init(SETTINGS, transport=RecordingTransport(), **mode_options(mode), **{option: value})
    assert sentry_sdk.get_client().options[option] == value


def test_the_framework_integrations_are_off_and_the_others_on(mode):
    from sentry_sdk.integrations.argv import ArgvIntegration

    asgi_sentry.init(
        SETTINGS, transport=RecordingTransport(), disabled_integrations=[ArgvIntegration], **mode_options(mode)
    )
    client = sentry_sdk.get_client()
    assert all(client.get_integration(name) is None for name in ("starlette", "fastapi", "litestar"))
    assert all(client.get_integration(name) is not None for name in ("httpx", "threading", "stdlib"))


def test_tracing_can_be_off(mode):
    asgi_sentry.init(
        asgi_sentry.Settings(dsn=DSN, enable_tracing=False, traces_sample_rate=1.0, profiles_sample_rate=1.0),
        transport=RecordingTransport(),
        **mode_options(mode),
    )
    assert sentry_sdk.get_client().options["traces_sample_rate"] is None


def test_profiles_without_a_warning(mode):
    settings = asgi_sentry.Settings(dsn=DSN, traces_sample_rate=1.0, profiles_sample_rate=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asgi_sentry.init(settings, transport=RecordingTransport(), **mode_options(mode))
    options = sentry_sdk.get_client().options
    name = "profile_session_sample_rate" if V3 or mode == "stream" else "profiles_sample_rate"
    assert options[name] == 0.5


def test_init_twice_counts_once(mode):
    first, second = RecordingTransport(), RecordingTransport()
    asgi_sentry.init(SETTINGS, transport=first, **mode_options(mode))
    asgi_sentry.init(SETTINGS, transport=second, **mode_options(mode))
    asgi_sentry.capture_message("here")
    sentry_sdk.flush()
    assert (len(first.items("event")), len(second.items("event"))) == (0, 1)


# -- the user's own hooks ----------------------------------------------------------------------------------------------


def _adding(name: str, called: list[str]) -> Any:
    def hook(item: dict[str, Any], hint: Any) -> dict[str, Any]:
        called.append(name)
        if "attributes" in item:
            item["attributes"]["late.token"] = SECRET
        else:
            item.setdefault("extra", {})["late"] = {"password": SECRET}
        return item

    return hook


def test_hooks_are_called_and_what_they_add_is_scrubbed(mode):
    called: list[str] = []
    names = {"before_send"}
    if not V3:
        names |= {"before_send_log", "before_send_metric"}
        names.add("before_send_transaction" if mode == "classic" else "before_send_span")
    hooks = {name: _adding(name, called) for name in names}
    transport = RecordingTransport()
    options = {} if V3 else {"enable_logs": True}
    asgi_sentry.init(SETTINGS, transport=transport, **hooks, **options, **mode_options(mode))

    def work(_: Any) -> None:
        asgi_sentry.capture_message("here")
        logging.getLogger("app").warning("here")
        if hasattr(getattr(sentry_sdk, "metrics", None), "count"):
            sentry_sdk.metrics.count("here", 1)

    serve(asgi_sentry.wrap(apps.starlette_app(work=work)))
    sentry_sdk.flush()
    if not hasattr(getattr(sentry_sdk, "metrics", None), "count"):
        names.discard("before_send_metric")
    assert set(called) == names
    data = b"".join(envelope.serialize() for envelope in transport.envelopes)
    assert b"late" in data
    assert SECRET.encode() not in data


@pytest.mark.parametrize("name", ["before_send", "before_send_log", "before_send_transaction", "before_send_span"])
def test_a_hook_that_drops_or_fails_is_as_with_the_sdk(mode, name):
    if name == ("before_send_span" if mode == "classic" else "before_send_transaction") or (
        V3 and name != "before_send"
    ):
        pytest.skip("not a hook of this mode")

    def seen(hook: Any, init: Any) -> list[str]:
        transport = RecordingTransport()
        options = {} if V3 else {"enable_logs": True}
        init(dsn=DSN, traces_sample_rate=1.0, transport=transport, **{name: hook}, **options, **mode_options(mode))
        asgi_sentry.capture_message("here")
        logging.getLogger("app").warning("here")
        serve(asgi_sentry.SentryMiddleware(apps.starlette_app()))
        sentry_sdk.flush()
        sentry_sdk.get_client().close(timeout=0)
        return sorted({item.type for envelope in transport.envelopes for item in envelope.items} - {"client_report"})

    def failing(*_: Any) -> None:
        raise ZeroDivisionError

    def ours(**options: Any) -> None:
        asgi_sentry.init(asgi_sentry.Settings(), **options)

    def plain(**options: Any) -> None:
        sentry_sdk.init(auto_enabling_integrations=False, **options)

    for hook in (lambda *_: None, failing):
        assert seen(hook, ours) == seen(hook, plain)


def test_the_users_traces_sampler_is_asked(mode):
    asked: list[dict[str, Any]] = []

    def sampler(context: dict[str, Any]) -> float:
        asked.append(context)
        return float("asgi_scope" in context and context["asgi_scope"]["path"] == "/work")

    transport = RecordingTransport()
    asgi_sentry.init(SETTINGS, transport=transport, traces_sampler=sampler, **mode_options(mode))
    app = asgi_sentry.wrap(apps.starlette_app())
    serve(app)
    serve(app, "/items/7")
    assert [root["name"] for root in transactions(transport)] == ["GET /work"]
    assert len(asked) == 2


@pytest.mark.skipif(V3, reason="version 3 has no such option")
def test_the_users_own_event_scrubber_is_called_too(mode):
    from sentry_sdk.scrubber import EventScrubber

    transport = RecordingTransport()
    scrubber = EventScrubber(denylist=["city"], recursive=True)
    asgi_sentry.init(SETTINGS, transport=transport, event_scrubber=scrubber, **mode_options(mode))
    sentry_sdk.set_extra("place", "Ulm")
    asgi_sentry.set_context("shop", {"city": "Ulm", "password": SECRET, "street": "Weststadt"})
    sentry_sdk.set_extra("city", "Ulm")
    asgi_sentry.capture_message("here")
    (event,) = transport.items("event")
    assert event["extra"]["city"] == "[Filtered]"
    assert event["extra"]["place"] == "Ulm"
    assert event["contexts"]["shop"]["password"] == "[Filtered]"
    assert event["contexts"]["shop"]["street"] == "Weststadt"


@pytest.mark.skipif(V3, reason="version 3 has no such option")
def test_our_scrubber_as_event_scrubber_is_the_doors(mode):
    transport = RecordingTransport()
    seen: list[Any] = []
    scrubber = asgi_sentry.Scrubber(deny=("city",), on_redact=lambda path, rule: seen.append(path))
    asgi_sentry.init(SETTINGS, transport=transport, event_scrubber=scrubber, enable_logs=True, **mode_options(mode))
    logging.getLogger("app").warning("here", extra={"city": "Ulm"})
    asgi_sentry.set_context("shop", {"city": "Ulm"})
    asgi_sentry.capture_message("here")
    sentry_sdk.flush()
    (event,) = transport.items("event")
    assert event["contexts"]["shop"]["city"] == "[Filtered]"
    assert all("Ulm" not in str(entry) for entry in transport.items("log"))
    assert seen


@pytest.mark.skipif(V3, reason="version 3 has no such option")
def test_spotlight_gets_what_is_scrubbed(mode, monkeypatch):
    given: list[Any] = []
    monkeypatch.setattr("sentry_sdk.spotlight.SpotlightClient.capture_envelope", lambda self, each: given.append(each))
    asgi_sentry.init(
        SETTINGS, transport=RecordingTransport(), spotlight="http://127.0.0.1:9/stream", **mode_options(mode)
    )
    asgi_sentry.capture_message(f"password={SECRET}; here")
    (envelope,) = given
    assert b"here" in envelope.serialize()
    assert SECRET.encode() not in envelope.serialize()


@pytest.mark.parametrize(
    ("experiments", "wanted"), [({}, "HttpTransport"), ({"transport_http2": True}, "Http2Transport")]
)
def test_the_transport_is_the_kind_that_the_sdk_would_take(mode, experiments, wanted):
    asgi_sentry.init(SETTINGS, _experiments=experiments, **mode_options(mode))
    assert isinstance(sentry_sdk.get_client().transport, getattr(sentry_sdk.transport, wanted))


def test_the_async_transport_within_a_running_loop(mode):
    from sentry_sdk.integrations.asyncio import AsyncioIntegration

    def kind(init: Any, **options: Any) -> str:
        async def main() -> str:
            init(
                dsn=DSN,
                integrations=[AsyncioIntegration()],
                _experiments={"transport_async": True},
                **mode_options(mode),
                **options,
            )
            made = type(sentry_sdk.get_client().transport)
            closing = getattr(sentry_sdk.get_client(), "close_async", None)
            if closing is not None:
                await closing(timeout=0)
            return next(base.__name__ for base in made.__mro__ if base.__module__ == "sentry_sdk.transport")

        return anyio.run(main)

    ours = kind(lambda **options: asgi_sentry.init(NO_DSN, **options))
    assert ours == kind(sentry_sdk.init, auto_enabling_integrations=False)


# -- without a DSN -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("started", [True, False])
def test_without_a_dsn_every_layer_passes_through(started):
    if started:
        asgi_sentry.init(NO_DSN)
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope, receive, send))

    stack: Any = asgi_sentry.wrap(app)
    given = ({"type": "http", "method": "GET", "path": "/"}, _never, _never)
    anyio.run(stack, *given)
    (passed,) = seen
    assert all(one is other for one, other in zip(passed, given, strict=True))
    assert given[0] == {"type": "http", "method": "GET", "path": "/"}


async def _never(*_: Any) -> Any:
    raise AssertionError("not to be called")


# -- compose -----------------------------------------------------------------------------------------------------------


class Named:
    """A middleware that says where it stands."""

    def __init__(self, app: Any, name: str, *, said: list[str]) -> None:
        self.app, self.name, self.said = app, name, said

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.said.append(self.name)
        await self.app(scope, receive, send)


def test_the_first_layer_is_the_outermost_in_every_form():
    said: list[str] = []

    def closure(app: Any) -> Any:
        return Named(app, "closure", said=said)

    class Plain(Named):
        def __init__(self, app: Any) -> None:
            super().__init__(app, "class", said=said)

    app = asgi_sentry.compose(
        apps.starlette_app(),
        partial(Named, name="partial", said=said),
        Middleware(Named, "starlette", said=said),
        closure,
        Plain,
        asgi_sentry.SentryMiddleware,
    )
    serve(app)
    assert said == ["partial", "starlette", "closure", "class"]


def test_compose_without_layers_is_the_app():
    app = apps.starlette_app()
    assert asgi_sentry.compose(app) is app


@pytest.mark.parametrize(
    ("app", "layers", "error", "says"),
    [
        (None, (), TypeError, "ASGI3 app"),
        ("app", (), TypeError, "ASGI3 app"),
        (apps.Foreign, (), TypeError, "the class Foreign"),
        (lambda scope: None, (), TypeError, "takes"),
        (_never, (7,), TypeError, "got 7"),
        (_never, ("SentryMiddleware",), TypeError, "middleware class"),
        (_never, (lambda app: None,), TypeError, "the result of"),
        (_never, (asgi_sentry.SentryMiddleware(_never),), TypeError, ""),
    ],
)
def test_what_is_no_app_or_no_layer_is_refused_by_name(app, layers, error, says):
    with pytest.raises(error) as raised:
        asgi_sentry.compose(app, *layers)
    assert says in str(raised.value)


# -- wrap --------------------------------------------------------------------------------------------------------------


def test_wrap_follows_the_settings(mode):
    transport = RecordingTransport()
    settings = asgi_sentry.Settings(
        dsn=DSN, traces_sample_rate=1.0, exclude=("/items/{id}",), rates={"/echo": 0.0}, max_body_bytes=4
    )
    asgi_sentry.init(settings, transport=transport, **mode_options(mode))
    app = asgi_sentry.wrap(apps.starlette_app(work=lambda _: asgi_sentry.capture_message("here")))
    for path in ("/health", "/items/7", "/echo", "/work"):
        serve(app, path)
    assert [root["name"] for root in transactions(transport)] == ["GET /work"]


def test_wrap_takes_other_settings_than_those_of_init(mode):
    transport = RecordingTransport()
    asgi_sentry.init(SETTINGS, transport=transport, **mode_options(mode))
    app = asgi_sentry.wrap(apps.starlette_app(), asgi_sentry.Settings(exclude=("/work",)))
    serve(app)
    assert transactions(transport) == []


def test_wrap_without_init_reads_the_environment(monkeypatch):
    monkeypatch.setenv("ASGI_SENTRY_MAX_BODY_BYTES", "much")
    with pytest.raises(asgi_sentry.SettingsError, match="ASGI_SENTRY_MAX_BODY_BYTES"):
        asgi_sentry.wrap(apps.starlette_app())


def test_wrap_refuses_what_is_no_app():
    with pytest.raises(TypeError, match="ASGI3 app"):
        asgi_sentry.wrap(None, NO_DSN)  # type: ignore[arg-type]


# -- with a plain `sentry_sdk.init` ------------------------------------------------------------------------------------


def test_what_plain_leaves_open_is_said_once(start_plain, mode, caplog, monkeypatch):
    monkeypatch.setattr(faults, "_said", set())
    start_plain()
    app = asgi_sentry.wrap(apps.starlette_app(), NO_DSN)
    for _ in range(3):
        serve(app)
    assert [message for message in caplog.messages if "asgi_sentry.init" in message] == caplog.messages[:1]
    assert len([message for message in caplog.messages if "sentry_sdk.init" in message]) == 1


def test_with_ours_nothing_is_said(start, mode, caplog, monkeypatch):
    monkeypatch.setattr(faults, "_said", set())
    start()
    serve(asgi_sentry.wrap(apps.starlette_app()))
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
