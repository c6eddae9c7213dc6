from __future__ import annotations

from agentsight_rx.events import Usage
from agentsight_rx.events.tokens import counts_of
from agentsight_rx.store.rows.kind import put
from agentsight_rx.store.rows.kinds import SAID
from agentsight_rx.store.rows.tables import RUNS, Recording
from agentsight_rx.store.state import MemoryStore, Put
from agentsight_rx.view import CallRow, Row, SessionRow, ToolRow
from agentsight_rx.view.queries.sessions.gaps import agreement_said, missing_said, missing_things
from agentsight_rx.view.queries.sessions.health import Healths
from agentsight_rx.view.queries.sessions.twins import Twins

MINUTE = 60_000


def call(store: str, number: int, *, id: str | None = None, tokens: int = 0, session: str = "s", model: str = "m") -> CallRow:
    start = number * MINUTE
    return CallRow(
        f"{store}-{number}",
        start,
        start + 1000,
        model=model,
        session_id=session,
        response_id=f"msg_{number}" if id is None else id or None,
        status="complete",
        **counts_of(Usage(10, tokens or number)),
    )


def tool(store: str, number: int, session: str = "s") -> ToolRow:
    return ToolRow(f"{store}-t{number}", number * MINUTE, f"{store}-{number}", f"toolu_{number}", "Bash", session, input="ls")


def session(number: int, *, id: str = "s", named: bool = True, agent: str = "claude", **more: object) -> SessionRow:
    """It began with the first minute, and lasted so many."""
    return SessionRow(id, MINUTE, number * MINUTE + 1000, agent=agent, named=named, **more)  # type: ignore[arg-type]


def recorded(*rows: Row, from_ms: int = 0, to_ms: int = 100 * MINUTE) -> MemoryStore:
    store = MemoryStore()
    run = Recording(1, from_ms, committed_ms=to_ms, ended=True, seconds=(to_ms - from_ms) / 1000)
    store.commit([Put(RUNS, 1, run), *(put(row) for row in rows)])
    return store


def past_of(*rows: Row) -> MemoryStore:
    store = MemoryStore()
    store.commit([Put(RUNS, 1, Recording(1, 0, ended=True, seen_by=SAID)), *(put(row) for row in rows)])
    return store


def test_a_session_of_both_is_known_by_its_id_and_counted_once() -> None:
    seen = session(3, title="the prompt", calls=3, tools=1, **counts_of(Usage(30, 6)))
    said = session(4, title="A title", branch="main", calls=4, tools=2, **counts_of(Usage(40, 10)))
    store = recorded(seen, *(call("llm", number) for number in (1, 2, 3)), tool("llm", 1), to_ms=3 * MINUTE + 5000)
    past = past_of(said, *(call("said", number) for number in (1, 2, 3, 10)), tool("said", 1), tool("said", 10))
    twin = Twins(past).of(store, seen)
    assert twin is not None
    assert (twin.agreement.calls, twin.agreement.found, twin.agreement.method) == (3, 3, "response_id")
    assert (twin.agreement.calls_only_file, twin.agreement.tools_only_file) == (0, 0), "it was not recorded then"
    row = twin.row
    assert (row.title, row.branch) == ("A title", "main"), "the file adds what only it knows"
    assert (row.calls, row.tools, row.total_tokens) == (4, 2, 36 + 20)
    assert row.end_timestamp_ms == said.end_timestamp_ms


def test_what_only_the_file_has_of_the_time_of_the_recording_is_missing() -> None:
    seen, said = session(3), session(3)
    store = recorded(seen, call("llm", 1), call("llm", 3))
    past = past_of(said, *(call("said", number) for number in (1, 2, 3)), tool("said", 2))
    health = Healths(store, twins=Twins(past)).of(seen)
    assert not health.complete
    assert health.missing == 1
    (thing,) = missing_things(health.gaps)
    assert thing.what == "1 call and 1 tool of claude are only in its own session file"
    assert thing.do.endswith("report compare s` lists them")
    assert health.agreement is not None
    assert agreement_said(health.agreement) == "the agent's own file has 2 of 2 calls"


