from __future__ import annotations

import hashlib

from agentsight_rx.view.transcripts import Transcript
from agentsight_rx.view.transcripts.matching import Located, Match, Tree, matches

HOUR = 3_600_000


def session(
    path: str,
    *,
    agent: str = "claude",
    name: str = "",
    cwd: str = "",
    project: str = "",
    at: tuple[int, int] = (HOUR, 2 * HOUR),
) -> Located:
    start, end = at
    found = Transcript(agent=agent, session_id=name or path, cwd=cwd, project=project, start_ms=start, end_ms=end)
    return Located(path, found)


def tree(identity: str = "p", **more: object) -> Tree:
    fields: dict[str, object] = {"id": identity, "agent": "claude", "start_ms": HOUR, **more}
    return Tree(**fields)  # type: ignore[arg-type]  # by name, and each test has its own


def chosen(found: list[Match]) -> list[tuple[str, str, str, float]]:
    return [(match.tree_id, match.path, match.method, match.confidence) for match in found]


def test_the_session_that_the_calls_name_is_certain() -> None:
    found = matches([session("a", name="s1"), session("b", name="s2")], [tree(session_ids=["s2"], files=["a"])])
    assert [("p", "b", "session_id", 1.0)] == chosen(found)


def test_all_files_of_a_named_session_match() -> None:
    found = matches(
        [session("a", name="s1"), session("agent-a", name="s1"), session("c", name="s2")], [tree(session_ids=["s1", "s2"])]
    )
    assert ["a", "agent-a", "c"] == sorted(match.path for match in found)


def test_ids_that_no_file_has_say_nothing() -> None:
    found = matches([session("a", name="s1")], [tree(session_ids=["other"], files=["a"])])
    assert [("p", "a", "file", 0.95)] == chosen(found)


def test_a_file_that_was_used_comes_before_one_that_is_open_and_before_the_directory() -> None:
    sessions = [session("a", cwd="/w"), session("b"), session("c")]
    assert [("p", "c", "file", 0.95)] == chosen(matches(sessions, [tree(files=["c"], open_files=["b"], cwd="/w")]))
    assert [("p", "b", "open_file", 0.9)] == chosen(matches(sessions, [tree(open_files=["b"], cwd="/w")]))
    assert [("p", "a", "cwd", 0.55)] == chosen(matches(sessions, [tree(cwd="/w")]))


def test_an_earlier_match_holds_while_nothing_better_is_known() -> None:
    sessions = [session("a", cwd="/w"), session("b")]
    before = [Match(path="b", tree_id="p", method="file", confidence=0.95)]
    assert [("p", "b", "before", 0.7)] == chosen(matches(sessions, [tree(cwd="/w")], before=before))
    assert [("p", "a", "file", 0.95)] == chosen(matches(sessions, [tree(files=["a"])], before=before))
    assert [] == matches(sessions, [tree("other")], before=before)


def test_a_directory_may_be_known_by_its_hash() -> None:
    project = hashlib.sha256(b"/w").hexdigest()
    assert [("p", "a", "cwd", 0.55)] == chosen(matches([session("a", project=project)], [tree(cwd="/w")]))
    assert [] == matches([session("a", project=project)], [tree(cwd="/v")])


def test_a_session_of_another_time_does_not_match() -> None:
    sessions = [session("a", cwd="/w", at=(HOUR, 2 * HOUR))]
    assert [] == matches(sessions, [tree(cwd="/w", files=["a"], start_ms=2 * HOUR + 30_001)])
    assert [] == matches(sessions, [tree(cwd="/w", start_ms=0, end_ms=HOUR - 30_001)])
    assert 1 == len(matches(sessions, [tree(cwd="/w", start_ms=2 * HOUR + 30_000)]))


def test_a_session_of_another_agent_does_not_match() -> None:
    sessions = [session("a", agent="codex", cwd="/w")]
    assert [] == matches(sessions, [tree(cwd="/w"), tree("none", agent=None, cwd="/w", files=["a"])])


def test_each_tree_and_each_file_has_one_match() -> None:
    sessions = [session("old", cwd="/w", at=(0, HOUR + 1)), session("new", cwd="/w", at=(HOUR, 3 * HOUR))]
    found = matches(sessions, [tree("p", cwd="/w"), tree("q", cwd="/w", start_ms=3 * HOUR)])
    assert {("p", "old"), ("q", "new")} == {(match.tree_id, match.path) for match in found}
    assert 1 == len(matches(sessions[:1], [tree("p", cwd="/w"), tree("q", cwd="/w")]))


def test_without_a_directory_there_is_no_match_by_it() -> None:
    assert [] == matches([session("a")], [tree()])
