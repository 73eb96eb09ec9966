"""What a key says about its value, told by the words it is made of, however it is asked."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asgi_sentry._scrubbing import FILTERED, Scrubber
from asgi_sentry._scrubbing.keys import ADDRESS, COOKIES, DENIED, LOOKED, MAYBE, PLAIN, Keys
from asgi_sentry._scrubbing.words import compact, trie, words
from tests.strategies import PLAIN_KEYS, SECRET_KEYS

KEYS = Keys()

TOLD = {
    DENIED: """password Password userPassword user_password2 X-Api-Key xApiKey accessToken connect.sid PHPSESSID cookie
        Set-Cookie set_cookies pin pin_code sid card cvv iban signature passphrase credential credentials SECRET_KEY
        aws_secret_access_key private_key HTTP_AUTHORIZATION refresh-token access_next_token reset_page_token""",
    LOOKED: "remember_me rememberToken refresh access payment_key payment_keys service_pat",
    ADDRESS: "client_ip X-Forwarded-For remote_addr ip ips real_ip X-Real-IP server_ipaddress ip_address",
    COOKIES: "cookies request_cookies",
    MAYBE: "key Key KEY",
    PLAIN: """author monkey tokenizer keys primary_key cache_key sort_key token_count max_tokens tokens password_length
        password_policy auth_type auth_method session_state status version build_version token_version state code
        otp_attempts gpio_pin spin CallSid card_last4 cvc_check iban_last4 tokens_per_second number_of_tokens
        tokenExpiresIn 0x12ab34cd 123456 secret_name secret_arn public_key etag url zip ship tip
        next_token page_token""",
}
CASES = [(meaning, key) for meaning, keys in TOLD.items() for key in keys.split()]


@pytest.mark.parametrize(("meaning", "key"), CASES)
def test_a_key_says(meaning: int, key: str) -> None:
    assert KEYS[key] == meaning
    assert KEYS[key.encode()] == meaning
    assert KEYS[f"{'y' * 300}.{key}"] == KEYS[f"y.{key}"]  # what it ends with is what it is about


@pytest.mark.parametrize("key", [None, 7, 1.5, True, ("password",), frozenset({"password"})])
def test_what_is_no_text_says_nothing(key: object) -> None:
    assert KEYS[key] == PLAIN
    assert KEYS.told({key}) == {}


keys = st.one_of(
    st.sampled_from([*SECRET_KEYS, *PLAIN_KEYS, *(key for _, key in CASES)]),
    st.lists(st.sampled_from(["user", "token", "ip", "cookies", "Key", "count", "2", "max", "é"]), max_size=4).map(
        "_".join
    ),
    st.text(max_size=12),
)


@given(st.sets(st.one_of(keys, keys.map(lambda key: key.encode("latin-1", "replace")), st.integers()), max_size=12))
def test_keys_asked_together_say_what_each_says(asked: set[object]) -> None:
    assert KEYS.told(asked) == {key: KEYS[key] for key in asked if KEYS[key]}


@given(keys)
def test_a_name_in_a_text_says_what_the_key_does(key: str) -> None:
    for _ in range(2):  # remembered the second time
        assert KEYS.meaning(key) == KEYS[key]
        shown = PLAIN if KEYS[key] == MAYBE else KEYS[key]  # `key` in a list of names stands beside no value
        assert KEYS.of_shown(key) == shown
        assert KEYS.of_shown(f"'{key}'") == shown
        assert KEYS.of_shown(f'b"{key}"') == shown


def test_a_name_that_is_far_too_long_says_nothing() -> None:
    assert KEYS.of_shown("x" * 195 + "_pwd") == DENIED
    assert KEYS.of_shown("x" * 300 + "_pwd") == PLAIN


@given(st.lists(keys, max_size=8), keys)
def test_what_is_remembered_changes_nothing(others: list[str], key: str) -> None:
    told = Keys()
    before = told[key]
    told.remember({each for each in others if not told[each]})
    told.remember(set(others), told={each: told[each] for each in others if told[each]})
    assert told[key] == before == KEYS[key]
    assert told.plain.isdisjoint(told.special)


def test_what_is_remembered_is_bounded_in_number_and_length() -> None:
    told = Keys()
    told.remember({f"a{number}" for number in range(5000)})
    told.remember({"one more"})
    assert len(told.plain) == 4096
    assert "one more" not in told.plain
    telling = {f"token{number}": DENIED for number in range(5000)}
    told.remember(set(telling), told=telling)
    assert len(told.special) == 4096
    short = Keys()
    short.remember({"a" * 81, "b" * 80, b"bytes", 7})
    assert short.plain == {"b" * 80}
    before = len(short.special)
    telling = {"token" * 20: DENIED, 7: DENIED, "token": DENIED, b"token": DENIED, "pin": DENIED, "pwd": DENIED}
    short.remember(telling.keys() - {"pwd"}, told=telling, but={"pin"})
    assert len(short.special) == before + 2


@pytest.mark.parametrize("spelling", ["customer_no", "customerNo", "X-Customer-No", "CUSTOMER.NO", "my_customer_no_2"])
def test_own_terms_are_denied_in_every_spelling_and_win(spelling: str) -> None:
    own = Keys(deny=("customer-no", "max_tokens"))
    assert own[spelling] == DENIED
    assert KEYS[spelling] == PLAIN
    assert own["max_tokens"] == DENIED
    assert own["customer"] == PLAIN
    assert own.own_stems == ("customer", "tokens")


def test_own_terms_beyond_ascii_and_with_digits_are_found_together_as_alone() -> None:
    own = Keys(deny=("mot_de_passé", "k8s"))
    asked: set[object] = {"MOT_DE_PASSÉ", "motDePassé", "k8s", "K8S_x", "k9s", "x"}
    assert own.told(asked) == dict.fromkeys(asked - {"k9s", "x"}, DENIED)


def test_allowed_keys_are_allowed_as_a_whole() -> None:
    own = Keys(allow=("session-color", "token"))
    assert [own[key] for key in ("session_color", "sessionColor", "token", "Token")] == [PLAIN] * 4
    assert [own[key] for key in ("my_token", "session")] == [DENIED] * 2


@pytest.mark.parametrize(
    ("key", "counts"),
    [
        ("token_budget", True),
        ("time_to_first_token", True),
        ("token_id", True),
        (b"token_id", True),
        ("token", False),
        ("access_token_count", False),
        ("pin", False),
        ("api_key", False),
        (7, False),
        ("", False),
    ],
)
def test_a_number_under_what_is_counted_is_a_count(key: object, counts: bool) -> None:
    assert KEYS.counts(key) == counts
    assert KEYS.spares(key, 512) == counts
    assert not KEYS.spares(key, None)
    assert not KEYS.spares(key, b"512")


def test_own_terms_hold_no_counts() -> None:
    assert not Keys(deny=("token_budget",)).counts("token_budget")


@pytest.mark.parametrize(
    ("key", "value", "stays"),
    [
        ("password", "********", True),
        ("password", "", False),
        ("PWD", "/srv/app", True),
        ("pwd", "/srv/app", False),
        ("PWD", "hunter2", False),
        ("secrets", "read", True),
        ("password", "read", False),
        ("signature", "-----BEGIN PGP SIGNATURE-----", True),
        ("card", {"brand": "visa"}, True),
        ("password", {"brand": "visa"}, False),
        ("card", 4, True),
        ("card", 4111111111111111, False),
        ("password", ["This field is required."], True),
        ("password", ["hunter2"], False),
        ("password", [], False),
        ("password", {}, False),
        ("dob", {"day": None, "month": None}, True),
        ("dob", {"day": None, "month": 12}, False),
        ("password", [None, [True]], True),
        ("password", [[[[None]]]], False),
        ("password", {"type": "string", "title": "Password"}, True),
        ("password", {"type": "string", "default": "hunter2"}, False),
        ("card", "ic_1Pgag5B7WZ01zgkWephORn8N", True),
        ("card", "4242424242424242", False),
        ("password", "ic_1Pgag5B7WZ01zgkWephORn8N", False),
        ("sid", "CH" + "0f3b" * 8, True),
        ("sid", "SK" + "0f3b" * 8, False),
        ("sid", "0f3b" * 8, False),
        ("session", "CH" + "0f3b" * 8, False),
    ],
)
def test_what_says_nothing_stays_under_a_denied_key(key: str, value: object, stays: bool) -> None:
    assert KEYS.spares(key, value) == stays


def test_words_of_a_key() -> None:
    assert words("userPassword2") == ["user", "password", "2"]
    assert words("X-HTTPServer_key") == ["x", "http", "server", "key"]
    assert compact("X-Api-Key") == compact("x_api_key") == compact("xApiKey") == "xapikey"
    assert trie(["ab", "ac", "b", ""]) == ""
    assert trie(["ab", "ac", "b"]) == "(?:a(?:b|c)|b)"


def test_names_in_texts_are_remembered_within_bounds() -> None:
    told = Keys()
    ours = ["password", "token", "session", "user", "id", "access", "api", "key", "secret", "cookie", "type", "name"]
    for name in ("_".join(three) for three in itertools.product(ours, repeat=3)):
        told.of_shown(f"'{name}'")
        told.meaning(name)
    assert len(told._shown) == len(told._met) == 1024


@pytest.mark.parametrize(
    "text",
    [
        "hunter2_password",
        "Cookson",
        "my_pass_swordfish",
        "sk_key_aZ9bY8cX7",
        "token_4711",
        "jane.doe.key",
        "Jane Doe",
        "",
    ],
)
def test_a_word_that_is_not_ours_is_not_remembered(text: str) -> None:
    """It may be somebody's text, or a secret that has a term in it."""
    told = Keys()
    for name in (text, f"'{text}'", f"b'{text}'", text.encode()):
        told.of_shown(name)
    told.meaning(text)
    assert not told._shown
    assert not told._met


