"""E12: a secret seeded anywhere in the traffic is in no sink, neither in the raw bytes nor in decoded ones."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path

import msgspec
import pytest

from agentsight_rx.cli.capturing.closing import closing_lines
from agentsight_rx.cli.report.shown.screen import Screen
from agentsight_rx.cli.report.summary import summary_text
from agentsight_rx.events import Connection, Direction, TlsChunk, TlsEvent
from agentsight_rx.events.envelope import encode_line
from agentsight_rx.graphs import TraceOptions, replay
from agentsight_rx.runtime.run import run
from agentsight_rx.sinks import console, jsonl, store
from agentsight_rx.sources import ReplayOptions
from agentsight_rx.store.log.reading import read_events
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.snapshot.snapshot import read_snapshot
from tests.golden import SSE, Talk, answer, chunked, request, streamed
from tests.golden.streams import START, STOP, partial_json, says
from tests.operators import Wire
from tests.operators.http2_peers import Peers
from tests.operators.websocket_peers import Sockets
from tests.reports import read_report

_TAIL_LEAST = 10  # so many characters of a secret in a row are a leak

Traffic = Callable[[str, Talk], None]


def _key(number: int) -> str:
    """A key in the form of Anthropic's, different for each number."""
    return f"sk-ant-api03-{b64encode(sha256(b'%d' % number).digest(), b'-_').decode().rstrip('=')}"


def _header(secret: str, talk: Talk) -> None:
    talk.asks(request("/v1/messages", b"{}", f"X-Api-Key: {secret}".encode(), f"Authorization: Bearer {secret}".encode()))
    talk.answers(answer(b"{}", f"Set-Cookie: session={secret}; Path=/".encode()))


def _unusual_header(secret: str, talk: Talk) -> None:
    lines = [f"{name}: {secret}".encode() for name in ("x-goog-api-key", "API-KEY", "Proxy-Authorization", "Cookie")]
    talk.asks(request("/v1/messages", b"{}", *lines))
    talk.answers(chunked([b"{}"], trailers=[f"X-Auth-Token: {secret}".encode()]))


def _query(secret: str, talk: Talk) -> None:
    talk.asks(request(f"/v1/models?key={secret}&access_token={secret}", b"", method="GET"))
    talk.answers(answer(b"", f"Location: https://user:{secret}@host/?token={secret}".encode(), status="302 Found"))


def _body(secret: str, talk: Talk) -> None:
    said = {"model": "m", "messages": [{"role": "user", "content": f"my key is {secret}"}]}
    talk.asks(request("/v1/messages", json.dumps(said).encode()))
    talk.answers(answer(json.dumps({"content": [{"type": "text", "text": f"{secret}\n"}]}).encode()))


def _stream(secret: str, talk: Talk) -> None:
    talk.asks(request("/v1/messages"))
    talk.answers(streamed(START, says(f"key {secret} "), says("end"), STOP))


def _split_words(secret: str, talk: Talk) -> None:
    """Split as by a model: no event has the whole secret, only the text of the answer does."""
    talk.asks(request("/v1/messages"))
    talk.answers(streamed(START, says(f"key {secret[:20]}"), says(f"{secret[20:]} end"), STOP))


def _tool_input(secret: str, talk: Talk) -> None:
    talk.asks(request("/v1/messages"))
    talk.answers(streamed(START, partial_json('{"command":"export KEY='), partial_json(secret[:15]),
                        partial_json(secret[15:] + '"}'), STOP))  # fmt: skip


def _unread_stream(secret: str, talk: Talk) -> None:
    """An event stream of an unknown dialect."""
    talk.asks(request("/events", b"", method="GET"))
    talk.answers(streamed(f"event: note\ndata: {secret}\n\n".encode(), b"data: x\n\n"))


def _raw(secret: str, talk: Talk) -> None:
    """An unknown protocol: the records pass unchanged."""
    talk.asks(b"\x00\x01 login " + secret.encode() + b"\n")
    talk.answers(b"\x7f ok Authorization: Bearer " + secret.encode() + b"\r\n")


def _half_a_head(secret: str, talk: Talk) -> None:
    """A head that was never finished, and the rest of one whose beginning was not seen."""
    talk.wire.misses("out", 300)
    talk.asks(f"cept: */*\r\nX-Api-Key: {secret}\r\n\r\n".encode())
    talk.asks(f"POST /v1/messages HTTP/1.1\r\nX-Api-Key: {secret}\r\nHost: a".encode())


def _damaged(secret: str, talk: Talk) -> None:
    talk.asks(f"POST /v1/messages HTTP/1.1\r\nContent-Length: 900\r\n\r\nkey {secret} and".encode())
    talk.wire.misses("out", 100)
    talk.asks(f"more of {secret}".encode())


def _websocket(secret: str, talk: Talk) -> None:
    sockets = Sockets(talk.wire, deflate="permessage-deflate")
    sockets.asks(json.dumps({"type": "response.create", "model": "m", "input": secret}), 2)
    sockets.tells(json.dumps({"type": "response.output_text.delta", "delta": f"{secret} "}))
    sockets.sends(secret.encode())
    sockets.closes(1000, secret[:100])
    talk.records += sockets.records


def _http2(secret: str, talk: Talk) -> None:
    peers = Peers(talk.wire, record=50)
    stream = peers.asks("POST", f"/v1/messages?key={secret}", [("x-api-key", secret)], f'{{"a":"{secret}"}}'.encode())
    peers.answers(stream, [("set-cookie", f"a={secret}"), ("content-type", "text/event-stream")], START + says(secret) + STOP)
    talk.records += peers.records


