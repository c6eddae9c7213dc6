from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from agentsight_rx.events import Channel, Loss, Origin, RpcMessage, StdioChunk, StdioClose, StdioEvent
from agentsight_rx.events.loss import Reason
from agentsight_rx.operators import parse_jsonrpc
from tests.operators import MS, Running

CLIENT, SERVER, TEE = 11, 22, 33
SECOND = 1000 * MS


class Pipe:
    """One channel as the capture sees it. Every call on any of them comes a millisecond after the one before."""

    now_ns = 0

    def __init__(self, inode: int, writer: int = CLIENT, reader: int = SERVER) -> None:
        self.channel = Channel("pipe", inode)
        self.writer = writer
        self.reader = reader
        self._sides = {"in": (0, 0), "out": (0, 0)}

    def writes(self, data: bytes, *, by: int = 0, lost: int = 0) -> StdioChunk:
        return self._chunk("out", by or self.writer, data, lost)

    def reads(self, data: bytes, *, by: int = 0, lost: int = 0) -> StdioChunk:
        return self._chunk("in", by or self.reader, data, lost)

    def passes(self, data: bytes) -> list[StdioEvent]:
        return [self.writes(data), self.reads(data)]

    def ends(self) -> StdioClose:
        return StdioClose(origin(self.reader, "in"), self.channel, self._sides["in"][0])

    def _chunk(self, end: Any, pid: int, data: bytes, lost: int) -> StdioChunk:
        offset, seq = self._sides[end]
        self._sides[end] = (offset + len(data) + lost, seq + 1)
        return StdioChunk(origin(pid, end), self.channel, 3, data, offset, seq, lost)


def origin(pid: int, end: Any = None) -> Origin:
    Pipe.now_ns += MS
    return Origin(Pipe.now_ns, pid, pid, 1000, "agent", 0, None, end)


def exits(pid: int) -> StdioClose:
    return StdioClose(origin(pid))


def _from_zero() -> None:
    Pipe.now_ns = 0


@pytest.fixture(autouse=True)
def _from_the_beginning() -> None:
    _from_zero()


def pair() -> tuple[Pipe, Pipe]:
    return Pipe(1, CLIENT, SERVER), Pipe(2, SERVER, CLIENT)


def request(id: int | str, method: str = "ping", params: str = "") -> bytes:
    middle = f',"params":{params}' if params else ""
    return f'{{"jsonrpc":"2.0","id":{msgspec.json.encode(id).decode()},"method":"{method}"{middle}}}\n'.encode()


def result(id: int | str, said: str = "{}") -> bytes:
    return f'{{"jsonrpc":"2.0","id":{msgspec.json.encode(id).decode()},"result":{said}}}\n'.encode()


def notification(method: str, params: str = "{}") -> bytes:
    return f'{{"jsonrpc":"2.0","method":"{method}","params":{params}}}\n'.encode()


def call(id: int | str, tool: str) -> bytes:
    return request(id, "tools/call", f'{{"name":"{tool}"}}')


class Trial:
    """An operator in the middle of a run, weighed at every step."""

    def __init__(self) -> None:
        self.running: Running[StdioEvent, StdioEvent] = Running(parse_jsonrpc())
        self.weight = 0

    def feed(self, events: Iterable[StdioEvent]) -> list[StdioEvent]:
        made: list[StdioEvent] = []
        for event in events:
            self.weight += len(event.data) if isinstance(event, StdioChunk) else 0
            made += self._weighed(self.running.feed(event))
        return made

    def tick(self, now_ns: int) -> list[StdioEvent]:
        return self._weighed(self.running.tick(now_ns))

    def finish(self) -> list[StdioEvent]:
        made = self._weighed(self.running.finish())
        assert self.running.held() == 0
        return made

    @property
    def repeated(self) -> int:
        meters = self.running.engine.ledger.entries()
        return sum(entry.size for entry in meters if entry.reason is Reason.REPEATED)

    def _weighed(self, made: list[StdioEvent]) -> list[StdioEvent]:
        self.weight -= sum(len(event.data) for event in made if isinstance(event, StdioChunk))
        self.weight -= sum(event.size for event in made if isinstance(event, RpcMessage))
        assert self.weight == self.repeated + self.running.held()
        return made


