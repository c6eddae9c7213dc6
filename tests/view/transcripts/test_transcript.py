from __future__ import annotations

from agentsight_rx.events import Usage
from agentsight_rx.view.transcripts import Transcript, TranscriptCall, TranscriptTool, together


def part(name: str, *calls: TranscriptCall, **more: object) -> Transcript:
    sums: dict[str, Usage] = {"m": Usage(sum(call.usage.input for call in calls))}
    fields: dict[str, object] = {"agent": "claude", "session_id": "s", "title": name, "calls": calls, "totals": sums, **more}
    return Transcript(**fields)  # type: ignore[arg-type]  # by name, and each test has its own


def call(number: int) -> TranscriptCall:
    return TranscriptCall(id=f"msg_{number}", request_id=f"req_{number}", model="m", usage=Usage(number), time_ms=number)


def test_what_is_in_several_files_of_a_session_is_there_once() -> None:
    tool = TranscriptTool(id="t", name="Read")
    one = part("one", call(1), call(4), start_ms=1, end_ms=4, tools=(tool,), unreadable=1)
    other = part("other", call(4), call(2), start_ms=2, end_ms=5, tools=(tool,), cwd="/w", unreadable=2)
    found = together([one, other])
    assert [1, 2, 4] == [each.time_ms for each in found.calls]
    assert {"m": Usage(7)} == found.totals
    assert ((tool,), "one", "/w", 1, 5, 3) == (
        found.tools,
        found.title,
        found.cwd,
        found.start_ms,
        found.end_ms,
        found.unreadable,
    )


def test_calls_without_an_id_are_all_there() -> None:
    alike = [TranscriptCall(model="m", usage=Usage(3)) for _ in range(2)]
    found = together([part("one", alike[0]), part("other", alike[1])])
    assert (2, {"m": Usage(6)}) == (len(found.calls), found.totals)
