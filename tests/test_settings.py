"""Settings: what is valid comes back as given, what is not is named all at once, and no credential is ever shown."""

from __future__ import annotations

import copy
import math
import pickle
import re
from dataclasses import FrozenInstanceError, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._sampling.rate import Rate
from asgi_sentry._settings import Settings, SettingsError
from tests.strategies import credential_urls, credentials, environments, settings_values

VARIABLES = {
    "dsn": "SENTRY_DSN",
    "environment": "SENTRY_ENVIRONMENT",
    "release": "SENTRY_RELEASE",
    "traces_sample_rate": "SENTRY_TRACES_SAMPLE_RATE",
    "profiles_sample_rate": "SENTRY_PROFILES_SAMPLE_RATE",
    "enable_tracing": "SENTRY_ENABLE_TRACING",
    "debug": "SENTRY_DEBUG",
    "exclude": "ASGI_SENTRY_EXCLUDE",
    "rates": "ASGI_SENTRY_RATES",
    "max_body_bytes": "ASGI_SENTRY_MAX_BODY_BYTES",
    "redis_url": "ASGI_SENTRY_REDIS_URL",
    "redis_namespace": "ASGI_SENTRY_REDIS_NAMESPACE",
    "budget": "ASGI_SENTRY_BUDGET",
    "error_budget": "ASGI_SENTRY_ERROR_BUDGET",
    "workers": "ASGI_SENTRY_WORKERS",
    "attachments": "ASGI_SENTRY_ATTACHMENTS",
}


def as_environment(values: dict) -> dict[str, str]:
    """The environment that says the same as keyword arguments do."""

    def text(value):
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, tuple):
            return ",".join(value)
        if isinstance(value, dict):
            return ", ".join(f"{rule} = {rate!r}" for rule, rate in value.items())
        return str(value)

    return {VARIABLES[name]: text(value) for name, value in values.items()}


def test_every_field_has_its_variable():
    assert {field.name for field in fields(Settings)} == set(VARIABLES)
    assert [row.variable for row in Settings().described()] == list(VARIABLES.values())


@given(settings_values())
def test_the_environment_and_the_code_say_the_same(values):
    assert Settings.from_env(as_environment(values)) == Settings(**values)


@given(settings_values())
def test_what_is_given_is_what_is_there_and_the_rest_is_the_default(values):
    made, default = Settings(**values), Settings()
    for field in fields(Settings):
        assert getattr(made, field.name) == values.get(field.name, getattr(default, field.name))


@given(settings_values())
def test_described_says_which_values_differ_from_the_default(values):
    made, default = Settings(**values), Settings()
    sources = {row.variable: row.is_default for row in made.described()}
    for name, variable in VARIABLES.items():
        changed = getattr(made, name) != getattr(default, name)
        assert sources[variable] == (not changed)


@given(st.sets(st.sampled_from(sorted(VARIABLES.values()))), st.sampled_from(["", " ", "\t\n"]))
def test_empty_means_the_default(variables, empty):
    assert Settings.from_env(dict.fromkeys(variables, empty)) == Settings()


def test_the_documented_defaults():
    made = Settings.from_env({})
    assert (made.dsn, made.environment, made.release, made.redis_url) == (None, "production", None, None)
    assert (made.traces_sample_rate, made.profiles_sample_rate) == (0.1, 0.0)
    assert (made.enable_tracing, made.debug, made.max_body_bytes) == (True, False, 16_384)
    assert (made.exclude, made.rates) == ((), {})


@pytest.mark.parametrize("word", ["true", "1", "yes", "on"])
@pytest.mark.parametrize("off", [False, True])
def test_booleans_are_words_of_any_case(word, off):
    if off:
        word = {"true": "false", "1": "0", "yes": "no", "on": "off"}[word]
    for spelled in (word, word.upper(), word.title(), f" {word} "):
        assert Settings.from_env({"SENTRY_DEBUG": spelled}).debug is not off


def test_rates_may_name_a_method_and_be_Rate_objects():
    rate = Rate(0.5)
    assert Settings(rates={"GET /x": 0.5, "/y": rate, re.compile("/z"): 1}).rates["/y"] is rate
    read = Settings.from_env({"ASGI_SENTRY_RATES": "/api/chat=0.1, GET /x=0.5,"}).rates
    assert list(read.items()) == [("/api/chat", 0.1), ("GET /x", 0.5)]


