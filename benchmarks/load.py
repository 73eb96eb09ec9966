"""Load on loopback: by wrk where it is installed, else by raw sockets from a process of its own.

`python -m benchmarks.load PORT SECONDS PATH TRACE STATUS` is the latter, and prints what wrk would.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.harness import ROOT, BenchmarkError
from benchmarks.traffic import HEADERS

CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """One kind of request, as it is sent over and over."""

    path: str  # NUMBER in it is another number each time
    trace: bool = False  # whether trace headers come in, which leave the sampling to us
    status: int = 200  # of the answers

    @property
    def closes(self) -> bool:
        """Whether each request has a connection of its own: uvicorn hangs up on the client whose request failed."""
        return self.status >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of some seconds of load; latencies in milliseconds."""

    requests: int
    seconds: float
    failed: int  # no answer, or one with another status than it should have
    p50: float
    p90: float
    p99: float


def generator() -> str:
    """Which one is used."""
    return "wrk" if shutil.which("wrk") else "benchmarks.load (raw sockets)"


def put(port: int, traffic: Traffic, seconds: float) -> Load:
    """Load a server that listens on this port."""
    if shutil.which("wrk"):
        return _by_wrk(port, traffic, seconds)
    described = [traffic.path, str(int(traffic.trace)), str(traffic.status)]
    command = [sys.executable, "-m", "benchmarks.load", str(port), str(seconds), *described]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout))


def _headers(traffic: Traffic) -> dict[str, str]:
    """The twelve headers, and those of a trace; capitals stand for what differs."""
    sent = {name.decode(): value.decode() for name, value in HEADERS if name != b"connection"}
    sent["Host"] = sent.pop("host")  # as wrk writes it: of any other spelling it sends a second one, which h11 refuses
    sent["authorization"] = "Bearer HEX"
    sent["cookie"] = "sessionid=HEX; theme=dark; csrftoken=HEX"
    sent["x-request-id"] = "HEX"
    if traffic.closes:
        sent["connection"] = "close"
    if traffic.trace:
        sent["sentry-trace"] = "TRACE-2222222222222222"
        sent["baggage"] = (
            "sentry-trace_id=TRACE,sentry-sample_rand=RAND,sentry-environment=production,sentry-release=web%401,"
            "sentry-public_key=49d0f7386ad645858ae85020e393bef3"
        )
    return sent


_SCRIPT = """
-- Each request has credentials, ids and a trace of its own.
local function hex(digits)
  local made = {}
  for i = 1, digits / 4 do made[i] = string.format("%04x", math.random(0, 65535)) end
  return table.concat(made)
end
local template
init = function(args)
  math.randomseed(SEED)
  template = wrk.format("GET", nil, {HEADERS})
end
request = function()
  local id, rand = hex(32), string.format("0.%06d", math.random(0, 999999))
  local made = template:gsub("NUMBER", tostring(math.random(0, 2147483647))):gsub("TRACE", id)
  return (made:gsub("RAND", rand):gsub("HEX", function() return hex(32) end))
end
done = function(summary, latency, _)
  local e = summary.errors
  local failed = e.connect + e.read + e.write + e.timeout
  io.write(string.format("RESULT %d %d %d %d %d %d %d\\n", summary.requests, summary.duration, failed, e.status,
    latency:percentile(50), latency:percentile(90), latency:percentile(99)))
end
"""
_RESULT = re.compile(r"RESULT (\d+) (\d+) (\d+) (\d+) (\d+) (\d+) (\d+)")


def _by_wrk(port: int, traffic: Traffic, seconds: float) -> Load:
    headers = ", ".join(f"[{json.dumps(k)}] = {json.dumps(v)}" for k, v in _headers(traffic).items())
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "requests.lua"
        seed = str(time.time_ns() % 2**31)
        script.write_text(_SCRIPT.replace("SEED", seed).replace("HEADERS", headers))
        url = f"http://127.0.0.1:{port}{traffic.path}"
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", "-s", str(script), url]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = _RESULT.search(done.stdout)
    if found is None:
        raise BenchmarkError(f"wrk printed no result: {done.stdout} {done.stderr}")
    requests, micros, failed, errors, p50, p90, p99 = map(int, found.groups())
    failed += errors if traffic.status < 400 else requests - errors  # wrk counts what is 400 and above
    return Load(requests=requests, seconds=micros / 1e6, failed=failed, p50=p50 / 1e3, p90=p90 / 1e3, p99=p99 / 1e3)


def _filled(template: str) -> bytes:
    """A request with credentials, ids and a trace of its own."""
    text = template.replace("TRACE", f"{random.getrandbits(128):032x}")
    text = text.replace("NUMBER", str(random.getrandbits(30)))
    text = text.replace("RAND", f"0.{random.randrange(10**6):06d}")
    return re.sub("HEX", lambda _: f"{random.getrandbits(128):032x}", text).encode()


async def _connection(port: int, traffic: Traffic, template: str, until: float, latencies: list[float]) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    failed = 0
    while time.perf_counter() < until:
        request = _filled(template)
        if traffic.closes and writer.is_closing():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length is not None else 0)
        latencies.append(time.perf_counter() - began)
        failed += not head.startswith(b"HTTP/1.1 %d" % traffic.status)
        if traffic.closes:
            writer.close()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return failed


async def _by_sockets(port: int, traffic: Traffic, seconds: float) -> Load:
    lines = [f"GET {traffic.path} HTTP/1.1", *(f"{name}: {value}" for name, value in _headers(traffic).items())]
    template = "\r\n".join([*lines, "", ""])
    latencies: list[float] = []
    began = time.perf_counter()
    every = [_connection(port, traffic, template, began + seconds, latencies) for _ in range(CONNECTIONS)]
    failed = sum(await asyncio.gather(*every))
    spent = time.perf_counter() - began
    ordered = sorted(latencies)
    p50, p90, p99 = (ordered[int((len(ordered) - 1) * share)] * 1e3 for share in (0.5, 0.9, 0.99))
    return Load(requests=len(ordered), seconds=spent, failed=failed, p50=p50, p90=p90, p99=p99)


if __name__ == "__main__":
    _port, _seconds, _path, _trace, _status = sys.argv[1:]
    _traffic = Traffic(path=_path, trace=_trace == "1", status=int(_status))
    _load = asyncio.run(_by_sockets(int(_port), _traffic, float(_seconds)))
    print(json.dumps(asdict(_load)))
