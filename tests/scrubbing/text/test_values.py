# ruff: noqa: E501 - tables read best one case a line
"""Secrets of every kind in a text: what is redacted, and what looks like it and stays. Each once was a mistake, or could be."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing import DEFAULT_RULES, FILTERED, Rule, Scrubber
from asgi_sentry._scrubbing.text.rules import BY_ID, IP, gates_of
from asgi_sentry._scrubbing.text.validators import is_card, is_iban, luhn
from tests.strategies import secret_values

SCRUBBER = Scrubber()
F = FILTERED

REDACTED = {
    # authorization
    "Authorization: Bearer abc.def-12345": f"Authorization: {F}",
    "sent Bearer abcdef123456 to it": f"sent Bearer {F} to it",
    "Basic dXNlcjpwYXNzd29yZA==": f"Basic {F}",
    "token ghx_12345678 was bad": f"token {F} was bad",
    'Authorization: Digest username="bob", realm="x", response="6629fae49393a05397450978507c4ef1"\nHost: x': f"Authorization: {F}\nHost: x",
    'curl -H "Authorization: Bearer abc" https://x': f'curl -H "Authorization: {F}" https://x',
    "Set-Cookie: sid=abcdef; Path=/; HttpOnly": f"Set-Cookie: {F}",
    "Cookie: a=b; c=d\r\nHost: x": f"Cookie: {F}\r\nHost: x",
    # tokens by shape
    "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N end": f"jwt {F} end",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.": F,
    "key AKIAIOSFODNN7EXAMPLE": f"key {F}",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a": F,
    "github_pat_11AAAAAAA0123456789abcdefghij": F,
    "glpat-abcdefghij0123456789": F,
    "xoxb-123456789012-abcdefghijkl": F,
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX": f"https://hooks.slack.com/services/{F}",
    "sk_live_4eC39HqLyjWDarjtT1zdp7dc": F,
    "whsec_abcdefghijklmnopqrstuvwxyz012345": F,
    "SK0123456789abcdef0123456789abcdef": F,
    "SG.abcdefghijklmnopqrstuv.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG": F,
    "npm_abcdefghijklmnopqrstuvwxyz0123456789": F,
    "pypi-AgEIcHlwaS5vcmcCJDAwMDAwMDAwLTAwMDAtMDAwMA": F,
    "sk-ant-api03-abcdefghijklmnopqrstuvwxyz": F,
    "sk-proj-abcdefghijklmnopqrstuvwxyz0123": F,
    "AIzaSyA0123456789abcdefghijklmnopqrstuv": F,
    "ya29.a0AfH6SMBabcdefghijklmnopqrstuv": F,
    "sntrys_eyJpYXQiOjE2ODczMzY1NDMuNjk4NTksInVybCI6bnVsbH0=_abcdefghij": F,
    "hvs.CAESIJabcdefghijklmnopqrstuvwxyz": F,
    "-----BEGIN PRIVATE KEY-----\nMIIEvQ==\nabc\n-----END PRIVATE KEY-----": f"-----BEGIN PRIVATE KEY-----{F}-----END PRIVATE KEY-----",
    "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nMIIE": f"-----BEGIN RSA PRIVATE KEY-----{F}",
    "-----BEGIN OPENSSH PRIVATE KEY-----\\nb3Blbn\\n-----END OPENSSH PRIVATE KEY-----": f"-----BEGIN OPENSSH PRIVATE KEY-----{F}-----END OPENSSH PRIVATE KEY-----",
    "---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\nP2/56wAAAg==": f"---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----{F}",
    "-----BEGIN+PRIVATE+KEY-----%0AMIIEvQ%3D%3D%0A-----END+PRIVATE+KEY-----": f"-----BEGIN+PRIVATE+KEY-----{F}-----END+PRIVATE+KEY-----",
    "...kJ8s\nMIIEvQIBADANBgkqhkiG\n-----END RSA PRIVATE KEY-----": f"{F}-----END RSA PRIVATE KEY-----",
    # where an escape or another alphabet stands in front
    "a\\n4111111111111111\\nb": f"a\\n{F}\\nb",
    "a\\r\\nDE89370400440532013000": f"a\\r\\n{F}",
    "\\tBearer abcdef123456": f"\\tBearer {F}",
    "\\neyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.": f"\\n{F}",
    "n=1%20078-05-1120": f"n=1%20{F}",
    "\u5361\u53f74111111111111111": f"\u5361\u53f7{F}",
    # URLs
    "postgres://bob:hun/ter#2?@db:5432/x": f"postgres://bob:{F}@db:5432/x",
    "https://abcdef0123456789abcdef:@api.x.org/v1": f"https://{F}:@api.x.org/v1",
    "https://abcdef0123456789abcdef:x-oauth-basic@github.com/o/r": f"https://{F}:x-oauth-basic@github.com/o/r",
    "postgres://bob:hunter2@db:5432/x": f"postgres://bob:{F}@db:5432/x",
    "redis://:hunter2@db/0": f"redis://:{F}@db/0",
    "amqp://u:p@ss@host/": f"amqp://u:{F}@host/",
    "https://u:p%40ss@host/": f"https://u:{F}@host/",
    "mongodb+srv://u:hunter2@cluster.x/": f"mongodb+srv://u:{F}@cluster.x/",
    "https://x/cb?code_verifier=abc&access_token=zz11&page=2#id_token=qq": f"https://x/cb?code_verifier={F}&access_token={F}&page=2#id_token={F}",
    "next=%2Fcb%3Faccess_token%3Dzz11%26page%3D2": f"next=%2Fcb%3Faccess_token%3D{F}%26page%3D2",
    # cards and accounts
    "card 4111111111111111.": f"card {F}.",
    "card 4111 1111 1111 1111, ok": f"card {F}, ok",
    "5555-5555-5555-4444": F,
    "378282246310005": F,
    "3782 822463 10005": F,
    "30569309025904": F,
    "3530111333300000": F,
    "6011111111111117": F,
    "6200000000000005": F,
    "DE89370400440532013000": F,
    "GB29 NWBK 6016 1331 9268 19": F,
    "NL91 ABNA 0417 1643 00 paid": f"{F} paid",
    "ssn 078-05-1120": f"ssn {F}",
    "mail bob.ohara+x@mail.example.co.uk!": f"mail {F}!",
    "bob%40example.com": F,
    'mail "bob smith"@example.com now': f"mail {F} now",
    "bob@[IPv6:2001:db8::1]": F,
    "\u0431\u043e\u0431@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444": F,
    "<a href='mailto:bob@example.com'>": f"<a href='mailto:{F}'>",
    # keys and values
    "password=hunter2": f"password={F}",
    "password = hunter2 and more": f"password = {F} and more",
    "password: hunter2": f"password: {F}",
    "passwd:swordfish": f"passwd:{F}",
    "password='it''s'": f"password='{F}''s'",
    'password="a \\"b\\" c", x=1': f'password="{F}", x=1',
    "{'token': b'abc', 'n': 1}": f"{{'token': b'{F}', 'n': 1}}",
    '{"token": 12345, "n": 1}': f'{{"token": {F}, "n": 1}}',
    '{"credentials": {"user": "bob", "k": [1]}, "n": 1}': f'{{"credentials": {F}, "n": 1}}',
    '{\\"password\\": \\"hunter2\\"}': f'{{\\"password\\": \\"{F}\\"}}',
    '"token":\n    "abc def"': f'"token":\n    "{F}"',
    "{'password': 'hunter2": f"{{'password': '{F}",
    "mysql --password hunter2 -h db": f"mysql --password {F} -h db",
    "tool --api-key=abc --verbose": f"tool --api-key={F} --verbose",
    "user[password]=hunter2&a=1": f"user[password]={F}&a=1",
    "(b'x-api-key', b'abc'), (b'host', b'x')": f"(b'x-api-key', b'{F}'), (b'host', b'x')",
    "Settings(db='x', secret_key='abc', debug=True)": f"Settings(db='x', secret_key='{F}', debug=True)",
    "Login(password=SecretStr('abc'), token=Token(b'tok1'))": f"Login(password=SecretStr('{F}'), token=Token(b'{F}'))",
    "AccountName=x;AccountKey=abc123==;Suffix=y": f"AccountName=x;AccountKey={F};Suffix=y",
    "host=db password=p,w)d user=x": f"host=db password={F} user=x",
    "CREATE USER x IDENTIFIED BY 'hunter2'": f"CREATE USER x IDENTIFIED BY '{F}'",
    "IDENTIFIED WITH mysql_native_password BY 'hunter2'": f"IDENTIFIED WITH mysql_native_password BY '{F}'",
    "identified by hunter2 account unlock": f"identified by {F} account unlock",
    "SET PASSWORD FOR 'bob'@'%' = PASSWORD('hunter2')": f"SET PASSWORD FOR 'bob'@'%' = PASSWORD('{F}')",
    "alter user bob with encrypted password 'hunter2'": f"alter user bob with encrypted password '{F}'",
    "OPTIONS (user 'bob', password 'hunter2')": f"OPTIONS (user 'bob', password '{F}')",
    "Driver={SQL Server};Uid=bob;Pwd={hunter2};": f"Driver={{SQL Server}};Uid=bob;Pwd={{{F}}};",
    '"Endpoint=sb://x/;SharedAccessKey=PNuXoQ8zpuT6D4iI9hOJN7bQ1Qkmzhy4xKoTtKq41nr="': f'"Endpoint=sb://x/;SharedAccessKey={F}"',
    "Authorization: GenieKey 1a2b3c4d-5e6f": f"Authorization: {F}",
    'Digest username="bob", realm="x", response="6629fae49393a05397450978507c4ef1"': f"Digest {F}",
    "Your API key: ab12cd34": f"Your API key: {F}",
    "Session ID: 7f3b9c1d": f"Session ID: {F}",
    "securityCode=937&sig=Mmsp%3D": f"securityCode={F}&sig={F}",
    # commands
    "curl -u bob:hunter2 https://x": f"curl -u bob:{F} https://x",
    "curl --proxy-user 'bob:hunter2' https://x": f"curl --proxy-user 'bob:{F}' https://x",
    "mysqldump -ubob -phunter2 shop": f"mysqldump -ubob -p{F} shop",
    "sshpass -p hunter2 ssh db": f"sshpass -p {F} ssh db",
    "redis-cli -a hunter2 ping": f"redis-cli -a {F} ping",
    "docker login -u bob -p hunter2": f"docker login -u bob -p {F}",
    "<password>hunter2</password>": f"<password>{F}</password>",
    "<ns:password a='1'>hunter2</ns:password>": f"<ns:password a='1'>{F}</ns:password>",
    "<login user='x' password='hunter2'/>": f"<login user='x' password='{F}'/>",
    '{"name": "password", "value": "hunter2"}': f'{{"name": "password", "value": "{F}"}}',
    "{'type': 'http', 'client': ('127.0.0.1', 50314)}": f"{{'type': 'http', 'client': ('{F}', 50314)}}",
    "x-forwarded-for: 203.0.113.7, 10.0.0.1": f"x-forwarded-for: {F}, {F}",
    "remote_addr=2001:db8::1 ok": f"remote_addr={F} ok",
    "remote_addr=::ffff:192.0.2.1 ok": f"remote_addr={F} ok",
    "client_ip=fe80::1%eth0": f"client_ip={F}",
    "peer=[2001:db8::1]:443": f"peer=[{F}]:443",
    'x-forwarded-for: "[2001:db8::1]:443", 192.0.2.1, "[2001:db8::2]"': f'x-forwarded-for: "[{F}]:443", {F}, "[{F}]"',
    'Forwarded: for="[2001:db8:cafe::17]:4711"': f'Forwarded: for="[{F}]:4711"',
}  # fmt: skip

STAYS = """
Password: must be at least 8 characters
The password is required; reset your password by e-mail
Enter password:
def login(user: str, password: str, token: Optional[str] = None) -> Token:
user.password = request.form.password
password=password, token=new_token
if password == other and token != None:
self.assertEqual(tokens[0].type, 'NAME')
token_type=bearer expires_in=3600 max_tokens=128
session_count: 12, password_length=8
the author of the keyboard tokenizer, a monkey
550e8400-e29b-41d4-a716-446655440000
da39a3ee5e6b4b0d3255bfef95601890afd80709
e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855
2024-05-17T12:34:56.789012+00:00
2024-05-17 12:34:56,789 INFO app.main: started in 0.123456789012345 s
order 20240517-000123456 for 1.234,56 EUR, invoice 2024-0001-0002
version 1.2.3.4 and 10.0.0.1-beta
listening on 10.0.0.1:8000, 2001:db8::1
127.0.0.1 - - "GET /health HTTP/1.1" 200
1700000000000000 1234567890123456 4111111111111112
SELECT id, name FROM users WHERE id = 42 AND token_count > 3
https://user@example.com/path
https://example.com/a?page=2&sort=name#top
git@github.com:org/repo.git
ssh://git@github.com/org/repo
image@2x.png @property @app.get("/x") a @ b
Basic training and Bearer bonds; a token of thanks
basic authentication is required; bearer certificate
eyJust kidding
-----BEGIN CERTIFICATE-----
<app.models.Session object at 0x7f0123456789>
DE12 is a road, GB82WEST12345698765431 is no account
000-12-3456 666-12-3456 900-12-3456
0x7fffffffffffffff 18446744073709551615
http://localhost:8080/users/@me
Traceback (most recent call last): File "/srv/app/main.py", line 12, in handle
{"Authorization": f"Bearer {token}", "X-Api-Key": api_key}; headers['Authorization'] = auth; "Authorization": "Bearer " + token
auth=(user, password) signature: (a, b) -> c; select(session.id).where(session.id = x.session_id)
SET password = $1, token = $2 WHERE id = $3; password=@p1
credentials: include, fetch(url, {credentials: 'same-origin'})
=== PASS: TestLogin, PASS: test_login (0.3 s), pass: 12, fail: 0; cards: 3; pin: 5
.card:hover { color: red } <div id="password-strength">weak</div> <meta name="viewport" content="width=device-width">
<input type="password" name="password" placeholder="Password" value="">
arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf
password=${DB_PASSWORD:-} password={{ vault_password }} PASSWORD_FILE=/run/secrets/db_password
usage: x [--token TOKEN] [--secret SECRET] --password PASSWORD --api-key KEY -u USER:GROUP
"POST /auth/token HTTP/1.1" 200
WWW-Authenticate: Digest realm="testrealm@host", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"
docker run -u 1000:1000 -p 127.0.0.1:5432:5432 postgres; mysql -u root -p; curl -u $USER:$PASS https://x
INSERT INTO users (name, password) VALUES ($1, $2), (%(name)s, %(password)s)
[{'type': 'missing', 'loc': ('body', 'password'), 'msg': 'Field required', 'input': None}]
http://localhost:3000/login?next=/a@b https://example.com:8080/users/@me
the session was identified by name; session_start: 12, token_expires_in=3600, function_signature='(a, b)'
cookie: str | None = field(default=None)
self._session: "Optional[Session]" = None; auth_result = await self.check(); token = yield
rather than :meth:`.Session.get_nested_transaction`::
Malformed Digest WWW-Authenticate header; redis://[[username]:[password]]@localhost:6379/0
password=%s token={} secret=${SECRET} pwd=<password> key=*** token=SecretStr('**********')
""".strip().splitlines()


@pytest.mark.parametrize("text", REDACTED)
def test_a_secret_is_replaced_and_the_rest_stays(text):
    assert SCRUBBER.scrub_text(text) == REDACTED[text]
    assert SCRUBBER.scrub_text(SCRUBBER.scrub_text(text)) == SCRUBBER.scrub_text(text)


@pytest.mark.parametrize("text", REDACTED)
@pytest.mark.parametrize("around", ["{} ", "\n{}\n", "\u4e2d {} \u00e9"])
def test_it_is_found_within_other_text(text, around):
    alone, within = SCRUBBER.scrub_text(text), SCRUBBER.scrub_text(around.format(text))
    assert within.count(F) == alone.count(F)


@pytest.mark.parametrize("text", STAYS)
def test_what_looks_like_a_secret_stays(text):
    assert SCRUBBER.scrub_text(text) == text


def test_bytes_have_the_same_rules():
    assert SCRUBBER.scrub(b"password=hunter2\xff") == b"password=[Filtered]"
    assert SCRUBBER.scrub(b"\x00\xff ok") == b"\x00\xff ok"


def test_addresses_are_redacted_anywhere_only_by_their_rule():
    strict = Scrubber(rules=(*DEFAULT_RULES, "@ip"))
    assert strict.scrub_text("from 10.0.0.1 and 2001:db8::1") == f"from {F} and {F}"
    assert Scrubber(rules=(*DEFAULT_RULES, IP)).scrub_text("10.0.0.1") == F
    assert strict.scrub_text("12:34:56 1.2.3 999.1.1.1") == "12:34:56 1.2.3 999.1.1.1"


@given(st.integers(10**11, 10**18))
def test_a_luhn_digit_makes_a_number_right(number):
    digits = f"{number}0"
    right = [digit for digit in "0123456789" if luhn(f"{number}{digit}")]
    assert len(right) == 1 or len(set(digits)) == 1


def test_validators_refuse_what_only_looks_right():
    assert is_card("4111 1111 1111 1111")
    assert not is_card("4111 1111 1111 1112")
    assert not is_card("0000000000000000")
    assert is_iban("DE89 3704 0044 0532 0130 00")
    assert not is_iban("DE88370400440532013000")


# --- own rules --------------------------------------------------------------------------------------------------------


def test_rules_are_added_and_removed_by_id():
    own = Rule("@employee", r"\bEMP-\d{6}\b", validate=lambda found: not found.endswith("000000"))
    scrubber = Scrubber(rules=(*(rule for rule in DEFAULT_RULES if rule.id != "@email"), own))
    found = []
    assert scrubber.scrub("EMP-123456 EMP-000000 bob@example.com", found=found) == f"{F} EMP-000000 bob@example.com"
    assert found == [((), "@employee")]


def test_a_group_named_secret_is_replaced_alone():
    rule = Rule("@ticket", r"ticket (?P<secret>[A-Z]{4})", literals=("ticket",))
    assert Scrubber(rules=(rule,)).scrub_text("ticket ABCD, ABCD") == f"ticket {F}, ABCD"


def test_a_validator_that_raises_counts_as_yes():
    rule = Rule("@x", "abc", validate=lambda found: 1 / 0)
    assert Scrubber(rules=(rule,)).scrub_text("abc") == F


@pytest.mark.parametrize(
    "pattern",
    # as https://owasp.org/www-community/attacks/Regular_expression_Denial_of_Service_-_ReDoS and bug trackers have them
    [r"(a+)+b", r"\w+://[^/\s]+:[^/\s]+@", r"(a|a)*b", r".*x", r"(\w+\s?)*$", r"\s+$", r"(x+x+)+y", r"a.*b.*c", r"(\w)\1", r"(a*)*",
     r"eyJ[\w-]+\.[\w-]+\.[\w-]+", r"[\w.]+@[\w.]+", r"(?:\d{1,60}){1,60}x", r"(?:a{1,30}){1,30}b", r"(a|ab)*c", r"x*x*y", r"(?=a+b)c",
     r"([a-zA-Z]+)*$", r"(a|aa)+$", r"(a|a?)+$", r"(.*a){12}", r"^(([a-z])+.)+[A-Z]([a-z])+$", r"(\s*,\s*)+$", r"(a*a*)*b", r"((a*)+)+b",
     r"(\d+)*\.", r"\d+\d+x", r"\w+\d+x", r".*.*=.*", r"<!--.*-->", r"<.+>x", r"(?:.*,){11}P", r"(.+)+@", r"[\w.-]+@[\w.-]+\.\w+",
     r"(https?://)?([\w-]+\.)+[\w-]+(/[\w\- ./?%&=]*)?x", r"^(\([0-9]+\)|[0-9]+)+$x", r"(?i)(foo|fo+)+z", r"(?<!\w)(\w+\.)*\w+@", r"(?:a|b|ab)*c",
     r"[\s\S]*x", r"\S+\s+\S+x", r"(?:\r\n|\n|\r)+\s*x", r"(?:[a-z]+-?)+x", r"^(?:a?){30}a{30}x", r"(a?){1,50}b", r'([^"\\]|\\.)*x', r"(\w+)+y",
     r"a{1,1000}a{1,1000}b", r"x.{0,5000}y.{0,5000}z", r"(?s).*?password.*?end", r"\d+(?:,\d{3})*\.?\d*x", r"sec[a-z]+_end",
     r"(?:_+ab|c_[^a]{1,100}b)*", r"(?:\s|(?:_{1,3}\w{1,3}_){2}(?:a_{1,3} )?){2}a_"],
)  # fmt: skip
def test_a_pattern_that_may_not_be_linear_is_refused(pattern):
    with pytest.raises(ValueError, match=r"'@mine' .*linear"):
        Rule("@mine", pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"\bEMP-\d{6}\b", r"(?<!\w)\w+@x", r"foo", r"(?<![\w-])eyJ[\w-]+\.[\w-]+", r"EMP\d+", r"(?i)customer[ _-]?id=\d+", r"CUST-\d+-[A-Z]{3}",
     r"\bkey-[0-9a-f]{32}\b", r"(?:ab|cd){1,8}e", r"\b[A-Z]{2}\d{2}(?: ?\d{4}){3,7}\b", r"\b\d{3}-\d{2}-\d{4}\b", r"\b(?:\d[ -]?){13,16}\b",
     r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b", r"(?<![\w-])acme_[A-Za-z0-9]{20,60}", r"\bacme_(?:live|test)_[A-Za-z0-9]+", r"acme_[a-z]+_end",
     r"(?i)\bpatient\s(?:id|no)\.?\s?:?\s?\d{4,10}", r"\b(?:\d{1,3}\.){3}\d{1,3}\b", r"\b(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}\b",
     r"\+\d{1,3}[ -]?\d{2,4}[ -]?\d{3,10}", r"\bGB\d{9}(?:\d{3})?\b", r"ticket (?P<secret>[A-Z]{4})", r"user=(?P<secret>\w{1,64})", r"^internal:",
     r"[^\x00-\x7f]{3}", r"\b[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])\d{6}\b", r'"email": "[^"]{1,200}"', r"<ssn>[^<]{1,50}</ssn>",
     r"https://intra\.example\.com/[\w/.-]*", r"/home/(?P<secret>[a-z_][a-z0-9_-]{0,31})", r"\bacct[ #:]*\d{8,12}\b", r"(?a)\bid_\w{8}\b"],
)  # fmt: skip
def test_a_linear_pattern_is_taken(pattern):
    assert Rule("@mine", pattern).pattern.pattern == pattern


@pytest.mark.parametrize(
    ("make", "error", "says"),
    [
        (lambda: Rule("", "a"), ValueError, "empty"),
        (lambda: Rule("@x", "("), ValueError, "can't be compiled"),
        (lambda: Rule(1, "a"), TypeError, "must be a str"),
        (lambda: Rule("@x", 1), TypeError, "must be a str or re.Pattern"),
        (lambda: Rule("@x", "a", validate=1), TypeError, "callable"),
        (lambda: Rule("@x", "a", literals="a"), TypeError, "several"),
        (lambda: Scrubber(rules=("@nope",)), ValueError, "'@nope'"),
        (lambda: Scrubber(rules=(1,)), TypeError, "Rule"),
        (lambda: Scrubber(rules="@ip"), TypeError, "several"),
        (lambda: Scrubber(rules=(Rule("@x", "a"), Rule("@x", "b"))), ValueError, "two rules"),
        (lambda: Scrubber(deny="password"), TypeError, "several"),
        (lambda: Scrubber(deny=("--",)), ValueError, "letter or digit"),
        (lambda: Scrubber(allow=(1,)), TypeError, None),
        (lambda: Scrubber(on_redact=1), TypeError, "callable"),
    ],
)
def test_a_bad_argument_is_named(make, error, says):
    with pytest.raises(error, match=says):
        make()


def test_a_rule_is_frozen():
    rule = DEFAULT_RULES[0]
    with pytest.raises(AttributeError):
        rule.id = "@x"
    with pytest.raises(AttributeError):
        del rule.id


# --- keys -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["X-Internal-Id", "x_internal_id", "xInternalId", "my.x.internal.id", "XINTERNALID"])
def test_own_terms_are_found_in_every_spelling(key):
    assert Scrubber(deny=("x-internal-id",)).scrub({key: "v"}) == {key: F}
    assert SCRUBBER.scrub({key: "v"}) == {key: "v"}


def test_keys_and_places_are_allowed():
    scrubber = Scrubber(allow=("session-color", ("extra", "token"), ("*", "password")))
    value = {
        "session_color": "red",
        "session": "s",
        "extra": {"token": "t1"},
        "a": {"b": {"password": "p"}},
        "token": "t2",
    }
    assert scrubber.scrub(value) == {
        "session_color": "red", "session": F, "extra": {"token": "t1"}, "a": {"b": {"password": "p"}}, "token": F
    }  # fmt: skip


def test_under_a_denied_key_only_none_and_booleans_stay():
    value = {"password": None, "token": True, "secret": 1, "pwd": b"x", "jwt": [1], "otp": {"a": 1}, "ssn": ""}
    assert SCRUBBER.scrub(value) == {
        "password": None, "token": True, "secret": F, "pwd": F, "jwt": F, "otp": F, "ssn": F
    }  # fmt: skip


@pytest.mark.parametrize(
    "term",
    """password passwd secret api_key apikey auth credentials mysql_pwd privatekey private_key token session csrftoken sessionid
    x_csrftoken set_cookie cookie authorization proxy-authorization x_api_key aiohttp_session connect.sid csrf_token csrf _csrf
    _csrf_token PHPSESSID _session symfony user_session _xsrf XSRF-TOKEN pwd jwt bearer sso saml xsrf sid identity credential signature
    social_security credit_card ssn principal card pass access_key""".split(),  # noqa: SIM905 - a table of terms
)
def test_what_others_hold_for_sensitive_is(term):
    assert SCRUBBER.scrub({term: "x1y2z3"}) == {term: F}


@given(st.lists(secret_values(), min_size=1, max_size=50, unique=True))
def test_what_is_remembered_of_keys_is_bounded(keys):
    scrubber = Scrubber()
    scrubber.scrub({f"{key}{number}": 1 for key in keys for number in range(200)})
    assert len(scrubber.ruleset.keys.plain) <= 4096
    assert len(scrubber.ruleset.keys.special) <= 4096 + 3
    assert scrubber.scrub({"password": "x", f"{keys[0]}_token": "y"}) == {"password": F, f"{keys[0]}_token": F}


# --- reports ----------------------------------------------------------------------------------------------------------


def test_each_redaction_is_told_once_and_a_callback_that_raises_changes_nothing():
    told = []

    def tell(path, rule):
        told.append((path, rule))
        raise RuntimeError("no")

    scrubber = Scrubber(on_redact=tell)
    assert scrubber.scrub({"password": "x", "n": ["a@b.org c@d.org"]}) == {"password": F, "n": [f"{F} {F}"]}
    assert sorted(told) == [(("n", 0), "@email"), (("password",), "@password")]


def test_a_word_longer_than_words_are_is_a_credential():
    assert Scrubber().scrub_text("Bearer abcdefghijklmnopqrstuvwxyz") == "Bearer [Filtered]"
    assert Scrubber().scrub_text("basic internationalization") == "basic internationalization"


def test_own_terms_are_looked_for_in_texts():
    keys = Scrubber(deny=("customer_no", "geheim")).ruleset.keys
    assert {gate.literal for gate in gates_of(BY_ID["@password"], keys)} >= {b"customer", b"geheim", b"pswd"}
    assert gates_of(BY_ID["@password"], SCRUBBER.ruleset.keys) == BY_ID["@password"]._gates
    assert (
        gates_of(BY_ID["@password"], Scrubber(deny=("\u043f\u0430\u0440\u043e\u043b\u044c",)).ruleset.keys) == ()
    )  # every text is looked at
    assert [span[:2] for span in BY_ID["@password"].spans("customerNo=12345x", keys)] == [(11, 17)]


def test_a_command_of_thousands_of_arguments_is_one():
    text = "mysql " + "--host=db " * 900 + "-phunter2x"
    assert "hunter2x" not in SCRUBBER.scrub_text(text)


def test_of_a_hash_of_hundreds_of_fields_the_rest_goes_as_a_whole():
    fields = " ".join(f"field{number} value{number}" for number in range(400))
    cleaned = SCRUBBER.scrub_text(f"HSET user:7 {fields} password hunter2x")
    assert "value200" in cleaned
    assert "value300" not in cleaned
    assert "hunter2x" not in cleaned
