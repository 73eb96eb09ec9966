"""The command line: what it prints, where, and with which exit code."""

from __future__ import annotations

import gzip
import http.client
import io
import json
import os
import signal
import subprocess
import sys

import pytest
from hypothesis import given

from asgi_sentry._scrubbing import FILTERED
from asgi_sentry.tools import cli, demo
from asgi_sentry.tools.check import version
from asgi_sentry.tools.sink import Item, Received, Sink, parse_envelope
from tests.redis_server import BINARY, Server
from tests.strategies import credentials

EVENT = {
    "event_id": "0" * 32,
    "message": "mail to bob@example.com",
    "request": {"headers": {"X-Api-Key": "hunter2hunter2"}, "data": {"list": [{"password": "hunter2"}]}},
}


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("SENTRY_", "ASGI_SENTRY_")):
            monkeypatch.delenv(name)


def run(capsys, *arguments: str) -> tuple[int, str, str]:
    code = cli.main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


# -- scrub -------------------------------------------------------------------------------------------------------------


def test_an_event_is_printed_as_it_would_be_sent(tmp_path, capsys):
    file = tmp_path / "event.json"
    file.write_text(json.dumps(EVENT))
    code, out, err = run(capsys, "scrub", str(file))
    sent = json.loads(out)
    assert code == 0
    assert sent["event_id"] == EVENT["event_id"]
    assert sent["message"] == f"mail to {FILTERED}"
    assert sent["request"]["headers"] == {"X-Api-Key": FILTERED}
    assert sent["request"]["data"] == {"list": [{"password": FILTERED}]}
    rows = {tuple(line.split()) for line in err.splitlines()}
    assert {("where", "rule"), ("message", "@email"), ("request.data.list[0].password", "@password")} <= rows
    assert "hunter2" not in out + err


@pytest.mark.parametrize(
    ("name", "body", "printed"),
    [
        ("body.json", b'{"user": "bob", "password": "hunter2"}', '{\n  "user": "bob",\n  "password": "[Filtered]"\n}'),
        ("notes.txt", b"ask bob@example.com", "ask [Filtered]"),
        ("list.json", b"[1, 2]", "[\n  1,\n  2\n]"),
        ("empty.txt", b"", ""),
    ],
)
def test_a_body_is_printed_as_it_would_be_sent(tmp_path, capsys, name, body, printed):
    (tmp_path / name).write_bytes(body)
    code, out, err = run(capsys, "scrub", str(tmp_path / name))
    assert (code, out.rstrip("\n")) == (0, printed)
    assert ("nothing was redacted" in err) == (FILTERED not in printed)


def test_standard_input_is_read(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"token": "abcdefgh"}')))
    code, out, err = run(capsys, "scrub", "-")
    assert (code, json.loads(out)) == (0, {"token": FILTERED})
    assert "token" in err


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_an_envelope_is_shown_item_by_item(tmp_path, capsys, pack):
    event, attachment = json.dumps(EVENT).encode(), b"password=hunter2 x"
    log = {"items": [{"body": "token=hunter2-abc", "attributes": {}}]}
    lines = [
        b'{"event_id": "' + b"1" * 32 + b'", "trace": {"user": "bob@example.com"}}',
        json.dumps({"type": "event", "length": len(event)}).encode(),
        event,
        json.dumps({"type": "attachment", "length": len(attachment)}).encode(),
        attachment,
        b'{"type": "log"}',
        json.dumps(log).encode(),
    ]
    (tmp_path / "envelope").write_bytes(pack(b"\n".join(lines)))
    code, out, err = run(capsys, "scrub", str(tmp_path / "envelope"))
    assert code == 0
    headers, *items = json.loads(out)
    assert headers["trace"] == {"user": FILTERED}
    assert [item["type"] for item in items] == ["event", "attachment", "log"]
    assert items[1]["payload"] == f"password={FILTERED} x"
    assert "[1].payload.request.data.list[0].password" in err
    assert "[3].payload.items[0].body" in err
    assert "hunter2" not in out + err


def test_what_was_redacted_is_listed_in_the_order_of_the_document(tmp_path, capsys):
    (tmp_path / "a.json").write_text(json.dumps([{"b": "bob@example.com", "password": "x1"}, {"token": "y2"}]))
    rows = [line.split()[0] for line in run(capsys, "scrub", str(tmp_path / "a.json"))[2].splitlines()]
    assert rows == ["where", "[0].b", "[0].password", "[1].token"]


def test_whatever_is_in_a_document_can_be_shown(tmp_path, capsys):
    value = {"a\x1b[31m\n": {"password": "x1"}, "half": "\ud800", "k" * 300: {"password": "x1"}}
    (tmp_path / "a.json").write_text(json.dumps(value))
    code, out, err = run(capsys, "scrub", str(tmp_path / "a.json"))
    assert code == 0
    assert json.loads(out)["half"] == "\ud800"
    assert "\x1b" not in out + err
    assert all(line.isprintable() and len(line) < 160 for line in err.splitlines())


