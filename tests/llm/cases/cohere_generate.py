from __future__ import annotations

from agentsight_rx.events import Reply, Usage
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.plain_text import COHERE_GENERATE
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    COHERE_GENERATE,
    host="api.cohere.com",
    path="/v1/generate",
    request=b'{"model":"command","prompt":"Say hi","max_tokens":5,"temperature":0.5,"p":0.75,"stream":true}',
    prompt=Prompt(
        model="command", stream=True, last_user_text="Say hi", text="Say hi", max_tokens=5, temperature=0.5, top_p=0.75
    ),
    response=b"""{"id":"g-1","generations":[{"id":"p-1","text":"Hi there","finish_reason":"COMPLETE"}],"prompt":"Say hi",
        "meta":{"api_version":{"version":"1"},"billed_units":{"input_tokens":2,"output_tokens":3}}}""",
    stream=b"""data: {"text":"Hi","is_finished":false}

data: {"text":" there","is_finished":false}

data: {"is_finished":true,"finish_reason":"COMPLETE","response":{"id":"g-1","generations":[{"id":"p-1",
data: "text":"Hi there","finish_reason":"COMPLETE"}],"meta":{"billed_units":{"input_tokens":2,"output_tokens":3}}}}

""",
    reply=Reply(id="g-1", text="Hi there", usage=Usage(2, 3), finish_reason="COMPLETE"),
    failed=b'{"message":"invalid api token"}',
    failed_stream=b"""data: {"text":"Hi","is_finished":false}

data: {"error":"invalid api token"}

""",
    error="invalid api token",
    events_of=None,
)
