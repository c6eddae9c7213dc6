"""Names -> whether their values are secrets: fields of HTTP heads, and flags and variables of commands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .redactor import Redactor, find_secrets
from .shapes import RUNS, Secret, kind_of

__all__ = ["SECRET_HEADERS", "find_fields", "is_secret_header", "mask_command", "mask_field", "mask_words"]

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
_HEADER_ENDS = ("-token", "-api-key", "-apikey", "-secret", "-password", "-authorization", "-accesstoken", "-access-key")

# IANA's HTTP authentication schemes (RFC 9110 16.4.1) and those of clouds. A value with another first word is secret as a whole
_SCHEME = re.compile(
    rb"(?i)(?:apikey|aws4-hmac-sha256|basic|bearer|concealed|digest|dpop|gnap|goog4-rsa-sha256|hawk|hoba|key|mac|mutual|negotiate|"
    rb"ntlm|oauth|privatetoken|scram-sha-1|scram-sha-256|sharedkey|sharedkeylite|token|vapid)[ \t]+(?=\S)"
)
_CREDENTIALS = ("authorization", "authentication", "x-auth")
_PAIR = re.compile(rb"[ \t]*([^=;]*=)?[ \t]*\"?([^;\"]*)\"?")

# Values of sec-websocket-protocol, such as `openai-insecure-api-key.sk-…`; its other values are names of protocols
_PROTOCOL = re.compile(rb"[^\s,]+")
_PROTOCOL_NAME = re.compile(
    rb"(?i)base64url\.bearer\.authorization\.k8s\.io\.|[\w.-]{0,80}?(?:api-?key|token|bearer|secret|authorization)[.:_-]"
)
_LONG_PROTOCOL = re.compile(rb"(?=[^0-9]*[0-9])[A-Za-z0-9_.~+/=-]{40,}")

_FIELD = re.compile(rb"\n(?:[<>] )?([A-Za-z][A-Za-z0-9-]{2,60})[ \t]{0,16}:")


def is_secret_header(name: str, /) -> bool:
    """Is the value of this field (lower-case name) a secret? `sec-websocket-protocol` may hold one: use mask_field."""
    return name in SECRET_HEADERS or name.endswith(_HEADER_ENDS)


def mask_field(name: str, value: str, redactor: Redactor, /) -> str:
    """The value of a secret field, or of `sec-websocket-protocol`, with labels; the rest of its syntax stays."""
    data = value.encode("utf-8", "surrogatepass")
    made = redactor.replaced(data, _secrets_of_field(name, data))
    return value if made is data else made.decode("utf-8", "surrogatepass")


def _secrets_of_field(name: str, data: bytes) -> Iterator[Secret]:
    if name.endswith(("cookie", "cookie2")):
        yield from _secrets_of_cookie(data, first_only=name.startswith("set-"))
    elif name == "sec-websocket-protocol":
        for protocol in _PROTOCOL.finditer(data):
            label = _PROTOCOL_NAME.match(data, protocol.start(), protocol.end())
            start = label.end() if label else protocol.start()
            value = data[start : protocol.end()]
            if label or find_secrets(value) or _LONG_PROTOCOL.fullmatch(value):
                yield Secret(start, protocol.end(), kind_of(value) or name)
    else:
        scheme = _SCHEME.match(data) if name.endswith(_CREDENTIALS) else None
        start = scheme.end() if scheme else len(data) - len(data.lstrip())
        yield Secret(start, len(data.rstrip()), kind_of(data[start:].rstrip()) or name)


def _secrets_of_cookie(data: bytes, *, first_only: bool) -> Iterator[Secret]:
    """RFC 6265: `name=value` pairs. In Set-Cookie the first is the cookie and the others are its attributes."""
    place = 0
    while place < len(data):
        pair = _PAIR.match(data, place)
        end = data.find(b";", place)
        end = len(data) if end < 0 else end
        if pair is not None:
            start = pair.start(2)
            value = data[start:end].rstrip(b' \t"')
            yield Secret(start, start + len(value), "cookie")
        if first_only:
            return
        place = end + 1


def find_fields(data: bytes, /) -> list[Secret]:
    """The values of secret fields in raw bytes that may hold HTTP heads, with folded lines; more may follow `data`."""
    found: list[Secret] = []
    for field in _FIELD.finditer(data):
        name = field[1].decode().lower()
        if is_secret_header(name) or name == "sec-websocket-protocol":
            value = RUNS["line"].match(data, field.end())
            end = value.end() if value else field.end()
            goes_on = end >= len(data) - 1  # nothing but a line end may follow in `data`: the next line may be folded
            found.append(Secret(field.end(), end, name, "line" if goes_on else ""))
    return found


# -- commands ----------------------------------------------------------------------------------------------------------

_NAME_ENDS = (
    b"token", b"secret", b"password", b"passwd", b"passphrase", b"credential", b"credentials", b"bearer", b"apikey", b"api_key",
    b"api-key", b"api.key", b"access_key", b"access-key", b"accesskey", b"secret_key", b"secret-key", b"secretkey", b"auth_key",
    b"auth-key", b"private_key", b"private-key", b"signing_key", b"encryption_key", b"master_key", b"master-key",
    b"account_key",
    b"account-key", b"license_key", b"_pwd", b"-pwd", b"_pass", b"-pass", b"_auth", b"-auth",
)  # fmt: skip
_FLAG = re.compile(rb"--?[A-Za-z][A-Za-z0-9_.-]{0,63}")
_NAME = re.compile(
    rb"(?<![A-Za-z0-9_.-])(?:--?([A-Za-z][A-Za-z0-9_.-]{0,63})(?:=|[ \t]{1,8})|([A-Za-z_][A-Za-z0-9_.-]{0,63})=)"
)
_WORD = re.compile(rb"\"([^\"]*)|'([^']*)|([^\s;|&<>()\"'`]+)")
_REFERENCE = re.compile(rb"\$(?:\w+|\{[^}]*\}|\(.*)")
_COMMAND_FIELD = re.compile(rb"(?<![A-Za-z0-9-])(?<!\[redacted:)(?:-H)?([A-Za-z][A-Za-z0-9-]{2,60}):[ \t]?")
_COMMAND_VALUE = re.compile(rb"[^\"'\n`]*")
_WORD_FIELD = re.compile(rb"(?:-H)?([A-Za-z][A-Za-z0-9-]{2,60}):[ \t]*(?=\S)")
_USER = re.compile(rb"(?:(?<=\s)|\A)(?:-u|-U|--user|--proxy-user|-a|--auth)(?:[ \t=]{0,8})[\"']?[^\s:\"']{0,256}:([^\s\"']+)")
_USER_FLAG = re.compile(rb"-u|-U|-a|--user|--proxy-user|--auth")
_SCRIPT_FLAG = re.compile(rb"-[a-z]{0,4}c")
_CLIENTS = (b"curl", b"wget", b"http", b"https", b"xh")
_DIGITS = re.compile(rb"[0-9]+")
_KIND = "argument"


def mask_words(argv: tuple[str, ...], redactor: Redactor, /, *, cut: bool = False) -> tuple[str, ...]:
    """The words of a command without secrets; `argv` itself if there are none. `cut`: the end of the last one is missing."""
    words = [word.encode("utf-8", "surrogatepass") for word in argv]
    client = bool(words) and words[0].rsplit(b"/", 1)[-1] in _CLIENTS
    made: list[str] = []
    for index, (word, data) in enumerate(zip(argv, words, strict=True)):
        before = words[index - 1] if index else b""
        masked = redactor.replaced(data, _secrets_of_word(before, data, client, cut and index == len(argv) - 1))
        made.append(word if masked is data else masked.decode("utf-8", "surrogatepass"))
    return argv if all(new is old for new, old in zip(made, argv, strict=True)) else tuple(made)


def _secrets_of_word(before: bytes, word: bytes, client: bool, cut: bool) -> Iterator[Secret]:
    if _FLAG.fullmatch(before) and _is_secret_name(before.lstrip(b"-")) and not word.startswith(b"--"):
        yield Secret(0, len(word), kind_of(word) or _KIND)
        return
    if client and _USER_FLAG.fullmatch(before) and b":" in word:
        yield Secret(word.index(b":") + 1, len(word), _KIND)
    if client and before in (b"-b", b"--cookie") and b"=" in word:
        yield from _secrets_of_cookie(word, first_only=False)
    field = _WORD_FIELD.match(word)
    if field and is_secret_header(field[1].decode().lower()):
        yield from _moved(_secrets_of_field(field[1].decode().lower(), word[field.end() :]), field.end())
    name = None if _SCRIPT_FLAG.fullmatch(before) else _NAME.match(word)
    if name and word[name.end() - 1 : name.end()] == b"=" and _is_secret_name(name[1] or name[2]):
        yield Secret(name.end(), len(word), kind_of(word[name.end() :]) or _KIND)
    else:
        yield from _secrets_of_command(word)
    yield from find_secrets(word, cut=cut)


def mask_command(command: str, redactor: Redactor, /) -> str:
    """A shell command line without secrets; `command` itself if there are none."""
    data = command.encode("utf-8", "surrogatepass")
    made = redactor.replaced(data, [*_secrets_of_command(data), *find_secrets(data)])
    return command if made is data else made.decode("utf-8", "surrogatepass")


def _secrets_of_command(data: bytes) -> Iterator[Secret]:
    done = 0
    for name in _NAME.finditer(data):
        if name.start() >= done and _is_secret_name(name[1] or name[2]):
            for value in _secret_of_value(data, name.end()):
                yield value
                done = value.end
    done = 0
    for field in _COMMAND_FIELD.finditer(data):
        header = field[1].decode().lower()
        if field.start() >= done and is_secret_header(header):
            end = _COMMAND_VALUE.match(data, field.end())
            done = end.end() if end else field.end()
            yield from _moved(_secrets_of_field(header, data[field.end() : done]), field.end())
    if any(client in data for client in (b"curl", b"wget")):
        for user in _USER.finditer(data):
            if not _DIGITS.fullmatch(user[1]):
                yield Secret(user.start(1), user.end(1), _KIND)


def _secret_of_value(data: bytes, start: int) -> Iterator[Secret]:
    word = _WORD.match(data, start)
    if word is None or word.lastindex is None:
        return
    value = word[word.lastindex]
    is_reference = word.lastindex != 2 and _REFERENCE.fullmatch(value)
    if value and not is_reference and not value.startswith(b"--"):
        yield Secret(word.start(word.lastindex), word.end(word.lastindex), kind_of(value) or _KIND)


def _is_secret_name(name: bytes) -> bool:
    return name.endswith(b"_KEY") or name.lower().endswith(_NAME_ENDS)


def _moved(found: Iterator[Secret], by: int) -> Iterator[Secret]:
    for secret in found:
        yield secret._replace(start=secret.start + by, end=secret.end + by)