def test_a_file_that_is_not_there_is_named(tmp_path, capsys):
    code, out, err = run(capsys, "scrub", str(tmp_path / "none.json"))
    assert (code, out) == (2, "")
    assert "none.json can't be read: No such file" in err


# -- check -------------------------------------------------------------------------------------------------------------


@pytest.mark.service("redis-server")
@pytest.mark.skipif(BINARY is None, reason="redis-server is not installed")
def test_check_tells_what_is_left_of_shared_budgets(monkeypatch, capsys):
    server = Server()
    monkeypatch.setenv("ASGI_SENTRY_BUDGET", "100/day")
    monkeypatch.setenv("ASGI_SENTRY_REDIS_URL", server.url)
    try:
        assert "budget  100 of 100 left" in run(capsys, "check")[1]
    finally:
        server.kill()
    code, out, _ = run(capsys, "check")
    assert (code, "Redis does not answer" in out) == (0, True)


def test_check_says_who_knows_what_is_left_of_a_budget_that_is_not_shared(monkeypatch, capsys):
    monkeypatch.setenv("ASGI_SENTRY_ERROR_BUDGET", "100/day")
    assert "error_budget  each process knows its own" in run(capsys, "check")[1]


def test_check_prints_what_is_in_force(monkeypatch, capsys):
    monkeypatch.setenv("SENTRY_DSN", "https://0123456789abcdef@o1.ingest.sentry.io/42")
    monkeypatch.setenv("ASGI_SENTRY_RATES", "/api/chat=0.1")
    monkeypatch.setenv("SENTRY_TRACES_SAMPLE_RATE", "0.25")
    code, out, err = run(capsys, "check")
    assert (code, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["SENTRY_DSN", "'https://[hidden]@o1.ingest.sentry.io/42'", "set"] in rows
    assert ["SENTRY_TRACES_SAMPLE_RATE", "0.25", "set"] in rows
    assert ["SENTRY_ENVIRONMENT", "'production'", "default"] in rows
    assert ["errors", "sent", "to", "o1.ingest.sentry.io"] in rows
    assert "25.0% of the requests" in out
    assert "0123456789abcdef" not in out
    assert ["sentry-sdk", version("sentry-sdk")] in [row[:2] for row in rows]
    assert {"fastapi", "starlette", "litestar"} <= {row[0] for row in rows if row}


def test_check_says_that_sentry_is_off_without_a_dsn(capsys):
    code, out, _ = run(capsys, "check")
    assert code == 0
    assert "off: SENTRY_DSN is not set" in out


def test_check_tells_everything_that_is_wrong(monkeypatch, capsys):
    monkeypatch.setenv("SENTRY_DSN", "https://0123456789abcdef@host/x")
    monkeypatch.setenv("SENTRY_DEBUG", "maybe")
    code, out, err = run(capsys, "check")
    assert (code, out) == (1, "")
    assert "2 settings are wrong" in err
    assert "SENTRY_DSN held 'https://[hidden]@host/[hidden]'" in err
    assert "SENTRY_DEBUG held 'maybe'" in err
    assert "0123456789abcdef" not in err


@given(credentials())
def test_check_never_shows_a_credential(key):
    output = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", output)
        patch.setattr(sys, "stderr", output)
        for dsn in (f"https://{key}@host/1", f"https://{key}:{key}@host/1", f"https://{key}", key, f"h://{key}@h/1"):
            patch.setenv("SENTRY_DSN", dsn)
            patch.setenv("ASGI_SENTRY_REDIS_URL", f"redis://:{key}@host/0")
            cli.main(["check"])
    assert "settings" in output.getvalue()
    assert key not in output.getvalue()


def test_check_sends_an_event_and_tells_that_it_was_accepted(monkeypatch, capsys):
    with Sink() as target:
        monkeypatch.setenv("SENTRY_DSN", target.dsn)
        code, out, err = run(capsys, "check", "--send")
        (event,) = target.items("event")
    assert (code, err) == (0, "")
    assert f"127.0.0.1 accepted the test event {event.json()['event_id']}" in out
    assert event.json()["environment"] == "production"


def test_check_tells_that_an_event_was_refused(monkeypatch, capsys):
    with Sink(max_body_bytes=10) as target:
        monkeypatch.setenv("SENTRY_DSN", target.dsn)
        code, _, err = run(capsys, "check", "--send")
    assert code == 1
    assert "127.0.0.1 refused the test event: 413" in err


def test_check_has_nothing_to_send_to_without_a_dsn(capsys):
    code, _, err = run(capsys, "check", "--send")
    assert code == 1
    assert "SENTRY_DSN is not set" in err


# -- sink --------------------------------------------------------------------------------------------------------------


def test_the_sink_prints_a_line_for_each_item():
    command = [sys.executable, "-m", "asgi_sentry.tools.cli", "sink"]
    # A shell that starts the tests in the background has them, and so what they start, ignore an interrupt.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    finally:
        signal.signal(signal.SIGINT, before)
    try:
        dsn = process.stdout.readline().strip().removeprefix("SENTRY_DSN=")
        connection = http.client.HTTPConnection("127.0.0.1", int(dsn.rsplit(":", 1)[1].split("/")[0]), timeout=20)
        body = b'{}\n{"type":"event"}\n{"message":"hi"}\n{"type":"session"}\n{"status":"exited"}\n'
        connection.request("POST", "/shop/api/1/envelope/?sentry_key=k", body)
        assert connection.getresponse().status == 200
        connection.close()
        lines = [process.stdout.readline().split() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
    finally:
        process.kill()
        process.communicate()
    assert lines == [["event", "/shop", "16", "B", "hi"], ["session", "/shop", "19", "B", "exited"]]


@pytest.mark.parametrize(
    ("kind", "payload", "told"),
    [
        ("event", {"exception": {"values": [{"type": "A"}, {"type": "KeyError", "value": "x"}]}}, "KeyError: x"),
        ("event", {"logentry": {"message": "hello"}}, "hello"),
        ("transaction", {"transaction": "GET /x"}, "GET /x"),
        ("log", {"items": [1, 2, 3]}, "3 items"),
        ("client_report", {"discarded_events": [{"reason": "r", "category": "c", "quantity": 2}]}, "2 c (r)"),
        ("event", {"message": "a\x1b[31mred\n"}, "a\ufffd[31mred\ufffd"),
        ("event", [], ""),
        ("event", {"exception": None}, ""),
    ],
)
def test_an_item_is_told_in_a_line(kind, payload, told):
    item = Item(headers={"type": kind}, payload=json.dumps(payload).encode())
    envelope = parse_envelope(b"{}\n")
    line = cli._item_line(Received(prefix="", project="1", key="k", raw=b"", envelope=envelope), item)
    assert line.isprintable()
    assert line.split(" B", 1)[1].strip() == told


def test_a_port_in_use_is_told(capsys):
    with Sink() as other:
        code, _, err = run(capsys, "sink", "--port", str(other.port))
    assert code == 1
    assert f"port {other.port} can't be listened on" in err


# -- demo and the rest -------------------------------------------------------------------------------------------------


def test_the_demo_says_how_to_install_what_it_needs(monkeypatch, capsys):
    monkeypatch.setattr(demo, "missing", lambda: ["rich", "httpx"])
    code, _, err = run(capsys, "demo")
    assert code == 2
    assert "pip install 'asgi-sentry[demo]' (missing: rich, httpx)" in err


def test_the_demo_passes_its_options_on(monkeypatch):
    from asgi_sentry.tools.demo import run as module

    seen = {}
    monkeypatch.setattr(module, "run", lambda **options: seen.update(options) or 1)
    assert cli.main(["demo", "--requests", "7", "--seed", "3", "--dsn", "http://k@h/1"]) == 1
    assert seen == {"dsn": "http://k@h/1", "requests": 7, "seed": 3}


def test_a_demo_that_can_not_run_is_told(monkeypatch, capsys):
    from asgi_sentry.tools.demo import run as module

    def fail(**_):
        raise module.DemoError("the fastapi app did not start")

    monkeypatch.setattr(module, "run", fail)
    code, _, err = run(capsys, "demo")
    assert code == 1
    assert "the fastapi app did not start" in err


@pytest.mark.parametrize(
    "arguments",
    [[], ["nothing"], ["demo", "--requests", "0"], ["demo", "--requests", "x"], ["demo", "--dsn", "https://s3cr3t/1"],
     ["sink", "--port", "70000"], ["scrub"], ["check", "more"]],
)  # fmt: skip
def test_a_wrong_call_is_refused(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        cli.main(arguments)
    err = capsys.readouterr().err
    assert caught.value.code == 2
    assert "usage: asgi-sentry" in err
    assert "s3cr3t" not in err


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path):
    (tmp_path / "big.json").write_text(json.dumps(list(range(200_000))))
    command = f"{sys.executable} -m asgi_sentry.tools.cli scrub {tmp_path / 'big.json'} 2>{tmp_path / 'err'} | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[\n"
    assert "Traceback" not in (tmp_path / "err").read_text()


def test_the_core_needs_nothing_of_the_demo():
    """Importing the command line imports nothing that is only in an extra."""
    code = "import sys, asgi_sentry.tools.cli; print([m for m in ('rich', 'httpx', 'uvicorn') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
