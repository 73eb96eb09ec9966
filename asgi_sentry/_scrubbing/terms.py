"""The words that make a key secret, and those that make it harmless.

The terms are the union of what sentry-sdk (`scrubber.py`, `data_collection.py`), Relay, Logfire,
Elastic APM and Django hold for sensitive, less what is no secret once words are told apart
(Elastic's and Django's `*key*` in `cache_key`, `*credit*` in `credit_limit`), and what services and
other languages call theirs.
"""

from __future__ import annotations

__all__ = [
    "ABOUT",
    "ADDRESSES",
    "BEGINNINGS",
    "DESCRIBED",
    "ENDINGS",
    "HARMLESS_KEYS",
    "INNOCENT",
    "INNOCENT_PAIRS",
    "INNOCENT_WORDS",
    "LOOKED_AT",
    "LOOKED_AT_WHOLE",
    "MARKERS",
    "NAMES",
    "NUMBERED",
    "QUESTIONS",
    "SINGULAR",
    "STEMS",
    "STEM_ENDS",
    "TERMS",
    "TOKEN_QUALIFIERS",
    "USUAL",
    "VALUES",
    "WHOLE",
]


def _split(text: str) -> list[str]:
    return text.split()


# Compared with the words of a key put together, so that `api_key` here is `apikey`, `api.key` and
# `apiKey` too. The plural of each is one, too, but for those in SINGULAR.
TERMS = """
password passwd pwd pswd pswrd passwrd passphrase passcode passkey pass passwort mot_de_passe
    kennwort contrasena
contrase\u00f1a senha wachtwoord parola salasana haslo has\u0142o losenord l\u00f6senord adgangskode
jelszo jelsz\u00f3 heslo
\u043f\u0430\u0440\u043e\u043b\u044c \u5bc6\u7801 \u5bc6\u78bc \u53e3\u4ee4
    \u30d1\u30b9\u30ef\u30fc\u30c9
\ube44\ubc00\ubc88\ud638 \u0643\u0644\u0645\u0629\u0627\u0644\u0645\u0631\u0648\u0631
pgpass dbpass userpass smtppass ftppass sshpass rpcpass storepass keypass trustpass
    requirepass masterauth
    user_pw root_pw bind_pw admin_pw db_pw master_pw login_pw sudo_pw mail_pw smtp_pw pw_hash
hashpw checkpw
masterpass loginpass adminpass rootpass mailpass srcstorepass deststorepass srckeypass destkeypass
passord contrasenya
secret secrets token tkn bearer jwt jwe jws
credential credentials cred creds
auth oauth authn authz authorization authentication x_auth
api_key api_token private_key secret_key access_key signing_key encryption_key decryption_key
    master_key
account_key ssh_key auth_key shared_key shared_access_key service_key crypto_key client_key
    consumer_key storage_key
deploy_key license_key licence_key subscription_key functions_key webhook_key session_key
    signature_key hmac_key
aes_key rsa_key app_key application_key instrumentation_key storage_account_key key_material
    priv_key fernet_key
service_role_key cipher_key mac_key wallet_key stream_key data_key tls_key ssl_key dkim_key
    vapid_private_key kms_key
psk preshared_key
access_tokens refresh_tokens api_tokens auth_tokens bearer_tokens session_tokens csrf_tokens
    id_tokens device_tokens
reset_tokens
sso saml saml_assertion client_assertion csrf xsrf csrfmiddlewaretoken crumb
oidc_data oidc_identity oidc_accesstoken
session session_id sess_id sessid php_sess_id phpsessid jsessionid aspsessionid asp_net_session_id
    cfid cftoken
connect_sid symfony
cookie set_cookie http_cookie cookie_id
mysql_pwd my_sql_pwd pgpassword
signature hmac otp totp mfa_code pin pin_code pepper
credit_card debit_card card_pan pan_number card_number card_num card_no cc_number cc_num cvv
    cvc cvn cvv2 cvc2
    card_verification
security_code verification_code verify_code confirmation_code tan_code itan mtan auth_code
    authorization_code one_time_code
    reset_code backup_code
scratch_code recovery_key
backup_codes recovery_code device_code code_verifier access_code activation_code unlock_code
    oob_code login_code sms_code
2fa_code two_factor_code otp_code invite_code invitation_code magic_code magic_link magic_url
    login_link reset_link
security_answer secret_answer security_question_answer challenge_answer maiden_name
mnemonic seed_words seed_phrase recovery_phrase secret_phrase backup_phrase recovery_seed
    wallet_seed
ssn social_security social_security_number social_insurance_number identity_number iban bban
    national_id national_insurance medicare_number
    medicare_id
nhs_number passport passport_number passport_no drivers_license drivers_licence driver_license
    driver_licence
driving_licence driving_license tax_id tax_number taxpayer_id aadhaar aadhar bank_account
bank_account_number account_number account_no acct_number acct_no date_of_birth birth_date
    birthdate dob
auth_salt logged_in_salt nonce_salt hash_salt hashids_salt password_salt encryption_salt authtok
    sonar_login
client_cert client_certificate client_principal replay_nonce wp_nonce
"""