def parsed(*events: StdioEvent | Iterable[StdioEvent]) -> list[RpcMessage]:
    """The messages of these events, up to the end of the capture."""
    trial = Trial()
    given = [event for some in events for event in (some if isinstance(some, Iterable) else [some])]
    return rpc(trial.feed(given) + trial.finish())


def rpc(events: Iterable[StdioEvent]) -> list[RpcMessage]:
    return [event for event in events if isinstance(event, RpcMessage)]


def outcomes(messages: Iterable[RpcMessage]) -> list[tuple[str, str]]:
    return [(message.id, message.outcome) for message in messages]


def test_a_request_and_its_answer_are_one_message() -> None:
    there, back = pair()
    asked, answered = call(7, "add"), result(7, '{"content":[]}')
    (message,) = parsed(there.passes(asked), back.passes(answered))
    expected = RpcMessage(
        Origin(2 * MS, SERVER, SERVER, 1000, "agent", 0, None, "in"),
        there.channel,
        "request",
        "tools/call",
        "7",
        "add",
        '{"name":"add"}',
        '{"content":[]}',
        "ok",
        CLIENT,
        SERVER,
        end_ns=4 * MS,
        latency_ns=3 * MS,
        size=len(asked) + len(answered),
    )
    assert expected == message


@pytest.mark.parametrize("size", [1, 7, 40, 4096])
def test_either_end_and_both_give_the_same_messages(size: int) -> None:
    asked, answered = call(1, "a") + call(2, "b") + notification("x"), result(2) + result(1)

    def seen(*pids: int) -> list[RpcMessage]:
        there, back = pair()
        made: list[StdioEvent] = []
        for pipe, words in ((there, asked), (back, answered)):
            for at in range(0, len(words), size):
                made += [each for each in pipe.passes(words[at : at + size]) if each.origin.pid in pids]
        messages = parsed(made)
        return [
            msgspec.structs.replace(each, origin=Origin(0, 0), end_ns=0, latency_ns=0, writer_pid=0, reader_pid=0)
            for each in sorted(messages, key=lambda each: (each.kind, each.id))
        ]

    both = seen(CLIENT, SERVER)
    assert [("notification", "sent"), ("request", "ok"), ("request", "ok")] == [(each.kind, each.outcome) for each in both]
    assert both == seen(CLIENT)
    assert both == seen(SERVER)


def test_latency_counts_from_the_write_to_the_read_in_any_order_of_records() -> None:
    there, back = pair()
    late = there.writes(request(1))  # its record comes after that of the reader
    events = [there.reads(request(1)), late, back.writes(result(1)), back.reads(result(1))]
    (message,) = parsed(events)
    assert (message.latency_ns, message.writer_pid, message.reader_pid) == (3 * MS, CLIENT, SERVER)


def test_each_outcome_is_recognised() -> None:
    there, back = pair()
    asked = b"".join(call(id, "t") for id in (1, 2, 3, "3", 4)) + notification("notifications/cancelled", '{"requestId":"3"}')
    said = result(1, '{"isError":false}') + result(2, '{"isError":true}')
    said += b'{"jsonrpc":"2.0","id":3,"error":{"code":-32601,"message":"no"}}\n'
    made = parsed(there.passes(asked), back.passes(said))
    found = sorted((message.id, message.outcome) for message in made if message.kind == "request")
    assert [('"3"', "cancelled"), ("1", "ok"), ("2", "tool_error"), ("3", "rpc_error"), ("4", "no_answer")] == found
    assert ["4"] == [message.id for message in made if not message.complete]


def test_both_sides_number_their_own_requests() -> None:
    there, back = pair()
    made = parsed(
        there.passes(call(0, "ask")),
        back.passes(request(0, "sampling/createMessage")),
        there.passes(result(0, '"sampled"')),
        back.passes(result(0, '"done"')),
    )
    assert [("sampling/createMessage", '"sampled"'), ("tools/call", '"done"')] == [(each.method, each.result) for each in made]


