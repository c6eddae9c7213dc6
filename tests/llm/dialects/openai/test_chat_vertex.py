from __future__ import annotations

from agentsight_rx.llm import find
from agentsight_rx.llm.dialects.openai.chat import VERTEX_CHAT

MODELS = "/v1/projects/p/locations/l/publishers/{}/models/x@1:{}"


def test_the_path_names_the_model_and_says_whether_it_streams() -> None:
    asked = VERTEX_CHAT.asked(b'{"messages":[]}', MODELS.format("mistralai", "streamRawPredict"))
    assert (asked.model, asked.stream) == ("x@1", True)
    assert not VERTEX_CHAT.asked(b'{"messages":[]}', MODELS.format("ai21", "rawPredict")).stream


def test_the_models_of_other_publishers_are_other_providers() -> None:
    found = [find("", MODELS.format(publisher, "rawPredict")) for publisher in ("mistralai", "anthropic", "google")]
    assert [provider and provider.name for provider in found] == ["vertex_chat", "anthropic", None]
