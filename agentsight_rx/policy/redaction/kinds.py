"""
The kinds of keys that begin with letters of their vendor, as vendors publish them and public scanners list them. A line says:

    kind        the label; a vendor may have several lines
    letters     of which the key consists behind its beginning, see LETTERS; and how many of them follow at least
    beginnings  what the key begins with; `?` before one: it is short or a word, so what follows has to look random
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import NamedTuple

# By name: the letters, and the run in RUNS of a secret that was cut
LETTERS = {
    "hex": (r"[0-9a-f]", "plain"),
    "lower": (r"[a-z0-9]", "plain"),
    "capitals": (r"[A-Z0-9]", "capitals"),
    "plain": (r"[A-Za-z0-9]", "plain"),
    "word": (r"[A-Za-z0-9_]", "word"),
    "dashed": (r"[A-Za-z0-9-]", "dashed"),
    "key": (r"[A-Za-z0-9_-]", "key"),
    "dotted": (r"[A-Za-z0-9_.-]", "dotted"),
    "base64": (r"[A-Za-z0-9+/_-]", "base64"),
    "xhex": (r"[0-9a-fA-F]", "plain"),
    "hexdash": (r"[0-9a-f-]", "dashed"),
    "capdash": (r"[A-Z0-9-]", "dashed"),
    "hexdot": (r"[0-9a-f.]", "dotted"),
    "dollar": (r"[a-z0-9$]", "dollar"),
    "percent": (r"[A-Za-z0-9%]", "percent"),
}


class Kind(NamedTuple):
    kind: str
    begin: str
    letters: str
    least: int
    is_word: bool


_TABLE = """
adafruit      plain     26  aio_
adobe         plain     30  p8e-
age           capitals  50  AGE-SECRET-KEY-1 AGE-SECRET-KEY-PQ-1
airtable      dotted    70  ?pat
alibaba       plain     16  LTAI
anyscale      plain     20  esecret_
apify         plain     30  apify_api_
appwrite      hex      128  ?standard_
artifactory   plain     60  AKCp
artifactory   plain     40  cmVmdGtuOj
asaas         plain     40  aact_prod_ aact_hmlg_
atlassian     key       40  ATATT3 ATCTT3
atlassian     plain     24  ATBB ATOA
authress      dotted    40  scauth_ authress_
aws           capitals  16  ABIA ACCA
aws-bedrock   base64    90  ABSK
aws-bedrock   base64    40  bedrock-api-key-
axiom         hexdash   34  xaat- xapt-
baidu         plain     20  ALTAK-
baidu         base64    40  bce-v3/
beamer        key       44  ?b_
bitcoin       plain    100  xprv yprv zprv tprv uprv vprv
braintree     dollar    40  access_token$production$ access_token$sandbox$
brave         key       27  ?BSA
browserbase   key       20  bb_live_ bb_test_
buildkite     hex       40  bkua_
cartesia      key       20  sk_car_
cerebras      lower     40  csk-
checkly       hex       32  ?cu_
circleci      word      40  CCIPAT_ CCIPRJ_
clickhouse    plain     38  4b1d
clickup       word      34  pk_
clojars       lower     56  CLOJARS_
cloudflare    word      36  cfut_ cfat_ cfk_
cloudflare    hexdash  160  v1.0-
cockroach     word      40  CCDB1_
contentful    key       40  CFPAT-
crates        plain     32  ?cio
cursor        hex       60  ?key_
databricks    hex       32  dapi dose
daytona       hex       60  dtn_
dbt           key       30  dbtc_ dbtu_ dbts_
defined       key       70  dnkey-
digitalocean  hex       60  dop_v1_ doo_v1_ dor_v1_
discord       key       80  mfa.
docker        key       26  dckr_pat_ dckr_oat_
doppler       plain     40  dp.pt. dp.ct. dp.sa. dp.scim. dp.audit.
doppler       dotted    40  dp.st.
dropbox       dotted   100  ?sl.
duffel        key       40  duffel_test_ duffel_live_
dynatrace     dotted    80  dt0c01. dt0s01. dt0s02. dt0s03. dt0s08. dt0s16.
e2b           hex       36  e2b_
easypost      plain     50  EZAK EZTK
elastic       base64    40  essu_
elevenlabs    hex       44  ?sk_
facebook      plain     80  EAAA EAAB EAAC EAAD EAAE EAAF EAAG EAAH EAAJ EAAM EAAN EAAW
figma         key       36  figd_
firebase      key      100  APA91b
firecrawl     hex       32  ?fc-
fireworks     plain     22  ?fw_
flutterwave   dashed    12  FLWSECK_TEST- FLWSECK-
fly           key       40  fo1_
fly           base64    80  fm1r_ fm1a_ fm2_
frameio       key       60  fio-u-
friendli      plain     40  flp_
github        word      30  ghp_ gho_ ghu_ ghs_ ghr_ github_pat_
gitlab        dotted    20  gldt- glrt- glptt- glft- glimt- glagent- gloas- glcbt- glsoat- glffct- glrtr- glwt- glpat-
gitlab        key       20  GR1348941
gocardless    key       36  ?live_
google        key       26  GOCSPX-
google        capitals  55  GOOG1E
google        key       40  1//0 AQ.A
grafana       word      38  glsa_
grafana       base64    32  glc_
grafana       plain     60  eyJrIjoi
groq          plain     48  gsk_
harness       dotted    60  ?pat. ?sat.
helicone      dashed    20  sk-helicone- pk-helicone-
heroku        key       36  HRKU-
honeycomb     lower     40  hcaik_ hcxik_ hcxmk_
hubspot       hexdash   36  pat-na1- pat-na2- pat-eu1- pat-ap1-
huggingface   plain     30  hf_ api_org_
infisical     hexdot    60  ?st.
infracost     plain     32  ico-
inngest       hex       32  signkey-prod- signkey-test- signkey-branch-
intra         hex       60  s-s4t2ud- s-s4t2af-
jdcloud       capitals  28  JDC_
jetbrains     dotted    40  ?perm- ?perm:
jina          key       50  jina_
langfuse      hexdash   36  sk-lf- pk-lf-
langsmith     word      32  lsv2_pt_ lsv2_sk_ ls__
launchdarkly  hexdash   36  ?sdk- ?mob-
lichess       plain     20  ?lip_ ?lio_
linear        plain     32  lin_api_ lin_oauth_ lin_wh_
linkedin      dotted    16  WPL_AP0. WPL_AP1.
liveblocks    key       40  sk_prod_ sk_dev_
lob           hex       31  live_pub_ test_pub_
mailersend    lower     60  mlsn.
mailgun       hex       32  ?key-
mandrill      key       22  ?md-
mapbox        dotted    60  sk.eyJ tk.eyJ
memzero       plain     38  ?m0-
mercadopago   dashed    60  APP_USR-
modal         plain     22  ?ak- ?as-
mongodb       key       38  mdb_sa_sk_
naver         plain     30  ncp_iam_
neon          lower     60  napi_
netlify       plain     36  nfp_
newrelic      key       19  NRAK- NRII- NRIQ- NRRA- NRAA- NRSP- NRJS-
nightfall     plain     32  NF-
nomic         key       43  ?nk-
nostr         lower     58  nsec1
notion        plain     44  ntn_
notion        plain     43  ?secret_
npm           plain     30  npm_
nuget         lower     43  oy2
nvidia        key       58  nvapi-
octopus       capitals  25  ?API-
onepassword   base64   100  ops_eyJ
onepassword   capdash   32  A3-
onesignal     lower     90  os_v2_app_ os_v2_org_
openshift     key       43  sha256~
openvsx       hexdash   36  ovsxp_ ovsxat_
paddle        word      40  pdl_live_apikey_ pdl_sdbx_apikey_
pangea        lower     32  ?pts_
paseto        key       60  v1.local. v2.local. v3.local. v4.local. v1.public. v2.public. v3.public. v4.public.
perplexity    plain     44  pplx-
persona       hexdash   36  persona_production_ persona_sandbox_
phabricator   lower     28  ?api- ?cli-
pinecone      word      50  pcsk_
pinterest     plain     40  pina_
plaid         hexdash   36  access-sandbox- access-development- access-production-
planetscale   dotted    32  pscale_tkn_ pscale_pw_ pscale_oauth_
polar         plain     36  polar_pat_ polar_oat_
posthog       key       40  phx_ phs_
postman       hexdash   56  PMAK-
prefect       plain     36  pnu_ pnb_
pubnub        base64    36  sec-c-
pulumi        hex       40  pul-
pypi          key       50  pypi-AgEIcHlwaS5vcmc pypi-AgENdGVzdC5weXBpLm9yZw
radar         hex       40  prj_live_sk_ prj_test_sk_
ramp          plain     40  ramp_sec_
razorpay      plain     14  rzp_live_ rzp_test_
readme        lower     66  rdme_
render        plain     28  rnd_
replicate     plain     37  r8_
resend        word      28  ?re_
retool        lower     26  retool_
rootly        hex       60  rootly_
rubygems      hex       48  rubygems_
runpod        plain     40  rpa_
samsara       plain     28  samsara_api_
scalingo      key       44  tk-us-
sendgrid      dotted    60  SG.
sendinblue    dashed    64  xkeysib- xsmtpsib-
sentry        base64    80  sntrys_
sentry        hex       60  sntryu_
settlemint    plain     16  sm_aat_ sm_pat_ sm_sat_
shippo        hex       40  shippo_live_ shippo_test_
shopify       xhex      32  shpat_ shpca_ shppa_ shpss_ shptka_
slack         dashed    40  xapp-1- xapp-2- xoxe-1- xoxe.xoxb-1- xoxe.xoxp-1-
snyk          dotted    40  snyk_uat. snyk_sat.
sonar         hex       40  sqp_ squ_ sqa_
sourcegraph   word      40  sgp_
square        key       22  sq0atp- sq0csp-
square        key       56  EAAAE EAAAl
stripe        plain     16  sk_live_ sk_test_ rk_live_ rk_test_ sk_org_
stripe        base64    30  whsec_
stytch        key       32  secret-live- secret-test-
supabase      hex       40  sbp_
supabase      key       26  sb_secret_
svix          key       30  testsk_
tailscale     dashed    20  tskey-auth- tskey-api- tskey-client- tskey-webhook- tskey-scim-
tavily        key       24  tvly-
tencent       plain     32  AKID
tinybird      dotted    60  p.eyJ
together      key       40  tgp_v1_
trello        hex       64  ATTA
trigger       plain     20  tr_dev_ tr_prod_
twilio        hex       32  SK
twitter       percent   60  AAAAAAAAAAAAAAAAAAAAAA
typeform      dotted    40  tfp_
ubidots       plain     30  BBFF-
unkey         plain     20  unkey_
upstage       plain     29  ?up_
valtown       plain     26  vtwn_
vault         key       24  hvs. hvb. hvr.
vercel        plain     24  vcp_ vci_ vca_ vcr_ vck_
vercel        word      30  vercel_blob_rw_
volcengine    plain     30  AKLT
voyage        key       43  ?pa-
wakatime      hexdash   36  waka_ waka_sec_ waka_tok_
wandb         word      40  wandb_v1_
xai           plain     70  xai-
xata          plain     36  xau_
yandex        key       35  AQVN
yandex        key       36  YCAJ YCM YCN YCO YCP
yandex        dotted   100  ?t1.
yandex        key       40  y0_A y1_A
zuplo         word      32  zpka_
"""


def _kinds() -> tuple[Kind, ...]:
    made: list[Kind] = []
    for line in _TABLE.strip().splitlines():
        kind, letters, least, *begins = line.split()
        made += [Kind(kind, begin.removeprefix("?"), letters, int(least), begin.startswith("?")) for begin in begins]
    return tuple(sorted(made, key=lambda each: (each.begin[0], -len(each.begin))))


KINDS = _kinds()


# -- where they begin ----------------------------------------------------------------------------------------------------
#
# One search finds all kinds, whatever their number. Most begin with letters and a hyphen or an underscore: what follows that
# mark refuses nearly all others. Other kinds are looked for where a run of Base64 is, for which a text is searched anyhow.

AHEAD_MOST = 50  # bytes that these look ahead, with the mark: of 48 random letters and digits, one in 6 million has no digit
_NO_WORD = r"(?=[A-Za-z0-9_.+/-]{10})(?=[a-z_.+/-]{0,48}+[A-Z0-9])"  # what follows the mark is no word, and long enough


def _behind(mark: str) -> str:
    """What follows the mark, and the beginnings that end with it: one look back for all of a length."""
    begins = sorted((kind.begin for kind in KINDS if kind.begin.endswith(mark)), key=len, reverse=True)
    same = ["|".join(map(re.escape, group)) for _, group in groupby(begins, len)]
    before = "".join(sorted({begin[-2] for begin in begins}))
    return rf"{_NO_WORD}(?<=[{re.escape(before)}]{mark})(?:{'|'.join(f'(?<=({each}))' for each in same)})"


def by_first_letter(begins: list[str]) -> str:
    """An expression for any of these, each before its own group. Among equal first letters, the first has precedence."""
    groups = groupby(begins, lambda begin: begin[0])  # `re` looks at the first letter of a branch, but not into a group
    return "|".join(re.escape(first) + f"(?:{'|'.join(f'{re.escape(each[1:])}()' for each in same)})" for first, same in groups)


UNDERSCORE_OF_KEYS, HYPHEN_OF_KEYS = _behind("_"), _behind("-")
# Tokens of Terraform, Telegram and Discord, and addresses of webhooks have their mark in the middle
_MARKED = (
    r"[A-Za-z0-9]{14}\.atlasv1\.|(?:bot)?[0-9]{8,10}:AA|[MNO][A-Za-z0-9_-]{22,27}\.[A-Za-z0-9_-]{6}\.|services/T|webhooks/[0-9]"
)
# What a private key begins with, in DER and in Base64 (RFC 8017, 5958, 5915, 8410; OpenSSH's own)
KEY_IN_BASE64 = (
    "MII[A-Za-z0-9+/]{2}(?:[A-Za-z0-9+/]IBA(?:AK[BC]|DAN)|[A-Za-z]B[A-Za-z]BgkqhkiG9w0BBQ)|MHcCAQEEI|MIGkAgEBBDA|MIHcAgEBBEI|"
    "MI(?:GHAgEAMBM|G2AgEAMBA|HuAgEAMBA)GByqGSM49|MC4CAQAwBQYDK2V|b3BlbnNzaC1rZXktdjE"
)
COMPRESSED = "H4sI|eJ[wxyz]|eN[opqr]|eA[EF]"  # gzip and zlib, in Base64
_WITHOUT_MARK = by_first_letter([kind.begin for kind in KINDS if kind.begin[-1] not in "_-"])
_BEGINS_WORD = r"(?:(?<![A-Za-z0-9])|(?<=[abefnrtvm])(?:(?<=\\.)|(?<=[0-9\[]m)))"  # also behind an escape and a colour
BEGINS_IN_RUN = f"(?:{_WITHOUT_MARK}|{_MARKED}|{KEY_IN_BASE64}|{COMPRESSED})"
IN_RUN = f"{_BEGINS_WORD}{BEGINS_IN_RUN}"
