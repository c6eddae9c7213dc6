"""A moment of a recording: what it keeps has a limit in bytes, and what was left out is said wherever it bites."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.state import MemoryStore
from agentsight_rx.view import (
    AuditRow,
    BlindSpotRow,
    CallRow,
    HttpRow,
    ProcessRow,
    ResourceRow,
    Row,
    SessionRow,
    TlsUseRow,
    ToolRow,
)
from agentsight_rx.view.page import Picture, answer
from agentsight_rx.view.page import picture as module
from agentsight_rx.view.page.picture import WHOLE
from agentsight_rx.view.queries.calls import lookup as call_lookup
from agentsight_rx.view.queries.effects import causes, file_lines
from tests.store.rows.test_kind_weights import bytes_of

PRICES = Prices(today=datetime.date(2026, 11, 27))
TABS = ("turns", "timeline", "processes", "files", "network", "mcp", "http")
SIZES = [(each, name) for each in (module, call_lookup, causes, file_lines) for name in vars(each) if name.endswith("_SIZE")]
LESS = 40  # times as small as in the product, so that a small recording is too large


def life(number: int) -> Iterator[Row]:
    """An agent that starts, asks a model, runs a tool that writes a file, and ends."""
    at, session, process = 1000 * number, f"session-{number}", f"process-{number}-0"
    yield SessionRow(session, at, at + 900, "claude", number, process, title="task " * 20, calls=1)
    yield ProcessRow(
        process, number, 1, 1, at, at + 900, "claude", "/usr/bin/claude", ("claude", "-p", f"{number}"), agent="claude"
    )
    yield CallRow(f"llm-{number}", at, at + 400, number, "claude", "anthropic", "m", session_id=session, process_id=process,
                  status="complete", turn=1, prompt="prompt " * 40, text="answer " * 40, messages=1)  # fmt: skip
    yield ToolRow(f"tool-{number}", at + 400, f"llm-{number}", "t", "Bash", input="x" * 300, output="y" * 300,
                  session_id=session, end_timestamp_ms=at + 800, status="completed")  # fmt: skip
    yield HttpRow(f"http-{number}", at, number, "claude", "GET", host="a.example", path=f"/v1/{number}",
                  call_id=f"llm-{number}", process_id=process, session_id=session)  # fmt: skip
    yield ResourceRow(f"resource-{number}", at, number, "claude", 1.0, 10)
    yield TlsUseRow(f"tls-{number}", at, number, "claude", process, "/usr/lib/libssl.so.3", "openssl", "symbols", True, 1, 100)
    yield BlindSpotRow(f"blind-{number}", at, number, "curl", process, 1, 100)
    for kind, action, target in (
        ("file", "open", f"/work/{number}.py"),
        ("network", "connect", f"10.0.0.1:{number}"),
        ("mcp", "tools/call", "a server"),
    ):
        yield AuditRow(f"audit-{kind}-{number}", at + 500, kind, number, "sh", action=action, target=target, process_id=process,
                       session_id=session, details={"flags": 577, "count": 1})  # fmt: skip


def stored(lives: int) -> MemoryStore:
    store = MemoryStore()
    store.commit([put(row) for number in range(1, lives + 1) for row in life(number)])
    return store


def asked(picture: Picture, path: str, **given: str) -> Any:
    return json.loads(msgspec.json.encode(answer(picture, "r", path, given)))


def looked_at(store: MemoryStore) -> tuple[Picture, int]:
    """A picture of which everything was asked, and the bytes that it keeps."""
    picture = Picture(store, PRICES)
    for path in ("sessions", f"session/{WHOLE}", *(f"session/{WHOLE}/{tab}" for tab in TABS), "health"):
        asked(picture, path)
    return picture, bytes_of(picture, apart=(store, PRICES))


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> int:
    """Limits that a small recording reaches; returns the sum of all of them."""
    for place, name in SIZES:
        monkeypatch.setattr(place, name, getattr(place, name) // LESS)
    return sum(getattr(place, name) for place, name in SIZES)


def test_what_a_picture_keeps_does_not_grow_with_the_recording(small: int) -> None:
    sizes = [looked_at(stored(lives))[1] for lives in (400, 1200)]
    assert sizes[1] <= min(small, 1.1 * sizes[0])


def test_a_recording_that_is_too_large_says_so_wherever_it_bites(small: int) -> None:
    picture, _ = looked_at(stored(600))
    head = asked(picture, f"session/{WHOLE}")
    assert head["cut"]
    assert {"context", "processes", "files", "network", "mcp", "http"} == set(head["more"])
    assert head["turns"] == head["numbers"]["calls"] == len(head["strip"]["n"]) < 600
    assert all(asked(picture, f"session/{WHOLE}/{tab}")["partial"] for tab in ("processes", "files", "network", "mcp", "http"))
    assert asked(picture, f"session/{WHOLE}/timeline")["partial"]
    assert "llm-600" == head["strip"]["call"][-1], "the newest are kept"


def test_of_a_large_recording_every_thing_that_is_missing_counts(small: int) -> None:
    picture, _ = looked_at(stored(600))
    health = asked(picture, "health")
    assert 600 == health["whole"]["missing"]
    assert (600, 1200) == next((each["arrived"], each["before"]) for each in health["stages"] if each["id"] == "connections")


def test_turns_that_went_are_not_counted_as_known(small: int) -> None:
    picture, _ = looked_at(stored(600))
    head = asked(picture, f"session/{WHOLE}", **{"from": "100"})
    assert head.get("from_turn", 0) == 0
    assert head["turns"] == len(head["strip"]["n"])


def test_an_old_session_of_a_large_recording_is_still_found(small: int) -> None:
    picture, _ = looked_at(stored(600))
    head = asked(picture, "session/session-1")
    assert ("session-1", 1) == (head["id"], head["turns"])
    (card,) = asked(picture, "session/session-1/turns")["cards"]
    assert ["tool-1"] == [tool["id"] for tool in card["tools"]]
    assert "cut" not in head


def test_a_recording_that_fits_is_whole() -> None:
    picture, _ = looked_at(stored(40))
    head = asked(picture, f"session/{WHOLE}")
    assert ("cut" in head, "more" in head, head["turns"]) == (False, False, 40)
    assert not any(
        asked(picture, f"session/{WHOLE}/{tab}")["partial"] for tab in ("processes", "files", "network", "mcp", "http")
    )
    assert not asked(picture, f"session/{WHOLE}/timeline")["partial"]
