from __future__ import annotations

from typing import Any

import msgspec
import pytest

from agentsight_rx.llm.canonical import Asked, Message, TextPart, ToolResultPart
from agentsight_rx.llm.prompt import New, Prompt, new_in, prompt_of
from agentsight_rx.llm.request_fields import RequestFields
from agentsight_rx.llm.request_table import Requests


def asked(messages: list[Message] | None = None, **body: Any) -> Asked:
    request = Requests(RequestFields, lambda _: Asked(messages=tuple(messages or ())))
    return request(msgspec.json.encode(body))


def prompt(messages: list[Message] | None = None, **body: Any) -> Prompt:
    return prompt_of(asked(messages, **body))


def said(role: str, *texts: str) -> Message:
    return Message(role, tuple(map(TextPart, texts)))


@pytest.mark.parametrize(
    ("body", "session"),
    [
        ({"session_id": "a", "sessionId": "b"}, "a"),
        ({"sessionId": "b", "metadata": {"session_id": "c"}}, "b"),
        ({"metadata": {"sessionId": "d", "user_id": "user_1_session_e"}}, "d"),
        ({"metadata": {"user_id": "user_1_account_2_session_6b9a-1"}}, "6b9a-1"),
        ({"metadata": {"user_id": '{"device_id":"x","session_id":"7c"}'}}, "7c"),
        ({"metadata": {"user_id": "{broken"}}, None),
        ({"metadata": {"user_id": "me"}, "session_id": 5}, None),
        ({"metadata": None, "id": "msg_1", "response_id": "r"}, None),
    ],
)
def test_the_session_is_the_one_that_the_client_named(body: dict[str, Any], session: str | None) -> None:
    assert prompt(**body).session_id == session


def test_a_conversation_is_never_invented() -> None:
    assert prompt(conversation_id="a").conversation_id == "a"
    assert prompt(metadata={"conversationId": "b"}).conversation_id == "b"
    assert prompt(id="msg_1", message_id="m", response={"id": "r"}).conversation_id is None


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["old", "new"], "new"),
        (["typed", "<system-reminder>\nnote\n</system-reminder>", " \n"], "typed"),
        (["typed", "<environment_context>\n<cwd>/</cwd>\n</environment_context>"], "typed"),
        (["typed", "# AGENTS.md instructions for /work\n\n<INSTRUCTIONS>\nBe brief.\n</INSTRUCTIONS>"], "typed"),
        (["typed", "<session_context>x</session_context>", "<user_instructions>x</user_instructions>"], "typed"),
        (["old", "<environment_context> what is that?"], "<environment_context> what is that?"),
        (["old", "<b>new</b>"], "<b>new</b>"),
        ([" <session>\nName this.\n</session> "], "Name this."),
        (["  two  spaces\n  kept "], "two  spaces\n  kept"),
        ([], ""),
    ],
)
def test_the_last_user_text_is_the_last_one_a_user_typed(texts: list[str], expected: str) -> None:
    messages = [said("system", "rules"), *(said("user", text) for text in texts), said("assistant", "answer")]
    assert prompt(messages).last_user_text == expected


def test_what_stands_behind_the_last_answer_is_new() -> None:
    result = ToolResultPart("c", "a b")
    first = [said("system", "rules"), said("user", "list")]
    assert new_in(asked(first)) == New("list", messages=2)
    second = [*first, said("assistant", "ls"), Message("user", (result, TextPart("<system-reminder>x</system-reminder>")))]
    assert new_in(asked(second)) == New("", (result,), 1)
    assert new_in(asked([*second, said("user", "and now?")])).text == "and now?"
