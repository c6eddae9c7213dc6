from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.openai_chat.answer import OPENAI_CHAT

from ...provider_component import ProviderCase

CASE = ProviderCase(
    OPENAI_CHAT,
    host="api.openai.com",
    path="/v1/chat/completions",
    request=b"""{"model":"gpt","stream":true,"max_completion_tokens":5,"tools":[{"type":"function","function":{"name":"ls"}}],
        "messages":[{"role":"developer","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"list"}]},
            {"role":"tool","tool_call_id":"c","content":"a b"}]}""",
    prompt=Prompt(
        model="gpt",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\na b",
        tools=("ls",),
        tool_results=(ToolResult("c", "a b"),),
        max_tokens=5,
    ),
    response=b"""{"id":"c","object":"chat.completion","model":"gpt-1","choices":[{"index":0,"message":{"role":"assistant",
        "content":"Hi there","reasoning_content":"Hm",
        "tool_calls":[{"id":"t","type":"function","function":{"name":"ls","arguments":"{\\"a\\":1}"}}]},
        "finish_reason":"tool_calls"}],
        "usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":8},
            "completion_tokens_details":{"reasoning_tokens":1}}}""",
    stream=rb"""data: {"id":"c","model":"gpt-1","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}

data: {"id":"c","model":"gpt-1","choices":[{"index":0,"delta":{"reasoning_content":"Hm"},"finish_reason":null}]}

data: {"id":"c","model":"gpt-1","choices":[{"index":0,"delta":{"content":"Hi "},"finish_reason":null}]}

data: {"id":"c","model":"gpt-1","choices":[{"index":0,"delta":{"content":"there"},"finish_reason":null}]}

data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t",
data: "function":{"name":"ls","arguments":"{\"a\""}}]}}]}

data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":":1}"}}]}}]}

data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}

data: {"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":8},
data: "completion_tokens_details":{"reasoning_tokens":1}}}

data: [DONE]

""",
    reply=Reply(
        id="c",
        model="gpt-1",
        text="Hi there",
        thinking="Hm",
        tool_calls=(ToolCall("t", "ls", '{"a":1}'),),
        usage=Usage(input=1, output=2, cache_read=8, reasoning=1),
        finish_reason="tool_calls",
    ),
    failed=b'{"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"rate_limit"}}',
    failed_stream=b"""data: {"id":"c","model":"gpt-1","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}

data: {"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"rate_limit"}}

""",
    error="rate_limit_error: Slow down",
)
