"""A secret planted anywhere is in no field of any emitted event, however it is cut; everything else is unchanged."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeAlias

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from agentsight_rx.core.engine import Engine, Site
from agentsight_rx.core.stream import Operator
from agentsight_rx.events import (
    AnswerPiece,
    AnswerProgress,
    BodyPart,
    Channel,
    Connection,
    Event,
    FileEvent,
    HttpRequest,
    HttpResponse,
    Origin,
    ProcessExec,
    Readline,
    Reply,
    RpcMessage,
    SseEvent,
    SseMessage,
    StdioChunk,
    TlsChunk,
    ToolCall,
    WebSocketMessage,
)
from agentsight_rx.events.envelope import encode_line
from agentsight_rx.operators import remove_auth
from agentsight_rx.policy.redaction.redactor import Redactor
from agentsight_rx.policy.redaction.resent import SecretStream
from property_tests.strategies import batches_of, http_events, model_events, pieces_of, process_events, stdio_events, tls_events
from tests.secrets.wordings import COMMANDS, MARK, TEXTS, fresh

KEY = b"k" * 32
REDACTOR = Redactor(KEY)
ORIGIN = Origin(5, 9, connection=Connection(9, 9, "", 9), direction="out")
PIPE = Channel("pipe", 9)


class Planted(Struct, frozen=True):
    """A secret, the number of public bytes at its beginning, and the text around it by which it is found."""

    secret: str
    public: int
    before: str = ""
    after: str = ""

    @property
    def text(self) -> str:
        return self.before + self.secret + self.after


@st.composite
def _random(draw: st.DrawFn, alphabet: str, least: int, most: int) -> str:
    """Letters that are in no label and in no surrounding text, with enough digits and capitals."""
    letters = draw(st.text(alphabet, min_size=least, max_size=most))
    return "".join(letter if place % 5 else "7Q"[place % 2] for place, letter in enumerate(letters))


def _shaped(begin: str, alphabet: str, least: int, most: int) -> st.SearchStrategy[Planted]:
    return _random(alphabet, least, most).map(lambda rest: Planted(begin + rest, len(begin)))


MIXED = "QZXWVYJKqzxwvyjkQZXWVYJKqzxwvyjk"
KEYED = MIXED + "_-"


def _jwt(parts: Sequence[str]) -> Planted:
    return Planted(f"eyJ{parts[0]}.eyJ{parts[1]}.{parts[2]}", 3)


def _pem(lines: Sequence[str]) -> Planted:
    text = "\n".join(lines)
    return Planted(text, 0, "-----BEGIN OPENSSH PRIVATE KEY-----\n", "\n-----END OPENSSH PRIVATE KEY-----")


shapes = st.one_of(
    _shaped("sk-", MIXED, 20, 50), _shaped("sk-ant-", KEYED, 20, 60), _shaped("sk-proj-", KEYED, 20, 60),
    _shaped("AIza", KEYED, 35, 35), _shaped("ya29.", KEYED, 30, 60),
    _shaped("ghp_", MIXED, 36, 36), _shaped("gho_", MIXED, 36, 36),
    _shaped("ghs_", MIXED, 36, 36), _shaped("github_pat_", MIXED + "_", 60, 82), _shaped("AKIA", "QZXWVYJK", 16, 16),
    _shaped("ASIA", "QZXWVYJK", 16, 16), _shaped("xoxb-", MIXED + "-", 24, 50), _shaped("glpat-", KEYED, 20, 20),
    _shaped("hf_", MIXED, 34, 34), _shaped("npm_", MIXED, 36, 36),
    st.lists(_random(KEYED, 17, 30), min_size=3, max_size=3).map(_jwt),
)  # fmt: skip
named = st.one_of(
    _random(MIXED, 8, 40).map(lambda secret: Planted(secret, 0, "Bearer ")),
    _random(MIXED, 40, 40).map(lambda secret: Planted(secret, 0, "aws_secret_access_key = ")),
    _random(MIXED, 8, 40).map(lambda secret: Planted("q" + secret, 0, "https://me:", "@host/")),
    _random(MIXED, 8, 40).map(lambda secret: Planted(secret, 0, "https://host/a?b=c&access_token=", "&d=e")),
    st.lists(_random(MIXED, 40, 64), min_size=2, max_size=6).map(_pem),
)
planted = shapes | named
lines = _random(MIXED, 8, 40).map(lambda secret: Planted(secret, 0, "\r\nX-Api-Key: ", "\r\n"))
surroundings = st.sampled_from(["", " ", "use it: ", '{"k":"', "a\n", "(", "=", "Grüße ", "task-list, "])
clean_words = st.sampled_from(
    ["Grüße", "task-list", "sk-learn", "use sk-learn-contrib-module", "a=b", "me@host", "why?", "{}", "\n", "\\n", " ",
     "eyJust",
     "hf_hub", "Bearer of news", "from_pretrained", "x" * 30, "https://host:80/a?b=c#d", "[redacted:openai:12345678] "]
)  # fmt: skip
clean_texts = st.lists(clean_words, max_size=12).map(" ".join)
longer = st.sampled_from(["", "", "lorem ipsum JKxz9B_-A " * 150])


def passed(events: Sequence[Event], key: bytes = KEY) -> list[Event]:
    operator: Operator[Event, Event] = remove_auth(key=key)
    kernel = operator.kernel(Site(Engine(), "remove_auth"))
    return [event for one in events for event in kernel.feed([one])]


def leaks(events: Sequence[Event], one: Planted) -> list[str]:
    """The readable parts of the secret: those longer than its public beginning and 3 characters."""
    size = one.public + 4
    parts = {one.secret[start : start + size] for start in range(len(one.secret) - size + 1)}
    text = b"\n".join(map(encode_line, events)).decode() + repr(events)
    return [part for part in parts if part in text and "\n" not in part]


Place: TypeAlias = Callable[[str], Event]

PLACES: dict[str, Place] = {
    "request body": lambda text: HttpRequest(ORIGIN, 1, "POST", "/", "HTTP/1.1", (("host", "a"),), text.encode()),
    "request header": lambda text: HttpRequest(ORIGIN, 1, "POST", "/", "HTTP/1.1", (("x-note", text),)),
    "secret header": lambda text: HttpRequest(ORIGIN, 1, "POST", "/", "HTTP/1.1", (("authorization", text),)),
    "cookie": lambda text: HttpRequest(ORIGIN, 1, "POST", "/", "HTTP/1.1", (("cookie", f"a={text}"),)),
    "trailer": lambda text: HttpResponse(ORIGIN, 1, 200, "", "HTTP/1.1", (), trailers=(("x-note", text),)),
    "target": lambda text: HttpRequest(ORIGIN, 1, "POST", f"/{text}", "HTTP/1.1", ()),
    "response body": lambda text: HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", (), text.encode()),
    "incomplete body": lambda text: HttpResponse(ORIGIN, 1, 200, "OK", "HTTP/1.1", (), text.encode(), complete=False),
    "body part": lambda text: BodyPart(ORIGIN, 1, text.encode()),
    "websocket": lambda text: WebSocketMessage(ORIGIN, 1, 1, "text", text.encode(), target=f"/{text}"),
    "reply": lambda text: SseMessage(ORIGIN, 1, "anthropic", Reply(text=text, thinking=text, error=text), (), 1),
    "tool": lambda text: SseMessage(ORIGIN, 1, "anthropic", Reply(tool_calls=(ToolCall("", "", text),)), (), 1),
    "progress": lambda text: AnswerProgress(ORIGIN, 1, 1, (AnswerPiece(0, "text", text, text),)),
    "event": lambda text: SseMessage(ORIGIN, 1, "anthropic", Reply(), (SseEvent("message", text, "1"),), 1),
    "record": lambda text: TlsChunk(ORIGIN, text.encode(), 0, 0),
    "stdio": lambda text: StdioChunk(ORIGIN, PIPE, 1, text.encode(), 0, 0),
    "argument": lambda text: ProcessExec(ORIGIN, 1, 1, "/bin/x", ("x", text), "/"),
    "script": lambda text: ProcessExec(ORIGIN, 1, 1, "/bin/bash", ("bash", "-c", f"echo '{text}' | x"), "/"),
    "path": lambda text: FileEvent(ORIGIN, 1, "open", f"/{text}", text),
    "readline": lambda text: Readline(ORIGIN, f"echo {text}"),
    "rpc": lambda text: RpcMessage(ORIGIN, PIPE, "request", "call", params=text, result=text),
}


@settings(max_examples=150, deadline=None)
@given(planted, st.sampled_from(sorted(PLACES)), surroundings, st.sampled_from(["", " b", '"}', "\n", ". "]), longer)
def test_a_whole_secret_is_in_no_field(one: Planted, place: str, before: str, after: str, more: str) -> None:
    event = PLACES[place](f"{more}{before}{one.text}{after}")
    made = passed([event])
    assert not leaks(made, one)
    assert made == passed(made)
    assert len(made) == 1
    assert msgspec.structs.replace(made[0]) == passed([event])[0]


@st.composite
def _cut_text(draw: st.DrawFn, text: str, most: int = 5) -> list[str]:
    cuts = sorted(draw(st.lists(st.integers(1, max(1, len(text) - 1)), max_size=most, unique=True)))
    return [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]


@settings(max_examples=150, deadline=None)
@given(shapes | named | lines, surroundings, longer, st.sampled_from(["tls", "stdio"]), st.data())
def test_a_secret_cut_over_records_is_in_none(one: Planted, before: str, more: str, kind: str, data: st.DataObject) -> None:
    whole = f"{more}{before}{one.text}; behind".encode()
    pieces = data.draw(pieces_of(whole, most=6))
    events: list[Event] = []
    offset = 0
    for seq, piece in enumerate(pieces):
        is_tls = kind == "tls"
        events.append(TlsChunk(ORIGIN, piece, offset, seq) if is_tls else StdioChunk(ORIGIN, PIPE, 1, piece, offset, seq))
        offset += len(piece)
    made: list[Any] = list(passed(events))
    assert list(map(len, pieces)) == [len(event.data) for event in made]
    joined = b"".join(event.data for event in made).decode("utf-8", "replace")
    assert not leaks([HttpRequest(ORIGIN, 1, "", "", "", (), joined.encode())], one)
    assert joined.endswith("; behind")
    assert made == passed(made)


@settings(max_examples=100, deadline=None)
@given(planted, surroundings, st.booleans(), st.data())
def test_a_secret_cut_over_parts_of_a_body_is_in_none(one: Planted, before: str, ends: bool, data: st.DataObject) -> None:
    pieces = data.draw(pieces_of(f"{before}{one.text}; behind".encode(), most=6))
    events = [BodyPart(ORIGIN, 1, piece, last=ends and place == len(pieces) - 1) for place, piece in enumerate(pieces)]
    made: list[Any] = list(passed(events))
    joined = b"".join(event.data for event in made)
    assert not leaks([HttpRequest(ORIGIN, 1, "", "", "", (), joined)], one)
    assert joined.endswith(b"; behind")
    assert made == passed(made)


@settings(max_examples=150, deadline=None)
@given(planted, surroundings, st.sampled_from(["text", "call"]), st.data())
def test_a_secret_cut_over_reports_of_an_answer_is_in_none(one: Planted, before: str, kind: Any, data: st.DataObject) -> None:
    pieces = data.draw(_cut_text(f"{before}{one.text}; behind"))
    events = [AnswerProgress(ORIGIN, 1, at, (AnswerPiece(0, kind, piece),)) for at, piece in enumerate(pieces, 1)]
    made: list[Any] = list(passed(events))
    joined = "".join(event.pieces[0].text for event in made)
    assert not leaks([HttpRequest(ORIGIN, 1, "", "", "", (), joined.encode())], one)
    assert joined.endswith("; behind")


@settings(max_examples=150, deadline=None)
@given(planted, st.sampled_from(["", " ", "use it: ", "a\n"]), st.sampled_from(["anthropic", "openai", "", "raw"]), st.data())
def test_a_secret_cut_over_deltas_is_in_none(one: Planted, before: str, dialect: str, data: st.DataObject) -> None:
    text = f"{before}{one.text}; behind"
    pieces = data.draw(_cut_text(text))
    blocks = data.draw(st.booleans())
    events: list[SseEvent] = []
    for place, piece in enumerate(pieces):
        value: Any = {"choices": [{"index": 0, "delta": {"content": piece}}]} if dialect == "openai" else {
            "type": "content_block_delta", "index": place if blocks else 0, "delta": {"text": piece},
        }  # fmt: skip
        events.append(SseEvent("message", piece if dialect == "raw" else msgspec.json.encode(value).decode()))
    known = dialect in ("anthropic", "openai")
    message = SseMessage(ORIGIN, 1, dialect if known else "", Reply(text=text if known else ""), tuple(events), 1)
    (made,) = passed([message])
    assert isinstance(made, SseMessage)
    assert not leaks([made], one)
    assert "; behind" in made.reply.text or not known
    texts = [_text_of(each.data) for each in made.events]
    assert not leaks([HttpRequest(ORIGIN, 1, "", "", "", (), "".join(texts).encode())], one)
    assert "".join(texts).endswith("; behind")
    assert [made] == passed([made])


def _text_of(data: str) -> str:
    try:
        value: Any = msgspec.json.decode(data)
    except msgspec.DecodeError:
        return data
    return str(value["choices"][0]["delta"]["content"] if "choices" in value else value["delta"]["text"])


@settings(max_examples=150, deadline=None)
@given(clean_texts, st.sampled_from(sorted(PLACES)))
def test_clean_text_stays_as_it_is(text: str, place: str) -> None:
    if place in ("secret header", "cookie") or (
        place in ("record", "stdio", "body part", "progress", "incomplete body") and text[-1:].strip()
    ):
        return  # the former are always secret, the latter may continue
    event = PLACES[place](text)
    assert passed([event])[0] is event


@settings(max_examples=100, deadline=None)
@given(clean_texts, st.data())
def test_clean_text_in_pieces_stays_as_it_is(text: str, data: st.DataObject) -> None:
    whole = (
        text.replace("sk-", "sk ")
        .replace("Bearer", "bearer")
        .replace("hf_", "hf ")
        .replace("://", ":")
        .replace("eyJ", "ey")
        .encode()
    )
    stream = SecretStream()
    pieces = data.draw(pieces_of(whole))
    assert pieces == [stream.feed(piece, heads=True) for piece in pieces]


@settings(max_examples=60, deadline=None)
@given(st.lists(planted, min_size=1, max_size=4))
def test_equal_secrets_have_equal_labels_and_different_ones_different_labels(some: list[Planted]) -> None:
    made = REDACTOR.text(" ; ".join(one.text for one in [*some, *some]))
    labels = re.findall(r"\[redacted:([a-z-]+:[0-9a-f]{8})\]", made)
    assert labels[: len(labels) // 2] == labels[len(labels) // 2 :]
    assert len(labels) == 2 * len(some)
    by_place = {label.partition(":")[2] for label in labels}  # a password may be a token elsewhere: other kind, same HMAC
    assert len({one.secret for one in some}) == len(by_place)


@settings(max_examples=80, deadline=None)
@given(st.one_of(tls_events(), http_events(), process_events(), stdio_events(), model_events()), st.data())
def test_any_events_in_any_batches_and_from_any_snapshot_give_the_same_and_a_second_pass_changes_nothing(
    events: list[Any], data: st.DataObject
) -> None:
    whole = passed(events)
    assert whole == passed(whole)
    assert [type(event) for event in events] == [type(event) for event in whole]
    made: list[Event] = []
    state: Any = None
    for batch in data.draw(batches_of(events)):
        operator: Operator[Event, Event] = remove_auth(key=KEY)
        kernel = operator.kernel(Site(Engine(), "remove_auth"))
        if state is not None:
            kernel.restore(msgspec.msgpack.decode(state))
        made += kernel.feed(batch)
        state = msgspec.msgpack.encode(kernel.snapshot())
    assert whole == made
    for before, after in zip(events, whole, strict=True):
        if isinstance(before, TlsChunk | StdioChunk):
            assert isinstance(after, TlsChunk | StdioChunk)
            assert len(before.data) == len(after.data)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=300), st.lists(planted, max_size=2), st.booleans())
def test_any_bytes_are_accepted(noise: bytes, some: list[Planted], cut: bool) -> None:
    data = noise + b" ".join(one.text.encode() for one in some)
    made = REDACTOR.data(data, cut=cut)
    assert REDACTOR.data(made, cut=False) == REDACTOR.data(made, cut=False)
    assert len(SecretStream().feed(data, heads=True)) == len(data)


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([*COMMANDS, *TEXTS]),
    st.builds(Random, st.integers(0, 1 << 32)),
    st.integers(0, 3),
    st.sampled_from(["", "first line\n", "cd /x\n\n", "```sh\n"]),
    st.sampled_from(["", "\nlast line", "\n```\n"]),
)
def test_a_promised_wording_is_read_however_often_its_text_is_escaped(
    wording: str, source: Random, times: int, before: str, after: str
) -> None:
    secret = fresh("letters and digits", source)
    text = before + wording.replace(MARK, secret) + after
    for _ in range(times):
        text = msgspec.json.encode({"content": text}).decode()
    made = REDACTOR.text(text)
    assert secret[:8] not in made
    assert secret[-8:] not in made
    assert made == REDACTOR.text(made)


ID_LETTERS = "ABCIKSQZabcdeyJz0123456789"


@given(
    st.sampled_from(["msg_", "req_", "toolu_", "call_", "resp_", "chatcmpl-", "gen-", "ses_"]),
    st.text(ID_LETTERS, max_size=30),
    st.sampled_from(
        ["", "AKIAIOSFODNN7EXAMPLE", "AIzaSyAb1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1", "ghp_Ab1Cd2Ef3Gh4Ij5Kl6Mn7Op8Qr9St0Uv1"]
    ),
    st.text(ID_LETTERS, max_size=20),
)
@settings(max_examples=300)
def test_an_id_that_is_known_by_its_shape_is_as_if_it_was_searched(begin: str, before: str, key: str, behind: str) -> None:
    text = begin + before + key + behind
    assert Redactor(KEY).short(text) == Redactor(KEY).text(text)
