from __future__ import annotations

import json
from typing import Any

import pytest

from agentsight_rx.events import Reply, SseEvent, Usage
from agentsight_rx.llm import find
from agentsight_rx.llm.canonical import MediaPart, TextPart
from agentsight_rx.llm.dialects.replicate import REPLICATE


def response(**fields: Any) -> Reply:
    return REPLICATE.response(json.dumps(fields).encode())


def test_a_prediction_that_has_ended_names_its_model_and_counts_its_tokens() -> None:
    metrics = {"input_token_count": 9, "output_token_count": 2, "predict_time": 0.5}
    said = response(id="p", model="meta/llama-x", status="succeeded", output=["Hi ", "there"], metrics=metrics, error=None)
    assert said == Reply("p", "meta/llama-x", text="Hi there", usage=Usage(9, 2), finish_reason="succeeded")


@pytest.mark.parametrize(("output", "text"), [("Hi", "Hi"), (["H", "i"], "Hi"), (None, ""), ({"url": "u"}, ""), ([1], "")])
def test_the_output_is_text_or_pieces_of_it(output: Any, text: str) -> None:
    assert response(status="succeeded", output=output) == Reply(text=text, finish_reason="succeeded")


def test_a_refused_request_says_why() -> None:
    assert response(title="Unauthenticated", detail="No token.", status=401) == Reply(error="No token.")


@pytest.mark.parametrize(
    ("data", "reason"), [("{}", "succeeded"), ('{"reason":"canceled"}', "canceled"), ('{"reason":"error"}', "failed")]
)
def test_the_end_of_a_stream_has_a_reason(data: str, reason: str) -> None:
    reader = REPLICATE.reader()
    assert reader.feed(SseEvent("output", "Hi"))
    assert not reader.feed(SseEvent("done", data))
    assert (reader.ended, reader.reply().finish_reason) == (True, reason)


def test_images_are_references() -> None:
    body = {"version": "v", "input": {"prompt": "Hi", "image": "https://a.example/b.png"}}
    asked = REPLICATE.asks(json.dumps(body).encode())
    assert asked.model == "v"
    assert asked.messages[0].parts == (TextPart("Hi"), MediaPart("image", reference="https://a.example/b.png"))


@pytest.mark.parametrize(
    "path", ["/v1/predictions", "/v1/models/meta/llama-x/predictions", "/v1/deployments/me/mine/predictions"]
)
def test_predictions_are_calls(path: str) -> None:
    assert find("api.replicate.com", path) is REPLICATE


@pytest.mark.parametrize("path", ["/v1/predictions/p", "/v1/predictions/p/cancel", "/v1/models/meta/llama-x", "/v1/trainings"])
def test_other_methods_are_no_calls(path: str) -> None:
    assert find("api.replicate.com", path) is None


@pytest.mark.parametrize("status", ["starting", "processing"])
def test_a_prediction_that_has_only_begun_is_pending(status: str) -> None:
    body = json.dumps({"id": "p", "status": status, "output": None}).encode()
    assert REPLICATE.answer(body).pending
    assert REPLICATE.response(body) == Reply("p")
    assert REPLICATE.polled("/v1/predictions/p") == "p"
    assert REPLICATE.polled("/v1/predictions/p/cancel") is None
