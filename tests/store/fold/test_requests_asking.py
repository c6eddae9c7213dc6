"""What a request says of the agent that makes it."""

from __future__ import annotations

from agentsight_rx.llm.canonical import Asked, Message, TextPart, ToolDefinition
from agentsight_rx.store.fold.requests import Asking, Said, is_alike
from agentsight_rx.store.rows.kinds import CallRow

TASK = "Find out which tests of this project fail, and say why they do"


def asking(*messages: tuple[str, str], prompt: str = "", tools: tuple[str, ...] = (), **fields: object) -> Asking:
    row = CallRow("call", 0, session_id="session", prompt=prompt, **fields)  # type: ignore[arg-type]
    said = tuple(Message(role, (TextPart(text),)) for role, text in messages)
    return Asking(row, Said(row, b"", (), Asked(messages=said, tools=tuple(ToolDefinition(name) for name in tools))))


def test_a_request_without_an_answer_begins() -> None:
    assert asking(("system", "Be brief."), ("user", TASK)).begins
    assert not asking(("user", TASK), ("assistant", "Yes.")).begins
    assert not asking(("user", TASK), previous_response_id="resp_1").begins


def test_its_head_is_what_comes_before_the_first_answer() -> None:
    first = asking(("system", "Be brief."), ("user", TASK))
    later = asking(("system", "It is noon."), ("user", TASK), ("assistant", "Yes."), ("user", "Go on."))
    other = asking(("user", "Another task"))
    assert "" != first.head == later.head != other.head
    assert "" == asking(("system", "Be brief.")).head
    assert asking(previous_response_id="resp_1").head == asking(("user", TASK), previous_response_id="resp_1").head


def test_its_frame_is_its_instructions_and_tools() -> None:
    one = asking(("system", "You review code."), ("user", TASK), tools=("read", "write"))
    same = asking(("system", "You review code."), ("user", "Another task"), tools=("write", "read"))
    neither = asking(("user", TASK))
    assert is_alike(one.frame, same.frame)
    assert not is_alike(one.frame, neither.frame)
    assert not is_alike(neither.frame, neither.frame)


def test_a_task_is_found_in_the_input_of_a_tool() -> None:
    request = asking(prompt=TASK)
    assert request.is_task(f"  {TASK.replace(' ', chr(10))}", wrapped=False)
    assert request.is_task(f"Task: {TASK}", wrapped=False)
    assert not request.is_task("yes", wrapped=False)
    assert not asking(prompt="").is_task("", wrapped=False)


def test_an_input_that_is_a_part_of_a_prompt_must_be_most_of_it_unless_it_is_wrapped() -> None:
    request = asking(prompt=f"{'You are one of several agents. ' * 10}{TASK}")
    assert not request.is_task(TASK, wrapped=False)
    assert request.is_task(TASK, wrapped=True)
