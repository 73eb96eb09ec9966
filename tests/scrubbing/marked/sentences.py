"""Sentences, hashes, keys."""

from __future__ import annotations

SENTENCES = (
    "Your verification code is «482913»",
    "«482913» is your verification code",
    "Use code: «482913» to sign in",
    "invalid literal for int() with base 10: '«hunter2x»' in field pin",
    "could not convert string to float: '«hunter2x»' for column token",
    "password '«hunter2x»' is too short",
    "invalid api key: «Xk29vQpLm4TzR8wd»",
    "the password is «hunter2x!9»",
    "login failed for ann with password «hunter2x!9»",
    "authenticated with token «Xk29vQpLm4TzR8wd»",
    "bad token «Xk29vQpLm4TzR8wd»",
    "session id «Xk29vQpLm4TzR8wd» expired",
    "otp=«482913» sent",
    "PIN: «4711»",
    "pin code «482913x7»",
    "secret key «Xk29vQpLm4TzR8wd» rotated",
    "ValueError: Invalid token: «Xk29vQpLm4TzR8wd»",
    "KeyError: 'api_key=«hunter2x»'",
    "password changed to «hunter2x!9»",
    "password reset to «hunter2x!9»",
    "password for ann was set to «hunter2X»",
    'password was changed to "«swordfish»"',
    "Your new password is «Hunter.Two2»",
    "Your temporary password is: «hunter2x!9»",
    "changed password from «hunter2x!9» to «hunter3x!9»",
    "with api key «Xk29vQpLm4TzR8wd»",
    "Incorrect API key provided: «Xk29vQpLm4TzR8wd».",
    'api key "«Xk29vQpLm4TzR8wd»" has been revoked',
    "invalid token '«Xk29vQpLm4TzR8wd»'",
    "session '«Xk29vQpLm4TzR8wd»' expired",
    "X-Push-Token: «JiMJKBQHyqLLJRUmblfeiRvN»",
    "X-App-Secret: «copper.PgITsDS»",
    "| db_password | «harbor_StwKiff» |",
    "| dbpass | «harbor.HdcmGuc» |",
    "| stripe_key | «HfGW2KYkbzYsZtVJF8C2TBcPAgjg1qZp» |",
    "stripe_key\t«HfGW2KYkbzYsZtVJF8C2TBcPAgjg1qZp»",
    "WARN auth: bearer «Xk29vQpLm4TzR8wd» rejected",
    "my password is «winter_5977»",
    "new password '«blue-3803»'",
    "login ann password «Falcon.2024»",
    "the passphrase was set to «tulip!88»",
    "password «Sommer2024»",
)
"""What sentences say."""

HASHES = (
    "«$2y$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW»",
    "«$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b27dw»",
    "«$6$rounds=5000$usesomesillystri$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr/36eYPAR»",
    "«$1$mERr$hx5rVt7rPNoS4wqbXKX7m0»",
    "«$apr1$mERr$hx5rVt7rPNoS4wqbXKX7m0»",
    "«{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9gkhmVhxx1a»",
    "«pbkdf2_sha256$600000$abcdefgh$Xk29vQpLm4TzR8wdXk29vQpLm4TzR8wdXk29vQp=»",
    "«scrypt:32768:8:1$abcdefgh$0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef»",
    "«SCRAM-SHA-256$4096:c2FsdHNhbHQ=$Xk29vQpLm4TzR8wdXk29vQpLm4Tz=:Xk29vQpLm4TzR8wdXk29vQpLm4Tz=»",
    "root:«$6$abcdefgh$D4IrlXatmP7rx3P3InaxBeoomnAihCKRVQAr/36eYPAR»:19000:0:99999:7:::",
    "password_hash: «5f4dcc3b5aa765d61d8327deb882cf99»",
    "«$y$j9T$abcdefghijklmnop$0123456789abcdefghijklmnopqrstuvwxyzABCDEFG»",
    "«$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E»",
)
"""What passwords are kept as."""

JWK = (
    '{"kty":"oct","k":"«GawgguFyGrWKav7AX4VKUg»"}',
    "{'kty': 'RSA', 'n': 'x', 'e': 'AQAB', 'd': '«X4cTteJY_gn4FYPsXB8rdXix5vwsg1FLN5E3EaG6RJoVH»'}",
    '{"d":"«X4cTteJY_gn4FYPsXB8rdX»","kty":"OKP","crv":"Ed25519"}',
    '{\\"kty\\":\\"EC\\",\\"d\\":\\"«X4cTteJY_gn4FYPsXB8rdX»\\"}',
)
"""Members of a JSON Web Key."""