def test_settings_can_neither_be_changed_nor_changed_from_outside():
    rules, rates = ["/a"], {"/a": 0.1}
    made = Settings(exclude=rules, rates=rates)
    rules.append("/b")
    rates["/b"] = 1.0
    assert made == Settings(exclude=("/a",), rates={"/a": 0.1})
    assert hash(made) == hash(Settings(exclude=("/a",), rates={"/a": 0.1}))
    with pytest.raises(FrozenInstanceError):
        made.debug = True
    with pytest.raises(TypeError):
        made.rates["/c"] = 1.0


WRONG_TEXTS = {
    "SENTRY_DSN": [
        "here",
        "https://host/1",
        "https://key@/1",
        "https://key@host/",
        "ftp://key@host/1",
        "http://k@h:x/1",
    ],
    "SENTRY_ENVIRONMENT": ["a/b", "None", "é" * 33, "a\tb"],
    "SENTRY_RELEASE": ["a/b", "latest", "..", "x" * 201, "a\\b"],
    "SENTRY_TRACES_SAMPLE_RATE": ["10%", "often", "1.01", "-0.1", "nan", "inf", "0,5"],
    "SENTRY_PROFILES_SAMPLE_RATE": ["10%", "2", "nan"],
    "SENTRY_ENABLE_TRACING": ["maybe", "2", "t"],
    "SENTRY_DEBUG": ["maybe", "-1"],
    "ASGI_SENTRY_EXCLUDE": ["health", "/a,b", "GET"],
    "ASGI_SENTRY_RATES": ["/x", "=0.1", "/x=10%", "/x=2", "x=0.1", "/x=nan", "/x=0.1,/x=0.2", "/x="],
    "ASGI_SENTRY_MAX_BODY_BYTES": ["16kb", "-1", "1.5", "9" * 5000, "\u0661"],
    "ASGI_SENTRY_BUDGET": ["10000", "0/month", "10/fortnight", "-1/day", "ten/day"],
    "ASGI_SENTRY_ERROR_BUDGET": ["5000/", "/month"],
    "ASGI_SENTRY_WORKERS": ["0", "-1", "1.5", "two"],
    "ASGI_SENTRY_REDIS_URL": ["localhost", "http://host/0", "redis://", "unix://", "redis://h:port/0"],
}


@pytest.mark.parametrize(("variable", "text"), [(v, t) for v, texts in WRONG_TEXTS.items() for t in texts])
def test_a_bad_variable_is_named_with_what_it_may_hold(variable, text):
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({variable: text})
    (problem,) = caught.value.problems
    assert re.fullmatch(rf"{variable} held .+, and may hold .+ \(.+\)", problem, re.DOTALL)
    assert isinstance(caught.value, ValueError)


@given(st.dictionaries(st.sampled_from(sorted(WRONG_TEXTS)), st.integers(0, 99), min_size=1))
def test_every_bad_variable_is_named_at_once(picked):
    environ = {name: WRONG_TEXTS[name][index % len(WRONG_TEXTS[name])] for name, index in picked.items()}
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ)
    assert [line.split()[0] for line in caught.value.problems] == [v for v in VARIABLES.values() if v in environ]


WRONG_VALUES = {
    "dsn": [1, b"https://k@h/1", "", "k@h/1"],
    "environment": [None, "", 3, "a/b"],
    "release": ["", 1.0, "a/b"],
    "traces_sample_rate": ["0.1", True, math.nan, -1, 2],
    "profiles_sample_rate": [None, "0.1", True, math.nan, 1.5],
    "enable_tracing": [None, 1, "true"],
    "debug": [None, 0, "false"],
    "exclude": ["/health", None, 3, ["health"], [3], re.compile("/x"), {"/x": 1}],
    "rates": [None, ["/x"], {"x": 0.1}, {"/x": 2}, {"/x": "0.1"}, {"/x": True}, {3: 0.1}],
    "max_body_bytes": [None, -1, True, 1.5, "1"],
    "budget": [10_000, "10000", "0/month"],
    "error_budget": [b"1/day", "1/era"],
    "workers": [None, 0, -1, True, "4"],
    "redis_url": [1, "", "http://h/0", "redis+sentinel://h:1", "redis+cluster://h/1"],
    "redis_namespace": ["", "a b", "{a}", "x" * 101, "https://k@h/1", 3],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG_VALUES.items() for v in values])