def test_two_servers_of_one_client_do_not_mix() -> None:
    one, one_back = pair()
    two, two_back = Pipe(3, CLIENT, 44), Pipe(4, 44, CLIENT)
    made = parsed(
        one.passes(request(1, "one")),
        two.passes(request(1, "two")),
        two_back.passes(result(1, "2")),
        one_back.passes(result(1)),
    )
    assert [("two", "2"), ("one", "{}")] == [(message.method, message.result) for message in made]


def test_with_a_program_in_between_both_hops_are_emitted() -> None:
    hops = [Pipe(1, CLIENT, TEE), Pipe(2, TEE, SERVER)]
    back = [Pipe(3, SERVER, TEE + 1), Pipe(4, TEE + 1, CLIENT)]
    made = parsed([event for id in (1, 2) for pipe in hops for event in pipe.passes(call(id, "t"))],
                  [event for id in (1, 2) for pipe in back for event in pipe.passes(result(id))])  # fmt: skip
    assert [(1, "1"), (1, "2"), (2, "1"), (2, "2")] == sorted((message.channel.inode, message.id) for message in made)
    assert {"ok"} == {message.outcome for message in made}


def test_a_gateway_is_client_and_server_at_once() -> None:
    there, back = Pipe(1, CLIENT, TEE), Pipe(2, TEE, CLIENT)
    on, on_back = Pipe(3, TEE, SERVER), Pipe(4, SERVER, TEE)
    made = parsed(
        there.passes(request(1, "outer")), on.passes(request(1, "inner")), on_back.passes(result(1)), back.passes(result(1))
    )
    assert ["inner", "outer"] == [message.method for message in made]


def test_the_same_id_twice_is_answered_in_order() -> None:
    there, back = pair()
    made = parsed(there.passes(request(1, "a") + request(1, "b")), back.passes(result(1, '"x"') + result(1, '"y"')))
    assert [("a", '"x"'), ("b", '"y"')] == [(message.method, message.result) for message in made]


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("initialize", '{"protocolVersion":"2025-11-25","serverInfo":{"name":"demo","version":"1.2"}}'),
        ("server/discover", '{"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"demo","version":"1.2"}}}'),
        ("tools/list", '{"tools":[],"_meta":{"io.modelcontextprotocol/serverInfo":{"name":"demo","version":"1.2"}}}'),
    ],
)
def test_the_name_of_the_server_is_found_in_every_version_of_the_protocol(method: str, said: str) -> None:
    there, back = pair()
    made = parsed(
        there.passes(request(0, method)), back.passes(result(0, said)),
        there.passes(request(1)), back.passes(result(1) + notification("notifications/message")),
    )  # fmt: skip
    assert ["demo 1.2"] * 3 == [message.server for message in made]


def test_an_answer_whose_request_was_not_seen_is_emitted() -> None:
    _, back = pair()
    (message,) = parsed(back.passes(result(9, "5")))
    assert ("response", "9", "5", "no_request", False) == (
        message.kind, message.id, message.result, message.reason, message.complete,
    )  # fmt: skip


def test_text_is_kept_up_to_4_kib_and_the_next_message_is_read() -> None:
    there, back = pair()
    made = parsed(there.passes(request(1)), back.passes(b"Traceback\n" + b"x" * 5003 + b"\n\n" + result(1)))
    assert [("text", "Traceback", 0), ("text", "x" * 4096, 907), ("text", "", 0)] == [
        (message.kind, message.params, message.lost) for message in made[:3]
    ]
    assert [("1", "ok")] == outcomes(made[3:])
    assert (SERVER, CLIENT) == (made[0].writer_pid, made[0].reader_pid)


