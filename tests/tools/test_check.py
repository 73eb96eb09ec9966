"""`asgi-sentry check`: what it says is in force, what it warns of, and what it asks over the network."""

from __future__ import annotations

import io
import json
import os
import socket
import sys
import textwrap

import pytest
from hypothesis import given

from asgi_sentry.tools import cli
from asgi_sentry.tools.check import version
from asgi_sentry.tools.sink import Sink
from tests.redis_server import BINARY, Server
from tests.strategies import credentials


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SENTRY_", "ASGI_SENTRY_")):
            monkeypatch.delenv(name)


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli.main(("check", *arguments))
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def found(capsys, *arguments: str) -> dict:
    code = cli.main(("check", "--json", *arguments))
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] == (code == 0)
    return report


@pytest.fixture
def app(tmp_path, monkeypatch):
    """Write a module of an app, which is forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text: str) -> str:
        (tmp_path / "checked_app.py").write_text(textwrap.dedent(text))
        monkeypatch.delitem(sys.modules, "checked_app", raising=False)
        return "checked_app:app"

    yield write
    sys.modules.pop("checked_app", None)


# -- settings ----------------------------------------------------------------------------------------------------------


def test_what_is_in_force_and_where_it_comes_from(monkeypatch, capsys):
    monkeypatch.setenv("SENTRY_DSN", "https://0123456789abcdef@o1.ingest.sentry.io/42")
    monkeypatch.setenv("ASGI_SENTRY_RATES", "/api/chat=0.1")
    monkeypatch.setenv("SENTRY_TRACES_SAMPLE_RATE", "0.25")
    code, out, err = run(capsys, "--offline")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["SENTRY_DSN", "'https://[hidden]@o1.ingest.sentry.io/42'", "environment"] in rows
    assert ["SENTRY_TRACES_SAMPLE_RATE", "0.25", "environment"] in rows
    assert ["SENTRY_ENVIRONMENT", "'production'", "default"] in rows
    assert ["errors", "sent", "to", "o1.ingest.sentry.io"] in rows
    assert "25.0% of the requests" in out
    assert "0123456789abcdef" not in out
    assert ["sentry-sdk", version("sentry-sdk")] in [row[:2] for row in rows]
    assert {"fastapi", "starlette", "litestar"} <= {row[0] for row in rows if row}


def test_each_source_is_told(monkeypatch, capsys, app, tmp_path):
    file = tmp_path / "some.env"
    file.write_text("SENTRY_ENVIRONMENT=staging\nSENTRY_DEBUG=true\n")
    monkeypatch.setenv("SENTRY_DEBUG", "false")  # what is set already wins, as with servers
    target = app(
        """
        import asgi_sentry
        asgi_sentry.init(asgi_sentry.Settings(environment="staging", release="app@1"))
        async def plain(scope, receive, send): ...
        app = asgi_sentry.wrap(plain)
        """
    )
    settings = found(capsys, target, "--env-file", str(file), "--offline")["settings"]
    monkeypatch.delenv("SENTRY_ENVIRONMENT")
    assert settings["environment"]["source"] == str(file)
    assert (settings["debug"]["value"], settings["debug"]["source"]) == ("False", "environment")
    assert (settings["release"]["value"], settings["release"]["source"]) == ("'app@1'", "code")
    assert settings["workers"]["source"] == "default"


def test_an_env_file_that_is_not_there_is_named(capsys, tmp_path):
    code, _, err = run(capsys, "--env-file", str(tmp_path / "none"))
    assert code == 1
    assert "there is no such file" in err


def test_sentry_is_off_without_a_dsn(capsys):
    code, out, _ = run(capsys)
    assert code == 0
    assert "off: SENTRY_DSN is not set" in out


def test_everything_that_is_wrong_is_told(monkeypatch, capsys):
    monkeypatch.setenv("SENTRY_DSN", "https://0123456789abcdef@host/x")
    monkeypatch.setenv("SENTRY_DEBUG", "maybe")
    code, _, err = run(capsys)
    assert code == 1
    assert "2 settings are wrong" in err
    assert "SENTRY_DSN held 'https://[hidden]@host/[hidden]'" in err
    assert "SENTRY_DEBUG held 'maybe'" in err
    assert "0123456789abcdef" not in err


@given(credentials())
def test_no_credential_is_ever_shown(key):
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        patch.setattr(sys, "stderr", output)
        for dsn in (f"https://{key}@host/1", f"https://{key}:{key}@host/1", f"https://{key}", key, f"h://{key}@h/1"):
            patch.setenv("SENTRY_DSN", dsn)
            patch.setenv("ASGI_SENTRY_REDIS_URL", f"redis://:{key}@host/0")
            cli.main(["check", "--offline"])
            cli.main(["check", "--offline", "--json"])
    assert "settings" in output.getvalue()
    assert key not in output.getvalue()


# -- the app -----------------------------------------------------------------------------------------------------------

WRAPPED = """
    import asgi_sentry
    from starlette.applications import Starlette
    from starlette.middleware import Middleware
    from starlette.middleware.base import BaseHTTPMiddleware
    asgi_sentry.init()
    print("an app may print")
    app = asgi_sentry.wrap(Starlette(middleware=[{within}]))
    """


def test_the_layers_are_found_in_their_order(monkeypatch, capsys, app):
    monkeypatch.setenv("SENTRY_DSN", "http://key@localhost/1")
    report = found(capsys, app(WRAPPED.format(within="")), "--offline")
    assert report["layers"][0] == "SentryMiddleware"
    assert report["layers"][-1] == "BodyScrubbingMiddleware"
    assert report["sdk"]["mode"] in {"classic", "streaming"}
    assert "logging" in report["sdk"]["integrations"]
    assert [warning for warning in report["warnings"] if "release" not in warning] == []


def test_without_a_dsn_there_is_nothing_to_warn_of(capsys, app):
    """As in a developer's environment: the app is the same, and nothing is sent."""
    assert found(capsys, app(WRAPPED.format(within="")), "--offline")["warnings"] == []


