from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.ollama import OLLAMA
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    OLLAMA,
    host="ollama.com",
    path="/api/chat",
    request=b"""{"model":"qwen","messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"list"},
        {"role":"assistant","content":"","tool_calls":[{"function":{"name":"ls","arguments":{"a":1}}}]},
        {"role":"tool","tool_name":"ls","content":"a b"}],
        "tools":[{"type":"function","function":{"name":"ls","parameters":{}}}],"think":true,
        "options":{"num_predict":5,"temperature":0.5,"top_p":0.9}}""",
    prompt=Prompt(
        model="qwen",
        stream=True,  # unless it is forbidden
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\na b",
        tools=("ls",),
        tool_results=(ToolResult("ls-0", "a b"),),
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
    ),
    response=b"""{"model":"qwen","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi there",
        "thinking":"Hm","tool_calls":[{"function":{"name":"ls","arguments":{"a":1}}}]},"done":true,"done_reason":"stop",
        "total_duration":9,"prompt_eval_count":9,"eval_count":2}""",
    stream=b"""data: {"model":"qwen","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"",
data: "thinking":"Hm"},"done":false}

data: {"model":"qwen","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"Hi "},"done":false}

data: {"model":"qwen","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"there"},"done":false}

data: {"model":"qwen","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":"",
data: "tool_calls":[{"function":{"name":"ls","arguments":{"a":1}}}]},"done":false}

data: {"model":"qwen","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant","content":""},"done":true,
data: "done_reason":"stop","total_duration":9,"prompt_eval_count":9,"eval_count":2}

""",
    reply=Reply(
        model="qwen",
        text="Hi there",
        thinking="Hm",
        tool_calls=(ToolCall("ls-0", "ls", '{"a":1}'),),
        usage=Usage(input=9, output=2),
        finish_reason="stop",
    ),
    failed=b'{"error":"model not found"}',
    failed_stream=b"""data: {"model":"qwen","created_at":"2026-01-01T00:00:00Z","message":{"content":"Hi"},"done":false}

data: {"error":"model not found"}

""",
    error="model not found",
)