# Sensitive as a whole key, with or without an x- in front; as one word of many they say little.
WHOLE = "pw sid sig card cards cc principal identity csc tan"

# A key that ends with one of these is a secret if its value looks like one: `twilio_key`,
# `asana_pat`, ...
LOOKED_AT = "key keys skey pat pats nonce"
# ... and these are so as a whole key.
LOOKED_AT_WHOLE = (
    "access refresh remember_me remember remember_token google_application_credentials"
    " salt sas pat tok kek dek keytab"
)

# A word that ends like this is one, as in `accesstoken` or `dbpassword`; or one that begins with
# `password`.
ENDINGS = (
    "password",
    "passwort",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "secretkey",
    "accesskey",
)
BEGINNINGS = ("password", "passwd", "aspsessionid", "sessionid")
INNOCENT_WORDS = frozenset({"passwordless", "nontoken", "notoken", "detoken"})

# Terms whose plural is another thing, or is looked at by its shape: `sessions`, `tokens`.
SINGULAR = frozenset(
    _split(
        """session token cookie auth pass oauth authn authz authorization authentication x_auth sso
    saml csrf xsrf bearer secrets credentials creds access_tokens refresh_tokens api_tokens
    auth_tokens bearer_tokens session_tokens csrf_tokens id_tokens device_tokens reset_tokens
    backup_codes pin passport signature_key data_key crumb symfony dob drivers_license
    drivers_licence"""
    )
)

# What stands behind a term says that the value tells about the secret.
ABOUT = frozenset(
    _split(
        """type types count counts length len size sizes limit limits expires expire expiry expired
    expiration ttl lifetime duration age url uri endpoint endpoints method methods scheme
    schemes provider providers policy policies strategy format enabled disabled required version
    versions backend backends middleware hasher hashers validator validators field fields name
    names label labels path paths timeout algorithm algorithms alg issuer audience scope scopes
    domain domains samesite httponly secure engine class classes cls module at on time times
    file files filename dir timestamp date dates seconds ms minutes hours days index position
    usage model mode modes maker factory origins origin arn consent start started end ended id
    ids status statuses state states error errors failure failures event events result results
    decision reason reasons level levels source sources present preference preferences banner
    check checks checked last four bucket buckets budget budgets throughput decimal decimals
    attempt attempts tries retries fee fees entropy bytes supply strength storage replay replays
    topic topics classification score scores rate rates latency cost costs price prices balance
    symbol logprob logprobs detail details kind category step steps stage action actions flow
    flows page pages form forms change changed update updated created removed rotated rotation
    used valid validity validated invalid verified verification activity analytics metrics
    metric manager handler service server client config settings setting option options required
    supported scanning alerts alert protection push notification notifications requests
    middlewares rules rule role roles group groups success successful prefix suffix placeholder
    quality pool store table tables column columns schema quota window windows per budgeting
    offset offsets distribution ratio percent percentage average avg mean max min total sum
    number sequence order orders layout layer layers legs direction mapping currency currencies
    exemption exemptions owner owners collection exempt exempted insight insights
    brand country network funding exp month year bin complexity lockout dialog modal button icon
    visible hidden color theme fixture parser encoder decoder serializer interface adapter wrapper
    decorator interceptor listener observer cleanup panel tab view menu counter gauge histogram
    timer health subtype variant hits misses median approved approver location description title
    summary tooltip docs digits characters info driver desktop sock socket idle revenue period
    audit by affinity ref refs configuration configurations clients delegation delegations
    plugin plugins s sec secs"""
    )
)
# Of these the last words do not make harmless what they stand behind: a pin's number is the pin, a
# card's, too.
NUMBERED = frozenset({"number"})

# What begins like this asks a question or counts: `has_password`, `max_tokens`.
QUESTIONS = frozenset(
    _split("has is needs requires supports should can show hide num total max min avg average mean")
)
# Words in front of a term that make it another thing.
INNOCENT_PAIRS = frozenset(
    _split(
        """map_pin drop_pin gpio_pin led_pin bus_pass boarding_pass season_pass ski_pass hall_pass
    day_pass key_signature time_signature type_signature function_signature method_signature
    call_signature byte_signature file_signature first_pass second_pass third_pass single_pass
    forward_pass backward_pass render_pass low_pass high_pass band_pass by_pass multi_pass
    num_pass pass_count pass_rate pass_through rail_pass email_signature stop_token pad_token
    bos_token eos_token unk_token mask_token cls_token sep_token sos_token special_token
    begin_token end_token start_token image_token audio_token added_token draft_token
    input_token output_token prompt_token completion_token sampled_token top_token first_token
    last_token each_token output_tokens page_token next_token previous_token continuation_token
    pagination_token sync_token cursor_token token_str token_ids design_token gas_token
    erc20_token training_session input_pin output_pin data_pin clock_pin power_pin ground_pin
    interrupt_pin rail_card sim_card business_card credit_card_type public_key_credential
    predicted_token unexpected_token lookahead_token delimiter_token separator_token token_text
    token_piece eot_token think_token"""
    )
)
INNOCENT = frozenset(
    _split(
        """accesscontrolallowcredentials withcredentials functionsignature methodsignature
    allowcredentials excludecredentials pubkeycredparams secwebsocketkey
    desktopsession dbussessionbusaddress
    passthrough passrate proxyauthenticationinfo authenticationinfo requirepassauthenticated
    imagepullsecrets"""
    )
)

