from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.openai.responses import OPENAI_RESPONSES
from tests.provider_component import ProviderCase

_RESPONSE = b"""{"id":"r","object":"response","status":"completed","model":"gpt-1","error":null,"output":[
    {"type":"reasoning","id":"rs","summary":[{"type":"summary_text","text":"Hm"}]},
    {"type":"message","id":"m","role":"assistant","content":[{"type":"output_text","text":"Hi!"}]},
    {"type":"function_call","id":"f","call_id":"c","name":"ls","arguments":"{}"}],
    "usage":{"input_tokens":9,"output_tokens":2,"input_tokens_details":{"cached_tokens":8}}}"""

CASE = ProviderCase(
    OPENAI_RESPONSES,
    host="api.openai.com",
    path="/v1/responses",
    request=b"""{"model":"gpt","stream":true,"instructions":"Be brief.","max_output_tokens":5,
        "tools":[{"type":"function","name":"ls"}],"previous_response_id":"r",
        "input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"list"}]},
            {"type":"function_call_output","call_id":"c","output":"a"}]}""",
    prompt=Prompt(
        model="gpt",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\na",
        tools=("ls",),
        tool_results=(ToolResult("c", "a"),),
        max_tokens=5,
        previous_response_id="r",
    ),
    response=_RESPONSE,
    stream=b"""event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"r","status":"in_progress","model":"gpt-1"}}

event: response.output_item.added
data: {"type":"response.output_item.added","output_index":0,"item":{"type":"reasoning","id":"rs","summary":[]}}

event: response.reasoning_summary_text.delta
data: {"type":"response.reasoning_summary_text.delta","item_id":"rs","output_index":0,"summary_index":0,"delta":"Hm"}

event: response.output_text.delta
data: {"type":"response.output_text.delta","item_id":"m","output_index":1,"content_index":0,"delta":"Hi"}

event: response.output_text.done
data: {"type":"response.output_text.done","item_id":"m","output_index":1,"content_index":0,"text":"Hi!"}

event: response.output_item.added
data: {"type":"response.output_item.added","output_index":2,"item":{"type":"function_call","id":"f","call_id":"c","name":"ls"}}

event: response.function_call_arguments.delta
data: {"type":"response.function_call_arguments.delta","item_id":"f","output_index":2,"delta":"{}"}

event: response.completed
data: {"type":"response.completed","response":%b}

"""
    % _RESPONSE.replace(b"\n", b""),
    reply=Reply(
        id="r",
        model="gpt-1",
        text="Hi!",
        thinking="Hm",
        tool_calls=(ToolCall("c", "ls", "{}"),),
        usage=Usage(input=1, output=2, cache_read=8),
        finish_reason="stop",
    ),
    failed=b'{"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"rate_limit"}}',
    failed_stream=b"""event: response.created
data: {"type":"response.created","sequence_number":0,"response":{"id":"r","status":"in_progress","model":"gpt-1"}}

event: error
data: {"type":"error","sequence_number":1,"error":{"message":"Slow down","type":"rate_limit_error","code":"rate_limit"}}

""",
    error="rate_limit_error: Slow down",
    requests=(
        b"""{"type":"response.create","response":{"model":"m","input":"Hi","conversation":{"id":"conv_1"},
            "reasoning":{"effort":"low"},"text":{"format":{"type":"json_schema"}},"service_tier":"flex",
            "prompt_cache_key":"0199a213-81c0-7800-8aa1-bbab2a035a53"}}""",
        b"""{"model":"m","instructions":[{"role":"developer","content":"a"}],"tools":[{"type":"web_search"},
            {"type":"namespace","name":"n","tools":[{"type":"custom","name":"sql"}]},{"type":"function","function":{"name":"f"}}],
            "input":[{"role":"user","content":[{"type":"input_text","text":"see"},
                {"type":"input_image","image_url":"http://x"},{"type":"input_file","file_id":"f","file_data":"AA"}]},
                {"type":"reasoning","summary":[{"type":"summary_text","text":"Hm"}],"encrypted_content":"g"},
                {"type":"function_call","call_id":"c","name":"ls","arguments":"{}"},
                {"type":"local_shell_call","call_id":"d","action":{"command":["ls"]}},
                {"type":"shell_call_output","call_id":"d","output":[{"stdout":"a","stderr":"b","outcome":{"exit_code":1}}]},
                {"type":"custom_tool_call_output","call_id":"e","output":[{"type":"input_text","text":"b"}]}]}""",
    ),
    responses=(
        b'{"id":"resp_1","status":"queued","model":"m","output":[],"usage":null}',
        b"""{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"output":[
            {"type":"reasoning","content":[{"type":"reasoning_text","text":"Hm"}]},
            {"type":"message","content":[{"type":"refusal","refusal":"No"},{"type":"output_text","text":"Hi"}]},
            {"type":"mcp_call","id":"m","name":"ask","arguments":"{}"},{"type":"web_search_call","id":"w","action":{"q":1}},
            {"type":"custom_tool_call","call_id":"x","name":"sh","input":"ls"}],
            "usage":{"input_tokens":9,"output_tokens":2,"input_tokens_details":{"cached_tokens":3,"cache_write_tokens":1},
                "output_tokens_details":{"reasoning_tokens":1}}}""",
        b'{"id":"r","status":"failed","error":{"code":"server_error","message":"Sorry"}}',
    ),
    streams=(
        b"""data: {"type":"response.output_item.added","item":{"type":"message","id":"m","content":[]}}

data: {"type":"response.output_text.delta","item_id":"m","delta":"Hel"}

data: {"type":"response.reasoning_text.delta","output_index":4,"content_index":1,"delta":"Hm"}

data: {"type":"response.custom_tool_call_input.delta","output_index":5,"delta":"ls"}

data: {"type":"response.custom_tool_call_input.done","output_index":5,"input":"ls -l"}

data: {"type":"response.output_item.done","output_index":5,"item":{"type":"custom_tool_call","call_id":"c","name":"sh"}}

data: {"type":"response.refusal.done","output_index":6,"refusal":"No"}

data: {"type":"response.incomplete","response":{"id":"r","incomplete_details":{"reason":"content_filter"},
data: "output":[{"type":"message","content":[{"type":"output_text","text":"Hello"}]}],"usage":{"input_tokens":1}}}

""",
    ),
)
