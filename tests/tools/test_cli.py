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

import asgi_sentry
from asgi_sentry._scrubbing import FILTERED
from asgi_sentry.tools import cli, demo
from asgi_sentry.tools.sink import Item, Received, Sink, parse_envelope
from asgi_sentry.tools.sink.command import item_line

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


def test_several_files_are_printed_one_by_one_and_a_missing_one_is_told(tmp_path, capsys):
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_text('{"password": "hunter2"}')
    files = [str(tmp_path / name) for name in ("a.json", "none.json", "b.json")]
    code, out, err = run(capsys, "scrub", *files)
    assert (code, out.count("[Filtered]"), "none.json can't be read" in err) == (2, 2, True)
    code, out, err = run(capsys, "scrub", "--json", files[0], files[2])
    told = [json.loads(line) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert [each["file"] for each in told] == [files[0], files[2]]
    assert told[0]["redacted"] == [{"where": "password", "rule": "@password"}]
    assert told[0]["scrubbed"] == {"password": "[Filtered]"}


def test_without_a_file_standard_input_is_read(monkeypatch, capsys):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"token": "abcdefgh"}')))
    assert json.loads(run(capsys, "scrub")[1]) == {"token": FILTERED}


SUSPECT = {
    "event_id": "0" * 32,
    "message": "call +49 170 1234567",
    "extra": {"note": "Zx81kQp9Lm3nV7rTa2B4"},
    "request": {"headers": {"X-Api-Key": "hunter2hunter2"}},
}


def test_suspects_are_listed_each_with_a_line_to_copy(tmp_path, capsys):
    (tmp_path / "event.json").write_text(json.dumps(SUSPECT))
    (tmp_path / "fine.json").write_text(json.dumps({"event_id": "0" * 32, "message": "nothing"}))
    file = str(tmp_path / "event.json")
    code, out, err = run(capsys, "scrub", "--suspects", file, str(tmp_path / "fine.json"))
    assert code == 1
    lines = out.splitlines()
    assert lines[0].startswith(f"{file}: message: +49")
    assert lines[2].startswith(f"{file}: extra.note: Zx81")
    assert lines[4:] == [f"{tmp_path / 'fine.json'}: nothing looks like a secret or personal data"]
    for number, wanted in ((1, "message"), (3, "extra.note")):
        scrubber = eval(lines[number], {name: getattr(asgi_sentry, name) for name in asgi_sentry.__all__})
        event = json.loads(json.dumps(SUSPECT))
        scrubber.scrub_event(event)
        assert FILTERED in str(event["message"] if wanted == "message" else event["extra"]["note"])
    assert f"{file}: @password redacted; if that is a false alarm: Scrubber(allow=('X-Api-Key',))" in err
    assert "1234567" not in out + err
    assert "kQp9Lm3n" not in out + err


def test_suspects_as_json_and_their_exit_codes(tmp_path, capsys, monkeypatch):
    (tmp_path / "event.json").write_text(json.dumps(SUSPECT))
    code, out, err = run(capsys, "scrub", "--suspects", "--json", str(tmp_path / "event.json"))
    told = json.loads(out)
    assert (code, err) == (1, "")
    assert [suspect["path"] for suspect in told["suspects"]] == ["message", "extra.note"]
    assert set(told["suspects"][0]) == {"path", "preview", "reason", "suggestion"}
    assert told["redacted"] == [{"rule": "@password", "suggestion": "Scrubber(allow=('X-Api-Key',))"}]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'{"a": 1}')))
    assert run(capsys, "scrub", "--suspects")[0] == 0
    assert run(capsys, "scrub", "--suspects", str(tmp_path / "none.json"), str(tmp_path / "event.json"))[0] == 2


@pytest.mark.measured_processes
def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "asgi_sentry", "--version"], capture_output=True, check=True, text=True
    )
    assert done.stdout.startswith("asgi-sentry ")


# -- sink --------------------------------------------------------------------------------------------------------------


@pytest.mark.measured_processes
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
        ("event", {"message": "a\x1b[31mred\n"}, "a\ufffd[31mred"),
        ("event", [], "(a list)"),
        ("event", {"exception": None}, "(no message)"),
        ("event", {"exception": "x", "logentry": [], "message": 7}, "7"),
    ],
)
def test_an_item_is_told_in_a_line(kind, payload, told):
    item = Item(headers={"type": kind}, payload=json.dumps(payload).encode())
    envelope = parse_envelope(b"{}\n")
    line = item_line(Received(prefix="", project="1", key="k", raw=b"", envelope=envelope), item)
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
    assert seen == {"dsn": "http://k@h/1", "requests": 7, "seed": 3, "serve": False, "port": 0}


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
     ["sink", "--port", "70000"], ["scrub", "--more"], ["check", "a:b", "more"]],
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
    extra = ("rich", "httpx", "uvicorn", "jinja2", "starlette")
    code = f"import sys, asgi_sentry.tools.cli; print([m for m in {extra} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