def test_nothing_of_a_text_is_kept_once_it_is_scrubbed() -> None:
    scrubber = Scrubber()
    scrubber.scrub_text(
        "sk_key_hunter2hunter2 of Mr. Cookson, mypasskeyhunter2: hunter2 token=hunter2&hunter2_session=1"
    )
    scrubber.scrub([["hunter2secret", "1"], {"name": "hunter2 key", "value": "x"}, ("x-hunter2-token", "1")])
    scrubber.scrub_text("[SQL: UPDATE t SET hunter2_token=?]\n[parameters: ('1',)]")
    keys = scrubber.ruleset.keys
    assert "hunter2" not in repr([keys._met, keys._shown])


def test_the_last_place_is_taken_too() -> None:
    told = Keys()
    told.remember({f"a{number}" for number in range(4095)})
    told.remember({"one more"})
    assert "one more" in told.plain


@pytest.mark.parametrize(
    "key", ["\u043f\u0430\u0440\u043e\u043b\u044c", "contrase\u00f1a", "\u5bc6\u7801", "\u00e9t\u00e9"]
)
def test_keys_beyond_ascii_are_told_among_others_as_alone(key: str) -> None:
    others: set[object] = {"a", "password", "b"}
    told = KEYS.told({*others, key})
    assert told.get(key, PLAIN) == KEYS[key] == Keys()[key]
    assert (KEYS[key] == DENIED) == (key != "\u00e9t\u00e9")
    assert told["password"] == DENIED
    assert KEYS.told({key}).get(key, PLAIN) == KEYS[key]


