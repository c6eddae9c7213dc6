from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.openai.realtime import OPENAI_REALTIME
from tests.provider_component import ProviderCase

_RESPONSE = b"""{"object":"realtime.response","id":"r","status":"completed","status_details":null,"output":[
    {"id":"i1","object":"realtime.item","type":"message","status":"completed","role":"assistant",
        "content":[{"type":"output_audio","transcript":"Hi there"}]},
    {"id":"i2","object":"realtime.item","type":"function_call","status":"completed","call_id":"c","name":"ls","arguments":"{}"}],
    "usage":{"total_tokens":11,"input_tokens":9,"output_tokens":2,
        "input_token_details":{"text_tokens":9,"audio_tokens":0,"cached_tokens":8},
        "output_token_details":{"text_tokens":1,"audio_tokens":1}}}"""

CASE = ProviderCase(
    OPENAI_REALTIME,
    host="api.openai.com",
    path="/v1/realtime",
    request=b"""{"type":"response.create","session":{"type":"realtime","model":"gpt-realtime","instructions":"Be brief.",
        "output_modalities":["audio"],"tools":[{"type":"function","name":"ls","parameters":{}}],"max_output_tokens":"inf"},
        "items":[{"type":"message","role":"user","content":[{"type":"input_text","text":"list"}]},
            {"type":"message","role":"user","content":[{"type":"input_audio","transcript":"please","audio":null}]},
            {"type":"function_call","call_id":"b","name":"ls","arguments":"{}"},
            {"type":"function_call_output","call_id":"b","output":"a"}],
        "response":{"max_output_tokens":5}}""",
    prompt=Prompt(
        model="gpt-realtime",
        stream=True,
        system="Be brief.",
        last_user_text="please",
        text="Be brief.\nlist\nplease\na",
        tools=("ls",),
        tool_results=(ToolResult("b", "a"),),
        max_tokens=5,
    ),
    response=_RESPONSE,
    stream=b"""data: {"type":"response.created","event_id":"e1","response":{"object":"realtime.response","id":"r",
data: "status":"in_progress"}}

data: {"type":"response.output_item.added","event_id":"e2","response_id":"r","output_index":0,
data: "item":{"id":"i1","type":"message","status":"in_progress","role":"assistant","content":[]}}

data: {"type":"conversation.item.added","event_id":"e3","item":{"id":"i1","type":"message"}}

data: {"type":"response.output_audio_transcript.delta","event_id":"e4","item_id":"i1","output_index":0,"content_index":0,
data: "delta":"Hi "}

data: {"type":"response.output_audio_transcript.delta","event_id":"e6","item_id":"i1","output_index":0,"content_index":0,
data: "delta":"there"}

data: {"type":"response.output_audio_transcript.done","event_id":"e7","item_id":"i1","output_index":0,"content_index":0,
data: "transcript":"Hi there"}

data: {"type":"response.output_item.added","event_id":"e8","output_index":1,
data: "item":{"id":"i2","type":"function_call","call_id":"c","name":"ls","arguments":""}}

data: {"type":"response.function_call_arguments.delta","event_id":"e9","item_id":"i2","output_index":1,"delta":"{"}

data: {"type":"response.function_call_arguments.done","event_id":"e10","item_id":"i2","output_index":1,"arguments":"{}"}

data: {"type":"rate_limits.updated","event_id":"e11","rate_limits":[]}

data: {"type":"response.done","event_id":"e12","response":%b}

"""
    % _RESPONSE.replace(b"\n", b""),
    reply=Reply(
        id="r",
        text="Hi there",
        tool_calls=(ToolCall("c", "ls", "{}"),),
        usage=Usage(input=1, output=2, cache_read=8),
        finish_reason="stop",
    ),
    failed=b"""{"id":"r","status":"failed","status_details":{"type":"failed","error":{"type":"server_error","message":"Sorry"}},
        "output":[]}""",
    failed_stream=b"""data: {"type":"response.created","event_id":"e1","response":{"id":"r","status":"in_progress"}}

data: {"type":"response.done","event_id":"e2","response":{"id":"r","status":"failed","output":[],
data: "status_details":{"type":"failed","error":{"type":"server_error","message":"Sorry"}}}}

""",
    error="server_error: Sorry",
    requests=(
        b"""{"type":"response.create","session":{"modalities":["text"],"temperature":0.8,"max_response_output_tokens":7,
            "instructions":"x"},"items":[{"type":"message","role":"user","content":[{"type":"input_audio","audio":"AAAA"}]}],
            "response":{"instructions":"y","tools":[],"input":[{"type":"message","role":"user",
                "content":[{"type":"input_text","text":"now"}]}]}}""",
    ),
    streams=(
        b"""data: {"type":"response.text.delta","event_id":"e1","output_index":0,"content_index":0,"delta":"Hi"}

data: {"type":"response.done","event_id":"e2","response":{"id":"r","status":"incomplete","output":[],
data: "status_details":{"type":"incomplete","reason":"max_output_tokens"},"usage":{"input_tokens":1,"output_tokens":1}}}

""",
    ),
)
