from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.anthropic import ANTHROPIC
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    ANTHROPIC,
    host="api.anthropic.com",
    path="/v1/messages",
    request=b"""{"model":"claude","max_tokens":9,"stream":true,"temperature":0.5,"system":[{"type":"text","text":"Be brief."}],
        "metadata":{"user_id":"user_1_account__session_2"},"tools":[{"name":"Bash"}],
        "messages":[{"role":"user","content":"list"},
            {"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{"a":1}}]},
            {"role":"user","content":[
                {"type":"tool_result","tool_use_id":"t1","is_error":true,"content":[{"type":"text","text":"no"}]}]}]}""",
    prompt=Prompt(
        model="claude",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\nno",
        tools=("Bash",),
        tool_results=(ToolResult("t1", "no", is_error=True),),
        max_tokens=9,
        temperature=0.5,
        session_id="2",
    ),
    response=rb"""{"id":"m","type":"message","role":"assistant","model":"claude-1","content":[
        {"type":"thinking","thinking":"Hm.","signature":"a"},{"type":"text","text":"Hi \ud83d\ude00"},
        {"type":"tool_use","id":"t","name":"ls","input":{"a":1}}],"stop_reason":"tool_use",
        "usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":4}}""",
    stream=rb"""event: message_start
data: {"type":"message_start","message":{"id":"m","model":"claude-1","content":[],
data: "usage":{"input_tokens":1,"cache_creation_input_tokens":2,"cache_read_input_tokens":3,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}

event: ping
data: {"type":"ping"}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Hi "}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"\ud83d\ude00"}}

event: content_block_start
data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"ls","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"a\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":4}}

event: message_stop
data: {"type":"message_stop"}

""",
    reply=Reply(
        id="m",
        model="claude-1",
        text="Hi 😀",
        thinking="Hm.",
        tool_calls=(ToolCall("t", "ls", '{"a":1}'),),
        usage=Usage(input=1, output=4, cache_creation=2, cache_read=3),
        finish_reason="tool_use",
    ),
    failed=b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    failed_stream=b"""event: message_start
data: {"type":"message_start","message":{"id":"m","model":"claude-1","content":[]}}

event: error
data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}

""",
    error="overloaded_error: Overloaded",
    requests=(
        b"""{"model":"claude","max_tokens":9,"stop_sequences":["x"],"thinking":{"type":"enabled","budget_tokens":7},
            "messages":[{"role":"user","content":[{"type":"image","source":{"type":"url","url":"https://a.example/b.png"}},
            {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"aGk="}}]},
            {"role":"assistant","content":[{"type":"thinking","thinking":"Hm"},{"type":"compaction","content":"So far."},
            {"type":"server_tool_use","id":"s","name":"web_search","input":{}},
            {"type":"web_search_tool_result","tool_use_id":"s","content":[{"type":"web_search_result","title":"P","url":"u"}]}]}]}""",
    ),
    responses=(
        b"""{"id":"m","model":"claude-1","content":[{"type":"redacted_thinking","data":"E"},
            {"type":"mcp_tool_use","id":"c","name":"echo","input":{}},
            {"type":"mcp_tool_result","tool_use_id":"c","is_error":true,"content":[{"type":"text","text":"no"}]},
            {"type":"container_upload","file_id":"f"}],"stop_reason":"pause_turn","usage":{"input_tokens":3,"output_tokens":4,
            "output_tokens_details":{"thinking_tokens":2},"iterations":[{"type":"compaction","input_tokens":9,"output_tokens":5},
            {"type":"message","input_tokens":3,"output_tokens":4}]}}""",
    ),
)
