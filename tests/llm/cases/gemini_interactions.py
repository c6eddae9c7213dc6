from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt, ToolResult
from agentsight_rx.llm.dialects.google.interactions import GEMINI_INTERACTIONS
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    GEMINI_INTERACTIONS,
    host="generativelanguage.googleapis.com",
    path="/v1beta/interactions?alt=sse",
    request=b"""{"model":"gemini-x","stream":true,"system_instruction":"Be brief.","previous_interaction_id":"i0",
        "input":[{"type":"user_input","content":[{"type":"text","text":"list"}]},
            {"type":"function_call","id":"t1","name":"ls","arguments":{}},
            {"type":"function_result","call_id":"t1","name":"ls","result":"a b"}],
        "tools":[{"type":"function","name":"ls","parameters":{}},{"type":"google_search"}],
        "generation_config":{"max_output_tokens":5,"temperature":0.5,"top_p":0.9,"thinking_level":"low"}}""",
    prompt=Prompt(
        model="gemini-x",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist\na b",
        tools=("ls", "google_search"),
        tool_results=(ToolResult("t1", "a b"),),
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
        previous_response_id="i0",
    ),
    response=b"""{"id":"i","model":"gemini-x","status":"requires_action","steps":[
        {"type":"thought","summary":[{"type":"text","text":"Hm"}],"signature":"E"},
        {"type":"model_output","content":[{"type":"text","text":"Hi there"}]},
        {"type":"function_call","id":"t","name":"ls","arguments":{"a":1}}],
        "usage":{"total_input_tokens":9,"total_output_tokens":2,"total_thought_tokens":1,"total_cached_tokens":8}}""",
    stream=rb"""event: interaction.created
data: {"event_type":"interaction.created","interaction":{"id":"i","model":"gemini-x","status":"in_progress"}}

event: interaction.status_update
data: {"event_type":"interaction.status_update","interaction_id":"i","status":"in_progress"}

event: step.start
data: {"event_type":"step.start","index":0,"step":{"type":"thought"}}

event: step.delta
data: {"event_type":"step.delta","index":0,"delta":{"type":"thought_summary","content":{"type":"text","text":"Hm"}}}

event: step.delta
data: {"event_type":"step.delta","index":0,"delta":{"type":"thought_signature","signature":"E"}}

event: step.stop
data: {"event_type":"step.stop","index":0}

event: step.start
data: {"event_type":"step.start","index":1,"step":{"type":"model_output","content":[{"type":"text","text":"Hi "}]}}

event: step.delta
data: {"event_type":"step.delta","index":1,"delta":{"type":"text","text":"there"}}

event: step.start
data: {"event_type":"step.start","index":2,"step":{"type":"function_call","id":"t","name":"ls","arguments":{}}}

event: step.delta
data: {"event_type":"step.delta","index":2,"delta":{"type":"arguments_delta","arguments":"{\"a\""}}

event: step.delta
data: {"event_type":"step.delta","index":2,"delta":{"type":"arguments_delta","arguments":":1}"}}

event: interaction.completed
data: {"event_type":"interaction.completed","interaction":{"id":"i","status":"requires_action",
data: "usage":{"total_input_tokens":9,"total_output_tokens":2,"total_thought_tokens":1,"total_cached_tokens":8}}}

event: done
data: [DONE]

""",
    reply=Reply(
        id="i",
        model="gemini-x",
        text="Hi there",
        thinking="Hm",
        tool_calls=(ToolCall("t", "ls", '{"a":1}'),),
        usage=Usage(input=1, output=3, cache_read=8, reasoning=1),
        finish_reason="requires_action",
    ),
    failed=b'{"error":{"code":"too_many_requests","message":"Slow down"}}',
    failed_stream=b"""event: interaction.created
data: {"event_type":"interaction.created","interaction":{"id":"i","model":"gemini-x","status":"in_progress"}}

event: error
data: {"event_type":"error","error":{"code":"too_many_requests","message":"Slow down"}}

""",
    error="too_many_requests: Slow down",
)