def test_a_task_of_its_own_without_a_layer_within_is_warned_of(monkeypatch, capsys, app):
    monkeypatch.setenv("SENTRY_DSN", "http://key@localhost/1")
    base = "Middleware(BaseHTTPMiddleware, dispatch=None)"
    warnings = found(capsys, app(WRAPPED.format(within=base)), "--offline")["warnings"]
    assert any("BaseHTTPMiddleware runs the app in a task of its own" in each for each in warnings)
    within = f"{base}, Middleware(asgi_sentry.SentryMiddleware)"
    warnings = found(capsys, app(WRAPPED.format(within=within)), "--offline")["warnings"]
    assert not any("task of its own" in each for each in warnings)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("async def app(scope, receive, send): ...", "no layer of asgi-sentry stands around the app"),
        (
            """
            import sentry_sdk
            import asgi_sentry
            sentry_sdk.init(dsn="http://key@localhost/1", default_integrations=False, auto_enabling_integrations=False)
            async def plain(scope, receive, send): ...
            app = asgi_sentry.SentryMiddleware(plain)
            """,
            "Sentry was started by sentry_sdk.init",
        ),
        (
            """
            import asgi_sentry
            async def plain(scope, receive, send): ...
            app = asgi_sentry.SentryMiddleware(plain)
            """,
            "Sentry was not started",
        ),
        (
            """
            import asgi_sentry
            settings = asgi_sentry.Settings(
                dsn="http://key@localhost/1",
                budget="100/month",
                rates={"/a": asgi_sentry.Rate.adaptive("5/second")},
            )
            asgi_sentry.init(settings)
            async def plain(scope, receive, send): ...
            app = asgi_sentry.wrap(plain)
            """,
            "the DSN stands in the code",
        ),
    ],
)
def test_known_mistakes_are_warned_of(capsys, app, text, said):
    report = found(capsys, app(text), "--offline")
    assert any(said in each for each in report["warnings"]), report["warnings"]
    assert cli.main(("check", "checked_app:app", "--offline", "--strict")) == 1


