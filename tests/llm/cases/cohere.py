from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.cohere import COHERE
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    COHERE,
    host="api.cohere.com",
    path="/v2/chat",
    request=b"""{"model":"command","stream":true,"max_tokens":5,"temperature":0.5,"p":0.9,"messages":[
        {"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"list"}]},
        {"role":"assistant","tool_plan":"I will.","tool_calls":[{"id":"t1","type":"function","function":{"name":"ls",
        "arguments":"{}"}}]},
        {"role":"tool","tool_call_id":"t1","content":[{"type":"document","document":{"data":"a b"}}]}],
        "tools":[{"type":"function","function":{"name":"ls","parameters":{}}}]}""",
    prompt=Prompt(
        model="command",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text='Be brief.\nlist\n"a b"',
        tools=("ls",),
        tool_results=(ToolResult("t1", '"a b"'),),
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
    ),
    response=rb"""{"id":"c","message":{"role":"assistant","tool_plan":"I will.","content":[{"type":"text","text":"Hi there"}],
        "tool_calls":[{"id":"t","type":"function","function":{"name":"ls","arguments":"{\"a\":1}"}}]},
        "finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":3,"output_tokens":2},
        "tokens":{"input_tokens":9.0,"output_tokens":2.0},"cached_tokens":8}}""",
    stream=rb"""event: message-start
data: {"id":"c","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":"","tool_calls":[]}}}

event: tool-plan-delta
data: {"type":"tool-plan-delta","delta":{"message":{"tool_plan":"I will."}}}

event: content-start
data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"text","text":""}}}}

event: content-delta
data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hi "}}}}

event: content-delta
data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"there"}}}}

event: content-end
data: {"type":"content-end","index":0}

event: tool-call-start
data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"t","type":"function",
data: "function":{"name":"ls","arguments":""}}}}}

event: tool-call-delta
data: {"type":"tool-call-delta","index":0,"delta":{"message":{"tool_calls":{"function":{"arguments":"{\"a\":1}"}}}}}

event: tool-call-end
data: {"type":"tool-call-end","index":0}

event: message-end
data: {"type":"message-end","delta":{"finish_reason":"TOOL_CALL","usage":{"billed_units":{"input_tokens":3,"output_tokens":2},
data: "tokens":{"input_tokens":9.0,"output_tokens":2.0},"cached_tokens":8}}}

""",
    reply=Reply(
        id="c",
        text="Hi there",
        thinking="I will.",
        tool_calls=(ToolCall("t", "ls", '{"a":1}'),),
        usage=Usage(input=1, output=2, cache_read=8),
        finish_reason="TOOL_CALL",
    ),
    failed=b'{"id":"e","message":"Slow down"}',
    failed_stream=b"""event: message-start
data: {"id":"c","type":"message-start","delta":{"message":{"role":"assistant"}}}

event: message-end
data: {"type":"message-end","delta":{"finish_reason":"ERROR","error":"Slow down"}}

""",
    error="Slow down",
)
