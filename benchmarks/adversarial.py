# ruff: noqa: E501 - tables read best one case a line
"""Texts that are made to keep the scrubber busy: pieces that pull a pattern as far as it goes before it fails, again and again."""

from __future__ import annotations

from random import Random

PIECES = (
    # one character, and what joins and quotes
    "a", "0", "_", "-", "--", "---", "----", ".", "..", "...", "=", "==", ":", "::", ":::", ",", ";", "&", "?", "#", "%", "%20", "@", "@@", "/", "//",
    "://", "\\", "\\\\", "\\n", "\n", "\n\n", "\r\n", " ", "\t", "'", "''", '"', '""', "`", "<", "</", "<!", ">", "[", "[[", "]", "(", ")", "{", "{{", "}", "|",
    "|\n ", "\0", "\u0130", "\u00e9", "\u4e2d", "\U0001f600", "\x1b[36m", "[Filtered]", "[Filtered]@", "a=[Filtered]&",
    # keys and values
    "pass ", "pass=", "pass:", "pass,", "pass\n", "'pass'", '"pass":', "pass>", "<pass ", "<pass>", "<a pass=", "</pass>", "password=", "password=  ", 'token":"', "token ",
    "password={", "password='\\'", "password=%s...", "pin={a};", "pin={", "pin=[", "pin=(", 'pin="', "pin='", "pin=`", 'pin=\\"', "pin='''", "pin=$'", "pin[0]", "pin[", "pin)=(",
    "PIN('a',", "pin=Aa('", "pin=Aa('a','", "pin: |\n  a\n", "pin: |\n ", "\x1b[36mpin", "pin\x1b[0m", "&quot;pin", "pin&quot;:&quot;", "%5Bpin%5D=", "%22pin%22%3A", "\\npin=", "\\upin",
    "api key: ", "session id: ", "session id ", "key ", "a key: ", "--password ", "Cookie: a", "Authorization: a", "bearer a", "Bearer aaaaaaaa ", 'digest a="b",',
    # named values, forms, SQL, errors, commands
    'name="pass"', "name=pass ", "name: pass\n", '"name": "password", "value": ', '"value":"x","name":"pass"', "key=pin ", 'value="', "value=x ", 'name="pin";', 'form-data; name="password"\r\n\r\n',
    "<name>pin</name>", "<key>pin</key><string>", "insert into a (pin) values (", "into t (pin)", "values ('a',", "identified by ", "identified by '", "set password for a=",
    "Duplicate entry 'a' for key '", "\\npin\\n  ", "\npin\n  a", "'loc': ('pin'), ", "'loc': ('pin'),'input': ", "[type=x, input_value=", "curl -u a:", "curl -u a:b ", "curl ", "mysql -p",
    "net use \\\\a /user:b ", "vault kv put a=", "-u a -p ", "<<< a", "echo a | su ", "login('a', 'b", "pass('a', 'b', ", "pass for a is ", "pass from aB1 to ", "| pass | aB", "-Dpass=",
    "execute('a=? token=?',(", ":5432:a:a:", "$1 = 'a', ", "SET token a ", "value=x`", "name=a_key value=`", "(name=a_key value=", "api key: --", 'LOGIN a "', "AUTH PLAIN ", "community a",
    # values
    "-----BEGIN PRIVATE KEY-----\n", "-----END PRIVATE KEY-----", "-----END PRIVATE KEY-----a", "://a:", "://a:b@", "://:", "://a:1/", "://a:b/c", "://x@", "a@a.", "a@b.c,", "@a.", "\u4e2d@a.bc",
    "bob@example.com", "a%40", "eyJhbGciOi", "eyJhbGci.a", "eyJhbGciOiJub25lIn0.", "4111 1111 ", "4111-", "411111111111", "00 0000 ", "\\n4111", "%204111", "078-05-1120 ", "DE89 3704 ", "DE00 ",
    "1.1.1.", "1.1.1.1 ", "::1 ", "1:2:", "ip=::1:", "client=::1:", "client_ip=1.1.1.", "client=1.2.3.4, ", "ip=1.1.1.1,", "forwarded: for=1.1.1.1;",
    "ghp_aaaaaaaaaaaaaaaaaaaa-", "('loc': ('pin'),'input': ", "\u00e9eyJhbGciOiaZ9", "\u00e9Bearer+", "sk-a1a1a1a1a1a1a1a1a1a1", "aZ9+/", "aZ9-", "aZ9_", "aZ9.", "f0", "f0-", "AAAA", "T11111111/B11111111/", "SG.a1a1a1a1a1a1a1a1.", "t1.", "ops_eyJ", "hvs.",
)  # fmt: skip
"""Each alone."""


def combined(count: int, seed: int = 1) -> list[str]:
    """So many pairs and as many triples of pieces, the same for a seed."""
    dice = Random(seed)
    return ["".join(dice.choices(PIECES, k=size)) for size in (2, 3) for _ in range(count)]
