"""The notes of a turn: what they say of a loss, a compaction, and files that its summary does not name."""

from __future__ import annotations

from agentsight_rx.view.page.context.blocks import notes_of
from agentsight_rx.view.page.context.context import ContextNote
from tests.view.queries.context_story import Agent, begun, compacted, context_of, edited, words


def notes(agent: Agent, turn: int) -> list[ContextNote]:
    found = context_of(agent)
    (at,) = [each for each in found.turns if each.turn == turn]
    return list(notes_of(found, at))


def said(note: ContextNote) -> list[str]:
    return [each.text for each in (*note.said, *note.more)]


def test_a_turn_without_anything_has_no_note() -> None:
    agent = begun()
    agent.ask("Done.")
    assert notes(agent, 4) == []


def test_tools_stand_first_and_a_date_is_shown() -> None:
    agent = begun()
    agent.add_tool("mcp__ledger__close")
    agent.turn("Tool2", {"command": "ls"}, words(20, 9), "Again.")
    (note,) = notes(agent, 4)
    first, second = said(note)
    assert first == "First change since turn 3: tool 12 of 12."
    assert second.startswith("Tools stand first in a request, so all 3.")
    assert second.endswith(" more than reading them.")
    agent = begun()
    agent.system = agent.system.replace("2026-11-26", "2026-11-27")
    agent.ask("Done.")
    (note,) = notes(agent, 4)
    assert said(note)[-1] == "Before: “2026-11-26.” Now: “2026-11-27.”"
    agent = begun()
    agent.wait(400)
    agent.ask("Done.")
    (note,) = notes(agent, 4)
    assert len(said(note)) == 1


def test_files_that_a_summary_does_not_name_may_be_read_again() -> None:
    names = "part0.py part1.py part3.py post.py "
    (note,) = notes(compacted(names + words(99, 8)), 8)
    first, *others = said(note)
    assert first == "19 segments went, 1 came."
    assert others[0] == "2 of 5 files are not named in the summary."
    assert "".join(others[1:]).strip() == "1 of them was read again since, 610: part2.py, turn 9."
    assert [each.what for each in note.dropped][:1] == ["files read"]
    assert [each.what for each in note.came] == ["summaries"]


def test_a_summary_that_names_all_of_them_says_nothing_more() -> None:
    names = "part0.py part1.py part2.py part3.py post.py book.py "
    (note,) = notes(compacted(names + words(99, 8)), 8)
    assert len(said(note)) == 1


def test_what_was_cleared_has_its_price() -> None:
    (note,) = notes(edited(2), 5)
    assert note.kind == "cleared"
    assert said(note)[0] == "The provider cleared 2 tool results from the conversation, 1.4 k, as the request asked."
    assert said(note)[1].startswith("What stands behind was read anew: $")