def test_rates_that_ask_for_more_than_the_budget_are_warned_of(monkeypatch, capsys, app):
    monkeypatch.setenv("SENTRY_DSN", "http://key@localhost/1")
    monkeypatch.setenv("ASGI_SENTRY_BUDGET", "100/month")
    text = """
        import asgi_sentry
        rates = {"/a": asgi_sentry.Rate(1.0, at_least="1/minute")}
        asgi_sentry.init(asgi_sentry.Settings(dsn="http://key@localhost/1", budget="100/month", rates=rates))
        async def plain(scope, receive, send): ...
        app = asgi_sentry.wrap(plain)
        """
    assert any("44,640 transactions" in each for each in found(capsys, app(text), "--offline")["warnings"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"SENTRY_TRACES_SAMPLE_RATE": "1"}, "every request of production"),
        ({}, "no release is known"),
    ],
)
def test_settings_that_cost_are_warned_of(monkeypatch, capsys, options, said):
    monkeypatch.setenv("SENTRY_DSN", "http://key@localhost/1")
    for name, value in options.items():
        monkeypatch.setenv(name, value)
    assert any(said in each for each in found(capsys, "--offline")["warnings"])


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("checked_app", "module:attribute"),
        ("nowhere_at_all:app", "no module 'nowhere_at_all'"),
        ("checked_app:nothing", "no attribute 'nothing'"),
        ("checked_app:number", "int can't be called"),
    ],
)
def test_an_app_that_can_not_be_imported_is_told(capsys, app, target, said):
    app("number = 3")
    code, _, err = run(capsys, target, "--offline")
    assert code == 1
    assert said in err


def test_what_an_app_raises_is_told_by_its_type_alone(capsys, app):
    app("raise RuntimeError('password=hunter2')")
    code, _, err = run(capsys, "checked_app:app", "--offline")
    assert (code, "RuntimeError" in err, "hunter2" in err) == (1, True, False)


# -- over the network --------------------------------------------------------------------------------------------------


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_host_that_does_not_answer_is_a_problem(monkeypatch, capsys):
    monkeypatch.setenv("SENTRY_DSN", f"http://key@127.0.0.1:{closed_port()}/1")
    code, _, err = run(capsys)
    assert code == 1
    assert "127.0.0.1 does not answer" in err


def test_one_error_and_one_transaction_are_sent_and_their_ids_told(monkeypatch, capsys):
    with Sink() as target:
        monkeypatch.setenv("SENTRY_DSN", target.dsn)
        report = found(capsys, "--send")
        (event,), (transaction,) = target.items("event"), target.items("transaction")
    assert report["sent"] == {"error": event.json()["event_id"], "transaction": transaction.json()["event_id"]}
    assert event.json()["environment"] == "production"
    assert event.json()["exception"]["values"][0]["type"] == "CheckError"
    assert transaction.json()["transaction"] == "asgi-sentry check"
    assert report["reached"] == {"127.0.0.1": "answers"}


def test_a_refusal_is_told(monkeypatch, capsys):
    with Sink(max_body_bytes=10) as target:
        monkeypatch.setenv("SENTRY_DSN", target.dsn)
        code, _, err = run(capsys, "--send")
    assert code == 1
    assert "127.0.0.1 refused what was sent: 413" in err


def test_there_is_nothing_to_send_to_without_a_dsn(capsys):
    code, _, err = run(capsys, "--send")
    assert code == 1
    assert "SENTRY_DSN is not set" in err


@pytest.mark.service("redis-server")
@pytest.mark.skipif(BINARY is None, reason="redis-server is not installed")
def test_what_is_left_of_shared_budgets_is_told(monkeypatch, capsys):
    server = Server()
    monkeypatch.setenv("ASGI_SENTRY_BUDGET", "100/day")
    monkeypatch.setenv("ASGI_SENTRY_REDIS_URL", server.url)
    try:
        report = found(capsys)
    finally:
        server.kill()
    assert "100 of 100 left" in report["budgets"]["budget"]
    assert report["reached"]["Redis"] == "answers"
    code, out, err = run(capsys)
    assert (code, "no answer" in out, "Redis does not answer" in err) == (1, True, True)


def test_who_knows_what_is_left_of_a_budget_that_is_not_shared_is_told(monkeypatch, capsys):
    monkeypatch.setenv("ASGI_SENTRY_ERROR_BUDGET", "100/day")
    assert "error_budget  each process knows its own" in run(capsys)[1]
