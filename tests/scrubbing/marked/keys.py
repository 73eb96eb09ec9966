"""Keys that say that a secret stands under them, and those that only look like it."""

from __future__ import annotations


def _split(text: str) -> list[str]:
    return text.split()


DENIED = _split("""
db_password DATABASE_PASSWORD userPassword oldPassword new_password2 passwordConfirmation confirm_password
pass_phrase pgp_passphrase api-token ApiToken x-auth-token X-Access-Token refreshToken idToken id_token
csrfToken xsrf_token stripe_secret_key STRIPE_API_KEY aws_secret_access_key AWS_SESSION_TOKEN client_secret
clientSecret app_secret webhook_secret signing_secret jwt_secret encryptionKey privateKey ssh_private_key
pgp_private_key session_cookie PHPSESSID JSESSIONID connect.sid sessionToken auth_cookie credit_card_number
cardNumber cc_number card_cvc cvv2 security_code social_security_number user_ssn iban bank_account_number
accountNumber tax_id passport_number drivers_license date_of_birth otp_code totp_secret mfa_code
two_factor_code backup_codes recovery_codes verification_code pin_code atm_pin mnemonic seed_phrase
wallet_private_key keystore_password truststorePassword ldap_bind_password smtp_password proxy_authorization
http_authorization x_api_key api_keys access_keys bearer_token service_account_key oauth_token
oauth_token_secret consumer_secret consumer_key hmac_secret signature magic_link reset_token invite_token
activation_token unsubscribe_token device_token push_token fcm_token twilio_auth_token slack_webhook_token
github_token gitlab_token npm_token pypi_token openai_api_key anthropic_api_key db_pass dbPwd passwd_hash
hashed_password password_digest encrypted_password password_salt shared_secret sas_token connection_password
vault_token kube_token kubeconfig_token master_password root_password admin_pw
""")
"""Whatever is under these is redacted."""

PLAIN = _split("""
days_since_first_session days_since_password_change num_of_connected_bank_accounts bank_account_insights
excludeCredentials pubKeyCredParams csrf_exempt tax_id_collection
token_count max_tokens num_tokens tokens_used token_limit token_usage output_tokens cached_tokens token_type
token_uri token_endpoint password_policy password_changed password_expired password_updated_at passwordless
pass_count pass_rate passed passenger auth_type auth_mode auth_method auth_url authUri authenticated author
authors authority authorized is_authorized session_count session_duration sessions session_started_at
cookie_policy cookie_name cookie_domain cookie_path key_id key_name key_count key_type keyboard keyframe
keyword keywords monkey cache_key primary_key sort_key partition_key foreign_key public_key publishable_key
object_key routing_key idempotency_key i18n_key translation_key secret_name secret_version secret_arn
secretary credential_type credentials_provider signature_version signature_algorithm card_brand card_type
card_last4 card_country cardinality discard postcard pinned pinterest pin_count opinion spin shipping_address
compass bypass encompass pathname patient patch tangent instance accessible accessory refreshed
refresh_interval account_id account_name account_type bank_name bank_code tax_rate tax_amount birthday_count
license license_type phrase_count code status_code error_code zip_code country_code currency_code postal_code
promo_code language_code csrf_enabled csrf_exempt hmac_algorithm jwt_algorithm jwt_expiry oauth_provider
sso_enabled sso_provider otp_enabled mfa_enabled two_factor_enabled access_level access_count access_log
access_time
""")
"""Words under these stay."""
