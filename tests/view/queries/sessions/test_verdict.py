"""What a session did, in a sentence: the same words for every view."""

from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.store.rows.kinds import ToolRow
from agentsight_rx.store.rows.tool_words import steady
from agentsight_rx.view.queries.calls.costs import PricedCall
from agentsight_rx.view.queries.context.falls import Falls
from agentsight_rx.view.queries.effects.work import FilesTouched
from agentsight_rx.view.queries.sessions.findings import find
from agentsight_rx.view.queries.sessions.verdict import Clause, Deeds, Verdict, deeds_of, verdict_of


def call(number: int, *, prompt: str = "", status: str = "complete", agent_id: str | None = None) -> PricedCall:
    return PricedCall(f"llm-{number}", number, prompt=prompt, status=status, turn=number, agent_id=agent_id)


def tool(number: int, name: str, given: str = "", *, exit_code: int | None = 0, turn: int = 1) -> ToolRow:
    return ToolRow(
        f"tool-{number}", number, f"llm-{turn}", str(number), name, input=given, status="completed", exit_code=exit_code
    )


def judged(deeds: Deeds, *, live: bool = False, calls: int = 3) -> Verdict:
    return verdict_of(deeds, {f"llm-{number}": number for number in range(1, calls + 1)}, live=live)


def test_files_come_before_commands_and_the_worst_is_a_sentence_of_its_own() -> None:
    calls = [call(1, prompt="fix it"), call(2), call(3, status="error")]
    tools = [tool(1, "Edit"), *(tool(at, "Bash", '{"command":"x"}', exit_code=1, turn=2) for at in (2, 3, 4))]
    found = judged(deeds_of(calls, tools, FilesTouched(("/a", "/b"), ("/c",), edited=2, erased=1)))
    assert (
        "Edited 2 files, removed 1 file, ran 3 commands, 3 failed. x failed three times in a row, 1 call of the model failed."
        == found.sentence
    )
    assert (
        "edited 2 files, removed 1 file, ran 3 commands, 3 failed; x failed three times in a row, 1 call of the model failed"
        == found.line
    )


def test_each_clause_leads_to_its_evidence() -> None:
    calls = [call(1), call(2), call(3, status="error")]
    tools = [tool(2, "Bash", "make", exit_code=2, turn=2), tool(3, "Bash", "make", exit_code=2, turn=2)]
    clauses = {each.text: (each.tab, each.turn) for each in judged(deeds_of(calls, tools, FilesTouched())).clauses if each.tab}
    assert {
        "Ran 2 commands": ("processes", 0),
        "2 failed": ("conversation", 2),
        "make failed twice in a row": ("conversation", 2),
        "1 call of the model failed": ("conversation", 3),
    } == clauses


def test_a_session_that_goes_on_is_judged_so_far() -> None:
    found = judged(deeds_of([call(1)], [tool(1, "Bash", "ls")], FilesTouched()), live=True, calls=7)
    assert "Working on turn 7, so far ran 1 command." == found.sentence


def test_a_session_without_effects_answered_the_prompts_of_the_user() -> None:
    calls = [call(1, prompt="hello"), call(2, prompt="its task", agent_id="sub")]
    assert "Answered 1 prompt, changed nothing." == judged(deeds_of(calls, [], FilesTouched())).sentence


def test_only_a_call_that_came_to_its_end_answers_a_prompt() -> None:
    cut = [call(number, prompt="hello", status="partial") for number in (1, 2, 3, 4)]
    assert "Got no answer to 4 prompts, changed nothing." == judged(deeds_of(cut, [], FilesTouched())).sentence
    half = [call(1, prompt="one"), call(2, prompt="two", status="aborted")]
    assert "Answered 1 of 2 prompts, changed nothing." == judged(deeds_of(half, [], FilesTouched())).sentence
    tools = [replace(call(1, prompt="one"), tools=1), call(2)]
    assert (1, 1) == ((deeds := deeds_of(tools, [], FilesTouched())).prompts, deeds.answered)
    assert 0 == deeds_of(tools[:1], [], FilesTouched()).answered


