# ruff: noqa: E501, Q003 - tables read best one case a line
"""Texts that several tests are tried on: pieces of attacks, and secrets in every kind of place."""

from __future__ import annotations

PIECES = [
    "password", "token ", "secret=", "key=", "code ", "session:", "cookie: ", "authorization: ", "bearer ", "Bearer a", "https://", "a@", "@a.b", "%40", "eyJ", "eyJhbGciOi.", "-----BEGIN PRIVATE KEY-----",
    "-----END PRIVATE KEY-----", "[", "{", "(", "<", "'", '"', "\\", "\\\"", "=", ":", ",", ".", "-", "_", "/", "//", "://", ":1:", "::", "1.1.1.1", "0x", "AA00", "aa00", "4111 1111 ", "123-45-", "A1b2", "\\u0026", "\\n", "\n", "\t", "%3D",
    "%5B", "&quot;", "&#34;", "Digest a=\"", "--password ", "--a ", "| token | ", "\u0130", "\u043f", "\u00f1", "??", "xoxb-", "sk-", "ghp_", "T000000/", "v1.local.", ";", "(((", "'''", "$$$", "%%%", "~~~", "+++", "///", "|||",
    "name=\"password\" value=", "value='x' name=", "<password>", "</password>", "<name>password</name>", "into a(", "values(", "('', ", "input=", "'loc': ['password'], ", "curl -u a:b ;", "curl','-u','", "mysql -p", "Command '['mysql', '-p",
    "sshpass -p ", "[parameters: ('a', ", "[SQL: UPDATE u SET password=?", "INSERT INTO u (password) VALUES (?", "(?,", "HSET a b c ", "AUTH ", "user x >", "Failing row contains (", "query argument $1: 'a", "/magic/", "/magic/aB1cD2", "?code=aB3",
    "your code is ", "code is 123456 ", "$2b$10$", "$6$a$", "pbkdf2:", "SCRAM-SHA-256$", "{SSHA}", "twilio_key=", "a_key=aB1cD2e", "PWD=/", "PWD=/a;", "token=0.31,", "\"token\":\"a\",\"logprob", "token: 0x12 ", "auth=ldap ", "token: [", "token : (",
    "token: str = '", "password=SecretStr('", "password='a\\", "password: |\n  ", "password={", "password=[", "Cookie: a=b; ", "Set-Cookie: ", "login a password ", "send \"", "identified by '", "set password for a=", "Duplicate entry '", "kty\"d\": \"",
    "'a' in field password ", "client_ip=", "x-forwarded-for: ", "forwarded=", "ip=1.1.1.1,", "postgres://u:", "https://a:b@", "https://a:@", "name=", "name=password\n\n", "key= ", "pat= ", "tan=", "expires=", "LS0tLS1CRUdJTi",
]  # fmt: skip
"""What a hostile text is put together of: each looks like the beginning of something."""

MIXED = {
    "a list of arguments in an exception": [
        "Command '['mysql', '-uroot', '-p{}', 'shop']' returned non-zero exit status 1.",
        "Command '['redis-cli', '-h', 'cache', '-a', '{}', 'ping']' timed out",
        "Command '['curl', '-s', '-u', 'bob:{}', 'https://x.org']' returned",
        "Command '['sshpass', '-p', '{}', 'ssh', 'deploy@web1']' returned",
    ],
    "a command": [
        "mysqldump -ubackup -p{} shop > dump.sql",
        "curl -sS -u bob:{} https://x.org",
        "docker login -u ci -p {} registry.x.org",
        "az login --service-principal -u 0a13 -p {} --tenant f3ba",
        "sqlcmd -S db -U sa -P {}",
        "htpasswd -b -c .htpasswd ann {}",
        "ldapsearch -x -D cn=admin -w {} -b dc=x",
        "aws configure set aws_secret_access_key {}",
        "smbclient //host/share -U bob%{}",
        "keytool -list -keystore k.jks -storepass {}",
        "rabbitmqctl add_user bob {}",
    ],
    "parameters of SQL": [
        "[SQL: INSERT INTO users (name, password) VALUES (?, ?)]\n[parameters: ('ann', '{}')]",
        "[SQL: UPDATE users SET api_key=$1 WHERE users.id = $2]\n[parameters: ('{}', 3)]",
        "[SQL: UPDATE users SET secret=%s, name=%s]\n[parameters: ('{}', 'ann')]",
        "[SQL: UPDATE users SET token=%(param_1)s]\n[parameters: {{'param_1': '{}'}}]",
        "[SQL: INSERT INTO users (name, password) VALUES (?, ?), (?, ?)]\n[parameters: ('ann', 'x', 'bob', '{}')]",
        "BindParameter('%(140295780187472 param)s', '{}', type_=NullType())",
        "DETAIL:  Failing row contains (1, ann, {}, null).",
        "invalid input for query argument $2: '{}' (expected str, got int)",
    ],
    "commands of Redis": ["HSET user:1 name ann password {}", "HMSET s token {} n 1", "AUTH {}", "AUTH ann {}"],
    "an assignment without a usual separator": [
        "BILLING_TOKEN {}",
        "billing token is {}",
        'KIOSK_TOKEN += "{}"',
        'KIOSK_TOKEN ::= "{}"',
        '$kioskToken .= "{}";',
        '#define BILLING_TOKEN "{}"',
        "| billing_token | {} |",
        "kiosk_token\t{}",
        "setenv BILLING_TOKEN {}",
        "machine x.org login ci password {}",
        "define('AUTH_KEY',             '{}');",
    ],
    "a typed declaration": [
        'let token: &str = "{}";',
        "api_key: str = '{}'",
        "password: SecretStr = '{}'",
        "DECLARE @password NVARCHAR(50) = N'{}'",
        'Dim password As String = "{}"',
        "password VARCHAR(20) := '{}'",
    ],
    "a key of a maker's": [
        "twilio_key={}",
        "Client(openai_key='{}')",
        '{{"server_key": "{}"}}',
        "asana_pat: {}",
        "remember_me={}",
        '{{"refresh": "{}"}}',
    ],
    "a word of another language": ["kennwort={}", "contrase\u00f1a={}", "senha: {}"],
    "a word of another alphabet": ["\u043f\u0430\u0440\u043e\u043b\u044c={}"],
    "a plural": ["encryption_keys={}", "api_keys='{}'", '{{"signatures": "{}"}}', "otps={}"],
    "a link that lets in": [
        "https://x.org/magic/{}",
        "https://x.org/invite/{}",
        "https://x.org/auth/callback?code={}&page=1",
    ],
    "a key in JSON": ['{{"kty":"EC","crv":"P-256","x":"abc","d":"{}"}}'],
    "what a sentence says": ["invalid literal for int(): '{}' in field password", 'expect: send "{}\\r" for password'],
}  # fmt: skip
"""Where secrets of letters and digits stand, by kind; `{}` is the secret."""
