"""Names of fields, parameters, variables, flags and members -> whether their values are secrets."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

from ...core.start import regex
from .values import (
    begins_random,
    is_bare_password,
    is_mixed,
    is_name_in_code,
    is_odd_word,
    is_random,
    is_said_word,
    is_value,
    is_very_random,
)

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
SCHEME = regex(rb"(?i)(?:%b)[ \t]+(?=\S)" % b"|".join(SCHEMES))
ANY_SCHEME = regex(rb"[A-Za-z][A-Za-z0-9_-]{1,40}[ \t]+(?=\S)")  # of a vendor: what looks random behind it is a secret

# Parameters of URLs and forms
_PARAMETER_NAME = regex(
    rb"(?i)(?:[\w.-]*[_.-])?(?:api|access|auth|refresh|client|session|id)?"
    rb"(?:key|token|sig|signature|secret|password|passwd|pwd|credential|jwt|assertion)"
)

# Flags and variables of commands
_FLAG_ENDS = (
    b"token", b"secret", b"password", b"passwd", b"passphrase", b"credential", b"credentials", b"bearer", b"apikey", b"api_key",
    b"api-key", b"api.key", b"access_key", b"access-key", b"accesskey", b"secret_key", b"secret-key", b"secretkey", b"auth_key",
    b"auth-key", b"private_key", b"private-key", b"signing_key", b"encryption_key", b"master_key", b"master-key",
    b"account_key",
    b"account-key", b"license_key", b"sshpass", b"_pwd", b"-pwd", b"_pass", b"-pass", b"_auth", b"-auth",
)  # fmt: skip

# Members of JSON and other named values in a text: what the name means for its value
#
#   password     any value is one, also in code and where nothing but a name says so
#   secret       any value is one in a member; elsewhere one with a digit
#   key          a value is one that is not just words
#   token        a value that looks random is one: a tokenizer and a parser have tokens too
#   credentials  the part after the scheme, as in the field Authorization
#   cookie       the value of each cookie
NameKind: TypeAlias = Literal["", "password", "secret", "key", "token", "credentials", "cookie"]

# Without their separators. Each ending has to be in NAME_ENDINGS too
_PASSWORD_ENDS = ("password", "passwd", "passphrase")
_PASSWORD_NAMES = ("pwd", "psk", "pw")  # as the whole name, or after a separator
_SECRET_ENDS = ("secret", "dbpass", "userpass", "adminpass", "rootpass", "smtppass", "mailpass", "ftppass", "sshpass")
_SECRET_NAMES = ("pass",)
_KEY_ENDS = (
    "apikey", "accesskey", "secretkey", "privatekey", "signingkey", "encryptionkey", "masterkey", "accountkey", "licensekey",
    "authkey", "secretkeybase", "subscriptionkey", "functionskey", "applicationkey", "saskey",
)  # fmt: skip
_TOKEN_ENDS = ("token", "credential", "credentials", "bearer", "jwt")
_TOKEN_NAMES = ("auth",)
# Of whom or for what a token is: so it is none of a tokenizer
_TOKEN_OF = regex(
    r".*(?:access|auth|api|refresh|bearer|secret|session|csrf|xsrf|id|bot|app|deploy|personal|private|github|gitlab|slack|npm|"
    r"pypi|hf|service|admin|oauth|jwt|push|device|webhook|registration|security|job|vault|web)[_.-]?token"
)
_CREDENTIALS_ENDS = ("authorization",)
_COOKIE_ENDS = ("cookie",)
# Positions in a list, which are no secret, and words of machine learning
_NO_TOKEN = regex(
    r".*(?:page|next|prev|previous|continuation|sync)[_.-]?token|(?:bos|eos|pad|unk|mask|cls|sep|start|end|stop|special)[_.-]?token"
)
_SEPARATED = regex(r"[_.-]")
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
    if plain.endswith(_PASSWORD_ENDS) or last in _PASSWORD_NAMES or name.endswith(b"Pwd"):
        return "password"
    if plain.endswith(_SECRET_ENDS) or last in _SECRET_NAMES:
        return "secret"
    if plain.endswith(_KEY_ENDS) or ("-" in lower and is_secret_header(lower)) or _TOKEN_OF.fullmatch(lower):
        return "key"
    if plain.endswith(_TOKEN_ENDS) or last in _TOKEN_NAMES or name.endswith(b"_KEY"):
        return "token"
    return ""


_NAMES_MOST = 4096


class Meaning(NamedTuple):
    """Of a name: without its dashes, what it is a name of, and whether outside of quotes its value may be a secret."""

    plain: bytes
    kind: NameKind
    is_secret: bool


@lru_cache(_NAMES_MOST)
def meaning_of(name: bytes, /) -> Meaning:
    """What a name in a text means, also one with the dashes of a flag. Texts have few names, and have them many times."""
    plain = name.lstrip(b"-")
    kind = name_kind(plain)
    return Meaning(
        plain, kind, bool(kind) or (is_secret_flag(plain) and not _NO_TOKEN.fullmatch(plain.decode("latin-1").lower()))
    )


# -- bare ----------------------------------------------------------------------------------------------------------
# A value without quotes behind a name -> whether it is a secret, and where it ends.
#
# It may be a secret of a configuration, or a name, a type or an expression of a program. What it is depends on the name, on how
# the value looks, and on what stands around both:
#
# password: <word with 2>  a password with a digit or a sign is one wherever it stands
# password: <word>       a word is one where the line has nothing else (YAML, a table), and it is no type and no message
# DB_PASSWORD=<word>     also right behind the name of a variable, or in a list such as `user=me password=word`
# password = word        between blanks a name is a name: this is a program
# secret: <word with 2>  another secret has a digit, and its line has nothing else
# token=…                a token looks random: a parser has tokens too


class Place(NamedTuple):
    """Where a value stands: it begins at `start`, behind the separator at `at`, whose name begins at `name`."""

    name: int
    at: int
    start: int
    kind: NameKind
    is_variable: bool  # the name is in capitals, or a flag

    def is_tight(self, data: bytes) -> bool:
        return self.start == self.at + 1 and data[self.at : self.at + 1] != b":"


_LINE_BEFORE = regex(rb"(?:\A|[\n\r\"'`]|\\[nrt])[ \t]*(?:[-+>#*]{1,3}[ \t]*)?(?:(?:export|set|ENV)[ \t]+)?[\"']?\Z")
_BEFORE_MOST = 48  # bytes
_LINE_BEHIND = regex(rb"[ \t]{0,8}(?:\Z|[\n\r\"'`]|[ \t]#|\\+[nrt\"'])")
_LIST_BEHIND = regex(rb"[ \t]+[A-Za-z_]{1,30}(?:=|\Z)|;[ \t]*[A-Z][A-Za-z_ ]{1,30}=|[ \t;]{0,4}\Z")
_WHOLE = regex(rb"[^\s\"'\\`]+")
_CALL = regex(rb"[(\[{]")
_CALLED = regex(rb"[A-Za-z_$][\w.:$]*[(\[{<].*", re.DOTALL)
_PIN = regex(rb"[0-9]{4,}")
_WHOLE_MOST = 256  # bytes


def stands_alone(data: bytes, name: int, end: int) -> bool:
    """Has the line nothing but this name and its value?"""
    return _LINE_BEHIND.match(data, end) is not None and _begins_line(data, name)


def _begins_line(data: bytes, name: int) -> bool:
    return _LINE_BEFORE.search(data[max(0, name - _BEFORE_MOST) : name]) is not None


def end_of_bare(data: bytes, place: Place, end: int) -> int:
    """Where the secret ends whose letters end at `end` as far as no program would say more; -1: it is none."""
    value = data[place.start : end]
    if _CALL.match(data, end):
        return _end_of_whole(data, place)
    looks_random = is_random(value)
    if (looks_random and (place.is_variable or is_very_random(value))) or (place.is_variable and is_odd_word(value)):
        return end
    if place.kind == "password":
        return end if _is_password(data, place, value) else _end_of_whole(data, place)
    if place.kind in ("secret", "key"):
        is_one = (is_mixed(value) or is_odd_word(value)) and (place.is_tight(data) or stands_alone(data, place.name, end))
        return end if is_one or (place.is_variable and place.is_tight(data) and is_said_word(value)) else -1
    is_type = b"." in value and is_name_in_code(value)
    return end if place.kind == "token" and looks_random and not is_type and stands_alone(data, place.name, end) else -1


def _is_password(data: bytes, place: Place, value: bytes) -> bool:
    if is_bare_password(value) or (
        is_odd_word(value) and (place.is_tight(data) or stands_alone(data, place.name, place.start + len(value)))
    ):
        return True
    end = place.start + len(value)
    if _PIN.fullmatch(value):
        return place.is_tight(data) or stands_alone(data, place.name, end)
    if not is_said_word(value):
        return False
    if place.is_tight(data):
        return place.is_variable or _LIST_BEHIND.match(data, end) is not None or stands_alone(data, place.name, end)
    return data[place.at : place.at + 1] == b":" and stands_alone(data, place.name, end)


def _end_of_whole(data: bytes, place: Place) -> int:
    """A password with marks that a program has between names: where the line has nothing else, and it is no call."""
    whole = _WHOLE.match(data, place.start, place.start + _WHOLE_MOST) if place.kind == "password" else None
    if whole is None or _CALLED.fullmatch(whole[0]) or is_name_in_code(whole[0]) or not is_mixed(whole[0]):
        return -1
    return whole.end() if stands_alone(data, place.name, whole.end()) else -1


_NO_BEGIN = regex(rb"[$<{\[%@:&*!?(|\"']|[bBfFrRuU]{0,2}\Z")  # a reference, or what stands before a quote


def may_begin_bare(data: bytes, place: Place) -> bool:
    """The data ends with this value: may it become a secret?"""
    value = data[place.start :]
    if begins_random(value):
        return True
    if place.kind not in ("password", "secret", "key") or _NO_BEGIN.match(value) or not is_value(value):
        return False
    if any(letter in b"0123456789" for letter in value):
        return True
    return place.is_tight(data) or _begins_line(data, place.name)
