from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.aws.converse import BEDROCK_CONVERSE
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    BEDROCK_CONVERSE,
    host="bedrock-runtime.us-east-1.amazonaws.com",
    path="/model/anthropic.claude-x-v1%3A0/converse-stream",
    request=b"""{"system":[{"text":"Be brief."},{"cachePoint":{"type":"default"}}],"messages":[
        {"role":"user","content":[{"text":"list"}]},
        {"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"ls","input":{"a":1}}}]},
        {"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"text":"no"}],"status":"error"}}]}],
        "inferenceConfig":{"maxTokens":5,"temperature":0.5,"topP":0.9,"stopSequences":["x"]},
        "toolConfig":{"tools":[{"toolSpec":{"name":"ls","inputSchema":{"json":{"type":"object"}}}}]}}""",
    prompt=Prompt(
        model="anthropic.claude-x-v1:0",  # the path names it
        stream=True,  # the path says so
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\nno",
        tools=("ls",),
        tool_results=(ToolResult("t1", "no", is_error=True),),
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
    ),
    response=b"""{"output":{"message":{"role":"assistant","content":[
        {"reasoningContent":{"reasoningText":{"text":"Hm.","signature":"E"}}},{"text":"Hi there"},
        {"toolUse":{"toolUseId":"t","name":"ls","input":{"a":1}}}]}},"stopReason":"tool_use",
        "usage":{"inputTokens":1,"outputTokens":4,"totalTokens":10,"cacheReadInputTokens":3,"cacheWriteInputTokens":2},
        "metrics":{"latencyMs":9}}""",
    stream=rb"""event: messageStart
data: {"role":"assistant","p":"abc"}

event: contentBlockDelta
data: {"contentBlockIndex":0,"delta":{"reasoningContent":{"text":"Hm."}},"p":"abcdef"}

event: contentBlockDelta
data: {"contentBlockIndex":0,"delta":{"reasoningContent":{"signature":"E"}}}

event: contentBlockStop
data: {"contentBlockIndex":0}

event: contentBlockDelta
data: {"contentBlockIndex":1,"delta":{"text":"Hi "}}

event: contentBlockDelta
data: {"contentBlockIndex":1,"delta":{"text":"there"}}

event: contentBlockStop
data: {"contentBlockIndex":1}

event: contentBlockStart
data: {"contentBlockIndex":2,"start":{"toolUse":{"toolUseId":"t","name":"ls"}}}

event: contentBlockDelta
data: {"contentBlockIndex":2,"delta":{"toolUse":{"input":"{\"a\""}}}

event: contentBlockDelta
data: {"contentBlockIndex":2,"delta":{"toolUse":{"input":":1}"}}}

event: contentBlockStop
data: {"contentBlockIndex":2}

event: messageStop
data: {"stopReason":"tool_use"}

event: metadata
data: {"usage":{"inputTokens":1,"outputTokens":4,"cacheReadInputTokens":3,"cacheWriteInputTokens":2},"metrics":{"latencyMs":9}}

""",
    reply=Reply(
        text="Hi there",
        thinking="Hm.",
        tool_calls=(ToolCall("t", "ls", '{"a":1}'),),
        usage=Usage(input=1, output=4, cache_creation=2, cache_read=3),
        finish_reason="tool_use",
    ),
    failed=b'{"__type":"throttlingException","message":"Slow down"}',
    failed_stream=b"""event: messageStart
data: {"role":"assistant"}

event: throttlingException
data: {"message":"Slow down"}

""",
    error="throttlingException: Slow down",
)
