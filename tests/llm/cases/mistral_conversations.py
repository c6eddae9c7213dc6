from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.mistral import MISTRAL_CONVERSATIONS
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    MISTRAL_CONVERSATIONS,
    host="api.mistral.ai",
    path="/v1/conversations",
    request=b"""{"model":"mistral","stream":true,"instructions":"Be brief.","store":true,
        "inputs":[{"type":"message.input","role":"user","content":[{"type":"text","text":"list"}]},
            {"type":"function.call","tool_call_id":"b","name":"ls","arguments":"{}"},
            {"type":"function.result","tool_call_id":"b","result":"a"}],
        "tools":[{"type":"function","function":{"name":"ls"}},{"type":"web_search"}],
        "completion_args":{"max_tokens":5,"temperature":0.5,"top_p":0.9,"stop":"x"}}""",
    prompt=Prompt(
        model="mistral",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\na",
        tools=("ls", "web_search"),
        tool_results=(ToolResult("b", "a"),),
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
    ),
    response=b"""{"object":"conversation.response","conversation_id":"conv_1","outputs":[
        {"type":"tool.execution","id":"t","name":"web_search","arguments":"{}"},
        {"type":"message.output","id":"m","model":"mistral-1","role":"assistant","content":[
            {"type":"thinking","thinking":[{"type":"text","text":"Hm"}]},{"type":"text","text":"Hi there"}]},
        {"type":"function.call","id":"f","tool_call_id":"c","name":"ls","arguments":"{\\"a\\":1}"}],
        "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":31,"connector_tokens":20}}""",
    stream=rb"""event: conversation.response.started
data: {"type":"conversation.response.started","created_at":"2026-01-01T00:00:00Z","conversation_id":"conv_1"}

event: tool.execution.started
data: {"type":"tool.execution.started","output_index":0,"id":"t","name":"web_search","arguments":"{}"}

event: tool.execution.done
data: {"type":"tool.execution.done","output_index":0,"id":"t","name":"web_search"}

event: message.output.delta
data: {"type":"message.output.delta","output_index":1,"id":"m","content_index":0,"model":"mistral-1","role":"assistant",
data: "content":{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]}}

event: message.output.delta
data: {"type":"message.output.delta","output_index":1,"id":"m","content_index":1,"model":"mistral-1","content":"Hi "}

event: message.output.delta
data: {"type":"message.output.delta","output_index":1,"id":"m","content_index":1,"content":{"type":"text","text":"there"}}

event: function.call.delta
data: {"type":"function.call.delta","output_index":2,"id":"f","name":"ls","tool_call_id":"c","arguments":"{\"a\":"}

event: function.call.delta
data: {"type":"function.call.delta","output_index":2,"id":"f","name":"ls","tool_call_id":"c","arguments":"1}"}

event: conversation.response.done
data: {"type":"conversation.response.done","usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":31,
data: "connector_tokens":20}}

""",
    reply=Reply(
        id="conv_1",
        model="mistral-1",
        text="Hi there",
        thinking="Hm",
        tool_calls=(ToolCall("t", "web_search", "{}"), ToolCall("c", "ls", '{"a":1}')),
        usage=Usage(input=29, output=2),
        finish_reason="tool_calls",
    ),
    failed=b'{"object":"error","message":"Slow down","type":"rate_limited","param":null,"code":"1300"}',
    failed_stream=b"""event: conversation.response.started
data: {"type":"conversation.response.started","conversation_id":"conv_1"}

event: conversation.response.error
data: {"type":"conversation.response.error","message":"Slow down","code":"rate_limited"}

""",
    error="rate_limited: Slow down",
    requests=(b'{"agent_id":"ag_1","inputs":"Hi","completion_args":{"stop":["x"],"random_seed":7}}',),
)
