"""An answer as event stream: our decoder and reader, against looking for the data and decoding it and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

import msgspec
from msgspec import Struct

from agentsight_rx.llm.dialects.anthropic import ANTHROPIC
from agentsight_rx.wire.sse import SseDecoder
from benchmarks.recording import answer
from benchmarks.timing import Case, Row, Work, measure

__all__ = ["SAID", "rows"]

_DELTAS = 10_000
_LONG = 10  # times as many


class _Delta(Struct, gc=False):
    text: str = ""
    thinking: str = ""
    partial_json: str = ""
    stop_reason: str | None = None


class _ContentBlockDelta(Struct, tag="content_block_delta", gc=False):
    index: int
    delta: _Delta


class _ContentBlockStart(Struct, tag="content_block_start", gc=False):
    index: int


class _ContentBlockStop(Struct, tag="content_block_stop", gc=False):
    index: int


class _MessageStart(Struct, tag="message_start", gc=False):
    message: msgspec.Raw


class _MessageDelta(Struct, tag="message_delta", gc=False):
    delta: _Delta


class _MessageStop(Struct, tag="message_stop", gc=False):
    pass


_Said: TypeAlias = _ContentBlockDelta | _ContentBlockStart | _ContentBlockStop | _MessageStart | _MessageDelta | _MessageStop
# The cheapest way to know what an event says: one decoder that picks the type by its tag and skips what nobody wants
SAID: msgspec.json.Decoder[object] = msgspec.json.Decoder(_Said)


def rows(rounds: int, scale: float = 1.0, /) -> list[Row]:
    short = answer(max(10, int(_DELTAS * scale)))
    long = answer(max(100, int(_DELTAS * _LONG * scale)))
    size = sum(map(len, short))
    floor, whole = "find the data, decode it", "SseDecoder + reader"
    cases = [
        Case(floor, partial(_plain, short), len(short), size),
        Case("SseDecoder", partial(_decoder, short), len(short), size, floor, 2.0),
        Case(whole, partial(_reader, short), len(short), size, floor, 2.0),
        Case(f"{whole}, {_LONG} times as long", partial(_reader, long), len(long), sum(map(len, long)), whole, 1.25),
    ]
    return measure("sse", cases, rounds)


def _plain(events: Sequence[bytes]) -> Work:
    def work() -> None:
        for event in events:
            SAID.decode(event[event.find(b"data: ") + 6 : -2])

    return work


def _decoder(events: Sequence[bytes]) -> Work:
    decoder = SseDecoder()

    def work() -> None:
        count = 0
        for event in events:
            count += len(decoder.feed(event))
        assert count == len(events)

    return work


def _reader(events: Sequence[bytes]) -> Work:
    decoder, reader = SseDecoder(), ANTHROPIC.reader()

    def work() -> None:
        for event in events:
            for said in decoder.feed(event):
                reader.feed(said)
        assert reader.reply().finish_reason == "tool_use"

    return work
