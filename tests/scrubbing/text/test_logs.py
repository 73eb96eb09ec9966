# ruff: noqa: E501 - lines of logs are long
"""Log files in the formats of well-known programs: nothing in them is a secret, so that next to nothing may change."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from asgi_sentry._scrubbing import Scrubber

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.untraced

LINES = 4000
LIMIT = 0.003  # of the lines
SCRUBBER = Scrubber()


def ip(dice: Random) -> str:
    return ".".join(str(dice.randrange(1, 255)) for _ in range(4))


def user(dice: Random) -> str:
    return dice.choice(["root", "admin", "test", "oracle", "webmaster", "pgadmin", "ubuntu", "cyrus"])


def clock(dice: Random) -> str:
    return f"{dice.randrange(24):02}:{dice.randrange(60):02}:{dice.randrange(60):02}"


def syslog(dice: Random) -> str:
    at = f"{dice.choice(['Jun', 'Jul', 'Nov'])} {dice.randrange(1, 30):2} {clock(dice)} combo"
    pid = dice.randrange(100, 40_000)
    return at + dice.choice(
        [
            f" sshd(pam_unix)[{pid}]: authentication failure; logname= uid=0 euid=0 tty=NODEVssh ruser= rhost={ip(dice)} ",
            f" su(pam_unix)[{pid}]: session opened for user {user(dice)} by (uid=0)",
            f" su(pam_unix)[{pid}]: session closed for user {user(dice)}",
            f" sshd(pam_unix)[{pid}]: check pass; user unknown",
            f" ftpd[{pid}]: connection from {ip(dice)} (host-{pid}.example.net) at Sat Jun 18 {clock(dice)} 2005",
            " logrotate: ALERT exited abnormally with [1]",
            f" kernel: audit(1122475266.4294965305:0): initialized, Kernel command line: ro root=LABEL=/ rhgb quiet {pid}",
            f" gpm[{pid}]: *** info [mice.c(1766)]: imps2: Auto-detected intellimouse PS/2",
            f" sudo:   ubuntu : TTY=pts/0 ; PWD=/home/ubuntu/scripts ; USER=root ; COMMAND=/usr/bin/vim x{pid}",
            f" systemd-logind[{pid}]: New session {pid} of user {user(dice)}.",
            f" CRON[{pid}]: pam_unix(cron:session): session closed for user {user(dice)}",
        ]
    )


def openssh(dice: Random) -> str:
    pid, port = dice.randrange(20_000, 30_000), dice.randrange(1024, 65_000)
    return f"Dec 10 {clock(dice)} LabSZ sshd[{pid}]: " + dice.choice(
        [
            f"Failed password for invalid user {user(dice)} from {ip(dice)} port {port} ssh2",
            f"Failed password for {user(dice)} from {ip(dice)} port {port} ssh2",
            f"pam_unix(sshd:auth): check pass; user unknown, port {port}",
            f"pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip(dice)}  user=root",
            f"Received disconnect from {ip(dice)}: 11: Bye Bye [preauth]",
            f"message repeated 5 times: [ Failed password for root from {ip(dice)} port {port} ssh2]",
            f"Accepted password for fztu from {ip(dice)} port {port} ssh2",
            f"Accepted publickey for deploy from {ip(dice)} port {port} ssh2: RSA SHA256:mVPwvezndPv/ARoIadVY98vAC0g",
            f"PAM 5 more authentication failures; logname= uid=0 euid=0 tty=ssh ruser= rhost={ip(dice)}  user=root",
            f"reverse mapping checking getaddrinfo for ns.marryaldkfaczcz.com [{ip(dice)}] failed - POSSIBLE BREAK-IN!",
            f"error: Received disconnect from {ip(dice)}: 3: com.jcraft.jsch.JSchException: Auth fail [preauth]",
        ]
    )


def zookeeper(dice: Random) -> str:
    session = f"0x{dice.getrandbits(60):x}"
    where = f"{ip(dice)}:{dice.randrange(1024, 65_000)}"
    return f"2015-07-29 {clock(dice)},{dice.randrange(1000):03} - " + dice.choice(
        [
            f"INFO  [NIOServerCxn.Factory:0.0.0.0/0.0.0.0:2181:NIOServerCnxn@1001] - Closed socket connection for client /{where} which had sessionid {session}",
            f"WARN  [NIOServerCxn.Factory:0.0.0.0/0.0.0.0:2181:NIOServerCnxn@349] - caught end of stream exception, EndOfStreamException: Unable to read additional data from client sessionid {session}, likely client has closed socket",
            f"INFO  [NIOServerCxn.Factory:0.0.0.0/0.0.0.0:2181:ZooKeeperServer@832] - Client attempting to renew session {session} at /{where}",
            f"INFO  [SessionTracker:ZooKeeperServer@325] - Expiring session {session}, timeout of 10000ms exceeded",
            f"INFO  [ProcessThread(sid:{dice.randrange(3)} cport:-1)::PrepRequestProcessor@476] - Processed session termination for sessionid: {session}",
            f"INFO  [CommitProcessor:1:NIOServerCnxn@1435] - Invalid session {session} for client /{where}, probably expired",
            f"WARN  [RecvWorker:188978561024:QuorumCnxManager$RecvWorker@765] - Interrupting SendWorker {dice.randrange(9)}",
            f"INFO  [QuorumPeer[myid=1]/0:0:0:0:0:0:0:0:2181:Environment@100] - Server environment:java.io.tmpdir=/tmp{dice.randrange(9)}",
            f"INFO  [LearnerHandler-/{where}:LearnerHandler@535] - Received NEWLEADER-ACK message from {dice.randrange(4)}",
        ]
    )


def hadoop(dice: Random) -> str:
    job = f"1445{dice.randrange(10**9):09}_00{dice.randrange(100):02}"
    return f"2015-10-18 {clock(dice)},{dice.randrange(1000):03} " + dice.choice(
        [
            f"INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: Created MRAppMaster for application appattempt_{job}_000001",
            f"INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: Executing with tokens: {dice.randrange(9)}",
            f"INFO [main] org.apache.hadoop.mapreduce.v2.app.MRAppMaster: Kind: YARN_AM_RM_TOKEN, Service: , Ident: (appAttemptId {{ application_id {{ id: 20 cluster_timestamp: {job[:13]} }} attemptId: 1 }} keyId: -127633188)",
            f"INFO [AsyncDispatcher event handler] org.apache.hadoop.mapreduce.v2.app.job.impl.TaskAttemptImpl: attempt_{job}_m_000000_0 TaskAttempt Transitioned from NEW to UNASSIGNED",
            f"INFO [main] org.apache.hadoop.mapred.MapTask: mapreduce.task.io.sort.mb: {dice.randrange(500)}",
            f"WARN [LeaseRenewer:msrabi@msra-sa-41:9000] org.apache.hadoop.hdfs.LeaseRenewer: Failed to renew lease for [DFSClient_NONMAPREDUCE_{dice.randrange(10**9)}_1] for {dice.randrange(900)} seconds.  Will retry shortly ...",
            f"INFO [RMCommunicator Allocator] org.apache.hadoop.mapreduce.v2.app.rm.RMContainerAllocator: Before Scheduling: PendingReds:0 ScheduledMaps:{dice.randrange(10)} AssignedReds:0",
            f"INFO [Socket Reader #1 for port 62260] SecurityLogger.org.apache.hadoop.ipc.Server: Auth successful for job_{job} (auth:SIMPLE)",
            f"INFO [IPC Server handler {dice.randrange(30)} on 62270] org.apache.hadoop.mapred.TaskAttemptListenerImpl: JVM with ID: jvm_{job}_m_000005 given task: attempt_{job}_m_000003_0",
        ]
    )


def spark(dice: Random) -> str:
    number = dice.randrange(10_000)
    return f"17/06/09 {clock(dice)} INFO " + dice.choice(
        [
            "spark.SecurityManager: SecurityManager: authentication disabled; ui acls disabled; users with view permissions: Set(yarn, curi); users with modify permissions: Set(yarn, curi)",
            f"executor.CoarseGrainedExecutorBackend: Got assigned task {number}",
            f"storage.MemoryStore: Block broadcast_{number}_piece0 stored as bytes in memory (estimated size 5.5 KB, free 317.5 KB)",
            f"storage.BlockManager: Found block rdd_42_{number % 50} locally",
            f"python.PythonRunner: Times: total = {number}, boot = -{number % 90}, init = 88, finish = 0",
            f"broadcast.TorrentBroadcast: Reading broadcast variable {number} took 160 ms",
            f"executor.Executor: Finished task {number % 50}.0 in stage 28.0 (TID {number}). 2364 bytes result sent to driver",
            "slf4j.Slf4jLogger: Slf4jLogger started; Remoting: Starting remoting",
            f"util.Utils: Successfully started service 'sparkExecutorActorSystem' on port {number + 30_000}.",
            f"yarn.Client: Requesting a new application from cluster with {number % 9} NodeManagers, token for yarn: HDFS_DELEGATION_TOKEN {number} for curi",
        ]
    )


def windows(dice: Random) -> str:
    number = dice.randrange(10**8)
    return f"2016-09-28 {clock(dice)}, Info                  " + dice.choice(
        [
            f"CBS    Session: 30546173_{number} initialized by client WindowsUpdateAgent.",
            f"CBS    Loaded Servicing Stack v6.1.7601.23505 with Core: C:\\Windows\\winsxs\\amd64_microsoft-windows-s_31bf3856ad364e35_6.1.7601.23505_none_681aa442f6fed7f0\\cbscore.dll {number}",
            f"CSI    {number:08x}@2016/9/27:20:30:31.455 WcpInitialize (wcp.dll version 0.0.0.6) called (stack @0x7fed806eb5d @0x7fef9fb9b6d)",
            f"CBS    SQM: Initializing online with Windows opt-in: {number % 2 == 0}",
            f"CBS    Read out cached package applicability for package: Package_for_KB2928120~31bf3856ad364e35~amd64~~6.1.1.2, ApplicableState: 112, CurrentState:{number % 200}",
        ]
    )


def openstack(dice: Random) -> str:
    request = f"req-{dice.getrandbits(32):08x}-96a6-4b39-b89f-{dice.getrandbits(48):012x}"
    tenant, owner = f"{dice.getrandbits(128):032x}", f"{dice.getrandbits(128):032x}"
    uuid = f"{dice.getrandbits(32):08x}-9bf5-4a5b-a5b0-{dice.getrandbits(48):012x}"
    return f"nova-api.log.1.2017-05-16_13:53:08 2017-05-16 {clock(dice)}.008 25746 INFO " + dice.choice(
        [
            f'nova.osapi_compute.wsgi.server [{request} {tenant} {owner} - - -] 10.11.10.1 "GET /v2/{owner}/servers/detail HTTP/1.1" status: 200 len: 1893 time: 0.2477829',
            f"nova.compute.manager [{request} - - - - -] [instance: {uuid}] VM Started (Lifecycle Event)",
            f"nova.virt.libvirt.imagecache [{request} - - - - -] image {uuid} at (/var/lib/nova/instances/_base/{dice.getrandbits(160):040x}): checking",
            f'nova.metadata.wsgi.server [-] 10.11.21.{dice.randrange(250)},10.11.10.1 "GET /openstack/2013-10-17/user_data HTTP/1.1" status: 404 len: 176 time: 0.2',
        ]
    )


FORMATS: dict[str, Callable[[Random], str]] = {
    "system log": syslog,
    "OpenSSH": openssh,
    "ZooKeeper": zookeeper,
    "Hadoop": hadoop,
    "Spark": spark,
    "Windows": windows,
    "OpenStack": openstack,
}


@pytest.mark.parametrize("name", FORMATS)
def test_a_log_file_stays(name):
    dice = Random(7)
    lines = [FORMATS[name](dice) for _ in range(LINES)]
    changed = [line for line, after in zip(lines, SCRUBBER.scrub(lines), strict=True) if line != after]
    assert len(changed) < LIMIT * len(lines), changed[:3]


@pytest.mark.parametrize("name", FORMATS)
def test_a_secret_in_one_of_its_lines_goes(name):
    dice = Random(8)
    for _ in range(50):
        secret = f"{dice.getrandbits(100):025x}Q7"
        line = f"{FORMATS[name](dice)} password={secret}"
        assert secret not in SCRUBBER.scrub_text(line)


RESPONSES = {
    "a completion": {
        "id": "chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG",
        "object": "chat.completion",
        "model": "gpt-4.1-2025-04-14",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello!", "refusal": None},
                "logprobs": {"content": [{"token": "Hello", "logprob": -0.31, "bytes": [72], "top_logprobs": []}]},
                "finish_reason": "stop",
            }
        ],
        "usage": {
            "prompt_tokens": 19,
            "completion_tokens": 10,
            "total_tokens": 29,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "input_token_details": {"cached": 3},
            "completion_tokens_details": {"reasoning_tokens": 0},
        },
    },
    "telemetry of a model": {
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 180,
        "gen_ai.response.time_to_first_token": 0.31,
        "gen_ai.token.type": "input",
        "time_to_first_token": 0.31,
        "stop_token_ids": [128001, 128009],
        "token_logprobs": [-0.1, -0.2],
        "eos_token": "</s>",
        "max_new_tokens": 512,
        "tokens_per_second": 61.2,
    },
    "a session": {
        "type": "session.created",
        "session": {
            "type": "realtime",
            "object": "realtime.session",
            "id": "sess_C9CiUVUzUzYIssh3ELY1d",
            "model": "gpt-realtime",
            "output_modalities": ["audio"],
            "tools": [{"type": "function", "name": "colours", "parameters": {"required": ["theme"]}}],
        },
    },
    "a charge": {
        "object": "charge",
        "payment_method_details": {
            "card": {
                "brand": "visa",
                "checks": {"cvc_check": "pass", "address_line1_check": None},
                "exp_month": 8,
                "last4": "4242",
                "fingerprint": "Xt5EWLLDS7FJjR1c",
            },
            "type": "card",
        },
        "balance": {"source_types": {"card": 0}},
    },
    "a repository": {
        "full_name": "octo/hello",
        "ssh_url": "git@github.com:octo/hello.git",
        "license": {"key": "gpl-3.0", "spdx_id": "GPL-3.0"},
        "permissions": {"secrets": "read", "contents": "write"},
        "security_and_analysis": {"secret_scanning": {"status": "enabled"}},
        "hook": {"config": {"secret": "********", "content_type": "json"}},
        "verification": {"verified": True, "signature": "-----BEGIN PGP SIGNATURE-----\n\nwsBcBAABCAAQBQJc3C3", "reason": "valid"},
    },
    "a call": {"sid": None, "CallSid": "CA0f3b9a7c0f3b9a7c0f3b9a7c0f3b9a7c", "AccountSid": "AC0f3b9a7c0f3b9a7c0f3b9a7c0f3b9a7c"},
    "errors of a form": {"password": ["This field is required."], "errors": [["session", "required"]]},
    "the settings of a device": {"gpio_pin": "D4", "otp_attempts": 3, "iban_last4": "3000", "token_bucket": "default"},
    "a message of mail": {"cc": [{"address": "list", "name": "All"}], "auth_status": "pass", "session_state": "open"},
}  # fmt: skip


@pytest.mark.parametrize("name", RESPONSES)
def test_the_answer_of_an_api_stays(name):
    assert Scrubber().scrub(RESPONSES[name]) == RESPONSES[name]


def test_what_is_secret_in_such_an_answer_goes():
    session = {"type": "x", "value": "swordfish", "id": "q7Zp2xLw9Vn4Rk8TdB3m", "expires_at": 12}
    scrubbed = Scrubber().scrub({"session": session, "token": {"object": "token", "data": "swordfish"}})
    assert "swordfish" not in str(scrubbed)
    assert "q7Zp" not in str(scrubbed)
    assert scrubbed["session"]["type"] == "x"
    assert Scrubber().scrub({"session": {"user": "x"}}) == {"session": "[Filtered]"}
