from __future__ import annotations

import pytest

from agentsight_rx.events import SseEvent
from agentsight_rx.llm.aws import exception_of, take_exception
from agentsight_rx.llm.reader import Draft


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b'{"message":"Slow down"}', "", "Slow down"),
        (b'{"Message":"Slow down"}', "", "Slow down"),
        (b'{"__type":"com.amazon#ThrottlingException","message":"Slow down"}', "", "ThrottlingException: Slow down"),
        (
            b'{"__type":"ModelError","Message":"Failed (500)","OriginalMessage":"Out of memory"}',
            "",
            "ModelError: Out of memory",
        ),
        (b'{"message":"Slow down"}', "throttlingException", "throttlingException: Slow down"),
        (b"<html>", "throttlingException", "throttlingException"),
        (b'{"error":{"type":"overloaded","message":"Slow down"}}', "", "overloaded: Slow down"),
        (b'{"output":{}}', "", None),
        (b"", "", None),
    ],
)
def test_an_exception_is_its_type_and_its_message(body: bytes, kind: str, expected: str | None) -> None:
    assert exception_of(body, kind) == expected


def test_an_error_that_the_service_does_not_describe_ends_a_stream() -> None:
    draft = Draft()
    assert take_exception(draft, SseEvent("error", '{"code":"InternalFailure","message":"Broken"}'))
    assert (draft.error, draft.ended) == ("InternalFailure: Broken", True)


def test_other_events_are_no_exceptions() -> None:
    assert not any(
        take_exception(Draft(), SseEvent(kind, data)) for kind, data in (("chunk", "{}"), ("error", "upstream timed out"))
    )
