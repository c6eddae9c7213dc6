"""A text of a message -> who wrote which part of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.llm.agents.said import typed
from agentsight_rx.llm.context import anatomy
from agentsight_rx.llm.context.texts import split

REMINDER = "<system-reminder>\\nA note.\\n</system-reminder>"
CLAUDE = (
    "<system-reminder>\\nYou can use the following context:\\n# claudeMd\\nCodebase instructions are shown below.\\n\\n"
    "Contents of /work/CLAUDE.md (project instructions, checked into the codebase):\\n\\nUse tabs.\\n\\n"
    "Contents of /root/.claude/CLAUDE.md (user's private global instructions for all projects):\\n\\nBe kind.\\n\\n"
    "      IMPORTANT: this context may or may not be relevant.\\n</system-reminder>"
)
GEMINI = "Hello. --- Context from: GEMINI.md ---\\nUse tabs.\\n--- End of Context from: GEMINI.md ---\\nWork."


@pytest.mark.parametrize(
    ("text", "role", "wanted"),
    [
        ("fix it", "user", [("prompt", "")]),
        (f"fix it\\n{REMINDER}\\n", "user", [("prompt", ""), ("reminder", ""), ("reminder", "")]),
        (f"a.py\\n{REMINDER}", "tool", [("result", ""), ("reminder", "")]),
        ("see <system-reminder> in the log", "user", [("prompt", "")]),
        (
            CLAUDE,
            "user",
            [
                ("reminder", ""),
                ("instructions", "/work/CLAUDE.md"),
                ("instructions", "/root/.claude/CLAUDE.md"),
                ("reminder", ""),
            ],
        ),
        (GEMINI, "system", [("system", ""), ("instructions", "GEMINI.md"), ("system", "")]),
        ("# AGENTS.md instructions for /work\\n\\n<INSTRUCTIONS>\\nx\\n</INSTRUCTIONS>", "user", [("instructions", "/work")]),
        ("\\u003csystem-reminder\\u003e\\nx\\n\\u003c/system-reminder\\u003e", "user", [("reminder", "")]),
        ("This session is being continued from a previous conversation that ran out.", "user", [("summary", "")]),
        (f"I write {REMINDER}", "assistant", [("answer", "")]),
    ],
)
def test_a_text_is_parted_by_who_wrote_it(text: str, role: str, wanted: list[tuple[str, str]]) -> None:
    body = f'{{"model":"m","messages":[{{"role":"{role}","content":"{text}"}}]}}'.encode()
    found = anatomy(body)
    assert [(each.origin, each.name) for each in found.read()] == wanted
    assert "".join(found.body[each.start : each.end].decode() for each in found.read()) == text


@pytest.mark.parametrize(
    "text",
    [
        b"Another language model started to solve this problem and produced a summary",
        b"<state_snapshot>x</state_snapshot>",
        b"The conversation history before this point was compacted into this",
        b"This session is being continued from a previous conversation that ran out.",
        b"[Context summary] x",
        b"Here is a summary of our conversation: x",
        b"<conversation_summary>x</conversation_summary>",
        b"<compressed_history>x</compressed_history>",
    ],
)
def test_what_stands_for_an_earlier_conversation_is_a_summary_and_nobody_typed_it(text: bytes) -> None:
    assert "" == typed(text.decode())
    assert [span.origin for span in split(text, "prompt")] == ["summary"]
    assert [span.origin for span in split(text, "answer")] == ["answer"]


def test_a_document_is_not_looked_into() -> None:
    text = b"<system-reminder>" + b"x" * (1 << 20) + b"</system-reminder>"
    assert [span.origin for span in split(text, "result")] == ["result"]


PARTS = st.sampled_from(
    [
        b"word ",
        b"<system-reminder>",
        b"</system-reminder>",
        b"\\n",
        b"Contents of a.md (project instructions):",
        b"<rules>",
        b"</rules>",
        b"--- Context from: g.md ---",
        b"--- End of Context from: g.md ---",
        b"\\u003csystem-reminder\\u003e",
        b"Instructions from: x",
        b" ",
    ]
)


@given(st.lists(PARTS, max_size=14), st.sampled_from(["prompt", "system", "result", "answer"]))
def test_the_parts_are_the_text_without_gaps(parts: list[bytes], origin: str) -> None:
    text = b"".join(parts)
    spans = split(text, origin)
    assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])][: len(spans)]
    assert (spans[-1].end if spans else 0) == len(text)
    assert all(span.end > span.start for span in spans)