def test_binary_channels_and_terminals_pass_unchanged() -> None:
    pipe, terminal = Pipe(1), StdioChunk(origin(5, "out"), Channel("tty", 9), 1, b"hello\n", 0, 0)
    events = [*pipe.passes(b"\0\0\0\x05hello"), pipe.writes(b"plain text\n"), terminal]
    assert events == Trial().feed(events)
    loss = Loss(origin(0), "stdio", Reason.KERNEL_LOST, 3)
    assert [loss] == Trial().feed([loss])


def test_a_channel_that_turns_out_to_be_binary_passes_unchanged_from_there() -> None:
    pipe = Pipe(1)
    trial = Trial()
    begin = [pipe.reads(b"001e# service\n"), pipe.writes(b"001e# service\n\0\0\1\n\0"), pipe.reads(b"\0\0\1\n")]
    made = trial.feed(begin)
    assert ["001e# service", "\0\0\1"] == [message.params for message in rpc(made)]
    assert [b"\0"] == [event.data for event in made if isinstance(event, StdioChunk)]  # of what was written, the rest
    more = [pipe.reads(b"\0"), *pipe.passes(b"\1\2\n")]
    assert more == trial.feed(more)


def test_a_binary_line_on_a_channel_with_messages_does_not_make_it_binary() -> None:
    there, back = pair()
    made = parsed(there.passes(request(1)), back.passes(notification("a")), back.passes(b"\0\1\n" + result(1)))
    assert ["notification", "text", "request"] == [message.kind for message in made]


# -- two ends, one stream ----------------------------------------------------------------------------------------------


def test_written_bytes_wait_for_the_reading_end_and_are_taken_when_time_is_up() -> None:
    there, _ = pair()
    trial = Trial()
    assert [] == trial.feed([there.writes(notification("a"))])
    assert [] == trial.tick(6000 * MS)
    assert ["a"] == [message.method for message in rpc(trial.tick(6001 * MS))]
    assert ["b"] == [message.method for message in rpc(trial.feed([there.writes(notification("b"))]))]
    assert [] == trial.feed([there.reads(notification("a") + notification("b"))])  # it was only slow
    made = rpc(trial.feed([there.writes(notification("c")), there.reads(notification("c"))]))
    assert [("c", "in")] == [(message.method, message.origin.direction) for message in made]
    trial.tick(7 * SECOND)
    assert len(notification("a")) * 3 == trial.repeated


def test_a_request_taken_from_the_writing_end_gets_its_reader_later() -> None:
    there, back = pair()
    trial = Trial()
    trial.feed([there.writes(request(1))])
    trial.tick(7 * SECOND)
    read = there.reads(request(1))
    (message,) = rpc(trial.feed([read, *back.passes(result(1))]))
    assert (read.origin, CLIENT, SERVER) == (message.origin, message.writer_pid, message.reader_pid)
    assert message.latency_ns == 3 * MS


def test_a_hole_is_filled_from_the_other_end_in_either_order() -> None:
    words = notification("a", '"' + "x" * 300 + '"')
    for order in ("before", "after"):
        there, _ = pair()
        written, read = there.writes(words + words), there.reads(words[:50], lost=len(words) * 2 - 50)
        made = parsed([written, read] if order == "before" else [read, written])
        assert [("a", True, len(words))] * 2 == [(message.method, message.complete, message.size) for message in made]


def test_a_lost_record_is_filled_as_well() -> None:
    there, back = pair()
    written = [there.writes(call(id, "t")) for id in (1, 2, 3)]
    read = [there.reads(call(id, "t")) for id in (1, 2, 3)]
    made = parsed(written, read[0], read[2], back.passes(result(1) + result(2) + result(3)))
    assert [("1", "ok"), ("2", "ok"), ("3", "ok")] == outcomes(made)
    assert {"in"} == {message.origin.direction for message in made if message.id != "2"}


def test_records_of_two_threads_may_come_in_the_wrong_order() -> None:
    pipe = Pipe(1)
    one, two = pipe.reads(notification("a")), pipe.reads(notification("b"))
    assert ["a", "b"] == [message.method for message in parsed(two, one)]


