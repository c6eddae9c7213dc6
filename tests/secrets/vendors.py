"""
Keys of vendors as each vendor describes them -> fresh ones.

This list is written from the vendors' formats and knows nothing of the table in the product: a test fails where the two differ.
`<A36>` are 36 letters and digits; see LETTERS for the others. `<U>` is a UUID.
"""

from __future__ import annotations

import random
import re
import string
import uuid

__all__ = ["RANDOM", "VENDORS", "fresh_key"]

_ALNUM = string.ascii_letters + string.digits
LETTERS = {
    "A": _ALNUM,
    "K": _ALNUM + "-_",
    "W": _ALNUM + "_",
    "B": _ALNUM + "+/",
    "L": string.ascii_lowercase + string.digits,
    "C": string.ascii_uppercase + string.digits,
    "H": "0123456789abcdef",
    "X": "0123456789ABCDEF",
    "D": string.digits,
    "F": string.ascii_uppercase + "234567",
}

VENDORS = {
    # models
    "Anthropic": "sk-ant-api03-<K93>AA",
    "Anthropic admin": "sk-ant-admin01-<K93>AA",
    "OpenAI": "sk-<A20>T3BlbkFJ<A20>",
    "OpenAI project": "sk-proj-<K74>T3BlbkFJ<K74>",
    "OpenAI service account": "sk-svcacct-<K74>T3BlbkFJ<K74>",
    "OpenRouter": "sk-or-v1-<H64>",
    "Groq": "gsk_<A52>",
    "xAI": "xai-<A80>",
    "Perplexity": "pplx-<A48>",
    "Replicate": "r8_<A37>",
    "Hugging Face": "hf_<A34>",
    "Hugging Face organization": "api_org_<A34>",
    "Cerebras": "csk-<L48>",
    "Fireworks": "fw_<A24>",
    "NVIDIA": "nvapi-<K64>",
    "Together": "tgp_v1_<K43>",
    "Voyage": "pa-<K43>",
    "Jina": "jina_<A60>",
    "Pinecone": "pcsk_<A5>_<A63>",
    "ElevenLabs": "sk_<H48>",
    "DeepSeek": "sk-<H32>",
    "RunPod": "rpa_<C40>",
    "Anyscale": "esecret_<L26>",
    "LangSmith": "lsv2_pt_<H32>_<H10>",
    "LangSmith service": "lsv2_sk_<H32>_<H10>",
    "Langfuse": "sk-lf-<U>",
    "Helicone": "sk-helicone-<L7>-<L7>-<L7>-<L7>",
    "E2B": "e2b_<H40>",
    "Tavily": "tvly-<A32>",
    "Firecrawl": "fc-<H32>",
    "Apify": "apify_api_<A36>",
    "Browserbase": "bb_live_<K27>",
    "Weights and Biases": "wandb_v1_<A40>",
    "Friendli": "flp_<A46>",
    "Upstage": "up_<A29>",
    # clouds
    "AWS": "AKIA<F16>",
    "AWS temporary": "ASIA<F16>",
    "Bedrock": "ABSK<B109>",
    "Google": "AIza<K35>",
    "Google OAuth": "ya29.<K100>",
    "Google client secret": "GOCSPX-<K28>",
    "Google refresh": "1//0<K60>",
    "Google storage": "GOOG1E<C57>",
    "Azure client secret": "<A3>8Q~<K34>",
    "Alibaba": "LTAI<A20>",
    "Tencent": "AKID<A32>",
    "Volcengine": "AKLT<A43>",
    "Baidu": "ALTAK-<A21>",
    "Yandex": "AQVN<K36>",
    "DigitalOcean": "dop_v1_<H64>",
    "DigitalOcean OAuth": "doo_v1_<H64>",
    "DigitalOcean refresh": "dor_v1_<H64>",
    "Heroku": "HRKU-<K60>",
    "Fly": "fo1_<K43>",
    "Fly macaroon": "fm2_<B120>",
    "Render": "rnd_<A32>",
    "Vercel": "vcp_<A56>",
    "Netlify": "nfp_<A36>",
    "Scalingo": "tk-us-<K48>",
    "Cloudflare origin": "v1.0-<H24>-<H146>",
    "Databricks": "dapi<H32>",
    "Databricks secret": "dose<H32>",
    "Supabase": "sbp_<H40>",
    "Supabase secret": "sb_secret_<K31>",
    "PlanetScale": "pscale_tkn_<K43>",
    "PlanetScale password": "pscale_pw_<K43>",
    "Neon": "napi_<L64>",
    "Xata": "xau_<A36>",
    "MongoDB Atlas": "mdb_sa_sk_<K40>",
    "ClickHouse": "4b1d<A38>",
    "Cockroach": "CCDB1_<A22>_<A40>",
    "Terraform": "<A14>.atlasv1.<K67>",
    "Pulumi": "pul-<H40>",
    "Doppler": "dp.pt.<A43>",
    "Doppler service": "dp.st.prd.<A43>",
    "Vault": "hvs.<K95>",
    "Vault batch": "hvb.<K140>",
    "1Password": "ops_eyJ<A260>",
    "Infisical": "st.<H24>.<H32>.<H32>",
    "age": "AGE-SECRET-KEY-1<C58>",
    "age, post-quantum": "AGE-SECRET-KEY-PQ-1<C58>",
    "BIP 32": "xprv9s21ZrQH143K<A95>",
    "Nostr": "nsec1<L58>",
    "PASETO": "v4.local.<K120>",
    "Tailscale": "tskey-auth-<A17>-<A32>",
    "OpenShift": "sha256~<K43>",
    # code
    "GitHub": "ghp_<A36>",
    "GitHub OAuth": "gho_<A36>",
    "GitHub user": "ghu_<A36>",
    "GitHub server": "ghs_<A36>",
    "GitHub refresh": "ghr_<A76>",
    "GitHub fine-grained": "github_pat_<A22>_<A59>",
    "GitLab": "glpat-<K20>",
    "GitLab routable": "glpat-<K27>.<L2>.<L9>",
    "GitLab deploy": "gldt-<K20>",
    "GitLab runner": "glrt-<K20>",
    "GitLab trigger": "glptt-<H40>",
    "GitLab CI job": "glcbt-<A2>_<K20>",
    "Atlassian": "ATATT3<K186>",
    "Bitbucket": "ATBB<A32>",
    "CircleCI": "CCIPAT_<A22>_<H40>",
    "Buildkite": "bkua_<H40>",
    "Sourcegraph": "sgp_<H16>_<H40>",
    "Sonar": "squ_<H40>",
    "Snyk": "snyk_uat.<H8>.<K60>",
    "Sentry user": "sntryu_<H64>",
    "Docker": "dckr_pat_<K27>",
    "Artifactory": "AKCp<A69>",
    "PyPI": "pypi-AgEIcHlwaS5vcmc<K150>",
    "npm": "npm_<A36>",
    "RubyGems": "rubygems_<H48>",
    "NuGet": "oy2<L43>",
    "crates.io": "cio<A32>",
    "Clojars": "CLOJARS_<L60>",
    "Open VSX": "ovsxp_<U>",
    "JetBrains": "perm-<A24>.<A12>.<A30>",
    "ReadMe": "rdme_<L70>",
    "Prefect": "pnu_<A36>",
    "dbt": "dbtc_<K43>",
    "Postman": "PMAK-<H24>-<H34>",
    "Phabricator": "api-<L28>",
    "Val Town": "vtwn_<A30>",
    "LaunchDarkly": "sdk-<U>",
    "Trigger.dev": "tr_prod_<A24>",
    # observability
    "Grafana": "glsa_<A32>_<H8>",
    "Grafana Cloud": "glc_eyJ<A80>",
    "New Relic": "NRAK-<C27>",
    "New Relic insert": "NRII-<K32>",
    "Dynatrace": "dt0c01.<C24>.<C64>",
    "Honeycomb": "hcaik_<L58>",
    "PostHog": "phx_<A43>",
    "Axiom": "xaat-<U>",
    "Elastic": "essu_<A60>",
    # messages
    "Slack bot": "xoxb-<D12>-<D12>-<A24>",
    "Slack user": "xoxp-<D12>-<D12>-<D13>-<H32>",
    "Slack app": "xapp-1-<C11>-<D13>-<H64>",
    "Slack configuration": "xoxe.xoxp-1-<A165>",
    "Discord": "M<A23>.<K6>.<K38>",
    "Telegram": "<D10>:AA<K33>",
    "SendGrid": "SG.<K22>.<K43>",
    "Brevo": "xkeysib-<H64>-<A16>",
    "MailerSend": "mlsn.<H64>",
    "Mailgun": "key-<H32>",
    "Resend": "re_<A8>_<A24>",
    "Twilio": "SK<H32>",
    "Facebook": "EAAC<A150>",
    "Twitter": "AAAAAAAAAAAAAAAAAAAAAA<A80>",
    "Firebase messaging": "APA91b<K134>",
    # work
    "Linear": "lin_api_<A40>",
    "Notion": "ntn_<D11><A35>",
    "Notion old": "secret_<A43>",
    "Airtable": "pat<A14>.<H64>",
    "Figma": "figd_<K40>",
    "HubSpot": "pat-na1-<U>",
    "Typeform": "tfp_<A40>_<A14>",
    "Contentful": "CFPAT-<K43>",
    "Trello": "ATTA<H72>",
    "ClickUp": "pk_<D8>_<C32>",
    "Retool": "retool_<L26>",
    "Rootly": "rootly_<H64>",
    # payments and shops
    "Stripe": "sk_live_<A24>",
    "Stripe long": "sk_test_51<A97>",
    "Stripe restricted": "rk_live_<A24>",
    "Stripe webhook": "whsec_<B32>",
    "Shopify": "shpat_<H32>",
    "Shopify secret": "shpss_<H32>",
    "Square": "sq0atp-<K22>",
    "Square secret": "sq0csp-<K43>",
    "Braintree": "access_token$production$<L16>$<H32>",
    "Plaid": "access-production-<U>",
    "Razorpay": "rzp_live_<A14>",
    "Flutterwave": "FLWSECK_TEST-<H32>-X",
    "GoCardless": "live_<K40>",
    "Mercado Pago": "APP_USR-<D16>-<D6>-<H32>-<D9>",
    "Paddle": "pdl_live_apikey_<L26>_<A22>_<A3>",
    "Polar": "polar_pat_<A43>",
    "Duffel": "duffel_live_<K43>",
    "EasyPost": "EZAK<A54>",
    "Shippo": "shippo_live_<H40>",
    "Persona": "persona_production_<U>",
    "Mapbox": "sk.eyJ<A80>.<K22>",
    "Frame.io": "fio-u-<K64>",
}
RANDOM = random.Random(22)  # the same ones in each run
_PART = re.compile(r"<(?:([A-Z])([0-9]+)|U)>")


def fresh_key(vendor: str) -> str:
    """With a digit, a small and a large letter, where the vendor has them, and with no mark at an end."""

    def part(of: re.Match[str]) -> str:
        if of[1] is None:
            return str(uuid.UUID(int=RANDOM.getrandbits(128), version=4))
        letters = LETTERS[of[1]]
        while True:
            made = "".join(RANDOM.choices(letters, k=int(of[2])))
            wanted = [
                kind for kind in (string.digits, string.ascii_lowercase, string.ascii_uppercase) if set(kind) & set(letters)
            ]
            if (len(made) < 8 or all(set(kind) & set(made) for kind in wanted)) and made[0].isalnum() and made[-1].isalnum():
                return made

    return _PART.sub(part, VENDORS[vendor])
