"""Which keys hold secrets, told by the words they are made of.

A key is folded (`X-Api-Key`, `x_api_key` and `xApiKey` are the words *x api key*) and its words are looked up, so that
`author`, `monkey` and `tokenizer` are not taken for *auth*, *key* and *token*. The terms are the union of what sentry-sdk
(`scrubber.py`, `data_collection.py`), Relay, Logfire, Elastic APM and Django hold for sensitive.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# A word: a run of capitals (an acronym) up to a capitalised word, a word with or without its capital, digits, or a run
# of letters of a script without case.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+|[^\W\d_A-Za-z]+")


def words(key: str) -> list[str]:
    """The words of a key, folded: `userPassword2` gives `user`, `password`, `2`."""
    return [word.lower() for word in _WORD.findall(key)]


# One word that is enough, wherever it stands in the key.
_STRONG = frozenset(
    """password passwd passwords passwort pwd pswd passphrase passcode pass secret secrets token credential credentials
    cred creds auth authorization authentication authenticator apikey apikeys apitoken privatekey secretkey accesskey
    signingkey encryptionkey jwt jwe jws bearer sso saml csrf xsrf session sessionid sessid sid phpsessid jsessionid
    aspsessionid cfid cftoken asid symfony cookie setcookie connectsid mysqlpwd pgpassword
    signature sig hmac otp totp pin cvv cvc cvn csc cvv2 cvc2 cryptogram ssn iban creditcard cardnumber ccnumber
    socialsecurity nonce identity samlresponse samlrequest xauth oauth pem pkcs privkey""".split()
)
# Runs of words.
_COMPOUND = frozenset(
    """api_key access_key private_key secret_key signing_key encryption_key master_key account_key ssh_key auth_key
    shared_key service_key crypto_key decryption_key client_key consumer_key storage_key deploy_key license_key
    subscription_key functions_key webhook_key session_key signature_key hmac_key aes_key rsa_key app_key
    credit_card card_number card_num card_no cc_number cc_num security_code verification_code auth_code
    authorization_code one_time_code reset_code backup_codes recovery_codes recovery_code social_security
    client_principal http_cookie device_code user_code code_verifier id_token_hint session_id connect_sid
    mysql_pwd my_sql_pwd php_sess_id j_session_id otp_code tax_id""".split()
)
# Endings of words written in one, as `accesstoken` and `dbpassword`.
_ENDINGS = ("password", "passwd", "secret", "token", "apikey", "privatekey", "credentials", "sessionid", "cookie")
# What stands behind a term says that the value is about the secret and not the secret.
_ABOUT = frozenset(
    """type types count counts length len size limit limits expires expiry expired expiration ttl lifetime duration age
    url uri endpoint method methods scheme schemes provider providers policy policies strategy format enabled disabled
    required version backend backends middleware hasher validators field fields name names label path timeout
    algorithm alg issuer audience scope scopes domain samesite httponly secure engine class cls module""".split()
)
_ADDRESS = frozenset(
    """remote_addr remote_address remote_ip client_ip client_addr client_address client_host ip ip_address ip_addr ipaddress
    ipaddr clientip remoteaddr user_ip source_ip src_ip x_forwarded_for forwarded_for forwarded x_real_ip real_ip
    true_client_ip cf_connecting_ip connecting_ip x_client_ip x_cluster_client_ip fastly_client_ip peer_ip peername
    net_peer_ip client ip_addresses""".split()
)