def test_a_hole_that_neither_end_fills_is_counted_when_time_is_up() -> None:
    pipe = Pipe(1)
    words = notification("a", '"' + "x" * 300 + '"')
    trial = Trial()
    assert [] == trial.feed([pipe.reads(words[:50], lost=len(words) - 50), pipe.reads(notification("b"))])
    assert [] == trial.tick(6 * SECOND)
    loss, *made = trial.tick(6 * SECOND + 2 * MS)
    assert isinstance(loss, Loss)
    assert (Reason.LIMITED, 1, len(words) - 50) == (loss.reason, loss.count, loss.size)
    assert [("text", False, "call_limit", len(words) - 50), ("notification", True, None, 0)] == [
        (message.kind, message.complete, message.reason, message.lost) for message in rpc(made)
    ]
    assert [] == trial.tick(6 * SECOND + 2 * MS)


def test_bytes_that_the_kernel_did_not_show_are_missing() -> None:
    pipe = Pipe(1)
    words = notification("a", '"' + "x" * 300 + '"')
    cut = replace(pipe.reads(words[:50], lost=len(words) - 50), unread=True)
    trial = Trial()
    assert [] == trial.feed([cut, pipe.reads(notification("b"))])
    loss, *made = trial.tick(6 * SECOND + 2 * MS)
    assert isinstance(loss, Loss)
    assert (Reason.TRUNCATED, 1, len(words) - 50, False) == (loss.reason, loss.count, loss.size, loss.reason.intended)
    assert ["lost", None] == [message.reason for message in rpc(made)]


def test_waits_end_in_their_order_however_many_ticks_there_are() -> None:
    made: list[list[StdioEvent]] = []
    for ticks in (range(20 * MS, 14 * SECOND, 20 * MS), [14 * SECOND]):
        _from_zero()
        pipe, other = Pipe(1), Pipe(2)
        words = notification("a", '"' + "x" * 300 + '"')
        trial = Trial()
        out = trial.feed([pipe.reads(words[:50], lost=len(words) - 50), pipe.reads(notification("b"))])
        out += trial.feed([other.writes(notification("d"))])
        out += trial.feed([pipe.reads(words[:50], lost=len(words) - 50), pipe.reads(notification("c"))])
        made.append([*out, *(each for now_ns in ticks for each in trial.tick(now_ns))])
    fine, coarse = made
    assert fine == coarse
    assert [message.method for message in rpc(fine) if message.kind == "notification"] == ["b", "d", "c"]


def test_an_answer_ends_the_wait_for_its_request() -> None:
    there, back = pair()
    question = call(1, "a" * 300)
    made = parsed(there.reads(question[:50], lost=len(question) - 50), back.writes(result(1)))
    assert [("tools/call", "1", "ok", "call_limit")] == [(each.method, each.id, each.outcome, each.reason) for each in made]


def test_where_the_ends_differ_the_reading_end_counts() -> None:
    pipe = Pipe(1)
    one, two, three = (notification(name) for name in "abc")
    written = [pipe.writes(two, by=CLIENT), pipe.writes(one, by=TEE), pipe.writes(three, by=TEE)]
    lost = pipe.reads(three[:10], lost=len(three) - 10)
    pipe = Pipe(1)
    made = parsed(written, pipe.reads(one + two), msgspec.structs.replace(lost, offset=len(one + two), seq=1))
    assert ["a", "b", ""] == [message.method for message in made]
    assert [True, True, False] == [message.complete for message in made]


def test_one_end_far_ahead_is_taken_without_waiting() -> None:
    pipe = Pipe(1)
    words = notification("a", '"' + "x" * 100_000 + '"')
    trial = Trial()
    trial.feed([pipe.reads(b"\n")])
    trial.feed([pipe.writes(b"\n")])
    made = rpc(trial.feed(pipe.writes(words) for _ in range(50)))
    assert made
    assert trial.running.held() <= 5 << 20


# -- the end -----------------------------------------------------------------------------------------------------------


