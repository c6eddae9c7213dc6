"""The recorded request of a call -> what sends it again: a URL, fields and a body, with names of variables for credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from typing import TypeAlias
from urllib.parse import quote

from msgspec import Struct

from ....core.errors import StoreError, UsageError
from ....events import HttpRequest
from ....llm import Provider, provider_at, provider_label, provider_named
from ....policy.redaction.names import is_secret_header
from ....policy.redaction.redactor import LABEL, Redactor, mask_field
from ....store.rows.ids import scheme_of
from ....store.rows.kinds import CallRow
from ....store.words import plural
from ....wire.http1_head import field

_CONVERSATION = "WebSocket"  # the version of a request that was put together from messages
_LABEL = re.compile(LABEL.pattern.decode())
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # of a field (RFC 9110, 5.6.2)
_VALUE = re.compile(r"[\t -~]*")
_HOST = re.compile(r"[A-Za-z0-9.:_\[\]-]+")
_SPACE = re.compile(r"[ \t\r\n]*")
_KEPT_IN_TARGET = "".join(map(chr, range(0x21, 0x7F)))  # all that a target may have as it is
# Fields that the sender makes itself, and those of one connection. Without Accept-Encoding the answer comes as text
_OF_CONNECTION = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-encoding",
        "content-length",
        "expect",
        "host",
        "http2-settings",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_SIGNED = "AWS4-"  # the scheme of a signature of AWS, version 4
# Fields with the key of the provider, which has a usual name as a variable
_KEY_FIELDS = frozenset({"authorization", "x-api-key", "api-key", "x-goog-api-key", "target"})
_VARIABLES = {
    "gcp.gemini": "GEMINI_API_KEY",
    "gcp.vertex_ai": "GOOGLE_API_KEY",
    "gcp.gen_ai": "GEMINI_API_KEY",
    "azure.ai.openai": "AZURE_OPENAI_API_KEY",
    "aws.bedrock": "AWS_BEARER_TOKEN_BEDROCK",
    "x_ai": "XAI_API_KEY",
    "mistral_ai": "MISTRAL_API_KEY",
    "together_ai": "TOGETHER_API_KEY",
    "fireworks_ai": "FIREWORKS_API_KEY",
    "moonshot_ai": "MOONSHOT_API_KEY",
    "hugging_face": "HF_TOKEN",
    "replicate": "REPLICATE_API_TOKEN",
    "alibaba_cloud": "DASHSCOPE_API_KEY",
    "z_ai": "ZAI_API_KEY",
    "github_copilot": "GITHUB_TOKEN",
}  # as the documents of the vendors name them; any other: its own name and _API_KEY
_TOKENS = {"anthropic": "ANTHROPIC_AUTH_TOKEN", "gcp": "GOOGLE_ACCESS_TOKEN"}  # in Authorization, where that is no key


class Variable(Struct, frozen=True):
    """An environment variable that stands for a credential."""

    name: str


Text: TypeAlias = tuple[str | Variable, ...]  # a value in pieces


class Resend(Struct, frozen=True):
    """
    One request to send. `target` is the path and the query behind `scheme://host`, and `fields` are without those that the
    sender makes. `notes` are sentences about what differs from the recorded request.
    """

    method: str
    scheme: str
    host: str
    target: Text
    fields: tuple[tuple[str, Text], ...]
    body: bytes
    version: str  # of the recorded request: HTTP/1.1, HTTP/2
    notes: tuple[str, ...] = ()

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of the variables, each once."""
        texts = (self.target, *(text for _, text in self.fields))
        return tuple(dict.fromkeys(each.name for text in texts for each in text if isinstance(each, Variable)))


def resend_of(row: CallRow, request: HttpRequest | None, /, *, model: str | None = None) -> Resend:
    """
    What sends the request of a call again, to `model` instead of its own if that is given. Raises UsageError where such a
    request cannot be sent again, and StoreError where the recording has not all of it.
    """
    whole = _whole(row, request)
    dialect = provider_named(row.call_kind)
    host = field(whole.headers, "host") or row.host or ""
    if not _HOST.fullmatch(host):
        raise StoreError(f"the host of {row.id} is {host!r}, which is no host; its request cannot be sent again")
    target, body, notes = whole.target, whole.body, list[str]()
    if model is not None:
        target, body = with_model(target, body, model, dialect)
        notes.append(f"The model is {model} instead of {row.model or 'an unknown one'}.")
    scheme = scheme_of(whole.origin)
    if "://" in target.partition("?")[0]:  # to a proxy
        scheme, _, rest = target.partition("://")
        place, slash, path = rest.partition("/")
        host, target = place, slash + path
    names = _Names(provider_at(host, dialect) if dialect else provider_label(host))
    return Resend(
        method=whole.method,
        scheme=scheme,
        host=host,
        target=names.text("target", quote(Redactor(b"").text(target), safe=_KEPT_IN_TARGET)),
        fields=tuple(_fields(whole, names, notes)),
        body=body,
        version=whole.version,
        notes=(*notes, *_notes_of_body(whole)),
    )


