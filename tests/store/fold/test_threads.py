"""Which agent of a session makes a call, where no head of a request names it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentsight_rx.events import Connection, ProcessExec
from agentsight_rx.view import CallRow, SessionRow, ToolRow
from tests.view.scenes import AGENT, emitted, last, origin
from tests.view.talks import MAIN, TASK, WORKER, Machine, delegated

# -- what is another agent -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "prompt",
    [
        TASK,
        f"<task>{TASK}</task>",
        f"Your task:\n\n  {TASK}\n",
        f"You are one of many helpers and answer in German. {'Be brief. ' * 30} Do this: {TASK} {'Report back. ' * 30}",
        "Something quite different that nobody said before",
    ],
)
def test_a_conversation_that_begins_while_a_tool_is_open_is_another_agent_s(prompt: str) -> None:
    machine, main = delegated({"subagent_type": "reviewer", "prompt": TASK})
    worker = machine.talk("worker", WORKER)
    worker.turn(prompt, asks_for=[("r1", "read", {"path": "/src/a.py"})])
    worker.turn(("r1", "x = 1"))
    main.turn(("t1", "all is well"))
    assert {"main": None, "worker": "t1"} == machine.found()
    made = emitted(*machine.events)
    rows = last(CallRow, made)
    (task, _) = last(ToolRow, made)
    assert [(row.agent_tool, row.agent_name) for row in rows[1:3]] == [(task.id, "reviewer")] * 2
    assert [row.prompt for row in rows if row.is_prompted] == ["Make the parser right"]
    assert [row.sub_agents for row in last(SessionRow, made)] == [1]
    assert [row.agent_id for row in last(ToolRow, made)] == [None, "t1"]


def test_a_task_is_found_by_its_words_with_the_same_instructions_and_tools() -> None:
    machine, main = delegated({"prompt": TASK})
    machine.talk("worker").turn(TASK)
    main.turn(("t1", "all is well"))
    assert {"main": None, "worker": "t1"} == machine.found()


def test_a_prompt_that_is_handed_on_as_it_was_typed_begins_another_agent() -> None:
    machine, main = delegated({"prompt": TASK}, prompt=TASK)
    machine.talk("worker", WORKER).turn(TASK)
    main.turn(("t1", "all is well"))
    assert {"main": None, "worker": "t1"} == machine.found()


@given(st.lists(st.integers(0, 2), min_size=3, max_size=20), st.booleans())
def test_agents_at_the_same_time_are_one_each(schedule: list[int], same: bool) -> None:
    """In whatever order they begin, ask, and are answered; with the same task too."""
    tasks = [TASK if same else f"{TASK}, part {at}" for at in range(3)]
    machine, main = delegated(*({"name": f"w{at}", "prompt": task} for at, task in enumerate(tasks)))
    workers = [machine.talk(f"w{at}", WORKER) for at in range(3)]
    asked: dict[int, int] = {}  # the exchange that waits for an answer
    turns = [0, 0, 0]
    for at in schedule:
        worker = workers[at]
        if at in asked:
            worker.answer(asked.pop(at), (f"r{at}-{turns[at]}", "read", {"path": "/a"}))
        else:
            asked[at] = worker.ask((f"r{at}-{turns[at]}", "x") if turns[at] else tasks[at])
            turns[at] += not turns[at]
    begun = sorted(set(schedule))
    main.turn(*((f"t{at + 1}", "well") for at in range(3)))
    found = machine.found()
    assert found.pop("main") is None
    assert len(begun) == len(found) == len(set(found.values()) - {None})
    assert same or {f"w{at}": f"t{at + 1}" for at in begun} == found


def test_one_tool_may_start_several() -> None:
    machine, main = delegated({"tasks": ["Look for the oldest commit", "Look for the newest commit"]})
    machine.talk("a", WORKER).turn("Look for the oldest commit")
    machine.talk("b", WORKER).turn("Look for the newest commit")
    main.turn(("t1", "well"))
    assert {"main": None, "a": "t1", "b": "t1-2"} == machine.found()


def test_an_agent_below_an_agent_has_it_as_its_parent() -> None:
    machine, main = delegated({"prompt": TASK})
    worker = machine.talk("worker", WORKER)
    worker.turn(TASK, asks_for=[("u1", "task", {"prompt": "Count the lines of the parser"})])
    machine.talk("below", WORKER).turn("Count the lines of the parser")
    worker.turn(("u1", "12"))
    main.turn(("t1", "well"))
    assert {"main": None, "worker": "t1", "below": "u1"} == machine.found()
    assert [row.parent_agent_id for row in machine.rows()] == [None, None, "t1", None, None]


def test_ids_of_tools_that_each_conversation_counts_anew_do_not_mix_agents() -> None:
    machine = Machine()
    main = machine.talk("main")
    main.turn("Make it right", asks_for=[("call_0", "task", {"prompt": TASK})])
    worker = machine.talk("worker", WORKER)
    worker.turn(TASK, asks_for=[("call_0", "read", {"path": "/a"})])
    worker.turn(("call_0", "x"), asks_for=[("call_1", "read", {"path": "/b"})])
    worker.turn(("call_1", "y"))
    main.turn(("call_0", "well"), asks_for=[("call_1", "task", {"prompt": f"{TASK} again"})])
    machine.talk("next", WORKER).turn(f"{TASK} again")
    main.turn(("call_1", "well"))
    assert {"main": None, "worker": "call_0", "next": "call_1"} == machine.found()


def test_an_agent_that_the_client_names_has_its_tool_too() -> None:
    machine, main = delegated({"description": "Check it", "prompt": TASK})
    worker = machine.talk("worker", WORKER)
    worker.headers = (("x-claude-code-agent-id", "a-1"),)
    worker.turn(TASK)
    main.turn(("t1", "well"))
    assert {"main": None, "worker": "a-1"} == machine.found()
    assert [(row.agent_tool is not None, row.agent_name) for row in machine.rows()] == [
        (False, ""),
        (True, "Check it"),
        (False, ""),
    ]


def test_an_agent_that_is_compacted_stays_itself() -> None:
    machine, main = delegated({"prompt": TASK}, {"prompt": "Another task, which nobody has begun"})
    worker = machine.talk("worker", WORKER)
    worker.turn(TASK, asks_for=[("r1", "read", {"path": "/a"})])
    worker.messages = []
    worker.turn("This is what was found so far: nothing. Go on from here.")
    main.turn(("t1", "well"), ("t2", "well"))
    assert {"main": None, "worker": "t1"} == machine.found()


# -- what is no other agent ------------------------------------------------------------------------------------------------


def test_the_main_agent_stays_itself_whose_instructions_and_tools_changed_before_it_was_compacted() -> None:
    machine, main = delegated({"prompt": TASK})
    main.system, main.tools = "You are an orchestrator on the next day.", ("read", "task", "more")
    main.turn(("t1", "well"), asks_for=[("t2", "task", {"prompt": TASK})])
    main.messages = []
    main.turn("This is what was done so far: nothing.")
    assert {"main": None} == machine.found()


@pytest.mark.parametrize("cut", [False, True])
@pytest.mark.parametrize("begins", ["Never mind. What time is it?", f"This is what was said so far: the user wants {TASK}"])
def test_the_main_agent_may_begin_anew_while_a_tool_is_open(begins: str, cut: bool) -> None:
    """It was cleared or compacted, or its answer was cut, and no result comes."""
    machine = Machine()
    main = machine.talk("main")
    main.answer(
        main.ask("Make it right"), ("t1", "task", {"prompt": TASK}), ("t2", "bash", {"command": "make -C /src all"}), cut=cut
    )
    main.messages = []
    main.turn(begins, asks_for=[("r1", "read", {"path": "/a"})])
    main.turn(("r1", "x"))
    assert {"main": None} == machine.found()


def test_a_fresh_conversation_with_other_tools_behind_a_cut_answer_is_the_main_one() -> None:
    machine = Machine()
    first = machine.talk("main")
    first.answer(first.ask("Make it right"), ("t1", "task", {"prompt": TASK}), cut=True)
    machine.talk("main", WORKER).turn("What time is it in Lima?")
    assert {"main": None} == machine.found()


def test_a_tool_that_was_left_behind_starts_nobody() -> None:
    """The agent went on without its result."""
    machine, main = delegated({"prompt": TASK})
    main.turn("Leave that", asks_for=[])
    machine.talk("main", WORKER).turn("What time is it in Lima?")
    assert {"main": None} == machine.found()


@pytest.mark.parametrize("name", ["bash", "edit"])
def test_a_command_or_an_edit_starts_nobody_without_a_word_of_it(name: str) -> None:
    machine = Machine()
    main = machine.talk("main")
    main.turn("Make it right", asks_for=[("t1", name, {"command": "make", "file_path": "/a"})])
    machine.talk("main", WORKER).turn("What time is it in Lima?")
    assert {"main": None} == machine.found()


def test_two_conversations_side_by_side_in_one_process_are_both_of_the_main_agent() -> None:
    machine = Machine()
    one, two = machine.talk("main"), machine.talk("main")
    one.turn("Make the parser right", asks_for=[("a1", "read", {"path": "/a"})])
    two.turn("Write the news of today", asks_for=[("b1", "read", {"path": "/b"})])
    one.turn(("a1", "x"), asks_for=[("a2", "read", {"path": "/c"})])
    two.turn(("b1", "x"))
    one.turn(("a2", "x"))
    assert {"main": None} == machine.found()
    assert [row.prompt for row in machine.rows() if row.is_prompted] == ["Make the parser right", "Write the news of today"]


def test_a_retry_is_of_the_agent_that_asked_first() -> None:
    machine, main = delegated({"prompt": TASK}, {"prompt": f"{TASK} as well"})
    worker = machine.talk("worker", WORKER)
    failed = worker.ask(TASK)
    worker.answer(failed, cut=True)
    worker.messages.pop()
    worker.answer(worker.again())
    main.turn(("t1", "well"), ("t2", "well"))
    assert {"main": None, "worker": "t1"} == machine.found()


@given(st.lists(st.sampled_from(["main", "again", "w0", "w1"]), max_size=20))
def test_each_agent_counts_its_turns_from_one_and_a_retry_is_none(schedule: list[str]) -> None:
    machine, main = delegated(*({"name": f"w{at}", "prompt": f"{TASK}, part {at}"} for at in range(2)))
    workers = {f"w{at}": machine.talk(f"w{at}", WORKER) for at in range(2)}
    begun: dict[str, int] = {}
    for at, who in enumerate(schedule):
        if who in workers:
            workers[who].turn(f"{TASK}, part {who[1]}" if who not in begun else f"more {at}")
            begun[who] = begun.get(who, 0) + 1
            continue
        asked = main.ask(f"main {at}")
        if who == "again":
            main.answer(asked, cut=True)
            main.messages.pop()
            asked = main.again()
        main.answer(asked)
    rows = machine.rows()
    mine = [row for row in rows if row.agent_id is None]
    assert [*range(1, 2 + sum(who not in workers for who in schedule))] == sorted({row.turn for row in mine})
    assert {0} == {row.own_turn for row in mine}
    for id in {row.agent_id for row in rows} - {None}:
        own = [row for row in rows if row.agent_id == id]
        assert [*range(1, len(own) + 1)] == [row.own_turn for row in own]
        assert 1 == len({row.turn for row in own}), "a sub-agent works for one turn"
    (session,) = last(SessionRow, emitted(*machine.events))
    assert max(row.turn for row in mine) == session.turns


def test_a_question_in_the_middle_of_a_tool_is_an_aside() -> None:
    """A tool that fetches a page asks a model about it; a person types without tools and with the agent's instructions."""
    machine = Machine()
    main = machine.talk("main")
    main.turn("Make it right", asks_for=[("t1", "fetch", {"url": "https://example.org/parsers", "prompt": "which is best?"})])
    machine.talk("main", ("You read pages.", ())).turn(f"Page: {'words ' * 200} Question: which is best?")
    machine.talk("main", (MAIN[0], ())).turn("And what time is it?")
    main.turn(("t1", "none"))
    rows = machine.rows()
    assert {"main": None} == machine.found()
    assert [row.aside for row in rows] == ["", "other", "", ""]
    assert [row.prompt for row in rows if row.is_prompted] == ["Make it right", "And what time is it?"]


