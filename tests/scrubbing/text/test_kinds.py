"""Kinds of secrets that have no rule of their own, each with what looks like it and stays."""

from __future__ import annotations

import string
from random import Random

import pytest

from asgi_sentry._scrubbing import FILTERED, Scrubber
from tests.scrubbing.samples import MIXED

SCRUBBER = Scrubber()
ALNUM = string.ascii_letters + string.digits
S = "{}"  # where the secret stands


@pytest.mark.parametrize("form", [form for forms in MIXED.values() for form in forms])
def test_a_secret_of_letters_and_digits_is_gone(form):
    dice = Random(form)
    for _ in range(20):
        secret = "".join(dice.choices(ALNUM, k=dice.randint(20, 40))) + "x7Q"
        text = form.format(secret)
        scrubbed = SCRUBBER.scrub_text(text)
        assert secret not in scrubbed
        assert FILTERED in scrubbed
        assert SCRUBBER.scrub_text(scrubbed) == scrubbed


WORDS = [
    "curl -u bob:{} https://x.org",
    "sshpass -p {} ssh x",
    "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n[parameters: ('ann', '{}')]",
    "machine x.org login ci password {}",
    "HSET user:1 password {}",
    "password: str = '{}'",
    "Failing row contains (1, {}).",
]


@pytest.mark.parametrize("form", WORDS)
def test_a_password_that_is_a_word_is_gone_where_the_place_is_sure(form):
    assert "swordfish" not in SCRUBBER.scrub_text(form.format("swordfish"))


@pytest.mark.parametrize(
    ("arguments", "secret"),
    [
        (["mysql", "-uroot", "-phunter2", "shop"], "hunter2"),
        (["/usr/bin/curl", "-u", "bob:hunter2", "https://x.org"], "hunter2"),
        (["sudo", "sshpass", "-p", "hunter2", "ssh", "x"], "hunter2"),
        (("redis-cli", "-a", "hunter2", "ping"), "hunter2"),
        (["docker", "login", "-u", "x", "-p", "hunter2"], "hunter2"),
        (["psql", "postgresql://bob:hunter2@db/x"], "hunter2"),
        (["aws", "configure", "set", "aws_secret_access_key", "hunter2"], "hunter2"),
    ],
)
def test_a_list_of_arguments_is_a_command(arguments, secret):
    scrubbed = SCRUBBER.scrub({"argv": arguments})["argv"]
    assert type(scrubbed) is type(arguments)
    assert secret not in str(scrubbed)
    assert sum(a != b for a, b in zip(arguments, scrubbed, strict=True)) == 1


@pytest.mark.parametrize("quote", ["{}", "'{}'"])
def test_parameters_beside_their_statement_take_its_columns_names(quote):
    statement = quote.format("INSERT INTO keys (owner, token) VALUES (?, ?)")
    rows = [("bob", "swordfish"), ("ann", "tuna")]
    scrubbed = SCRUBBER.scrub({"statement": statement, "parameters": rows})
    assert scrubbed["parameters"] == [("bob", FILTERED), ("ann", FILTERED)]
    named = {"statement": "UPDATE keys SET token=%(param_1)s WHERE id = %(id_1)s"}
    scrubbed = SCRUBBER.scrub({**named, "parameters": {"param_1": "swordfish", "id_1": 3}})
    assert scrubbed["parameters"] == {"param_1": FILTERED, "id_1": 3}
    plain = {"statement": "SELECT 1 WHERE name = ?", "parameters": ["bob"]}
    assert SCRUBBER.scrub(plain) == plain


HASHES = [
    "$2b$12$" + "R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
    "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$RdescudvJCsgt3ub+b4dWRWJTmaaJObG",
    "$6$rounds=5000$saltsalt$" + "x" * 20 + "Y7" * 33,
    "pbkdf2_sha256$600000$Qr24AIThc5nN0RQk$XcpCSLZQz2U8yeY9KHQERL5zXcpCSLZQz2U8yeY9KHQ=",
    "scrypt:32768:8:1$odIP29IrjlvKFm2s$" + "005b7c2a" * 16,
    "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E",
    "SCRAM-SHA-256$4096:c2FsdHNhbHQ=$" + "A" * 20 + "b1=:" + "B" * 20 + "c2=",
    "{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9gQ8d3k",
]


@pytest.mark.parametrize("text", HASHES)
def test_a_hash_of_a_password_is_gone(text):
    for around in ("{}", "row: {} end", "'{}'", "(1, {}, 2)"):
        scrubbed = SCRUBBER.scrub_text(around.format(text))
        assert text[-20:] not in scrubbed
        assert SCRUBBER.scrub(["x", text])[1] == FILTERED


STAYS = [
    "mysql -p shop",
    "docker run -p 8080:80 nginx",
    "cp -a src dst",
    "AUTH LOGIN failed for bob",
    "Nov 26 11:00:16 host sudo: ubuntu : TTY=pts/0 ; PWD=/home/ubuntu/scripts ; USER=root ; COMMAND=/usr/bin/vim x",
    "Session: 30546173_4261722401 initialized by client WindowsUpdateAgent.",
    "Processed session termination for sessionid: 0x14ede63a5a70002",
    "login auth=ldap result=denied",
    "time_to_first_token=0.31 total=2.4",
    "req.session.user = user;",
    "self._token = value",
    "celery@worker-1.x.org ready",
    "git clone git@github.com:octo/hello.git",
    "rsync -a x/ deploy@web1.acme.dev:/srv/www",
    "SessionTracker: expired 3 sessions",
    "AuthFail: no such user",
    "{'loc': ('body', 'password'), 'msg': 'field required'}",
    "{'loc': ('password', 'confirm'), 'msg': 'field required'}",
    "the token is invalid, and the session was closed",
    "status code is 200, error code is 4042",
    "the token refresh_policy is not set",
    "[SQL: SELECT id FROM users WHERE name = ?]\n[parameters: ('ann',)]",
    "GET /items?code=blue-shoes-size-forty-two&state=open",
    "https://x.org/share/an-article-about-the-weather-in-spring",
    "https://x.org/hooks/3f2504e0-4f89-11d3-9a0c-0305e82c3301",
]


@pytest.mark.parametrize("text", STAYS)
def test_what_looks_like_it_stays(text):
    assert SCRUBBER.scrub_text(text) == text


def test_what_stands_behind_the_parameters_of_a_statement_stays():
    shown = (
        "UNIQUE constraint failed\n[SQL: INSERT INTO u (password) VALUES (?)]\n"
        "[parameters: {}]\n(Background on this error at: https://sqlalche.me/e/20/gkpj)"
    )
    for given, left in (
        ("('hunter2x',)", "('[Filtered]',)"),
        ("[('hunter2x',), ('hunter3x',)]", "[('[Filtered]',), ('[Filtered]',)]"),
    ):
        assert SCRUBBER.scrub_text(shown.format(given)) == shown.format(left)


def test_parameters_of_other_columns_stay_where_they_are_numbered():
    shown = "[SQL: UPDATE users SET api_key=$1 WHERE users.id = $2]\n[parameters: ('{}', 3)]"
    assert SCRUBBER.scrub_text(shown.format("hunter2x")) == shown.format(FILTERED)
