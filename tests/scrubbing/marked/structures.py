# ruff: noqa: E501 - tables read best one case a line
"""Secrets in data: lists of arguments, parameters, pairs, variables of frames."""

from __future__ import annotations

from typing import Any

STRUCTURES: tuple[dict[str, Any], ...] = (
    {"argv": ["mysql", "-u", "root", "-p«hunter2x»"]},
    {"cmd": ["mysqldump", "--password=«hunter2x»", "shop"]},
    {"cmd": ["curl", "-H", "Authorization: Bearer «Xk29vQpLm4TzR8wd»", "https://x.org"]},
    {"cmd": ["curl", "--user", "ann:«hunter2x»", "https://x.org"]},
    {"cmd": ["docker", "login", "--username", "ci", "--password", "«hunter2x»"]},
    {"cmd": ["env", "PGPASSWORD=«hunter2x»", "psql"]},
    {"cmd": ["sh", "-c", "PGPASSWORD=«hunter2x» psql"]},
    {"cmd": ["bash", "-c", "mysql -uroot -p«hunter2x»"]},
    {"cmd": ["sshpass", "-p", "«hunter2x»", "ssh", "x"]},
    {"cmd": ["openssl", "rsa", "-passin", "pass:«hunter2x»"]},
    {"cmd": ["kubectl", "create", "secret", "generic", "db", "--from-literal=password=«hunter2x»"]},
    {"cmd": ["vault", "kv", "put", "secret/db", "password=«hunter2x»"]},
    {"cmd": ["redis-cli", "--pass", "«hunter2x»"]},
    {"cmd": ["cargo", "login", "«hunter2X»"]},
    {"cmd": ["bw", "unlock", "--raw", "«hunter2X»"]},
    {"cmd": ["mc", "alias", "set", "m", "http://h", "ann", "«hunter2X»"]},
    {"cmd": ["net", "use", r"\\files\share", "«hunter2X»", "/user:ann"]},
    {"cmd": ["docker", "exec", "db", "mysql", "-uroot", "-p«hunter2X»"]},
    {"cmd": ["app", "--token", "«hunter2x»"]},
    {"cmd": ["app", "--api-key=«hunter2x»"]},
    {"Parameters": [{"ParameterKey": "DbPassword", "ParameterValue": "«hunter2x»"}]},
    {"changes": [{"name": "smtp", "field": "password", "old_value": "«hunter2x»", "new_value": "«hunter3x»"}]},
    {"env": [{"Name": "API_TOKEN", "Value": "«hunter2x»"}, {"k": "secret", "v": "«hunter3x»"}]},
    {"tags": [{"KEY": "db_password", "VALUE": "«hunter2x»"}]},
    {"environ": {"DB_PASSWORD": "«hunter2x»"}},
    {"environ": ["DB_PASSWORD=«hunter2x»", "PATH=/bin"]},
    {"statement": "INSERT INTO u (name, password) VALUES (?, ?)", "parameters": ["ann", "«hunter2x»"]},
    {"statement": "UPDATE u SET api_key=%s WHERE id=%s", "parameters": ("«hunter2x»", 1)},
    {"statement": "UPDATE u SET api_key=:k WHERE id=:i", "parameters": {"k": "«hunter2x»", "i": 1}},
    {
        "statement": "INSERT INTO u (name, token) VALUES ($1, $2)",
        "parameters": [["ann", "«hunter2x»"], ["bob", "«hunter3x»"]],
    },
    {"sql": "UPDATE u SET token = %s WHERE id = %s", "params": ["«hunter2x»", 1]},
    {"query": "SELECT 1 FROM u WHERE password = $1", "params": ("«hunter2x»",)},
    {"cmd": ["unknown-tool", "-u", "ann", "-p", "«hunter2X9»"]},
    {"cmd": ["app", "--stripe-key", "«Xk29vQpLm4TzR8wd»"]},
    {"kty": "RSA", "d": "«hunter2x»"},
    {"keys": [{"kty": "oct", "k": "«hunter2x»"}]},
    {"headers": [["Authorization", "Bearer «hunter2x»"]]},
    {"headers": [{"name": "X-Api-Key", "value": "«hunter2x»"}]},
    {"headers": [{"key": "cookie", "value": "a=«hunter2x»"}]},
    {"headers": {"Set-Cookie": "session=«hunter2x»; Path=/"}},
    {"env": [{"name": "DB_PASSWORD", "value": "«hunter2x»"}]},
    {"form": {"fields": [{"field": "password", "value": "«hunter2x»"}]}},
    {"errors": [{"loc": ["body", "password"], "msg": "too short", "input": "«hunter2x»"}]},
    {"detail": [{"type": "missing", "loc": ["body", "user", "api_key"], "input": {"x": "«hunter2x»"}}]},
    {"a": '{"password": "«hunter2x»"}'},
    {"a": '{\\"password\\": \\"«hunter2x»\\"}'},
    {"url": "https://x.org/?api_key=«hunter2x»"},
    {"url": "https://x.org/#access_token=«hunter2x»"},
    {"url": "https://x.org/;jsessionid=«hunter2x»?a=b"},
    {"password=«hunter2x»": 1},
    {"Bearer «Xk29vQpLm4TzR8wd»": 1},
    {"vars": {"password": "'«hunter2x»'", "self": "<X password='«hunter2x»'>"}},
    {"vars": {"kwargs": "{'password': '«hunter2x»', 'n': 1}"}},
    {"vars": {"user": "User(name='ann', password='«hunter2x»')"}},
    {"vars": {"user": "namespace(api_key='«hunter2x»')"}},
    {"vars": {"q": "ImmutableMultiDict([('password', '«hunter2x»')])"}},
    {"vars": {"q": "QueryParams('token=«hunter2x»&a=b')"}},
    {"vars": {"h": "Headers({'authorization': 'Bearer «Xk29vQpLm4TzR8wd»'})"}},
    {"vars": {"h": "<Response [401] token=«hunter2x»>"}},
    {"vars": {"b": "b'password=«hunter2x»&a=b'"}},
    {"vars": {"b": 'b\'{"password":"«hunter2x»"}\''}},
    {
        "vars": {
            "e": "ValidationError(\"1 validation error for U\\npassword\\n  String should have at least 9 characters [type=string_too_short, input_value='«hunter2x»', input_type=str]\")"
        }
    },
)
"""Each with one secret or more."""
