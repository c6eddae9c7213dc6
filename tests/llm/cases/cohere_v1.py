from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.cohere_v1 import COHERE_V1
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    COHERE_V1,
    host="api.cohere.com",
    path="/v1/chat",
    request=b"""{"model":"command","stream":true,"preamble":"Be brief.","message":"list","max_tokens":5,"p":0.9,
        "conversation_id":"k","chat_history":[{"role":"USER","message":"Hi"},{"role":"CHATBOT","message":"Hello"}],
        "tools":[{"name":"ls","description":"lists","parameter_definitions":{"a":{"type":"int"}}}]}""",
    prompt=Prompt(
        model="command",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nHi\nHello\nlist",
        tools=("ls",),
        max_tokens=5,
        top_p=0.9,
        conversation_id="k",
    ),
    response=rb"""{"response_id":"r","generation_id":"g","text":"Hi there","chat_history":[],"finish_reason":"COMPLETE",
        "tool_calls":[{"name":"ls","parameters":{"a":1}},{"name":"ls","parameters":{}}],
        "meta":{"billed_units":{"input_tokens":3,"output_tokens":2},"tokens":{"input_tokens":9,"output_tokens":2}}}""",
    stream=rb"""data: {"is_finished":false,"event_type":"stream-start","generation_id":"g"}

data: {"is_finished":false,"event_type":"text-generation","text":"Hi "}

data: {"is_finished":false,"event_type":"text-generation","text":"there"}

data: {"is_finished":false,"event_type":"tool-calls-generation","tool_calls":[{"name":"ls","parameters":{"a":1}},
data: {"name":"ls","parameters":{}}]}

data: {"is_finished":true,"event_type":"stream-end","finish_reason":"COMPLETE","response":{"response_id":"r",
data: "generation_id":"g","text":"Hi there","tool_calls":[{"name":"ls","parameters":{"a":1}},{"name":"ls","parameters":{}}],
data: "finish_reason":"COMPLETE","meta":{"billed_units":{"input_tokens":3,"output_tokens":2},
data: "tokens":{"input_tokens":9,"output_tokens":2}}}}

""",
    reply=Reply(
        id="g",
        text="Hi there",
        tool_calls=(ToolCall("ls-0", "ls", '{"a":1}'), ToolCall("ls-1", "ls", "{}")),
        usage=Usage(input=9, output=2),
        finish_reason="COMPLETE",
    ),
    failed=b'{"message":"Slow down"}',
    failed_stream=b"""data: {"is_finished":false,"event_type":"stream-start","generation_id":"g"}

data: {"is_finished":true,"event_type":"stream-end","finish_reason":"ERROR","error":"Slow down"}

""",
    error="Slow down",
)
