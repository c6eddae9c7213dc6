from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.google.live import GEMINI_LIVE
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    GEMINI_LIVE,
    host="generativelanguage.googleapis.com",
    path="/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
    request=b"""{"setup":{"model":"models/gemini-live","generationConfig":{"temperature":0.5,"maxOutputTokens":5},
        "systemInstruction":{"parts":[{"text":"Be brief."}]},"tools":[{"functionDeclarations":[{"name":"ls"}]}]},
        "contents":[{"role":"user","parts":[{"text":"list"}]}],
        "toolResponses":[{"functionResponses":[{"id":"t1","name":"ls","response":{"output":"a b"}}]}]}""",
    prompt=Prompt(
        model="gemini-live",
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\na b",
        tools=("ls",),
        tool_results=(ToolResult("t1", "a b"),),
        max_tokens=5,
        temperature=0.5,
    ),
    response=b"""[{"setupComplete":{}},
        {"serverContent":{"modelTurn":{"parts":[{"text":"Hm","thought":true},{"text":"Hi there"}]}}},
        {"toolCall":{"functionCalls":[{"id":"t","name":"ls","args":{"a":1}}]}},
        {"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":9,"responseTokenCount":2,
        "thoughtsTokenCount":1,"cachedContentTokenCount":8}}]""",
    stream=b"""data: {"setupComplete":{}}

data: {"serverContent":{"modelTurn":{"parts":[{"text":"Hm","thought":true}]}}}

data: {"serverContent":{"modelTurn":{"parts":[{"text":"Hi "}]}}}

data: {"serverContent":{"modelTurn":{"parts":[{"text":"there"}]}}}

data: {"toolCall":{"functionCalls":[{"id":"t","name":"ls","args":{"a":1}}]}}

data: {"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":9,"responseTokenCount":2,
data: "thoughtsTokenCount":1,"cachedContentTokenCount":8}}

""",
    reply=Reply(
        text="Hi there",
        thinking="Hm",
        tool_calls=(ToolCall("t", "ls", '{"a":1}'),),
        usage=Usage(input=1, output=3, cache_read=8, reasoning=1),
        finish_reason="tool_call",
    ),
    failed=b'{"error":{"code":429,"message":"Slow down","type":"RESOURCE_EXHAUSTED"}}',
    failed_stream=b"""data: {"serverContent":{"modelTurn":{"parts":[{"text":"Hi"}]}}}

data: {"error":{"code":429,"message":"Slow down","type":"RESOURCE_EXHAUSTED"}}

""",
    error="RESOURCE_EXHAUSTED: Slow down",
)
