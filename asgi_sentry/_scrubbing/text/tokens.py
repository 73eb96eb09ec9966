"""Tokens of fixed shape, as their makers document them.

Compared with gitleaks (MIT) and detect-secrets (Apache-2.0) for completeness. A line is a maker and
a pattern, all of whose repeats have bounds; a maker may have several.
"""

from __future__ import annotations

__all__ = ["HASHES", "TOKENS"]

_UUID = "[a-f0-9]{8}-(?:[a-f0-9]{4}-){3}[a-f0-9]{12}"
_SHAPES = r"""
AWS             (?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}
Amazon          amzn\.mws\.UUID|amzn1\.oa2-cs\.v1\.[a-f0-9]{64}
AWS Bedrock     ABSK[A-Za-z0-9+/]{80,200}={0,2}|bedrock-api-key-[A-Za-z0-9+/=]{60,3000}
GitHub          gh[pousr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{22,255}
GitLab          gl(?:pat|dt|rt|rtr|cbt|ptt|ft|agent|oas|soat|imt|ffct|wt)-[\w.-]{16,300}
GitLab          GR1348941[\w-]{16,64}
Slack           xox[abceoprs](?:\.xox[a-z])?-[A-Za-z0-9-]{12,400}|xoxd-[A-Za-z0-9%_+/=-]{80,600}
Slack           xapp-[A-Za-z0-9-]{12,400}
Slack hooks     T[A-Z0-9]{6,12}/[AB][A-Z0-9]{6,12}/(?:\d{10,20}/)?[A-Za-z0-9]{20,32}
Slack triggers  T[A-Z0-9]{6,12}/\d{10,20}/[a-f0-9]{32}
Stripe          (?:sk|rk|ek)_(?:org_)?(?:live|test|prod)_[A-Za-z0-9]{10,250}
Stripe          whsec_[A-Za-z0-9+/=]{24,100}
Stripe          (?:pi|seti|src|cs)_[A-Za-z0-9_]{14,80}_secret_[A-Za-z0-9]{14,80}
Twilio          SK[0-9a-f]{32}
SendGrid        SG\.[\w-]{16,32}\.[\w-]{16,64}
npm             npm_[A-Za-z0-9]{36}
PyPI            pypi-[\w-]{32,500}
OpenAI and like sk-(?:ant-|proj-|svcacct-|admin-|or-v1-|lf-)?[\w-]{20,400}
Google          AIza[\w-]{35}|AQ\.Ab8[\w-]{20,200}|ya29\.[\w-]{20,500}
Google          GOCSPX-[\w-]{20,50}|1//0[\w-]{30,200}
Azure Entra     [\w~.-]{3}\dQ~[\w~.-]{31,34}
Azure storage   [A-Za-z0-9+/]{76,86}(?:AzFu|ACDb|AIoT|ASt)[A-Za-z0-9+/]{4,10}={0,2}
Azure DevOps    [A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4}
Sentry          sntrys_[A-Za-z0-9]{20,500}[A-Za-z0-9+/=_-]{0,500}|sntry[uai]_[a-f0-9]{32,64}
Hugging Face    hf_[A-Za-z0-9]{30,40}|api_org_[A-Za-z]{30,40}
Groq, xAI       gsk_[A-Za-z0-9]{40,60}|xai-[A-Za-z0-9]{60,90}
Replicate       r8_[A-Za-z0-9]{37,40}
Perplexity      pplx-[A-Za-z0-9]{40,60}
Nvidia, Tavily  nvapi-[\w-]{60,80}|tvly-[\w-]{28,60}
Fireworks       fw_[A-Za-z0-9]{22,40}
LangSmith       lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}
Pinecone        pcsk_[A-Za-z0-9_]{40,90}
ElevenLabs      sk_[a-f0-9]{48}
Weights & Bias. wandb_v1_[\w-]{40,120}
DigitalOcean    do[opr]_v1_[a-f0-9]{64}
Shopify         shp(?:at|ca|pa|ss|ua)_[a-fA-F0-9]{32}
Telegram        (?:bot)?\d{8,10}:AA[\w-]{33}
Databricks      (?:dapi|dose|dkea)[a-f0-9]{32}(?:-\d)?
Doppler         dp\.(?:pt|st|ct|sa|scim|audit)\.(?:[a-z0-9_-]{2,35}\.)?[\w-]{20,60}
Linear          lin_(?:api|oauth|wh)_[A-Za-z0-9]{32,64}
Atlassian       AT[AC]TT3[\w=-]{60,300}|ATBB[A-Za-z0-9]{28,36}
HashiCorp       hv[sbr]\.[\w-]{20,300}|[A-Za-z0-9]{14}\.atlasv1\.[\w=-]{60,70}
Grafana         glsa_[A-Za-z0-9]{32}_[a-f0-9]{8}|glc_[A-Za-z0-9]{32,400}|eyJrIjoi[A-Za-z0-9]{40,200}
Postman, Figma  PMAK-[a-f0-9]{24}-[a-f0-9]{34}|fig[dur]_[\w-]{20,60}
Notion          ntn_[A-Za-z0-9]{40,60}|secret_[A-Za-z0-9]{43}
New Relic       NR(?:AK|JS|II|IQ)-[\w-]{19,50}|[a-f0-9]{36}NRAL
Datadog         dd[ap]_[A-Za-z0-9]{34,40}
PostHog         ph[xs]_[A-Za-z0-9]{30,60}
Logfire         pylf_v\d{1,2}_[a-z]{2,8}_[A-Za-z0-9]{30,60}
Honeycomb       hcaik_[a-z0-9]{50,64}
Axiom           xa[ap]t-UUID
Mailgun         key-[a-f0-9]{32}|[a-f0-9]{32}-[a-f0-9]{8}-[a-f0-9]{8}(?![\w-])
Mailchimp       [a-f0-9]{32}-us\d{1,2}
Cursor, Runway  key_[a-f0-9]{64,128}
Square          sq0[a-z]{3}-[\w-]{22,50}
Square, Meta    EAA[A-Za-z0-9][\w-]{60,400}|IGQV[\w-]{60,300}
PlanetScale     pscale_(?:tkn|pw|oauth)_[\w.-]{32,64}
Supabase        sbp_(?:oauth_)?[a-f0-9]{40}|sb_secret_[\w-]{20,60}
Neon            napi_[a-z0-9]{60,70}|npg_[A-Za-z0-9]{12}(?!\w)
RubyGems, NuGet rubygems_[a-f0-9]{48}|oy2[a-z0-9]{43}
crates.io, JSR  cio[A-Za-z0-9]{32}|jsrp_[A-Za-z0-9]{30,60}
Clojars         CLOJARS_[a-f0-9]{60}
Docker          dckr_(?:pat|oat)_[\w-]{20,64}
Fly             fo1_[\w-]{40,60}|fm\d[ar]?_[A-Za-z0-9+/=_-]{60,2000}
age             AGE-SECRET-KEY-(?:PQ-)?1[A-Z0-9]{58}
Discord         [MNO][A-Za-z\d_-]{23,25}\.[\w-]{6}\.[\w-]{27,40}|mfa\.[\w-]{80,90}
Discord hooks   webhooks/\d{17,20}/[\w-]{60,80}
Teams hooks     webhookb2/UUID@UUID/IncomingWebhook/[a-f0-9]{32}/UUID
Heroku          HRKU-(?:AA[\w-]{50,70}|UUID)
Netlify, Vercel nf[pcou]_[A-Za-z0-9]{36,44}|vc[pikar]_[A-Za-z0-9]{50,60}
Cloudflare      v1\.0-[a-f0-9]{24}-[a-f0-9]{146}
Airtable        pat[A-Za-z0-9]{14}\.[a-f0-9]{64}
HubSpot         pat-(?:na|eu|ap)\d-UUID
Asana           [12]/\d{15,18}(?:/\d{15,18})?:[a-f0-9]{32}
Twitter         A{20,24}[A-Za-z0-9%]{60,120}(?![A-Za-z0-9%])
Plaid           access-(?:production|development|sandbox)-UUID
Razorpay        rzp_(?:live|test)_[A-Za-z0-9]{14}
Flutterwave     FLWSECK(?:_TEST)?-[a-f0-9]{32}-X
Paddle          pdl_(?:live|sdbx)_apikey_\w{40,70}
Shippo          shippo_(?:live|test)_[a-f0-9]{40}
EasyPost        EZ[AT]K[A-Za-z0-9]{54}
Duffel          duffel_(?:live|test)_[\w-]{40,50}
Brevo           x(?:keys|smtps)ib-[a-f0-9]{64}-[A-Za-z0-9]{16}
MailerSend      mlsn\.[a-f0-9]{64}
Resend          re_[A-Za-z0-9]{6,10}_[A-Za-z0-9]{20,30}
Pulumi          pul-[a-f0-9]{40}
Sonar           sq[uap]_[a-f0-9]{40}
Snyk            snyk_(?:uat|sat)\.[a-f0-9]{8}\.[\w.-]{60,200}
Artifactory     AKCp[A-Za-z0-9]{60,80}|cmVmdGtuOjAxOj[A-Za-z0-9]{40,80}
Prefect         pnu_[a-z0-9]{36}
Buildkite       bk(?:ua|aj|ct)_[a-f0-9]{40}
CircleCI        CCIP(?:AT|RJ)_[A-Za-z0-9]{22}_[a-f0-9]{40}
ReadMe          rdme_[a-z0-9]{60,80}
Dynatrace       dt0[a-z]\d{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}
Typeform        tfp_[\w-]{50,70}
Contentful      CFPAT-[\w-]{40,50}
Frame.io        fio-u-[\w-]{60,70}
LaunchDarkly    (?:sdk|api|mob)-UUID
Alibaba         LTAI[A-Za-z0-9]{16,24}(?![A-Za-z0-9])
Tencent         AKID[A-Za-z0-9]{32,40}
Yandex          AQVN[\w-]{35,40}|t1\.[\w-]{60,300}\.[\w-]{80,90}
1Password       ops_eyJ[A-Za-z0-9+/=_-]{100,1000}
1Password       A3-[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})(?:-[A-Z0-9]{5}){3}
Bitwarden       0\.UUID\.[A-Za-z0-9]{30}:[A-Za-z0-9+/=]{24}
Polar           polar_oat_[A-Za-z0-9]{30,60}
Stytch          secret-(?:live|test)-[\w-]{35}[\w=-]
Svix            testsk_[A-Za-z0-9]{30,50}
Sourcegraph     sgp_(?:(?:[a-f0-9]{16}|local)_)?[A-Za-z0-9]{40,64}
OpenShift       sha256~[\w-]{43}
Defined         dnkey-[\w-]{20,30}-[\w-]{50,60}
Octopus         API-[A-Z0-9]{26}(?![A-Za-z0-9])
Tailscale       tskey-[a-z]{3,12}-[A-Za-z0-9]{10,30}-[A-Za-z0-9]{20,40}
Infisical       st\.[a-f0-9]{24}\.[a-f0-9]{32}\.[a-f0-9]{32}
Harness         pat\.[\w-]{22}\.[a-f0-9]{24}\.[A-Za-z0-9]{20}
Adobe           p8e-[A-Za-z0-9]{32}
Infracost       ico-[A-Za-z0-9]{32}
RapidAPI        [a-f0-9]{10}msh[a-f0-9]{15}p1[a-f0-9]{5}jsn[a-f0-9]{12}
MaxMind         [A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk
Scalingo        tk-us-[\w-]{48}
Ory             ory_(?:at|st|rt|ac|pat|wak)_[\w-]{30,80}(?:\.[\w-]{20,80})?
Cerebras        csk-[a-z0-9]{40,60}
Mapbox          [st]k\.eyJ[\w-]{20,400}\.[\w-]{15,100}
Akahu and like  ak_(?:live|test)_[A-Za-z0-9]{20,60}
Modal           a[ks]-[A-Za-z0-9]{22}(?![\w-])
Meta, app       \d{13,17}\|[\w-]{27}(?![\w-])
Twirp and like  tkn\.v1_[A-Za-z0-9_-]{16}[A-Za-z0-9+/=_-]{24,200}
Vault, before 1 [sbr]\.(?![a-z]{24})[A-Za-z0-9]{24}(?!\w)
Jina            jina_[a-f0-9]{32}[\w-]{20,60}
Zapier          hooks\.zapier\.com/hooks/(?:catch|standard)/\d{4,12}/[\w/-]{5,60}
Make, IFTTT     hook\.[a-z]{2}\d\.make\.com/[a-z0-9]{20,60}
Make, IFTTT     maker\.ifttt\.com/trigger/\w{1,60}/with/key/[\w-]{20,60}
Context7        ctx7sk-UUID
Telnyx          KEY[0-9A-F]{32,34}_[A-Za-z0-9]{20,30}
Zuplo           zpka_[a-f0-9]{32}_[a-f0-9]{8}
Clickhouse      clh_[A-Za-z0-9]{30,60}
Firecrawl, E2B  fc-[a-f0-9]{32}(?![\w-])|e2b_[a-f0-9]{40}
RunPod, Render  rpa_[A-Z0-9]{40,60}|rnd_[A-Za-z0-9]{28,40}
Together        tgp_v1_[\w-]{40,50}
DeepL           UUID:fx
Vercel Blob     vercel_blob_rw_[A-Za-z0-9]{14,20}_[A-Za-z0-9]{28,40}
Cloudflare      cf[ua]t_[A-Za-z0-9]{38,60}
Inngest         signkey-(?:prod|test|branch)-[a-f0-9]{64}
Trigger, Live   tr_(?:dev|prod|stg|pat)_[A-Za-z0-9]{20,40}|sk_(?:dev|prod|stg)_[\w-]{20,80}
Ably            [\w-]{6}\.[\w-]{6}:[\w-]{43}(?![\w-])
MongoDB Atlas   mdb_sa_sk_[\w-]{40}
Xata, Turso     xau_[A-Za-z0-9]{40,60}
Fauna           fn(?:A[A-Za-z0-9_-]{39})(?![\w-])
Elastic         ess[aou]_[A-Za-z0-9_-]{16}[A-Za-z0-9+/=_-]{24,120}
Mollie, Lob     (?:live|test)_(?:[A-Za-z0-9]{30}|[a-f0-9]{35})(?!\w)
Braintree       access_token\$(?:production|sandbox)\$[a-z0-9]{16}\$[a-f0-9]{32}
Zoho            1000\.[a-f0-9]{32}\.[a-f0-9]{32}
Dropbox         sl\.(?:u\.)?[\w-]{60,1500}
Twitch          oauth:[a-z0-9]{30}(?![a-z0-9])
Trello          ATTA[a-f0-9]{60,80}
ClickUp         pk_\d{5,12}_[A-Z0-9]{32}
Courier         pk_(?:prod|test)_[A-Z0-9]{28}(?!\w)
OneSignal       os_v2_(?:app|org)_[a-z0-9]{60,120}
DingTalk        SEC[a-f0-9]{64}
Pushbullet      o\.[A-Za-z0-9]{32}(?!\w)
Scaleway        SCW[A-Z0-9]{17}(?!\w)
Sanity          sk[A-Za-z0-9]{80,200}
Unkey, Resend   unkey_[A-Za-z0-9_]{20,60}
Amazon          Atz[ar]\|[\w-]{40,2000}
Brave           BSA[\w-]{28}(?![\w-])
OpenAI sessions sess-[A-Za-z0-9]{40}(?![\w-])
Klaviyo         pk_[a-f0-9]{34}(?!\w)
Adafruit        aio_[A-Za-z]{4}\d{2}[A-Za-z0-9]{22}
Anyscale, Apify esecret_[a-z0-9]{30}|apify_(?:api|proxy)_[A-Za-z0-9]{36}
Deno            dd[pw]_[A-Za-z0-9]{36}
Nylas, Rootly   nyk_v\d_[A-Za-z0-9]{60,70}|rootly_[a-f0-9]{64}
Ubidots         BBFF-[A-Za-z0-9]{30,40}
Voiceflow       VF\.(?:(?:DM|WS)\.)?[a-f0-9]{24}\.[A-Za-z0-9]{16}
CockroachDB     CCDB1_[A-Za-z0-9]{22}_[A-Za-z0-9]{40}
Aiven           AVNS_[\w-]{16,20}(?![\w-])
LlamaIndex      llx-[A-Za-z0-9]{48}
Voyage          pa-[\w-]{43}(?![\w-])
Cartesia        sk_car_[A-Za-z0-9]{20,40}
Browserbase     bb_live_[\w-]{27}
Mem0, Turbopuf. m0-[A-Za-z0-9]{40}(?![\w-])|tpuf_[A-Za-z0-9]{32}
Yandex          y[0-6]_[\w-]{50,90}|YC[AMNOPQ][\w-]{22,37}
VK              vk1\.a\.[\w-]{80,400}
Baidu           bce-v3/ALTAK-[A-Za-z0-9]{16,30}/[a-f0-9]{40}
Volcengine      AKLT[A-Za-z0-9]{30,60}={0,2}
Zhipu           [a-f0-9]{32}\.[A-Za-z0-9]{16}(?!\w)
Tinybird        p\.eyJ1[\w-]{20,200}\.[\w-]{20,80}
Docker          eyJhdXRocyI6ey[A-Za-z0-9]{8}[A-Za-z0-9+/=]{12,4000}
PASETO          v[1-4]\.(?:local|public)\.[\w-]{40,4000}(?:\.[\w-]{1,400})?
Wallets         [xyztuv]prv[A-Za-z0-9]{80,120}
Keys in base64  LS0tLS1CRUdJTi[A-Za-z0-9+/=]{40,20000}
minisign        RWRTY0Iy[A-Za-z0-9+/]{100,300}={0,2}
Twitch streams  live_\d{6,12}_[A-Za-z0-9]{24,40}
Bitbucket       BBDC-[A-Za-z0-9+/@_-]{40,60}
WakaTime        waka_UUID
Statsig         (?:secret|console)-[A-Za-z0-9]{40,50}(?![\w-])
ConfigCat       configcat-sdk-1/[\w-]{22}/[\w-]{22}
GrowthBook      secret_(?:admin|user|readonly)_[A-Za-z0-9]{30,60}
Knock, Novita   sk_[A-Za-z0-9]{43}(?![\w-])
Lambda          secret_\w{20,60}\.[A-Za-z0-9]{32}(?!\w)
Chroma          ck-[A-Za-z0-9]{44}(?![\w-])
Scrapfly        scp-(?:live|test)-[a-f0-9]{32}
Cal.com         cal_live_[a-f0-9]{32}
Intercom        dG9rO[A-Za-z0-9]{40,80}={0,2}
Ramp            ramp_tok_[A-Za-z0-9]{30,60}
Svix            sk_[A-Za-z0-9]{20,40}\.(?:eu|us)(?!\w)
dbt             dbt[cu]_[A-Za-z0-9]{40}
NetBird         nbp_[A-Za-z0-9]{36}(?!\w)
Packagist       packagist_[a-z]{3}_[a-f0-9]{60,80}
Phase           pss_(?:service|user):v\d:[a-f0-9]{64}
Convex          (?:prod|dev|preview):[a-z]{2,20}-[a-z]{2,20}-\d{1,4}\|[\w-]{40,200}={0,2}
OpenSSH         b3BlbnNzaC1rZXktdjE[A-Za-z0-9+/=]{40,20000}
"""
_PATTERN_AT = 16  # the column where it begins

