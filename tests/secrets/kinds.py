"""Kinds of secrets -> texts with fresh ones, and which parts of them are random."""

from __future__ import annotations

import base64
import gzip
import json
import random
import re
import string
import urllib.parse
from collections.abc import Callable

from tests.secrets.vendors import VENDORS, fresh_key

__all__ = ["KINDS", "PARTS", "Parts", "shapes"]

_ALNUM = string.ascii_letters + string.digits
_KEY = _ALNUM + "-_"
_RANDOM = random.Random(20)  # the same ones in each run: what leaks once leaks again

Parts = list[str]  # what is random in the secrets of a text: in no output may a part of one be
Kind = Callable[[Parts], str]


def _new(parts: Parts, size: int, letters: str = _ALNUM) -> str:
    """With a digit, a small and a large letter, as nearly every random key has them; no mark at its ends."""
    while True:
        text = "".join(_RANDOM.choices(letters, k=size))
        if re.fullmatch(r"(?=.*\d)(?=.*[A-Z])(?=.*[a-z]|[A-Z0-9]*$)[A-Za-z0-9](?:.*[A-Za-z0-9])?", text):
            parts.append(text)
            return text


def _encoded(parts: Parts, text: str) -> str:
    made = base64.b64encode(text.encode()).decode().rstrip("=")
    parts.append(made)
    return made


def shapes(parts: Parts) -> dict[str, str]:
    """Keys that are recognised by their own shape."""
    return {
        "anthropic": f"sk-ant-api03-{_new(parts, 93, _KEY)}",
        "openai": f"sk-proj-{_new(parts, 64)}",
        "openrouter": f"sk-or-v1-{_new(parts, 64, string.digits + 'abcdef' + 'A')}",
        "google": f"AIza{_new(parts, 35, _KEY)}",
        "github": f"ghp_{_new(parts, 36)}",
        "gitlab": f"glpat-{_new(parts, 20)}",
        "huggingface": f"hf_{_new(parts, 34)}",
        "npm": f"npm_{_new(parts, 36)}",
        "slack": f"xoxb-17653672481-19874698323-{_new(parts, 24)}",
    }


def _keys(parts: Parts) -> str:
    return " and ".join(shapes(parts).values())


def _jwt(parts: Parts) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "x" + _new([], 20)}).encode()).decode().rstrip("=")
    parts.append(claims[14:])
    return f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{claims}.{_new(parts, 43, _KEY)}"


def _private_key(parts: Parts) -> str:
    lines = "\n".join(_new(parts, 64, _ALNUM + "+/") for _ in range(3))
    return f"-----BEGIN PRIVATE KEY-----\n{lines}\n-----END PRIVATE KEY-----\n"


def _aws(parts: Parts) -> str:
    """A key id and its secret, which has no shape: beside each other, and after a name."""
    key = f"AKIA{_new(parts, 16, string.ascii_uppercase + '234567')}"
    return f"{key} {_new(parts, 40, _ALNUM)} aws_secret_access_key = {_new(parts, 40, _ALNUM + '+/')} end"


def _bearer(parts: Parts) -> str:
    return f"Authorization: Bearer {_new(parts, 40)} end"


def _basic(parts: Parts) -> str:
    return f"Authorization: Basic {_encoded(parts, f'alice:{_new(parts, 20)}')} end"


def _field(parts: Parts) -> str:
    return f"X-Api-Key: {_new(parts, 32)}"


def _cookies(parts: Parts) -> str:
    return f"Cookie: theme={_new(parts, 16)}; session={_new(parts, 32)}"


def _members(parts: Parts) -> str:
    names = ("password", "secret", "token", "api_key", "client_secret", "accessToken", "x-api-key")
    named = {name: _new(parts, 24) for name in names}
    return json.dumps({"a": [named], "Authorization": f"Basic {_encoded(parts, f'me:{_new(parts, 16)}')}"})


def _escaped_members(parts: Parts) -> str:
    """JSON in a string of JSON in a string of JSON."""
    return json.dumps({"result": json.dumps({"b": _members(parts)})})


def _passwords(parts: Parts) -> str:
    return f"see https://me:{_new(parts, 20)}@host/ and postgres://u:{_new(parts, 20)}@db:5432/x end"


def _parameters(parts: Parts) -> str:
    first, second, third = _new(parts, 24), _new(parts, 24), _new(parts, 40)
    return f"https://host/a?access_token={first}&b=c&client_secret={second}&X-Amz-Signature={third} end"