PLACES: dict[str, Traffic] = {
    each.__name__[1:]: each
    for each in (
        _header, _unusual_header, _query, _body, _stream, _split_words, _tool_input, _unread_stream, _raw,
        _half_a_head, _damaged, _websocket, _http2,
    )
}  # fmt: skip


def recording(record: int) -> tuple[list[TlsEvent], dict[str, str]]:
    """One connection for each placement, and its secret."""
    events: list[TlsEvent] = []
    secrets: dict[str, str] = {}
    for number, (name, place) in enumerate(PLACES.items()):
        secrets[name] = _key(number)
        connection = Connection(7, 700, "/lib/libssl.so.3", 0x7F00 + number)
        talk = Talk(Wire(connection, start_ns=number * 1_000_000_000), record=record)
        place(secrets[name], talk)
        events += talk.records
    return events, secrets


def sinks_of(events: list[TlsEvent], options: TraceOptions, folder: Path) -> Iterator[tuple[str, str]]:
    """Everything that a run over these records makes readable: (where, text)."""
    source = folder / "source.jsonl"
    source.write_bytes(b"".join(encode_line(event) + b"\n" for event in events))
    shown = io.BytesIO()
    out = folder / "out"
    out.mkdir()
    database, lines = out / "run.lmdb", out / "run.jsonl"
    summary = run(
        replay(ReplayOptions((str(source),)), options), [console(to=shown), jsonl(lines), store(database)], on_bug="raise_all"
    )
    assert summary.failures == ()
    yield "console", shown.getvalue().decode("utf-8", "replace")
    yield "jsonl", lines.read_text()
    for file in sorted(out.rglob("*")):
        if file.is_file() and not file.name.endswith("-lock"):
            yield f"bytes of {file.name}", file.read_bytes().decode("latin-1")
    kept = LmdbStore.open(database, readonly=True)
    report = read_report(kept)
    events_kept = list(read_events(kept))
    yield "event log", repr(events_kept)
    yield (
        "records put together",
        "\n".join(
            b"".join(each.data for each in events_kept if isinstance(each, TlsChunk) and _way(each) == way).decode("latin-1")
            for way in {_way(each) for each in events_kept if isinstance(each, TlsChunk)}
        ),
    )
    yield "rows", repr(report)
    yield "snapshot", msgspec.json.encode(read_snapshot(kept, now_ms=0)).decode()
    said = summary_text(kept, Screen())
    kept.close()
    yield "report", "\n".join([*said, *closing_lines(summary, None, since_ms=None, verb="replayed")])


def _way(chunk: TlsChunk) -> tuple[Connection | None, Direction | None]:
    return chunk.origin.connection, chunk.origin.direction


def leaks(text: str, secret: str) -> bool:
    """Is a part of the secret after `sk-ant-api03-` in `text`?"""
    return any(secret[at : at + _TAIL_LEAST] in text for at in range(13, len(secret) - _TAIL_LEAST + 1))


@pytest.mark.parametrize(
    "options",
    [TraceOptions(), TraceOptions(raw=True), TraceOptions(http=False), TraceOptions(raw=True, tls_filters=("len<3",))],
    ids=["messages", "messages_and_records", "records", "marked"],
)
@pytest.mark.parametrize("record", [7, 33, 16_384])
def test_e12_no_seeded_secret_is_found_in_any_sink(record: int, options: TraceOptions, tmp_path: Path) -> None:
    events, secrets = recording(record)
    found = [
        (place, where)
        for where, text in sinks_of(events, options, tmp_path)
        for place, secret in secrets.items()
        if leaks(text, secret)
    ]
    assert found == []


def test_e12_the_scan_finds_secrets_that_are_not_removed(tmp_path: Path) -> None:
    events, secrets = recording(16_384)
    texts = dict(sinks_of(events, TraceOptions(raw=True, remove_auth=False), tmp_path))
    assert [where for where, text in texts.items() if not any(leaks(text, secret) for secret in secrets.values())] == []
    for place, secret in secrets.items():
        for where in ("console", "jsonl", "event log"):
            assert leaks(texts[where], secret), (place, where)
    assert leaks(texts["records put together"], secrets["raw"])


def test_e12_text_without_secrets_stays(tmp_path: Path) -> None:
    """Redaction that removes everything would pass every other test here."""
    events, _ = recording(16_384)
    texts = dict(sinks_of(events, TraceOptions(), tmp_path))
    for word in ("api.anthropic.com", "my key is ", "/v1/models?key=", "msg_123", "session="):
        assert word in texts["jsonl"], word
        assert word in texts["event log"], word


def test_e12_equal_secrets_have_equal_labels_in_a_run_and_different_ones_different_labels(tmp_path: Path) -> None:
    talk = Talk()
    for key in (_key(1), _key(2), _key(1)):
        talk.asks(request("/v1/messages", b"{}", b"X-Api-Key: " + key.encode()))
        talk.answers(streamed(START, STOP) if key == _key(2) else chunked([START], SSE))
    texts = dict(sinks_of(talk.records, TraceOptions(), tmp_path))
    labels = [json.loads(line)["data"]["headers"]["x-api-key"] for line in texts["jsonl"].splitlines() if '"x-api-key"' in line]
    assert labels[0] == labels[2] != labels[1]
