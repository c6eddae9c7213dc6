from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.agents.said import aside_of, typed


@pytest.mark.parametrize(
    ("text", "person"),
    [
        ("fix it", "fix it"),
        ("<system-reminder>today is Monday</system-reminder>\nfix it", "fix it"),
        ("fix it\n\n<system-reminder>\na < b\n</system-reminder>", "fix it"),
        ("<environment_context>\n  <cwd>/src</cwd>\n</environment_context>", ""),
        ("<user-prompt-submit-hook>lint first</user-prompt-submit-hook>\nfix it", "fix it"),
        ("<hook_context>x</hook_context>", ""),
        ("<task>\nfix it\n</task>\n<environment_details>\n# Files\na.py\n</environment_details>", "fix it"),
        ("<user_query>fix it</user_query>", "fix it"),
        ("Stop hook feedback:\n- tests fail", ""),
        ("This session is being continued from a previous conversation that ran out of context.", ""),
        ("<returncode>0</returncode>\n<output>\na.py\n</output>", ""),
        ("[execute_command for 'ls'] Result:\na.py", ""),
        ("why does <system-reminder> stand in my log?", "why does <system-reminder> stand in my log?"),
        ("<system-reminder> never closed", "<system-reminder> never closed"),
        ("make a page:\n<div>hello</div>", "make a page:\n<div>hello</div>"),
        ("", ""),
    ],
)
def test_what_a_person_typed_is_left(text: str, person: str) -> None:
    assert person == typed(text)


NOTES = st.sampled_from(
    ["<system-reminder>\nx\n</system-reminder>", "<environment_details>a <b> c</environment_details>", "<reminder>r</reminder>"]
)


@given(st.lists(NOTES, max_size=4), st.text("ab c.\n", min_size=1).filter(str.strip), st.lists(NOTES, max_size=4))
def test_notes_around_a_prompt_change_nothing_of_it(before: list[str], prompt: str, behind: list[str]) -> None:
    assert prompt.strip() == typed("\n".join([*before, prompt, *behind]))


@given(st.text("<>/abtask\n ", max_size=60))
def test_typed_is_a_part_of_the_text_and_stays_what_it_is(text: str) -> None:
    person = typed(text)
    assert person == typed(person)
    assert len(person) <= len(text)


@pytest.mark.parametrize(
    ("instructions", "text", "tools", "kind"),
    [
        ("Analyze if this message indicates a new conversation topic.", "fix it", 0, "title"),
        ("You are a title generator. You output ONLY a thread title.", "fix it", 0, "title"),
        ("You are kind. Write a short title for the thread.", "fix it", 0, "title"),
        ("", "Your task is to create a detailed summary of the conversation so far", 9, "summary"),
        ("Compress this conversation into notes.", "fix it", 0, "summary"),
        ("Your task is to process Bash commands that an AI coding agent wants to run.", "Command: ls", 0, "check"),
        ("", "quota", 0, "warm-up"),
        ("", "Web page content:\n---\nhello", 0, "page"),
        ("You are an agent. Generate a title for each commit.", "fix it", 9, ""),
        ("You are kind.", "Write a title for my essay.", 0, ""),
        ("", "Summarise the code of this folder.", 9, ""),
        ("", "what is my quota?", 9, ""),
        ("", "", 0, ""),
    ],
)
def test_what_an_agent_asks_for_itself(instructions: str, text: str, tools: int, kind: str) -> None:
    assert kind == aside_of(instructions, text, tools=tools)


@pytest.mark.parametrize(
    "text",
    [
        "Call id: c1\nError:\nNo module named x\nNow let's retry: take care not to repeat previous errors! If you have retried",
        "Validation Error found:\n1 validation error for Order\nRecall the function correctly, fix the errors",
        "Write a title.\n\n### Previous attempt failed validation: too long\n\n\n### Previous result:\nA\n\n\nTry again.",
        "2 validation errors: [{'loc': ['name']}]\n\nFix the errors and try again.",
        "Error: Could not parse output. Please follow the thought-action-input format. Try again.",
    ],
)
def test_an_error_note_of_a_framework_is_not_typed(text: str) -> None:
    assert "" == typed(text)


@pytest.mark.parametrize(
    "text",
    [
        "Why does it say this?\n```\nError:\nx\nNow let's retry: take care not to repeat previous errors!\n```",
        "The log has `### Previous attempt failed validation` in it, what does that mean?",
        "Validation feedback is missing in the form",
        "Error: could not open a.py, help me",
    ],
)
def test_a_person_may_ask_about_an_error_note(text: str) -> None:
    assert text == typed(text)