def with_model(target: str, body: bytes, model: str, dialect: Provider | None, /) -> tuple[str, bytes]:
    """The target and the body with this model, all else byte for byte as before. Raises UsageError where neither names one."""
    text = body.decode("utf-8", "surrogateescape")
    span = _member(text, ("model", "model_id", "modelId"))
    if span is not None:
        made = f'{text[: span[0]]}"{_escaped(model)}"{text[span[1] :]}'
        return target, made.encode("utf-8", "surrogateescape")
    path, mark, query = target.partition("?")
    found = dialect.path.search(path) if dialect is not None and dialect.path is not None else None
    if found is None or not found.groupdict().get("model"):
        raise UsageError("--model: neither the body nor the path of this request names a model; leave the flag out")
    start, end = found.span("model")
    return f"{path[:start]}{quote(model, safe='')}{path[end:]}{mark}{query}", body


def _whole(row: CallRow, request: HttpRequest | None) -> HttpRequest:
    """The request, where all that it takes to send it again is there."""
    if request is None:
        raise StoreError(f"the request of {row.id} is not in the store: only its row is")
    if request.version == _CONVERSATION:
        raise UsageError(
            f"{row.id} was made on a WebSocket, where a request goes on from the messages before it: "
            "it cannot be sent alone. `--request` prints it"
        )
    if not request.complete or request.body_lost or request.tail:
        lost = f"{request.body_lost:,} bytes of its body are missing" if request.body_lost else "a part of it is missing"
        raise StoreError(f"the request of {row.id} is not whole ({request.reason or 'body'}): {lost}, so it is not sent again")
    if not _NAME.fullmatch(request.method):
        raise StoreError(f"the method of {row.id} is {request.method!r}, which is none; its request cannot be sent again")
    if any(value.startswith(_SIGNED) for name, value in request.headers if name == "authorization"):
        raise UsageError(
            f"{row.id} was signed for its own time (AWS Signature Version 4), so AWS refuses it when it is sent again; "
            "ask by the SDK of AWS, with the body that `--request` prints"
        )
    return request


def _fields(request: HttpRequest, names: _Names, notes: list[str]) -> Iterator[tuple[str, Text]]:
    masker, unsent = Redactor(b""), list[str]()
    for name, value in request.headers:
        if name.startswith(":") or name.lower() in _OF_CONNECTION:
            continue
        hidden = mask_field(name, value, masker) if is_secret_header(name) else masker.text(value)
        if _NAME.fullmatch(name) and _VALUE.fullmatch(hidden):
            yield name, names.text(name, hidden)
        else:
            unsent.append(name if _NAME.fullmatch(name) else ascii(name))
    if unsent:
        notes.append(f"Not sent, since a program cannot write them as they were: the fields {', '.join(unsent)}.")
    if not request.headers_complete:
        notes.append("Some fields of the recorded request are not known, so they are not sent.")


class _Names:
    """Labels of secrets -> names of variables: the same label has the same name everywhere."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._of_label: dict[str, str] = {}

    def text(self, name: str, value: str) -> Text:
        pieces, done = list[str | Variable](), 0
        for label in _LABEL.finditer(value):
            pieces += [value[done : label.start()], Variable(self._of(name.lower(), label[0], value[: label.start()]))]
            done = label.end()
        return tuple(piece for piece in (*pieces, value[done:]) if piece)

    def _of(self, name: str, label: str, before: str) -> str:
        if label not in self._of_label:
            wanted, number = self._wanted(name, before), 2
            made = wanted
            while made in self._of_label.values():
                made, number = f"{wanted}_{number}", number + 1
            self._of_label[label] = made
        return self._of_label[label]

    def _wanted(self, name: str, before: str) -> str:
        if name not in _KEY_FIELDS:
            pair = re.search(r"([A-Za-z0-9_-]+)=$", before)  # a cookie
            return _upper(f"{name}_{pair[1]}" if pair else name)
        token = _TOKENS.get(self._provider.partition(".")[0]) if name == "authorization" else None
        return token or _VARIABLES.get(self._provider) or _upper(f"{self._provider}_API_KEY")


def _upper(name: str) -> str:
    made = re.sub(r"[^A-Z0-9]+", "_", name.upper()).strip("_")
    return f"KEY_{made}" if made[:1].isdigit() or not made else made


def _notes_of_body(request: HttpRequest) -> Iterator[str]:
    if request.encoding:
        yield f"The recorded body was sent as {request.encoding}: it is sent without that now."
    labels = dict.fromkeys(LABEL.findall(request.body))
    if labels:
        first = ", ".join(label.decode() for label in [*labels][:3]) + (", …" if len(labels) > 3 else "")
        yield (
            f"The body is not what the agent sent: the recording has labels in place of {plural(len(labels), 'secret')} of it, "
            f"and the model gets these labels ({first})."
        )


# -- one member of a JSON object ---------------------------------------------------------------------------------------------


def _member(text: str, names: tuple[str, ...]) -> tuple[int, int] | None:
    """Where the text value of the first of these members of an object begins and ends; None where there is none."""
    decoder, at = JSONDecoder(), _behind_space(text, 0)
    if text[at : at + 1] != "{":
        return None
    try:
        while text[at : at + 1] in ("{", ","):
            name, at = decoder.raw_decode(text, _behind_space(text, at + 1))
            start = _behind_space(text, _behind_space(text, at) + 1)  # behind the colon
            value, end = decoder.raw_decode(text, start)
            if name in names and isinstance(value, str):
                return start, end
            at = _behind_space(text, end)
    except (JSONDecodeError, RecursionError):
        pass
    return None


def _behind_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found else at


def _escaped(text: str) -> str:
    """Inside a string of JSON."""
    return re.sub(r'[\x00-\x1f"\\]', lambda each: f"\\u{ord(each[0]):04x}", text)