def test_an_answer_that_ended_is_one_also_where_its_request_was_not_seen_whole() -> None:
    ended = replace(call(1, prompt="a long text", status="partial"), reason="body_limit", finish_reason="stop")
    assert "Answered 1 prompt, changed nothing." == judged(deeds_of([ended], [], FilesTouched())).sentence


def test_what_an_agent_asks_for_itself_is_no_prompt() -> None:
    asked = [replace(call(1, prompt="name it"), aside="title"), call(2, prompt="fix it"), replace(call(3), aside="summary")]
    assert (1, 1) == ((deeds := deeds_of(asked, [], FilesTouched())).prompts, deeds.answered)


def test_calls_without_a_prompt_are_not_answered_prompts() -> None:
    assert "Made 2 calls, changed nothing." == judged(deeds_of([call(1), call(2)], [], FilesTouched())).sentence


def test_an_edit_that_was_not_seen_was_asked_for() -> None:
    tools = [tool(1, "Edit"), tool(2, "Edit", exit_code=1), tool(3, "Read")]
    found = judged(deeds_of([call(1)], tools, FilesTouched()))
    assert "Asked for 1 edit, used 2 other tools, 1 failed." == found.sentence


def test_a_program_of_an_edit_makes_it_no_command() -> None:
    edit = ToolRow("tool-1", 1, "llm-1", "1", "Write", related_pid=7)
    deeds = deeds_of([call(1)], [edit], FilesTouched())
    assert (0, 1, 0) == (deeds.commands, deeds.edits, deeds.others)


def test_commands_that_no_process_shows_were_asked_for() -> None:
    tools = [tool(1, "Bash"), *(tool(at, "Bash", exit_code=None) for at in (2, 3))]
    refused = ToolRow("tool-9", 9, "llm-1", "9", "Bash", status="failed", output="rejected by user")
    deeds = deeds_of([call(1)], [*tools, refused], FilesTouched())
    assert "Ran 1 command, asked for 2 more, 1 refused." == judged(deeds).sentence
    assert "Asked for 2 commands." == judged(deeds_of([call(1)], tools[1:], FilesTouched())).sentence
    alone = deeds_of([call(1, prompt="rm it")], [refused], FilesTouched())
    assert "Answered 1 prompt, changed nothing, 1 refused." == judged(alone).sentence


def test_without_a_call_the_programs_are_what_is_known() -> None:
    assert "2 programs ran, and no call of a model was seen." == judged(deeds_of([], [], FilesTouched(), programs=2)).sentence
    written = FilesTouched(("/a",), edited=1)
    assert "Edited 1 file, 2 programs ran." == judged(deeds_of([], [], written, programs=2)).sentence
    assert "Nothing was seen." == judged(deeds_of([], [], FilesTouched())).sentence


def test_a_long_command_is_cut() -> None:
    tools = [tool(at, "Bash", "x" * 99, exit_code=1) for at in (1, 2)]
    (clause,) = judged(deeds_of([call(1)], tools, FilesTouched())).trouble
    assert Clause("x" * 59 + "… failed twice in a row", "conversation", 1) == clause


def test_a_command_that_is_described_anew_failed_in_a_row() -> None:
    tools = [tool(at, "Bash", f'{{"description":"try {at}","command":"make"}}', exit_code=2) for at in (1, 2, 3)]
    assert "make failed three times in a row" in judged(deeds_of([call(1)], tools, FilesTouched())).sentence


def test_results_that_differ_in_times_alone_are_the_same() -> None:
    made = [f"1 failed in 0.{at}2s at 2026-11-29T10:0{at}:00Z" for at in (1, 2, 3)]
    tools = [
        ToolRow(f"t{at}", at, "llm-1", str(at), "Bash", output=text, loop=at > 0, repeat_of="t0" if at else None)
        for at, text in enumerate(made)
    ]
    (found,) = find([call(1)], tools, Falls())
    assert ("loop", 3) == (found.kind, found.amount)
    assert steady("5 failed, 3 passed in 2s") != steady("3 failed, 5 passed in 2s")