# Keys that end with `key` and hold the name of a thing, which may well be random: what stands in
# front of the word.
HARMLESS_KEYS = frozenset(
    _split(
        """cache primary foreign sort partition object s3 public publishable publish pub routing row
    dedup dedupe deduplication idempotency group message index trace event lookup hash range
    shard unique composite blob file upload evaluated exclusive start end item record document
    etag fingerprint state storage bucket media video audio image asset redis queue node
    attribute span anon project issue order natural surrogate cursor continuation page
    pagination host alert incident"""
    )
)

# `token` behind one of these is a credential whatever stands under it.
TOKEN_QUALIFIERS = frozenset(
    _split(
        """access refresh auth api bearer session csrf xsrf id device reset otp pin mfa totp 2fa sms
    verification login security secret password client user admin bot oauth oauth2 jwt"""
    )
)

# Words that stand beside terms in the names of headers, settings and columns, wherever an app is
# written. Names of such words alone are nobody's own text.
USUAL = frozenset(
    _split(
        """accept access account agent allow app application aws azure by cache charset ci client
    cloud connection content control data database db default disposition env encoding etag expect
    for forwarded from gcp github gitlab google host http https in if internal is job key language
    last ldap length local location login mail mailer main match max min modified mode my mysql new
    no none of old origin openai own postgres postgresql pragma prod production proto protocol
    public range real redis referer remote request requested response root self service signing
    site slack smtp sql stripe test the this to trace transfer twilio up upgrade user vary version
    via web websocket with www x"""
    )
)

# What is told about by a container with members such as MARKERS: these are read, and not redacted
# as a whole.
DESCRIBED = frozenset(
    _split(
        """session token signature auth authentication authorization oauth sso account key secret
    passport
    license licence"""
    )
)
MARKERS = frozenset(
    _split(
        """object type status created created_at expires_at model livemode kind features tools
    instructions modalities tool_choice audio voice user_agent ip_address bank_name
    account_type account_holder_type enabled available display_preference"""
    )
)

# The keys of a name and of its value, as they stand: `{"name": "password", "value": ...}`, or
# `ParameterKey` and `ParameterValue`, as CloudFormation has them.
NAMES = tuple(
    _split(
        """name key field header param parameter variable label attribute property setting option
    column k Name Key NAME KEY ParameterKey ParameterName parameterKey parameter_key parameterName
    parameter_name fieldName field_name propertyName property_name attributeName attribute_name
    option_name optionName meta_key metaKey config_key configKey setting_name settingName
    settingKey setting_key param_name paramName headerName inputName keyName key_name varName
    var_name OptionName OutputKey variableName variable_name var id"""
    )
)
VALUES = tuple(
    _split(
        """value val Value VALUE ParameterValue parameterValue parameter_value fieldValue
    field_value stringValue string_value propertyValue property_value attributeValue
    attribute_value option_value optionValue OutputValue variableValue variable_value StringValue
    plaintext meta_value metaValue config_value configValue
    setting_value settingValue param_value paramValue headerValue inputValue keyValue varValue
    newValue new_value oldValue old_value DefaultValue defaultValue default_value content"""
    )
)

ADDRESSES = frozenset(
    _split(
        """remoteaddr remoteaddress clientaddr clientaddress clienthost client peer peername
    peeraddr
    peeraddress sourceaddress forwarded xforwarded xforwardedfor forwardedfor ipaddress
    ipaddresses ips clientips networkpeeraddress netsockpeeraddr netpeername remotehost xrealip
    httpclientip sourceip"""
    )
)

# Every key that says something has one of these in it, in lower case and without its separators'
# digits.
STEMS = """pass pw psw secr tok tkn bear jw cred auth key sso saml srf crumb sess sid cfid symf cook
    sig hmac otp pin
    card cc cvv cvc cvn csc code answer assert iban psk ssn soci princ ident ip addr client peer
    forward remotehost
    priv acct maiden kek dek keytab salt pan_n pan-n pann kennw contrase senha wachtw parola
    salasana haslo senord adgangsk jelsz heslo pepper
    mnemonic phrase seed
    remember magic oidc nonce national medicare nhs licen tax aad bank account birth dob link
    has\u0142o \u043f\u0430\u0440\u043e\u043b\u044c \u5bc6 \u53e3\u4ee4 \u30d1\u30b9\u30ef
    \ube44\ubc00
    \u0643\u0644\u0645\u0629"""
# These are in so many other words (`path`, `distance`, `accessible`) that they count at the end of
# one.
STEM_ENDS = "pat pats tan access refresh itan mtan sas tok"