def test_a_tool_may_ask_a_model_that_has_no_tools() -> None:
    machine, main = delegated({"question": "Why does the parser stop at line 12?"})
    machine.talk("expert", ("You know it all.", ())).turn("Why does the parser stop at line 12?")
    main.turn(("t1", "no idea"))
    assert {"main": None, "expert": "t1"} == machine.found()


def test_a_title_that_is_asked_for_in_the_middle_of_a_tool_is_of_nobody_else() -> None:
    machine, main = delegated({"prompt": TASK})
    title = machine.talk("main", ("You are a title generator.", ()))
    title.turn("Make the parser right")
    machine.talk("worker", WORKER).turn(TASK)
    main.turn(("t1", "well"))
    assert {"main": None, "worker": "t1"} == machine.found()


def test_a_program_that_a_tool_runs_asks_for_the_tool() -> None:
    """A client such as curl has no session of its own."""
    machine, main = delegated()
    main.turn("Say hi", asks_for=[("t1", "bash", {"command": "curl -d @/tmp/body https://api.example.org/v1/messages"})])
    pid = 4321
    machine.events.append(
        ProcessExec(
            origin(machine.ms, pid, None),
            AGENT,
            1,
            "/usr/bin/curl",
            ("curl", "-d", "@/tmp/body", "https://api.example.org/v1/messages"),
            "/",
        )
    )
    other = machine.talk("curl", ("", ()))
    other.ask("Bonjour")
    event = machine.events[-1]
    machine.events[-1] = replace(event, origin=origin(machine.ms, pid, Connection(pid, 1, "/lib/libssl.so.3", 5)))
    assert {"main": None, "curl": "t1"} == machine.found()