def _percent(parts: Parts) -> str:
    """Each of these percent-encoded, as in a query, and one twice."""
    once = [_bearer(parts), _aws(parts), _passwords(parts), _private_key(parts), _members(parts)]
    texts = [urllib.parse.quote(text, safe="") for text in once]
    twice = urllib.parse.quote(urllib.parse.quote(f"Bearer {_new(parts, 32)}", safe=""), safe="")
    return " ".join([*texts, twice, "end"])


def _base64(parts: Parts) -> str:
    """Each of these in Base64, with each of its three alignments."""
    texts = [make(parts) for make in (_keys, _aws, _bearer, _private_key, _passwords) for _ in range(3)]
    return " ".join(base64.b64encode((" " * (place % 3) + text).encode()).decode() for place, text in enumerate(texts)) + " end"


def _commands(parts: Parts) -> str:
    return (
        f"curl -u me:{_new(parts, 20)} https://h && export MY_TOKEN={_new(parts, 20)} && run --password={_new(parts, 20)}"
        f" --api-key {_new(parts, 20)} && curl -b sid={_new(parts, 20)} -H 'X-Auth-Token: {_new(parts, 20)}' h"
    )


def _vendors(parts: Parts) -> str:
    """Some keys of vendors: each cell has others."""
    keys = [fresh_key(vendor) for vendor in _RANDOM.sample(sorted(VENDORS), 6)]
    parts += [key[24:] for key in keys if re.search(rf"[A-Za-z0-9_-]{{{PARTS + 3}}}", key[24:])]
    return " and ".join(keys) + " end"


def _named(parts: Parts) -> str:
    """Values that only a name shows to be secrets: YAML, INI, variables, TOML, code, XML, and a name apart from its value."""
    made = [_new(parts, 20) for _ in range(11)]
    return (
        f"password: {made[0]}\ndb:\n  api_key: {made[1]}\n[db]\npassword = {made[2]}\nDB_PASSWORD={made[3]}\n"
        f'secret = "{made[4]}"\n'
        f"export API_TOKEN={made[5]}\nconst password = '{made[6]}';\n<password>{made[7]}</password>\nprivate_key: {made[8]}\n"
        f'<add key="Password" value="{made[9]}"/>\n- name: DB_PASSWORD\n  value: {made[10]}\n'
    )


def _files(parts: Parts) -> str:
    """Lines of netrc and of pgpass."""
    return f"machine h.example\n  login me\n  password {_new(parts, 20)}\nlocalhost:5432:base:me:{_new(parts, 20)}\n"


def _options(parts: Parts) -> str:
    return (
        f"mysql -u root -p{_new(parts, 20)} base && redis-cli -a {_new(parts, 20)} ping && sshpass -p {_new(parts, 20)} ssh h"
        f" && docker login -u me -p {_new(parts, 20)} h && gh --token {_new(parts, 20)} x && db --password {_new(parts, 20)}"
    )


def _connections(parts: Parts) -> str:
    return (
        f"Server=h;User Id=sa;Password={_new(parts, 20)};Database=b and host=h user=me password={_new(parts, 20)} dbname=b and"
        f" redis://:{_new(parts, 20)}@h:6379/0 and mongodb+srv://me:{_new(parts, 20)}@h/b and AccountKey={_new(parts, 40)}; end"
    )


def _digest(parts: Parts) -> str:
    return f'Authorization: Digest username="me", realm="r", nonce="{_new(parts, 24)}", uri="/", response="{_new(parts, 32)}"'


def _compressed(parts: Parts) -> str:
    """Text in gzip and Base64, and in Base64 twice."""
    texts = [make([]) for make in (_keys, _bearer, _named)]  # no output says what is in them
    packed = [base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode() for text in texts]
    parts += [text[20:] for text in packed]
    twice = [base64.b64encode(base64.b64encode(make(parts).encode())).decode() for make in (_bearer, _passwords)]
    return " ".join([*packed, *twice, "end"])


# Columns of the table
KINDS: dict[str, Kind] = {
    "keys": _keys,
    "jwt": _jwt,
    "private key": _private_key,
    "aws": _aws,
    "bearer": _bearer,
    "basic": _basic,
    "field": _field,
    "cookie": _cookies,
    "member": _members,
    "escaped": _escaped_members,
    "password": _passwords,
    "parameter": _parameters,
    "percent": _percent,
    "base64": _base64,
    "command": _commands,
    "vendors": _vendors,
    "named": _named,
    "file": _files,
    "option": _options,
    "connection": _connections,
    "digest": _digest,
    "compressed": _compressed,
}
PARTS = 13  # so many characters of what is random in a secret are a leak