def test_a_key_with_the_character_between_keys_is_told() -> None:
    assert KEYS.told({"a\0b", "password", "x\0token"}) == {"password": DENIED, "x\0token": DENIED}


@pytest.mark.parametrize(
    ("key", "value", "describes"),
    [
        ("session", {"object": "checkout.session", "id": 1}, True),
        ("password", {"object": 1}, False),
        ("password", {"hint": "x"}, False),
        (b"session", {"object": "x"}, False),
    ],
)
def test_a_container_that_describes_a_secret_by_its_own_members(key: object, value: dict, describes: bool) -> None:
    assert KEYS.describes(key, value) is describes


@pytest.mark.parametrize(
    "deny", [("4711",), ("k8s", "4711"), ("k8s",), ("k8s", "customer"), ("customer", "k8s"), ("customer",)]
)
def test_own_terms_with_digits_are_found_among_many_keys(deny: tuple[str, ...]) -> None:
    own = Keys(deny=deny)
    asked: set[object] = {"K8S_x", "my_customer", "a", "b1", "id_4711"}
    assert own.told(asked) == {key: own[key] for key in asked if own[key]}
    assert (own["K8S_x"] == DENIED) == ("k8s" in deny)
    assert (own["id_4711"] == DENIED) == ("4711" in deny)


