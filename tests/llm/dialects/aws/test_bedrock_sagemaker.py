from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, Usage
from agentsight_rx.llm import Prompt, StreamReader, find
from agentsight_rx.llm.dialects.aws.bedrock import SAGEMAKER

PATH = "/endpoints/my-llm/invocations"


def read(*datas: str) -> StreamReader:
    reader = SAGEMAKER.reader()
    for data in datas:
        reader.feed(SseEvent("chunk", data))
    return reader


def chat(content: str, reason: str | None = None) -> str:
    said: dict[str, Any] = {
        "id": "c",
        "model": "m",
        "choices": [{"index": 0, "delta": {"content": content}, "finish_reason": reason}],
    }
    return json.dumps(said)


def test_a_container_may_speak_openais_chat() -> None:
    body = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}
    assert SAGEMAKER.prompt(json.dumps(body).encode(), PATH) == Prompt(
        model="my-llm", last_user_text="Hi", text="Hi", max_tokens=5
    )
    whole = b'{"id":"c","model":"m","choices":[{"index":0,"message":{"content":"Hi"},"finish_reason":"stop"}]}'
    assert SAGEMAKER.response(whole) == Reply("c", "m", text="Hi", finish_reason="stop")


def test_the_parts_of_a_stream_may_be_lines_of_an_event_stream() -> None:
    reader = read(f"data: {chat('Hi ')}\n\n", f"data: {chat('there', 'stop')}\n\ndata: [DONE]\n\n")
    assert (reader.reply(), reader.ended) == (Reply("c", "m", text="Hi there", finish_reason="stop"), True)


def test_the_parts_of_a_stream_may_be_json() -> None:
    assert read(chat("Hi "), chat("there", "stop")).reply().text == "Hi there"


@pytest.mark.parametrize("form", ["data: {}\n\n", "{}\n"])
@pytest.mark.parametrize("size", [1, 2, 7, 64, 1000])
def test_the_parts_of_a_stream_may_be_cut_anywhere(form: str, size: int) -> None:
    stream = "".join(form.replace("{}", each) for each in (chat("Hi "), chat("there", "stop")))
    reader = SAGEMAKER.reader()
    for at in range(0, len(stream), size):
        reader.feed(SseEvent("PayloadPart", stream[at : at + size]))
    assert (reader.reply(), reader.unknown) == (Reply("c", "m", text="Hi there", finish_reason="stop"), 0)


def test_a_stream_of_something_else_is_counted_as_unknown() -> None:
    assert read("<html>\n", "</html>\n").unknown == 2


def test_tokens_that_are_no_text_are_left_out_and_the_whole_text_is_not_said_twice() -> None:
    last = {"token": {"text": "</s>", "special": True}, "generated_text": "Hi", "details": {"generated_tokens": 2}}
    reader = read('{"token":{"text":"Hi","special":false}}', json.dumps(last))
    assert reader.reply() == Reply(text="Hi", usage=Usage(0, 2))


def test_an_error_of_the_container_is_reported() -> None:
    reader = read('{"error":"Input is too long","error_type":"validation"}')
    assert (reader.ended, reader.reply().error) == (True, "validation: Input is too long")
    assert (
        SAGEMAKER.response(b'{"error":"Input is too long","error_type":"validation"}').error == "validation: Input is too long"
    )


def test_other_methods_are_no_calls() -> None:
    assert find("", PATH) is SAGEMAKER
    assert find("", "/endpoints/my-llm/async-invocations") is None
    assert find("", "/endpoints/my-llm") is None
