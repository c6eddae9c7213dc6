from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.aws.bedrock import BEDROCK
from tests.provider_component import ProviderCase

# A Nova model, whose events are those of Converse in another form; other vendors: tests/llm/dialects/aws/test_bedrock.py
CASE = ProviderCase(
    BEDROCK,
    host="bedrock-runtime.us-east-1.amazonaws.com",
    path="/model/us.amazon.nova-x-v1%3A0/invoke-with-response-stream",
    request=b"""{"schemaVersion":"messages-v1","system":[{"text":"Be brief."}],"messages":[
        {"role":"user","content":[{"text":"list"}]},
        {"role":"assistant","content":[{"toolUse":{"toolUseId":"t1","name":"ls","input":{}}}]},
        {"role":"user","content":[{"toolResult":{"toolUseId":"t1","content":[{"json":{"a":1}}],"status":"success"}}]}],
        "inferenceConfig":{"max_new_tokens":5,"temperature":0.5},
        "toolConfig":{"tools":[{"toolSpec":{"name":"ls","inputSchema":{"json":{}}}}]}}""",
    prompt=Prompt(
        model="us.amazon.nova-x-v1:0",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text='Be brief.\nlist\n{"a":1}',
        tools=("ls",),
        tool_results=(ToolResult("t1", '{"a":1}'),),
        max_tokens=5,
        temperature=0.5,
    ),
    response=b"""{"output":{"message":{"role":"assistant","content":[{"text":"Hi there"},
        {"toolUse":{"toolUseId":"t","name":"ls","input":{"a":1}}}]}},"stopReason":"tool_use",
        "usage":{"inputTokens":1,"outputTokens":4,"totalTokens":5,"cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":2}}""",
    stream=rb"""event: chunk
data: {"messageStart":{"role":"assistant"}}

event: chunk
data: {"contentBlockDelta":{"delta":{"text":"Hi "},"contentBlockIndex":0}}

event: chunk
data: {"contentBlockDelta":{"delta":{"text":"there"},"contentBlockIndex":0}}

event: chunk
data: {"contentBlockStop":{"contentBlockIndex":0}}

event: chunk
data: {"contentBlockStart":{"start":{"toolUse":{"toolUseId":"t","name":"ls"}},"contentBlockIndex":1}}

event: chunk
data: {"contentBlockDelta":{"delta":{"toolUse":{"input":"{\"a\":1}"}},"contentBlockIndex":1}}

event: chunk
data: {"contentBlockStop":{"contentBlockIndex":1}}

event: chunk
data: {"messageStop":{"stopReason":"tool_use"}}

event: chunk
data: {"metadata":{"usage":{"inputTokens":1,"outputTokens":4,"cacheReadInputTokenCount":3,"cacheWriteInputTokenCount":2}},
data: "amazon-bedrock-invocationMetrics":{"inputTokenCount":1,"outputTokenCount":4,"invocationLatency":9}}

""",
    reply=Reply(
        text="Hi there",
        tool_calls=(ToolCall("t", "ls", '{"a":1}'),),
        usage=Usage(input=1, output=4, cache_creation=2, cache_read=3),
        finish_reason="tool_use",
    ),
    failed=b'{"__type":"com.amazon.coral#throttlingException","message":"Slow down"}',
    failed_stream=b"""event: chunk
data: {"messageStart":{"role":"assistant"}}

event: throttlingException
data: {"message":"Slow down"}

""",
    error="throttlingException: Slow down",
    requests=(
        b'{"prompt":"Hi","max_gen_len":5,"temperature":0.5,"top_p":0.9}',
        b'{"inputText":"Hi","textGenerationConfig":{"maxTokenCount":5,"topP":0.5,"stopSequences":["x"]}}',
    ),
    responses=(
        b'{"generation":"Hi","prompt_token_count":9,"generation_token_count":2,"stop_reason":"stop"}',
        b'{"inputTextTokenCount":9,"results":[{"tokenCount":2,"outputText":"Hi","completionReason":"FINISH"}]}',
        b'{"outputs":[{"text":"Hi","stop_reason":"stop"}]}',
    ),
)