def test_the_end_of_the_answering_channel_ends_open_requests() -> None:
    there, back = pair()
    trial = Trial()
    made = trial.feed([*there.passes(call(1, "a") + call(2, "b")), *back.passes(result(1)), back.ends()])
    assert [("1", "ok"), ("2", "no_answer")] == outcomes(rpc(made))
    assert isinstance(made[-1], StdioClose)
    assert ["closed"] == [message.reason for message in rpc(made)[1:]]


def test_a_line_at_the_end_of_a_stream_needs_no_line_end() -> None:
    pipe = Pipe(1)
    made = Trial().feed([*pipe.passes(b"a\nlast"), pipe.ends()])
    assert [("a", True), ("last", True)] == [(message.params, message.complete) for message in rpc(made)]
    (message,) = parsed(Pipe(2).passes(b"cut off"))
    assert ("cut off", False, "capture_end") == (message.params, message.complete, message.reason)


def test_an_answer_may_be_read_after_the_server_has_ended() -> None:
    there, back = pair()
    trial = Trial()
    made = trial.feed(
        [*there.passes(call(1, "a") + call(2, "b")), back.writes(result(1)), exits(SERVER), back.reads(result(1))]
    )
    assert [("1", "ok")] == outcomes(rpc(made))
    assert [] == trial.tick(6000 * MS)
    made = trial.tick(6004 * MS)
    assert [("2", "no_answer", "process_ended")] == [(each.id, each.outcome, each.reason) for each in rpc(made)]


def test_an_answer_that_is_written_and_never_read_counts() -> None:
    there, back = pair()
    trial = Trial()
    trial.feed(
        [*there.passes(call(1, "a")), back.writes(b"hello\n"), back.reads(b"hello\n"), back.writes(result(1)), exits(SERVER)]
    )
    assert [("1", "ok")] == outcomes(rpc(trial.tick(7 * SECOND)))


def test_a_request_stays_open_when_its_writer_ends() -> None:
    there, back = Pipe(1, TEE, SERVER), Pipe(2, SERVER, CLIENT)
    trial = Trial()
    trial.feed([*there.passes(call(1, "a")), exits(TEE)])
    assert [] == trial.tick(7 * SECOND)
    assert [("1", "ok")] == outcomes(rpc(trial.feed(back.passes(result(1)))))


def test_an_inode_that_is_used_again_is_another_channel() -> None:
    old, new = Pipe(1), Pipe(1)
    made = parsed(old.passes(call(1, "old")), new.passes(call(2, "new")))
    assert [("1", "closed"), ("2", "capture_end")] == [(message.id, message.reason) for message in made]


def test_there_are_limits() -> None:
    there, _ = pair()
    made = Trial().feed(event for number in range(1027) for event in there.passes(request(number)))
    assert [("0", "no_answer"), ("1", "no_answer"), ("2", "no_answer")] == outcomes(rpc(made))
    trial = Trial()
    made = trial.feed(event for number in range(1031) for event in Pipe(number).passes(b"no end"))
    assert ["evicted"] * 7 == [message.reason for message in rpc(made)]
    trial = Trial()
    huge = b'{"a":"' + b"x" * (5 << 20)
    made = trial.feed(pipe.reads(huge) for pipe in map(Pipe, range(17)))
    assert [len(huge)] * 7 == [message.size for message in rpc(made)]
    assert trial.running.held() == len(huge) * 10


def test_a_snapshot_may_be_taken_between_any_two_events() -> None:
    there, back = pair()
    events: list[StdioEvent] = [there.writes(call(1, "a")[:20]), there.writes(call(1, "a")[20:] + call(2, "b"))]
    events += [there.reads(call(1, "a")[:30], lost=len(call(1, "a")) - 30), there.reads(call(2, "b"))]
    events += [*back.passes(result(1)[:5]), exits(TEE), *back.passes(result(1)[5:]), back.ends()]
    whole = Trial()
    expected = whole.feed(events) + whole.finish()
    for cut in range(len(events) + 1):
        first, then = Trial(), Trial()
        made = first.feed(events[:cut])
        then.running.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(first.running.snapshot())))
        assert first.running.held() == then.running.held()
        then.weight = then.running.held()
        assert expected == made + then.feed(events[cut:]) + then.finish()
