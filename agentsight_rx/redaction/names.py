"""Names of fields, parameters, variables, flags and members -> whether their values are secrets."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, TypeAlias

__all__ = [
    "HEADER_ENDS",
    "SCHEME",
    "SCHEMES",
    "SECRET_HEADERS",
    "Meaning",
    "NameKind",
    "is_secret_flag",
    "is_secret_header",
    "is_secret_parameter",
    "meaning_of",
    "name_kind",
]

# Fields whose whole value is a secret; of cookies the values, of credentials the part after the name of the scheme
SECRET_HEADERS = frozenset(
    {
        "aeg-sas-key",
        "api-key",
        "apikey",
        "authentication",
        "authorization",
        "bearer",
        "cf-access-jwt-assertion",
        "cookie",
        "cookie2",
        "dd-application-key",
        "job-token",
        "ocp-apim-subscription-key",
        "private-token",
        "proxy-authorization",
        "set-cookie",
        "set-cookie2",
        "token",
        "x-access-token",
        "x-amz-cf-signature",
        "x-amz-security-token",
        "x-amz-server-side-encryption-customer-key",
        "x-amz-signature",
        "x-amzn-oidc-data",
        "x-api-key",
        "x-auth",
        "x-auth-key",
        "x-auth-token",
        "x-aws-ec2-metadata-token",
        "x-csrf-token",
        "x-functions-key",
        "x-goog-api-key",
        "x-goog-encryption-key",
        "x-goog-iap-jwt-assertion",
        "x-honeycomb-team",
        "x-jwt-assertion",
        "x-master-key",
        "x-ms-encryption-key",
        "x-rapidapi-key",
        "x-secret-key",
        "x-session-token",
        "x-user-token",
        "x-vault-token",
        "x-xsrf-token",
    }
)
HEADER_ENDS = ("-token", "-api-key", "-apikey", "-secret", "-password", "-authorization", "-accesstoken", "-access-key")

# IANA's HTTP authentication schemes (RFC 9110 16.4.1) and those of clouds. Another value is secret as a whole
SCHEMES = (
    b"apikey", b"aws4-hmac-sha256", b"basic", b"bearer", b"concealed", b"digest", b"dpop", b"gnap", b"goog4-rsa-sha256",
    b"hawk", b"hoba", b"key", b"mac", b"mutual", b"negotiate", b"ntlm", b"oauth", b"privatetoken", b"scram-sha-1",
    b"scram-sha-256", b"sharedkey", b"sharedkeylite", b"token", b"vapid",
)  # fmt: skip
SCHEME = re.compile(rb"(?i)(?:%b)[ \t]+(?=\S)" % b"|".join(SCHEMES))

# Parameters of URLs and forms
_PARAMETER_NAME = re.compile(
    rb"(?i)(?:[\w.-]*[_.-])?(?:api|access|auth|refresh|client|session|id)?"
    rb"(?:key|token|sig|signature|secret|password|passwd|pwd|credential|jwt|assertion)"
)

# Flags and variables of commands
_FLAG_ENDS = (
    b"token", b"secret", b"password", b"passwd", b"passphrase", b"credential", b"credentials", b"bearer", b"apikey", b"api_key",
    b"api-key", b"api.key", b"access_key", b"access-key", b"accesskey", b"secret_key", b"secret-key", b"secretkey", b"auth_key",
    b"auth-key", b"private_key", b"private-key", b"signing_key", b"encryption_key", b"master_key", b"master-key",
    b"account_key",
    b"account-key", b"license_key", b"_pwd", b"-pwd", b"_pass", b"-pass", b"_auth", b"-auth",
)  # fmt: skip

# Members of JSON and other named values in a text: what the name means for its value
#
#   secret       any value is one
#   key          a value is one that is not just words
#   token        a value that looks random is one: a tokenizer and a parser have tokens too
#   credentials  the part after the scheme, as in the field Authorization
#   cookie       the value of each cookie
NameKind: TypeAlias = Literal["", "secret", "key", "token", "credentials", "cookie"]

# Without their separators. Each ending has to be in NAME_ENDINGS too
_SECRET_ENDS = ("password", "passwd", "passphrase", "secret")
_SECRET_NAMES = ("pwd", "pass")  # as the whole name, or after a separator
_KEY_ENDS = (
    "apikey", "accesskey", "secretkey", "privatekey", "signingkey", "encryptionkey", "masterkey", "accountkey", "licensekey",
    "authkey", "subscriptionkey", "functionskey", "applicationkey", "saskey",
)  # fmt: skip
_TOKEN_ENDS = ("token", "credential", "credentials", "bearer", "jwt")
_TOKEN_NAMES = ("auth",)
_CREDENTIALS_ENDS = ("authorization",)
_COOKIE_ENDS = ("cookie",)
# Positions in a list, which are no secret, and words of machine learning
_NO_TOKEN = re.compile(
    r".*(?:page|next|prev|previous|continuation|sync)[_.-]?token|(?:bos|eos|pad|unk|mask|cls|sep|start|end|stop|special)[_.-]?token"
)
_SEPARATED = re.compile(r"[_.-]")
_SEPARATORS = str.maketrans("", "", "_-.")


def is_secret_header(name: str, /) -> bool:
    """Is the value of this field (lower-case name) a secret? `sec-websocket-protocol` may hold one: use mask_field."""
    return name in SECRET_HEADERS or name.endswith(HEADER_ENDS)


def is_secret_parameter(name: bytes, /) -> bool:
    """Is this the name of a parameter with a secret: `key`, also `x-goog-signature` or `client_secret`, not `monkey`?"""
    return _PARAMETER_NAME.fullmatch(name) is not None


def is_secret_flag(name: bytes, /) -> bool:
    """Is this the name of a flag or a variable with a secret: `api-key`, `OPENAI_API_KEY`, `STRIPE_KEY`?"""
    return name.endswith(b"_KEY") or name.lower().endswith(_FLAG_ENDS)


def name_kind(name: bytes, /) -> NameKind:
    """What a name in a text means for its value: `clientSecret`, `x-api-key`, `DB_PASSWORD`; "": nothing."""
    lower = name.decode("latin-1").lower()
    if _NO_TOKEN.fullmatch(lower):
        return ""
    plain = lower.translate(_SEPARATORS)
    last = _SEPARATED.split(lower)[-1]
    if plain.endswith(_COOKIE_ENDS):
        return "cookie"
    if plain.endswith(_CREDENTIALS_ENDS):
        return "credentials"
    if plain.endswith(_SECRET_ENDS) or last in _SECRET_NAMES:
        return "secret"
    if plain.endswith(_KEY_ENDS) or ("-" in lower and is_secret_header(lower)):
        return "key"
    if plain.endswith(_TOKEN_ENDS) or last in _TOKEN_NAMES or name.endswith(b"_KEY"):
        return "token"
    return ""


class Meaning(NamedTuple):
    """Of a name: without its dashes, what it is a name of, and whether outside of quotes its value may be a secret."""

    plain: bytes
    kind: NameKind
    is_secret: bool


def meaning_of(name: bytes, /) -> Meaning:
    """What a name in a text means, also one with the dashes of a flag."""
    plain = name.lstrip(b"-")
    kind = name_kind(plain)
    return Meaning(plain, kind, bool(kind) or is_secret_flag(plain))
