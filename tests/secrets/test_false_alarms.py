"""Of 10,000 ordinary texts, redaction changes at most one: code, documents, lock files, digests, ids, images, programs."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import agentsight_rx
from agentsight_rx.policy.redaction.find import find_secrets
from agentsight_rx.policy.redaction.redactor import settled

TEXTS = 10_000
ROOT = Path(agentsight_rx.__file__).parents[1]
# Here secrets are said on purpose
SAID = ("redaction.md", "test_", "secrets", "known_agents", "fake", "agents", "demo", "recording.py")
PIECE = 4000  # characters of a file that are one text
_RANDOM = random.Random(23)
_NAMES = ("token", "key", "value", "secret", "password", "data", "name", "index", "next", "user", "auth", "state", "session")


def files() -> Iterator[str]:
    """What this repository has, in pieces, and the lock file of the page."""
    for folder in ("agentsight_rx", "docs", "frontend/src", "benchmarks", "scripts", "examples"):
        for file in sorted((ROOT / folder).rglob("*")):
            if file.suffix in (".py", ".md", ".ts", ".tsx", ".css", ".c", ".h", ".sh", ".json", ".toml") and not said(file):
                text = file.read_text(errors="replace")
                yield from (text[at : at + PIECE] for at in range(0, len(text), PIECE))
    lock = (ROOT / "frontend" / "package-lock.json").read_text()
    yield from (lock[at : at + PIECE] for at in range(0, len(lock), PIECE))


def said(file: Path) -> bool:
    return any(part in file.name or part in file.parts for part in SAID)


def _digest(kind: str) -> str:
    return hashlib.new(kind, _RANDOM.randbytes(8)).hexdigest()


def _integrity() -> str:
    return base64.b64encode(hashlib.sha512(_RANDOM.randbytes(8)).digest()).decode()


def _word(least: int = 3) -> str:
    return "".join(_RANDOM.choices(string.ascii_lowercase, k=_RANDOM.randint(least, 9)))


def _name() -> str:
    return _RANDOM.choice(["_".join((_word(), _RANDOM.choice(_NAMES))), _word() + _RANDOM.choice(_NAMES).title()])


def _lock() -> str:
    return json.dumps({
        f"node_modules/@{_word()}/{_word()}": {
            "version": f"{_RANDOM.randint(0, 30)}.{_RANDOM.randint(0, 30)}.0-{_digest('sha1')[:7]}",
            "resolved": f"https://registry.npmjs.org/@{_word()}/-/{_word()}-1.2.3.tgz#{_digest('sha1')}",
            "integrity": f"sha512-{_integrity()}",
        }
    }, indent=2)  # fmt: skip


def _python_lock() -> str:
    return (
        f'[[package]]\nname = "{_word()}"\nversion = "1.{_RANDOM.randint(0, 99)}"\nchecksum = "{_digest("sha256")}"\n'
        f'files = [{{file = "{_word()}-py3-none-any.whl", hash = "sha256:{_digest("sha256")}"}}]\n'
        f"github.com/{_word()}/{_word()} v1.2.3 h1:{base64.b64encode(_RANDOM.randbytes(32)).decode()}\n"
    )


def _log() -> str:
    return (
        f"commit {_digest('sha1')}\nindex {_digest('sha1')[:9]}..{_digest('sha1')[:9]} 100644\n--- a/{_word()}/{_name()}.py\n"
        f'{uuid.UUID(int=_RANDOM.getrandbits(128))} request-id={_digest("md5")} etag=W/"{_digest("md5")}" msg_{_word()}'
        f" sk-{_word()}-{_word()} api-{_word()} pat-{_word()} {_RANDOM.randint(0, 10**9)}:{_RANDOM.randint(0, 10**6)}"
    )


def _image() -> str:
    mark = _RANDOM.choice(
        [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"GIF89a", b"%PDF-1.7\n", b"PK\3\4"]
    )
    data = base64.b64encode(mark + _RANDOM.randbytes(_RANDOM.randint(200, 2000))).decode()
    return _RANDOM.choice([f"data:image/png;base64,{data}", json.dumps({"type": "image", "source": {"data": data}}), data])


def _code() -> str:
    first, second, third = _name(), _name(), _name()
    number = _RANDOM.randint(1, 1 << 20)
    return _RANDOM.choice([
        f"def {first}(self, token: str, password: str | None = None, *, key={second}) -> Token:\n    token = next(tokens)\n",
        f"const {first} = async ({{ token, password: {second}, apiKey }}) => {{ const key = map[token]; {third}(key) }};",
        f"if password == {first} and token.kind != Token.{second.upper()}: secret = {third}(password)\npassword = getpass()\n",
        f"interface Login {{ password: string; token?: {first}; secret: Secret<{second}> }}\ntype Key = {{ api_key: string }}",
        f"let {first}=e.token,{second}=t.password;n.key={third}?e.key=r:o.key={number};this.secret=n,this.apiKey=e.apiKey;",
        f"password = {first}.password\ntoken = {second}.token\nsecret_key = settings.SECRET_KEY\napi_key=api_key)\n",
        f"public void setPassword(String password) {{ this.password = password; }} Token {first} = {second}.token();",
        f"SELECT password, token FROM {first} WHERE secret = :secret AND api_key = ? AND {second}_key = {number};",
        f"max_tokens: {number}\ntoken_limit: {number}\npassword_policy: {_word()}\nsecretName: {_word()}-{_word()}\n",
        f"pass = {number}\nfirst_pass: {number}\nkey: {_word()}\nsort_key: {first}\npublic_key: {_word()}\ntoken: {_word()}\n",
    ])  # fmt: skip


def _model() -> str:
    number = _RANDOM.randint(1, 1 << 18)
    return _RANDOM.choice([
        json.dumps({"usage": {"input_tokens": number, "total_tokens": 2 * number}, "max_tokens": 4096, "id": _digest("md5")}),
        json.dumps({"logprobs": [{"token": _word(1), "logprob": -0.25, "bytes": [number % 256]}, {"token": f" {number}"}]}),
        json.dumps({"properties": {"password": {"type": "string", "description": "The password of the user."}}}),
        json.dumps({"next_page_token": _digest("md5"), "continuation_token": _integrity()[:40], "value": _name()}),
        json.dumps({"text": f"The password: it must have {number} characters. Your token: see {_word()}. Secret: none."}),
        json.dumps({"tool_calls": [{"id": f"call_{_digest('md5')[:24]}", "function": {"name": _name(), "arguments": "{}"}}]}),
        json.dumps({"command": f"mkdir -p {_word()}/{_word()} && ls -a {_word()} && grep -w password {_word()} && cp -p a b"}),
        json.dumps({"command": f"mysql -u root -p {_word()} < {_word()}.sql; docker run -p 8080:80 {_word()}; pytest -p a"}),
        f"{_word()} api-based key-value {_word()}-{_digest('sha1')} pk_{_word()} re_{_word()}_{_word()} test_{_word()}",
    ])  # fmt: skip


MADE: tuple[Callable[[], str], ...] = (_lock, _python_lock, _log, _image, _code, _model)


def texts() -> Iterator[str]:
    count = 0
    for text in files():
        count += 1
        yield text
    while count < TEXTS:
        count += 1
        yield MADE[count % len(MADE)]()


def test_at_most_one_of_10_000_ordinary_texts_is_changed() -> None:
    changed: list[str] = []
    for text in texts():
        data = text.encode("utf-8", "replace")
        changed += [f"{data[max(0, one.start - 40) : one.end + 10]!r}" for one in settled(data, find_secrets(data))[:1]]
    assert len(changed) <= 1, changed