def test_keys_of_eighty_characters_are_remembered_and_longer_ones_are_not() -> None:
    told = Keys()
    telling = {"token" + "x" * 75: DENIED, "token" + "y" * 76: DENIED}
    told.remember(set(telling), told=telling)
    assert "token" + "x" * 75 in told.special
    assert "token" + "y" * 76 not in told.special
    told.meaning("token_" * 13 + "id")  # eighty
    told.meaning("token_" * 13 + "ids")
    assert set(told._met) == {"token_" * 13 + "id"}


def test_what_a_long_key_ends_with_is_what_it_is_about() -> None:
    assert KEYS["x" * 195 + "_password"] == DENIED
    assert KEYS["password" + "_x" * 96] == DENIED  # within the last two hundred
    assert KEYS["password" + "_x" * 100] == PLAIN
    assert KEYS.of_shown("x" * 191 + "_password") == DENIED  # two hundred
    assert KEYS.of_shown("x" * 192 + "_password") == PLAIN


@pytest.mark.parametrize(
    ("key", "meaning"),
    [
        ("session_id", DENIED),
        ("my_session_id", DENIED),
        ("national_id_number", DENIED),
        ("a_b_c_d_e_session_id", DENIED),
        ("token_type", PLAIN),
        ("access_token_type", PLAIN),
        ("tokens_per_second", PLAIN),
        ("token", DENIED),
        ("id", PLAIN),
    ],
)
def test_a_term_that_takes_in_the_last_word_is_the_whole_matter(key: str, meaning: int) -> None:
    assert KEYS[key] == meaning


def test_an_id_at_twilio_stays_under_each_key_that_ends_with_sid():
    keys = ("sid", "session_sid", "credential_sid", "CredentialSid")
    shown = dict.fromkeys(keys, "CR" + "0f3b9a7c" * 4)
    assert Scrubber().scrub(shown) == shown
    for other in ("SK" + "0f3b9a7c" * 4, "q7Zp2xLw9Vn4Rk8TdB3m"):
        assert Scrubber().scrub(dict.fromkeys(keys, other)) == dict.fromkeys(keys, "[Filtered]")


def test_an_own_term_may_be_what_values_of_pairs_are_called():
    for term in ("value", "content", "input", "plaintext", "params"):
        assert Scrubber(deny=[term]).scrub({term: "some words"}) == {term: FILTERED}


def test_the_first_of_two_keys_is_told_by_the_second():
    key, row = "Aqq0nv3Vth1Ls6v6O9JL8ZsoWwRxl9IUiTeN=", {"primaryKey": "67b0bc8d-3b19-39a9-b4dd-be45cf642b0c"}
    assert Scrubber().scrub({"primaryKey": key, "secondaryKey": key}) == dict.fromkeys(
        ("primaryKey", "secondaryKey"), FILTERED
    )
    assert Scrubber().scrub(row) == row
    assert Scrubber().scrub({"primary_key": "id", "secondary_key": "n"}) == {"primary_key": "id", "secondary_key": "n"}
