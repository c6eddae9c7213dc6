"""Several stores -> sessions and calls that count once."""

from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.events import Usage
from agentsight_rx.events.tokens import counts_of
from agentsight_rx.llm.prices import Prices
from agentsight_rx.store.rows.kinds import CallRow, SessionRow
from agentsight_rx.view.queries.calls.tokens import TokenGroup, tokens_of
from agentsight_rx.view.queries.selection import Selection
from agentsight_rx.view.queries.sessions.once import Once, Place
from tests.view.queries.sessions.test_twins import MINUTE, call, past_of, recorded, session


def _summed(row: SessionRow, *calls: CallRow) -> SessionRow:
    return replace(row, calls=len(calls), **counts_of(sum((each.usage for each in calls), Usage())))


def _tokens(once: Once, group_by: str = "session") -> dict[str, tuple[int, int]]:
    groups: list[TokenGroup] = tokens_of(once, Prices(), group_by=group_by)  # type: ignore[arg-type]  # one of them
    return {each.group: (each.calls, each.total_tokens) for each in groups}


def test_a_session_of_a_recording_and_a_file_is_one() -> None:
    seen, said = [call("llm", number) for number in (1, 2)], [call("said", number) for number in (1, 2, 9)]
    store = recorded(_summed(session(2), *seen), *seen, to_ms=3 * MINUTE)
    past = past_of(_summed(session(9, title="T", branch="main", cwd="/work/shop"), *said), *said, session(1, id="alone"))
    once = Once([Place(store)], Place(past))
    alone, both = sorted(once.sessions(), key=lambda each: len(each.known_by))
    assert (alone.row.id, alone.known_by, alone.at) == ("alone", ("said",), 1)
    assert (both.row.id, both.known_by, both.at) == ("s", ("view", "said"), 0)
    assert both.agreement is not None
    assert (both.agreement.found, both.agreement.calls) == (2, 2)
    assert (both.row.title, both.row.calls, both.row.total_tokens) == ("T", 3, sum(each.total_tokens for each in said))
    assert _tokens(once) == {"s": (3, sum(each.total_tokens for each in said))}
    assert _tokens(once, "branch") == {"main": (3, both.row.total_tokens)}, "the file says the branch of the recorded calls too"
    assert _tokens(once, "project") == {"/work/shop": (3, both.row.total_tokens)}
    assert [row.title for row in once.rows.values()] == ["T", ""]


def test_the_recorded_numbers_count() -> None:
    seen, said = call("llm", 1, tokens=5), call("said", 1, tokens=99)
    once = Once([Place(recorded(_summed(session(1), seen), seen))], Place(past_of(_summed(session(1), said), said)))
    assert _tokens(once) == {"s": (1, 15)}
    (only,) = once.sessions()
    assert only.row.total_tokens == 15


def test_a_session_of_two_recordings_has_each_call_once() -> None:
    first, second = [call("a", 1), call("a", 2)], [call("b", 2), call("b", 3)]
    stores = recorded(_summed(session(2), *first), *first), recorded(_summed(session(3), *second), *second)
    past = past_of(session(4), *(call("said", number) for number in (1, 2, 3, 200)))
    for known, calls in ((None, 3), (Place(past), 4)):
        once = Once([Place(each) for each in stores], known)
        (one,) = once.sessions()
        assert (one.row.calls, _tokens(once)["s"]) == (calls, (calls, one.row.total_tokens))
    assert one.row.end_timestamp_ms == 4 * MINUTE + 1000


def test_a_session_of_another_id_in_its_file_is_one_by_its_answers() -> None:
    seen = replace(call("llm", 1, session="session-1"), response_id=None)
    store = recorded(session(1, id="session-1", named=False, agent="gemini"), seen)
    theirs = replace(call("said", 1, session="of-file"), response_id=None)
    past = past_of(
        session(1, id="of-file", agent="gemini"), theirs, replace(theirs, id="said-2", start_timestamp_ms=99 * MINUTE)
    )
    once = Once([Place(store)], Place(past))
    assert [each.row.id for each in once.sessions()] == ["session-1"]
    assert [row.session_id for _, row in once.calls()] == ["session-1", "session-1"]


def test_each_store_has_its_selection() -> None:
    stores = recorded(session(1), call("a", 1)), past_of(session(1, id="t"), call("said", 5, session="t"))
    nothing = Selection(sessions=frozenset())
    once = Once([Place(stores[0], nothing)], Place(stores[1]))
    assert [each.row.id for each in once.sessions()] == ["t"]
    assert [row.id for _, row in once.calls()] == ["said-5"]
    late = Once([Place(each, Selection(since_ms=4 * MINUTE)) for each in stores[:1]], Place(stores[1], Selection(until_ms=0)))
    assert (late.sessions(), list(late.calls())) == ([], [])


def test_the_newest_of_each_store() -> None:
    store = recorded(session(1), session(2, id="later"), *(call("a", number) for number in (1, 2, 3)))
    past = past_of(session(1, id="t"), *(call("said", number, session="t") for number in (7, 8)))
    once = Once([Place(store)], Place(past))
    assert len(once.sessions(2)) == 2
    assert {row.id for _, row in once.calls(limit=1)} == {"a-3", "said-8"}
    assert [row.id for _, row in Once([Place(store)]).calls(limit=1)] == ["a-3"]
    assert [each.row.id for each in Once([], Place(past)).sessions()] == ["t"]
    assert list(Once([], Place(past)).rows) == ["t"]


def test_a_call_without_an_id_counts_once_over_recordings_and_as_often_as_one_has_it() -> None:
    """Failed calls and some providers' answers have no id; two recorders measure the time of a call a little apart."""
    first = [replace(call("a", number), response_id=None) for number in (1, 2, 2)]
    first[2] = replace(first[2], id="a-again")
    second = [replace(each, id=f"b-{each.id}", start_timestamp_ms=each.start_timestamp_ms + 300) for each in first]
    later = replace(second[0], id="b-later", start_timestamp_ms=9 * MINUTE)
    other = replace(second[0], id="b-other", session_id="t")
    stores = recorded(_summed(session(2), *first), *first), recorded(_summed(session(2), *second), *second, later, other)
    once = Once([Place(each) for each in stores])
    assert ["a-1", "a-2", "a-again", "b-later", "b-other"] == sorted(row.id for _, row in once.calls())
    (one,) = once.sessions()
    assert one.row.calls == 4


def test_calls_of_a_server_that_numbers_its_answers_are_the_same_only_at_the_same_time() -> None:
    mine, other = (call("llm", number, id="chatcmpl-17", tokens=5) for number in (1, 4))
    one, two = recorded(_summed(session(1), mine), mine), recorded(_summed(session(4), mine, other), mine, other)
    assert _tokens(Once([Place(one), Place(two)])) == {"s": (2, 2 * mine.total_tokens)}
