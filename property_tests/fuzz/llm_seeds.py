"""First fuzz inputs for each provider: requests, answers and streams in the form of its API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .choices import spelled

__all__ = ["LLM_SEEDS"]

_ANTHROPIC_REQUEST = (
    b'{"model":"claude","max_tokens":9,"stream":true,"temperature":0.5,"system":[{"type":"text","text":"Be brief."}],'
    b'"metadata":{"user_id":"user_1_account__session_2"},"tools":[{"name":"Bash"}],"messages":[{"role":"user","content":"list"},'
    b'{"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{"a":1}}]},{"role":"user","content":'
    b'[{"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"}]}]}]}'
)
_ANTHROPIC_RESPONSE = (
    b'{"id":"m","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"Hm.","signature":"a"},'
    b'{"type":"text","text":"Hi"},{"type":"tool_use","id":"t","name":"ls","input":{"a":1}}],"stop_reason":"tool_use",'
    b'"usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":4}}'
)
_ANTHROPIC_STREAM = (
    b'{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":10,"output_tokens":1}}}',
    b'{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"ls","input":{}}}',
    b'{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":"}}',
    b'{"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\\ud83d\\ude00"}}',
    b'{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"\\ud800"}}',
    b'{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":30}}',
    b'{"type":"message_stop"}',
    b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
)
_CHAT_REQUEST = (
    b'{"model":"gpt","stream":true,"max_completion_tokens":5,"tools":[{"type":"function","function":{"name":"ls"}}],"messages":['
    b'{"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"list"}]},'
    b'{"role":"tool","tool_call_id":"c","content":"a b"}]}'
)
_CHAT_RESPONSE = (
    b'{"id":"c","object":"chat.completion","model":"gpt","choices":[{"index":0,"message":{"role":"assistant","content":"Hi",'
    b'"tool_calls":[{"id":"c","type":"function","function":{"name":"ls","arguments":"{}"}}]},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":8}}}'
)
_CHAT_STREAM = (
    b'{"id":"c","object":"chat.completion.chunk","model":"gpt","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}',
    b'{"id":"c","choices":[{"index":0,"delta":{"content":"Hi","reasoning_content":"Hm"},"finish_reason":null}]}',
    b'{"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","function":{"name":"ls","arguments":"{"}}]}}]}',
    b'{"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}',
    b'{"id":"c","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":2,"completion_tokens_details":{"reasoning_tokens":1}}}',
    b"[DONE]",
)
_RESPONSES_REQUEST = (
    b'{"model":"gpt","stream":true,"instructions":"Be brief.","max_output_tokens":5,"tools":[{"type":"function","name":"ls"}],'
    b'"input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"list"}]},{"type":"function_call_output",'
    b'"call_id":"c","output":"a"}],"previous_response_id":"r"}'
)
_RESPONSES_RESPONSE = (
    b'{"id":"r","object":"response","status":"completed","model":"gpt","error":null,"output":[{"type":"reasoning","id":"rs","summary":'
    b'[{"type":"summary_text","text":"Hm"}]},{"type":"message","id":"m","role":"assistant","content":[{"type":"output_text",'
    b'"text":"Hi"}]},{"type":"function_call","id":"f","call_id":"c","name":"ls","arguments":"{}"},{"type":"local_shell_call",'
    b'"call_id":"d","action":{"type":"exec","command":["ls"]}}],"usage":{"input_tokens":9,"output_tokens":2}}'
)
_RESPONSES_STREAM = (
    b'{"type":"response.created","sequence_number":0,"response":{"id":"r","status":"in_progress","model":"gpt"}}',
    b'{"type":"response.output_item.added","output_index":0,"item":{"type":"function_call","id":"f","call_id":"c","name":"ls"}}',
    b'{"type":"response.function_call_arguments.delta","item_id":"f","output_index":0,"delta":"{"}',
    b'{"type":"response.output_text.delta","item_id":"m","output_index":1,"content_index":0,"delta":"Hi"}',
    b'{"type":"response.output_text.done","item_id":"m","output_index":1,"content_index":0,"text":"Hi!"}',
    b'{"type":"response.reasoning_summary_text.delta","item_id":"rs","output_index":2,"summary_index":0,"delta":"Hm"}',
    b'{"type":"response.completed","response":%b}' % _RESPONSES_RESPONSE,
)
_GEMINI_REQUEST = (
    b'{"systemInstruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"list"}]},'
    b'{"role":"user","parts":[{"functionResponse":{"name":"ls","response":{"output":"a"}}}]}],'
    b'"tools":[{"functionDeclarations":[{"name":"ls"}]}],"generationConfig":{"maxOutputTokens":5,"temperature":1,"topP":0.5}}'
)
_GEMINI_RESPONSE = (
    b'{"candidates":[{"content":{"parts":[{"text":"Hm","thought":true},{"text":"Hi"},{"functionCall":{"name":"ls","args":{"a":1}}}],'
    b'"role":"model"},"index":0,"finishReason":"STOP"}],"modelVersion":"g","responseId":"r","usageMetadata":{"promptTokenCount":9,'
    b'"candidatesTokenCount":2,"thoughtsTokenCount":1,"cachedContentTokenCount":8}}'
)
_MCP = (
    b'{"jsonrpc":"2.0","id":1,"result":{"isError":true,"content":[{"type":"text","text":"no"}]}}',
    b'{"jsonrpc":"2.0","id":1,"error":{"code":-1,"message":"no"}}',
    b'{"jsonrpc":"2.0","method":"notifications/progress"}',
)


def _said(datas: Iterable[bytes]) -> bytes:
    return b"".join(b"data: %b\n\n" % data for data in datas)


def _of(name: str, request: bytes, response: bytes, stream: Sequence[bytes]) -> dict[str, list[bytes]]:
    sizes = (0, 1, 8)
    return {
        f"{name}_request": [spelled(request, target) for target in range(5)],
        f"{name}_response": [spelled(response), spelled(b'{"error":{"type":"a","message":"b","code":1}}')],
        f"{name}_stream": [spelled(_said(stream[start:]), size) for start in range(len(stream)) for size in sizes],
    }


LLM_SEEDS: dict[str, list[bytes]] = {
    **_of("anthropic", _ANTHROPIC_REQUEST, _ANTHROPIC_RESPONSE, _ANTHROPIC_STREAM),
    **_of("openai", _CHAT_REQUEST, _CHAT_RESPONSE, _CHAT_STREAM),
    **_of("openai_responses", _RESPONSES_REQUEST, _RESPONSES_RESPONSE, _RESPONSES_STREAM),
    **_of("gemini", _GEMINI_REQUEST, _GEMINI_RESPONSE, (_GEMINI_RESPONSE, _GEMINI_RESPONSE.replace(b"STOP", b"OTHER"))),
    **_of("mcp", b"{}", _MCP[0], _MCP),
}
