"""Conversations of a client and a server, cut anywhere, captured at one or both ends, with loss: each message comes once."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx import operators as op
from agentsight_rx.core.engine import Engine
from agentsight_rx.core.stream import of
from agentsight_rx.events import Channel, Loss, Origin, RpcMessage, StdioChunk, StdioClose, StdioEvent, time_of
from agentsight_rx.events.envelope import decode_envelope, encode_envelope, encode_line
from agentsight_rx.events.loss import Reason
from agentsight_rx.wire.lines import Line, LineDecoder
from agentsight_rx.wire.mcp import Kind, RpcText, decode_line
from property_tests.component import Case, Law, check
from property_tests.strategies import MS, START_NS, losses, pieces_of

CLIENT, SERVER = 11, 22
THERE, BACK = Channel("pipe", 1), Channel("unix", 2)
PIDS = {THERE: (CLIENT, SERVER), BACK: (SERVER, CLIENT)}  # who writes, who reads

# -- what is said ------------------------------------------------------------------------------------------------------

_kinds: st.SearchStrategy[Kind] = st.sampled_from(["request", "notification", "result", "error"])
_ids = st.one_of(st.integers(-3, 3), st.sampled_from(["1", "a", "", 'qu"ote', "é\u2028"]))
_bodies = st.sampled_from(
    ["{}", "[1,2]", '{"name":"add","arguments":{"a":1}}', '{"content":[],"isError":true}', '{"text":"a\\nb\u2028é"}', "[null]"]
)
_methods = st.sampled_from(["tools/call", "tools/list", "ping", "sampling/createMessage", "über"])
_texts = st.sampled_from(["", "Traceback", "{", "[]", '{"a":1}', '{"jsonrpc":"2.0"}', "Content-Length: 7", "x" * 5000])
_ends = st.sampled_from([b"\n", b"\n", b"\n", b"\r\n"])


class Said(NamedTuple):
    """A line as its writer meant it, and as it is on the wire."""

    messages: tuple[RpcText, ...]
    raw: bytes


def _spelled_id(id: int | str) -> str:
    return msgspec.json.encode(id).decode()


@st.composite
def _members(draw: st.DrawFn) -> tuple[RpcText, str]:
    """One message and its JSON, its members in any order."""
    kind = draw(_kinds)
    id, method = draw(_ids), draw(_methods)
    body = draw(_bodies)
    members = {"jsonrpc": '"2.0"'}
    if kind != "notification":
        members["id"] = json.dumps(id, ensure_ascii=draw(st.booleans()))
    if kind in ("request", "notification"):
        body = draw(st.sampled_from([body, ""]))
        members |= {"method": json.dumps(method)} | ({"params": body} if body else {})
    else:
        members[kind] = body
    order = draw(st.permutations(sorted(members)))
    space = draw(st.sampled_from(["", " "]))
    text = "{" + f",{space}".join(f'"{name}":{space}{members[name]}' for name in order) + "}"
    return RpcText(kind, body, method if "method" in members else "", _spelled_id(id) if "id" in members else ""), text


@st.composite
def lines(draw: st.DrawFn) -> Said:
    form = draw(st.sampled_from(["one", "one", "one", "batch", "text"]))
    end = draw(_ends)
    if form == "text":
        text = draw(_texts)
        lost = len(text) - len(text[:4096])
        return Said((RpcText("text", text[:4096], lost=lost, reason="text_limit" if lost else None),), text.encode() + end)
    members = draw(st.lists(_members(), min_size=1, max_size=3 if form == "batch" else 1))
    text = ",".join(text for _, text in members)
    return Said(tuple(message for message, _ in members), (f"[{text}]" if form == "batch" else text).encode() + end)


@given(st.lists(lines(), max_size=6), st.data())
@settings(max_examples=100, deadline=None)
def test_what_was_encoded_is_decoded_however_it_is_cut(said: list[Said], data: st.DataObject) -> None:
    decoder = LineDecoder()
    parts = data.draw(pieces_of(b"".join(line.raw for line in said), most=8))
    found = [line for part in parts for line in decoder.feed(part)]
    assert [message for line in said for message in line.messages] == [each for line in found for each in decode_line(line)]
    assert [len(line.raw) for line in said] == [line.size for line in found]
    assert decoder.held() == 0


@given(
    st.lists(
        st.one_of(st.binary(max_size=30), st.sampled_from([b'{"jsonrpc":"2.0","id":', b"}\n", b"\n", b'"']), st.integers(1, 9))
    )
)
@settings(max_examples=100, deadline=None)
def test_every_byte_is_in_a_line_whatever_the_input(parts: list[bytes | int]) -> None:
    decoder = LineDecoder(longest=40)
    found: list[Line] = []
    for part in parts:
        if isinstance(part, bytes):
            found += decoder.feed(part)
        else:
            decoder.gap(part)
    found += decoder.finish()
    assert sum(len(part) for part in parts if isinstance(part, bytes)) == sum(line.size for line in found)
    holes = sum(part for part in parts if isinstance(part, int))
    assert holes <= sum(line.lost for line in found)
    assert all(decode_line(line) for line in found)


# -- conversations -----------------------------------------------------------------------------------------------------


class Turn(NamedTuple):
    """What one side says before the other one speaks."""

    channel: Channel
    raw: bytes


class Talk(NamedTuple):
    turns: list[Turn]
    expected: list[tuple[str, str, str, str, str]]  # kind, method, id, params, result


@st.composite
def talks(draw: st.DrawFn) -> Talk:
    """Requests of both sides, answered in any order in a later turn or not at all; notifications and text in between."""
    turns: list[Turn] = []
    expected: list[tuple[str, str, str, str, str]] = []
    open_requests: dict[Channel, list[tuple[str, str, str]]] = {THERE: [], BACK: []}
    number = 0
    for channel in draw(st.lists(st.sampled_from([THERE, BACK]), min_size=1, max_size=6)):
        other = BACK if channel is THERE else THERE
        raw = b""
        asked: list[tuple[str, str, str]] = []
        for _ in range(draw(st.integers(1, 3))):
            what = draw(st.sampled_from(["request", "request", "answer", "answer", "notification", "text"]))
            method, body, end = draw(_methods), draw(_bodies), draw(_ends)
            name = json.dumps(method)
            if what == "request":
                number += 1
                id = draw(st.sampled_from([str(number), f'"{number}"']))
                raw += f'{{"jsonrpc":"2.0","id":{id},"method":{name},"params":{body}}}'.encode() + end
                asked.append((method, id, body))
            elif what == "answer" and open_requests[other]:
                waiting = open_requests[other]
                of_method, id, params = waiting.pop(draw(st.integers(0, len(waiting) - 1)))
                raw += f'{{"result":{body},"jsonrpc":"2.0","id":{id}}}'.encode() + end
                expected.append(("request", of_method, id, params, body))
            elif what == "notification":
                raw += f'{{"jsonrpc":"2.0","method":{name},"params":{body}}}'.encode() + end
                expected.append(("notification", method, "", body, ""))
            else:
                text = draw(_texts)
                raw += text.encode() + end
                expected.append(("text", "", "", text[:4096], ""))
        open_requests[channel] += asked
        turns.append(Turn(channel, raw))
    expected += [("request", *asked, "") for some in open_requests.values() for asked in some]
    return Talk(turns, expected)


class Seen(NamedTuple):
    end: str
    channel: Channel
    data: bytes
    offset: int
    seq: int
    lost: int


@st.composite
def calls(draw: st.DrawFn, talk: Talk) -> list[list[Seen]]:
    """Turn by turn the calls of both ends: each cut in its own way, their records in any order."""
    places = {(end, channel): (0, 0) for end in ("in", "out") for channel in PIDS}
    found: list[list[Seen]] = []
    for channel, raw in talk.turns:
        rows: list[list[Seen]] = []
        for end in ("out", "in"):
            row: list[Seen] = []
            for piece in draw(pieces_of(raw)):
                offset, seq = places[end, channel]
                places[end, channel] = offset + len(piece), seq + 1
                row.append(Seen(end, channel, piece, offset, seq, 0))
            rows.append(row)
        order = draw(st.permutations([index for index, row in enumerate(rows) for _ in row]))
        found.append([rows[index].pop(0) for index in order])
    return found


def events_of(turns: list[list[Seen]]) -> list[StdioEvent]:
    events: list[StdioEvent] = []
    for number, seen in enumerate(call for turn in turns for call in turn):
        pid = PIDS[seen.channel][seen.end == "in"]
        origin = Origin(START_NS + number * MS, pid, pid, 0, "agent", 0, None, "in" if seen.end == "in" else "out")
        events.append(StdioChunk(origin, seen.channel, 3, seen.data, seen.offset, seen.seq, seen.lost))
    return events


def run(events: list[StdioEvent]) -> list[RpcMessage]:
    return [event for event in everything(events) if isinstance(event, RpcMessage)]


def everything(events: list[StdioEvent]) -> list[Any]:
    out: list[Any] = []
    engine = Engine()
    of(*([event] for event in events), time_of=time_of).pipe(op.parse_jsonrpc()).subscribe(out.append, scheduler=engine)
    engine.run_inline()
    return out


def emitted(messages: list[RpcMessage]) -> Counter[tuple[str, str, str, str, str]]:
    return Counter((each.kind, each.method, each.id, each.params, each.result) for each in messages)


@given(talks(), st.data(), st.sampled_from([{CLIENT, SERVER}, {CLIENT}, {SERVER}]))
@settings(max_examples=50, deadline=None)
def test_whichever_end_is_watched_each_message_is_emitted_once(talk: Talk, data: st.DataObject, watched: set[int]) -> None:
    events = [event for event in events_of(data.draw(calls(talk))) if event.origin.pid in watched]
    messages = run(events)
    assert Counter(talk.expected) == emitted(messages)
    ends = len(watched)
    assert sum(len(turn.raw) for turn in talk.turns) == sum(message.size for message in messages)
    assert ends * sum(len(turn.raw) for turn in talk.turns) == sum(len(e.data) for e in events if isinstance(e, StdioChunk))


@given(talks(), st.data())
@settings(max_examples=50, deadline=None)
def test_what_one_end_lost_is_taken_from_the_other(talk: Talk, data: st.DataObject) -> None:
    turns: list[list[Seen]] = []
    for turn in data.draw(calls(talk)):
        damaged = data.draw(st.sampled_from(["in", "out"]))  # one end a turn, so that no byte is missing at both
        kept: list[Seen] = []
        for seen in turn:
            fates = ["seen", "truncated", "lost" if seen.seq else "truncated"]  # so that it is known who is there
            fate = data.draw(st.sampled_from(fates)) if seen.end == damaged else "seen"
            size = data.draw(st.integers(0, len(seen.data)))
            if fate == "truncated":
                seen = seen._replace(data=seen.data[:size], lost=len(seen.data) - size)
            kept += [seen] * (fate != "lost")
        turns.append(kept)
    messages = run(events_of(turns))
    assert Counter(talk.expected) == emitted(messages)
    assert {None, "text_limit", "capture_end"} >= {message.reason for message in messages}


@given(talks(), st.data())
@settings(max_examples=50, deadline=None)
def test_with_any_loss_complete_messages_are_true(talk: Talk, data: st.DataObject) -> None:
    turns = [
        [
            seen if fate == "seen" else seen._replace(data=seen.data[:3], lost=len(seen.data[3:]))
            for seen in turn
            if (fate := data.draw(st.sampled_from(["seen", "seen", "lost", "truncated"]))) != "lost"
        ]
        for turn in data.draw(calls(talk))
    ]
    complete = [message for message in run(events_of(turns)) if message.complete]
    assert not emitted(complete) - Counter(talk.expected)


LIMIT = 12  # bytes that are kept of one call


@st.composite
def limited(draw: st.DrawFn, talk: Talk, writes: list[list[bytes]]) -> list[StdioEvent]:
    """The same writes, read in any pieces: of each call no more than the limit is kept."""
    places = {(end, channel): (0, 0) for end in ("in", "out") for channel in PIDS}
    found: list[list[Seen]] = []
    for turn, written in zip(talk.turns, writes, strict=True):
        row: list[Seen] = []
        for end, pieces in (("out", written), ("in", draw(pieces_of(turn.raw)))):
            for piece in pieces:
                offset, seq = places[end, turn.channel]
                places[end, turn.channel] = offset + len(piece), seq + 1
                row.append(Seen(end, turn.channel, piece[:LIMIT], offset, seq, len(piece[LIMIT:])))
        found.append(row)
    return events_of(found)


def kept(events: list[StdioEvent], channel: Channel) -> set[int]:
    """The bytes of a channel that one of the ends has."""
    chunks = [event for event in events if isinstance(event, StdioChunk) and event.channel == channel]
    return {at for chunk in chunks for at in range(chunk.offset, chunk.offset + len(chunk.data))}


@given(talks(), st.data(), st.sampled_from([{CLIENT, SERVER}, {CLIENT}, {SERVER}]))
@settings(max_examples=50, deadline=None)
def test_however_it_is_read_a_long_write_says_the_same_about_completeness(
    talk: Talk, data: st.DataObject, watched: set[int]
) -> None:
    writes = [data.draw(pieces_of(turn.raw, most=3)) for turn in talk.turns]
    for _ in range(2):
        events = [event for event in data.draw(limited(talk, writes)) if event.origin.pid in watched]
        made = everything(events)
        assert all(event.reason.intended for event in made if isinstance(event, Loss))
        messages = [event for event in made if isinstance(event, RpcMessage)]
        assert not emitted([each for each in messages if each.complete]) - Counter(talk.expected)
        missing = sum(len(turn.raw) for turn in talk.turns) - sum(len(kept(events, channel)) for channel in PIDS)
        assert missing == sum(event.size for event in made if isinstance(event, Loss))
        assert missing or Counter(talk.expected) == emitted(messages)
        assert "lost" not in {message.reason for message in messages}, "what is missing was not to be kept"


# -- the promises of every operator ------------------------------------------------------------------------------------


@st.composite
def stdio_events(draw: st.DrawFn) -> list[StdioEvent]:
    """A conversation with loss, a binary channel, ends of streams and of processes, silence."""
    events: list[StdioEvent] = []
    time_ns = START_NS
    waits = st.sampled_from([0, 1, 7, 21, 130, 1_450])
    for event in events_of(draw(calls(draw(talks())))):
        time_ns += draw(waits) * MS
        fate = draw(st.sampled_from(["seen", "seen", "seen", "lost", "truncated"]))
        event = replace(event, origin=replace(event.origin, time_ns=time_ns))
        if fate == "truncated" and isinstance(event, StdioChunk):
            event = replace(event, data=event.data[:5], lost=len(event.data[5:]))
        events += [event] * (fate != "lost")
        at = Origin(time_ns, draw(st.sampled_from([CLIENT, SERVER, 5])))
        extra = draw(st.sampled_from(["", "", "", "", "binary", "end", "exit", "loss", "again"]))
        if extra == "binary":
            events.append(StdioChunk(replace(at, direction="in"), Channel("pipe", 9), 3, b"\0\1", 0, 0))
        elif extra == "end":
            events.append(
                StdioClose(replace(at, direction="in"), draw(st.sampled_from([THERE, BACK])), draw(st.integers(0, 99)))
            )
        elif extra == "exit":
            events.append(StdioClose(at))
        elif extra == "loss":
            events.append(draw(losses(at)))
        elif extra == "again" and isinstance(event, StdioChunk):
            events.append(replace(event, offset=0, seq=0))
    return events


def weight(event: StdioEvent) -> int:
    if isinstance(event, StdioChunk):
        return len(event.data)
    return event.size if isinstance(event, RpcMessage) else 0


class Trap:
    """Bytes at which everything that looks at them raises."""

    def __len__(self) -> int:
        raise ArithmeticError("a trap")


def trap(time_ns: int) -> StdioChunk:
    data: Any = Trap()
    return StdioChunk(Origin(time_ns, 9), Channel("pipe", 99), 1, data, 0, 0)


CASE: Case[StdioEvent, StdioEvent] = Case(
    op.parse_jsonrpc, stdio_events(), law=Law("bytes", weight, weight, frozenset({Reason.LIMITED, Reason.TRUNCATED})),
    poison=trap, forgets=True,
)  # fmt: skip


def test_it_keeps_the_promises_of_every_operator() -> None:
    check(CASE)


# -- outside and back --------------------------------------------------------------------------------------------------

_origins = st.builds(
    Origin, st.integers(0, 1 << 62), st.integers(0, 99), comm=st.text(max_size=3), direction=st.sampled_from(["in", "out"])
)
_channels = st.builds(Channel, st.sampled_from(["pipe", "unix", "tty"]), st.integers(0, 1 << 32))
_numbers = st.integers(0, 1 << 40)
_words = st.text(max_size=5)
_stdio: st.SearchStrategy[StdioEvent] = st.one_of(
    st.builds(StdioChunk, _origins, _channels, st.integers(0, 9), st.binary(max_size=9), _numbers, _numbers, _numbers,
              unread=st.booleans()),
    st.builds(StdioClose, _origins, st.none() | _channels, st.integers(-1, 99)),
    st.builds(
        RpcMessage, _origins, _channels, st.sampled_from(["request", "text"]), _words, _words, _words, _words, _words,
        server=_words, end_ns=_numbers, complete=st.booleans(), reason=st.none() | _words, latency_ns=_numbers, lost=_numbers,
        size=_numbers,
    ),
)  # fmt: skip


@given(_stdio)
@settings(deadline=None)
def test_an_event_comes_back_from_its_envelope_as_it_was(event: StdioEvent) -> None:
    expected = replace(event, origin=replace(event.origin, wall_ns=0))
    assert expected == decode_envelope(encode_envelope(event))
    assert expected == decode_envelope(msgspec.json.decode(encode_line(event)))