def test_what_only_the_recording_has_is_not_missing() -> None:
    seen, said = session(2), session(2)
    store = recorded(seen, call("llm", 1), call("llm", 2))
    health = Healths(store, twins=Twins(past_of(said, call("said", 2)))).of(seen)
    assert health.complete
    assert missing_said(health.missing) == "nothing is missing"
    assert health.agreement is not None
    assert agreement_said(health.agreement) == "the agent's own file agrees: 1 of 2 calls, by the ids of answers"


def test_other_tokens_are_a_difference() -> None:
    seen, said = session(2), session(2)
    store = recorded(seen, call("llm", 1), call("llm", 2))
    twin = Twins(past_of(said, call("said", 1, tokens=99), call("said", 2))).of(store, seen)
    assert twin is not None
    assert agreement_said(twin.agreement) == "the agent's own file has 2 of 2 calls, 1 of them with other tokens"


def test_without_an_id_a_session_is_known_by_its_answers() -> None:
    seen = session(2, id="codex-1", named=False, agent="codex")
    store = recorded(seen, call("llm", 1, session="codex-1"), call("llm", 2, session="codex-1"))
    answers = [call("said-r", number, id="", session="right") for number in (1, 2)]
    right: list[Row] = [session(2, id="right", agent="codex"), *answers]
    other: list[Row] = [session(2, id="other", agent="codex"), call("said-o", 1, id="", tokens=50, session="other")]
    past = past_of(*other, *right)
    twin = Twins(past).of(store, seen)
    assert twin is not None
    assert (twin.said.id, twin.agreement.found, twin.agreement.method) == ("right", 2, "tokens")
    assert agreement_said(twin.agreement) == "the agent's own file agrees: 2 of 2 calls, by time, model and tokens"
    assert Twins(past_of(*other)).of(store, seen) is None, "of the time and the agent, but with other answers"
    assert Twins(past).of(store, session(2, id="claude-1", named=False)) is None, "of another agent"


def test_a_session_that_no_file_has_is_as_it_was() -> None:
    seen = session(1)
    store = recorded(seen, call("llm", 1))
    assert Healths(store, twins=Twins(past_of())).of(seen) == Healths(store).of(seen)


def test_what_was_compared_is_compared_again_once_either_changes() -> None:
    seen, said = session(2), session(2)
    store, past = recorded(seen, call("llm", 1), call("llm", 2)), past_of(said, call("said", 1))
    twins = Twins(past)
    first = twins.of(store, seen)
    assert first is not None
    assert first.agreement.found == 1
    assert twins.of(store, seen) is first
    past.commit([put(call("said", 2))])
    second = twins.of(store, seen)
    assert second is not None
    assert second.agreement.found == 2
    store.commit([put(call("llm", 3))])
    longer = session(3)
    third = twins.of(store, longer)
    assert third is not None
    assert third.agreement.calls == 3


def test_the_health_of_a_store_has_the_sums_of_its_sessions() -> None:
    one, two = session(1), session(2, id="s2")
    store = recorded(one, two, call("llm", 1), call("llm2", 2, session="s2"))
    past = past_of(one, two, call("said", 1), call("said2", 2, session="s2"))
    health = Healths(store, twins=Twins(past)).whole
    assert health.agreement is not None
    assert (health.agreement.calls, health.agreement.found) == (2, 2)


def test_a_call_of_behind_the_end_of_the_recording_is_not_missing_in_it() -> None:
    seen, said = session(1), session(2)
    store = recorded(seen, call("llm", 1), to_ms=2 * MINUTE)  # the second call was over a second later
    twin = Twins(past_of(said, call("said", 1), call("said", 2))).of(store, seen)
    assert twin is not None
    assert twin.agreement.calls_only_file == 0
    assert [row.id for row in twin.calls] == ["said-2"]
