from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.openai.chat import OPENAI_CHAT
from tests.provider_component import ProviderCase

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
    requests=(
        b"""{"model":"m","n":2,"seed":7,"stop":["x","y"],"top_k":40,"frequency_penalty":0.5,"presence_penalty":0.5,
            "reasoning_effort":"low","response_format":{"type":"json_schema"},"service_tier":"flex","session_id":"s",
            "metadata":{"conversationId":"c"},"functions":[{"name":"old","parameters":{}}],
            "messages":[{"role":"system","content":"a","name":"n"},
                {"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"http://x"}},
                    {"type":"input_audio","input_audio":{"data":"AA","format":"wav"}},{"type":"file","file":{"file_id":"f"}}]},
                {"role":"assistant","content":null,"reasoning_content":"Hm","refusal":"No","audio":{"id":"au"},
                    "tool_calls":[{"id":"t","type":"function","function":{"name":"ls","arguments":"{}"}},
                        {"id":"u","type":"custom","custom":{"name":"sh","input":"ls"}}]},
                {"role":"assistant","function_call":{"name":"f","arguments":{"a":1}}},
                {"role":"function","name":"f","content":[{"type":"text","text":"out"}]}]}""",
        rb'{"model":"m\ud83d","messages":[{"role":"user","content":"half a pair: \ud83d"},{"role":"user","content":5}]}',
        b'{"model_id":"m","prompt":["a","b"],"suffix":"c","random_seed":7,"reasoning":{"effort":"high","max_tokens":9}}',
    ),
    responses=(
        b"""{"id":"c","model":"m","choices":[{"index":1,"message":{"content":"B"},"finish_reason":"stop"},
            {"index":0,"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"Hm"}]},
                {"type":"text","text":"A"}],"audio":{"id":"au","data":"AA","transcript":"x"},
                "function_call":{"name":"f","arguments":{"a":1}}},"finish_reason":"length"}],
            "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":20,"num_cached_tokens":3,
                "prompt_tokens_details":{"cached_tokens":0,"cache_write_tokens":1}}}""",
        b'{"id":"c","choices":[{"text":"Once","finish_reason":"stop"}],"x_groq":{"usage":{"prompt_tokens":1}}}',
        b'{"choices":[{"message":{"refusal":"No","reasoning_details":[{"summary":"Hm"},{"text":"So"}]}}]}',
        rb'{"id":"c","model":"m","choices":[{"message":{"content":"half a pair: \ud83d"},"finish_reason":"stop"}]}',
        b'{"object":"error","type":"BadRequestError","message":"Too long","code":400}',
    ),
    streams=(
        b"""data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}]}

data: {"id":"c","choices":[{"index":0,"delta":{"content":"c"}}],"usage":{"prompt_tokens":9,"completion_tokens":1}}

data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"d"},"finish_reason":null}],"usage":null}

data: {"id":"c","model":"m","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"e"}}]}

data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"completion_tokens":2,
data: "prompt_tokens_details":{"cached_tokens":3}},"x_groq":{"id":"r","usage":{"prompt_tokens":8}}}

data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"error","error":{"code":502,"message":"gone"}}]}

""",
    ),
)
