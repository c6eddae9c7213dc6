from __future__ import annotations

import pytest

from agentsight_rx.operators.sessions.stream_kinds import KINDS, kind_by_begin, kind_by_head
from property_tests.aws_frames import chunk

FRAMES = "application/vnd.amazon.eventstream"


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"application/json"}))
def test_a_media_type_in_the_table_is_a_stream_whatever_its_parameters_and_case(kind: str) -> None:
    assert kind_by_head((("content-type", kind),), "/") == kind
    assert kind_by_head((("content-type", f"{kind.upper()} ; charset=utf-8"),), "/") == kind


@pytest.mark.parametrize(
    ("content_type", "target", "expected"),
    [
        ("application/json", "/v1beta/models/gemini:streamGenerateContent", "application/json"),
        ("application/json", "/v1beta/models/gemini:generateContent?x=:stream", ""),
        ("text/plain", "/v1beta/models/gemini:streamGenerateContent", ""),
        ("", "/", ""),
    ],
)
def test_json_is_a_stream_only_where_the_method_streams(content_type: str, target: str, expected: str) -> None:
    assert kind_by_head((("content-type", content_type),), target) == expected


def test_no_head_is_no_stream() -> None:
    assert kind_by_head((), "/v1/messages") == ""


@pytest.mark.parametrize(
    ("begun", "expected"),
    [
        (b"data: {}", "text/event-stream"),
        (b"\xef\xbb\xbfevent:x", "text/event-stream"),
        (b"\r\ndata:", "text/event-stream"),
        (b": OPENROUTER PROCESSING\n", "text/event-stream"),
        (chunk("{}"), FRAMES),
        (chunk("{}")[:12], FRAMES),
        (chunk("{}")[:11], ""),
        (b"\1" + chunk("{}")[1:], ""),
        (b'{"data":1}', ""),
        (b"dat", ""),
        (b"", ""),
        (b"database error", ""),
    ],
)
def test_the_first_bytes_show_an_event_stream_or_a_frame(begun: bytes, expected: str) -> None:
    assert kind_by_begin(begun) == expected