TOKENS = "|".join(line[_PATTERN_AT:] for line in _SHAPES.strip().splitlines()).replace(
    "UUID", _UUID
)
"""All shapes as one alternation."""

HASHES = (
    r"(?:bcrypt_sha256\$|bcrypt\$)?\$2[abxy]?\$\d\d\$[./A-Za-z0-9]{53}"
    r"|(?:argon2)?\$argon2(?:id|i|d)\$(?:v=\d{1,3}\$)?m=\d{1,9},t=\d{1,6},p=\d{1,4}"
    r"(?:,\w{1,10}=[\w+/=-]{1,100})?\$[\w+/=.-]{8,200}"
    r"\$[\w+/=.-]{16,400}"
    r"|\$(?:scrypt|pbkdf2(?:-sha\d{1,3})?|bcrypt-sha256)\$[\w=,.-]{1,60}\$[\w+/=.-]{4,200}"
    r"(?:\$[\w+/=.-]{16,400})?"
    r"|(?:scrypt(?::\d{1,9}){3}|pbkdf2:sha\d{1,3}(?::\d{1,9})?)\$[\w./+=-]{4,100}\$[a-f0-9]{32,256}"
    r"|(?:pbkdf2_sha\d{1,3}|scrypt|sha1|sha256|sha512|md5)\$(?:\d{1,9}\$)?[\w./+=-]{4,100}\$"
    r"(?:\d{1,4}\$\d{1,4}\$)?[\w./+=-]{24,200}"
    r"|\$(?:1|5|6|7|y|gy|sm3|md5|sha1|apr1)\$(?:rounds=\d{1,9}\$)?[./A-Za-z0-9]{1,64}\$"
    r"(?:[./A-Za-z0-9]{1,64}\$)?[./A-Za-z0-9]{22,128}"
    r"|\$(?:P|H|S)\$[./A-Za-z0-9]{31,55}"
    r"|\{(?:SSHA|SHA|SMD5|SSHA256|SSHA512|CRYPT)\}[A-Za-z0-9+/=$./]{20,200}"
    r"|\{(?:PBKDF2(?:-SHA\d{1,3})?|ARGON2|BCRYPT|scrypt)\}[A-Za-z0-9+/=$.,]{20,300}"
    r"|SCRAM-SHA-\d{1,3}\$\d{1,9}:[A-Za-z0-9+/=]{8,64}\$[A-Za-z0-9+/=]{20,100}:[A-Za-z0-9+/=]"
    r"{20,100}"
)
"""What passwords are kept as: modular crypt, Django, Werkzeug, passlib, LDAP, PostgreSQL."""