def test_a_bad_argument_is_named_by_its_field(name, value):
    with pytest.raises(SettingsError) as caught:
        Settings(**{name: value})
    (problem,) = caught.value.problems
    assert problem.startswith(f"{name} held ")


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_unknown_and_positional_arguments_are_refused(name):
    with pytest.raises(TypeError):
        Settings("https://k@h/1")
    with pytest.raises(TypeError):
        Settings(**{name + "s": None})


@given(credential_urls(), environments())
def test_no_credential_is_ever_shown(url, others):
    """Whether the URL is good or broken; and in whichever variable it was put, if it has a scheme."""
    text, secret = url
    for variable in VARIABLES.values() if "://" in text else (VARIABLES["dsn"], VARIABLES["redis_url"]):
        environ = {**others, variable: text}
        try:
            shown = repr(Settings.from_env(environ)) + repr(Settings.from_env(environ).described())
        except SettingsError as error:
            shown = str(error) + repr(error)
        assert secret not in shown


@given(credential_urls())
def test_no_credential_of_an_argument_is_ever_shown(url):
    text, secret = url
    for name in VARIABLES if "://" in text else ("dsn", "redis_url"):
        for value in (text, (text,), {text: 0.1}, {"/x": text}, text.encode()):
            try:
                shown = repr(Settings(**{name: value}))
            except SettingsError as error:
                shown = str(error) + repr(error)
            assert secret not in shown, name


@given(credentials())
def test_a_text_that_is_no_url_is_not_shown_where_a_credential_belongs(secret):
    for variable in ("SENTRY_DSN", "ASGI_SENTRY_REDIS_URL"):
        with pytest.raises(SettingsError) as caught:
            Settings.from_env({variable: secret})
        assert secret not in str(caught.value)


def test_what_is_known_to_be_no_credential_is_shown():
    made = Settings(dsn="https://k3y:s3cret@o1.ingest.sentry.io:8443/42", redis_url="redis://:pw@[::1]:6379/3")
    assert "'https://[hidden]@o1.ingest.sentry.io:8443/42'" in repr(made)
    assert "'redis://[hidden]@[::1]:6379/3'" in repr(made)
    assert "'redis://cache:6379'" in repr(Settings(redis_url="redis://cache:6379"))
    assert "'unix:///run/redis.sock'" in repr(Settings(redis_url="unix:///run/redis.sock?password=pw"))
    assert "lambda" in repr(Settings(exclude=[lambda scope: False]))


def test_who_shares_with_whom():
    """The same project in the same environment: two services on one Redis share nothing by accident."""

    def namespace(**settings):
        return Settings(**settings).shared_under()

    shop = "https://secret@o1.ingest.sentry.io/42"
    assert namespace(dsn=shop) == "o1.ingest.sentry.io/42:production"
    assert len({namespace(dsn=dsn) for dsn in (shop, shop + "3", "https://secret@sentry.example/42")}) == 3
    assert namespace(dsn=shop, environment="staging") != namespace(dsn=shop)
    assert namespace(dsn=shop.replace("secret", "other")) == namespace(dsn=shop)
    assert namespace(dsn=shop, redis_namespace="mine") == "mine"


@pytest.mark.parametrize(
    "url", ["redis+cluster://:pw@a:1,b:2", "rediss+sentinel://:pw@a,b/mymaster/3", "rediss://:pw@a/0?ssl_ca_certs=/ca"]
)
def test_redis_by_sentinels_as_a_cluster_and_by_tls(url):
    assert Settings.from_env({"ASGI_SENTRY_REDIS_URL": url}).redis_url == url
    assert "pw" not in repr(Settings(redis_url=url))


@given(settings_values())
def test_settings_survive_pickling_and_copying(values):
    made = Settings(**values)
    for other in (pickle.loads(pickle.dumps(made)), copy.deepcopy(made), copy.copy(made)):
        assert other == made
        assert other.rates == made.rates
        with pytest.raises(TypeError):
            other.rates["/x"] = 1.0
