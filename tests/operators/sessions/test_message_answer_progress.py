from __future__ import annotations

from collections.abc import Sequence

import msgspec

from agentsight_rx.events import AnswerPiece, AnswerProgress, BodyPart, HttpEvent, HttpResponse, Origin, SseMessage
from agentsight_rx.operators import merge_sse
from tests.operators import CONNECTION, MS, Running

ORIGIN = Origin(0, CONNECTION.pid, wall_ns=7_000_000_000, connection=CONNECTION, direction="in")
HEAD = HttpResponse(
    *(ORIGIN, 1, 200, "OK", "HTTP/1.1", (("content-type", "text/event-stream"),), b"", True),
    method="POST",
    target="/v1/messages",
    host="api.example",
)


def event(kind: str, **fields: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), msgspec.json.encode({"type": kind, **fields}))


def says(text: str, index: int = 0) -> bytes:
    return event("content_block_delta", index=index, delta={"type": "text_delta", "text": text})


def asks(text: str, index: int = 1) -> bytes:
    return event("content_block_delta", index=index, delta={"type": "input_json_delta", "partial_json": text})


TOOL = event("content_block_start", index=1, content_block={"type": "tool_use", "id": "t", "name": "Bash", "input": {}})


def part(at_ms: int, data: bytes, *, last: bool = False) -> BodyPart:
    return BodyPart(msgspec.structs.replace(ORIGIN, time_ns=at_ms * MS), 1, data, last=last, size=len(data))


def begun() -> Running[HttpEvent, HttpEvent]:
    running = Running(merge_sse(progress=True))
    running.feed(HEAD)
    return running


def pieces(made: Sequence[HttpEvent]) -> list[AnswerPiece]:
    return [piece for event in made if isinstance(event, AnswerProgress) for piece in event.pieces]


def test_the_first_words_are_reported_while_the_stream_is_open() -> None:
    running = begun()
    running.feed(part(10, says("Hel")), part(11, says("lo")))
    assert running.tick(20 * MS) == []  # less than 200 ms after the begin of time
    (made,) = running.tick(200 * MS)
    assert made == AnswerProgress(made.origin, 1, 1, (AnswerPiece(0, "text", "Hello"),))
    assert (made.origin.time_ns, made.origin.wall_ns) == (11 * MS, 7_000_000_000 + 11 * MS)


def test_each_report_has_what_is_new_and_there_is_one_each_200_ms() -> None:
    running = begun()
    running.feed(part(10, says("a")))
    assert pieces(running.tick(1000 * MS)) == [AnswerPiece(0, "text", "a")]
    running.feed(part(1010, says("b")))
    assert running.tick(1020 * MS) == []
    running.feed(part(1150, says("c")))
    (made,) = running.tick(1200 * MS)
    assert isinstance(made, AnswerProgress)
    assert (made.number, made.pieces) == (2, (AnswerPiece(0, "text", "bc"),))
    assert running.tick(2000 * MS) == []  # nothing new was said


def test_the_input_of_a_tool_is_reported_with_its_name_once() -> None:
    running = begun()
    running.feed(part(10, says("x") + TOOL + asks('{"command": ')))
    first = pieces(running.tick(1000 * MS))
    running.feed(part(1010, asks('"ls"}')))
    second = pieces(running.tick(2000 * MS))
    assert first == [AnswerPiece(0, "text", "x"), AnswerPiece(1, "call", '{"command": ', "Bash")]
    assert second == [AnswerPiece(1, "call", '"ls"}')]


def test_the_message_at_the_end_is_the_same_with_and_without_reports() -> None:
    events: list[BodyPart | HttpResponse] = [
        HEAD,
        part(10, says("a")),
        part(600, TOOL + asks("{}")),
        part(900, event("message_stop"), last=True),
    ]
    made: list[list[HttpEvent]] = []
    for progress in (False, True):
        running = Running(merge_sse(progress=progress))
        made.append([])
        for each in events:
            made[-1] += running.feed(each)
            made[-1] += running.tick(each.origin.time_ns + 300 * MS)
    without, reported = made
    assert len(pieces(reported)) == 2
    assert without == [each for each in reported if not isinstance(each, AnswerProgress)]
    assert isinstance(without[-1], SseMessage)


def test_it_goes_on_from_a_snapshot() -> None:
    running = begun()
    running.feed(part(10, says("a")))
    running.tick(1000 * MS)
    resumed = Running(merge_sse(progress=True))
    resumed.restore(running.snapshot())
    resumed.feed(part(1010, says("b")))
    (made,) = resumed.tick(2000 * MS)
    assert isinstance(made, AnswerProgress)
    assert (made.number, made.pieces) == (2, (AnswerPiece(0, "text", "b"),))


def test_a_stream_of_no_model_has_no_report() -> None:
    running = Running(merge_sse(progress=True))
    running.feed(msgspec.structs.replace(HEAD, target="/events"), part(10, b"data: x\n\n"))
    assert running.tick(1000 * MS) == []
