from __future__ import annotations

from agentsight_rx.events import Reply, ToolCall, Usage
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.openai.assistants import OPENAI_ASSISTANTS
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    OPENAI_ASSISTANTS,
    host="api.openai.com",
    path="/v1/threads/runs",
    request=b"""{"assistant_id":"asst_1","model":"gpt","stream":true,"instructions":"Be brief.","max_completion_tokens":5,
        "temperature":0.5,"thread":{"messages":[{"role":"user","content":"list"}]},
        "tools":[{"type":"function","function":{"name":"ls"}},{"type":"code_interpreter"}]}""",
    prompt=Prompt(
        model="gpt",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist",
        tools=("ls", "code_interpreter"),
        max_tokens=5,
        temperature=0.5,
    ),
    response=b"""{"id":"run_1","object":"thread.run","status":"requires_action","model":"gpt-1","required_action":
        {"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":[
            {"id":"c","type":"function","function":{"name":"ls","arguments":"{}"}}]}},
        "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_token_details":{"cached_tokens":8}}}""",
    stream=b"""event: thread.run.created
data: {"id":"run_1","object":"thread.run","status":"queued","model":"gpt-1","usage":null}

event: thread.run.step.created
data: {"id":"step_1","object":"thread.run.step","type":"tool_calls","step_details":{"type":"tool_calls","tool_calls":[]}}

event: thread.run.step.delta
data: {"id":"step_1","object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[
data: {"index":0,"id":"c","type":"function","function":{"name":"ls","arguments":"{"}}]}}}

event: thread.run.step.delta
data: {"id":"step_1","object":"thread.run.step.delta","delta":{"step_details":{"type":"tool_calls","tool_calls":[
data: {"index":0,"type":"function","function":{"arguments":"}"}}]}}}

event: thread.run.requires_action
data: {"id":"run_1","object":"thread.run","status":"requires_action","model":"gpt-1","required_action":
data: {"type":"submit_tool_outputs","submit_tool_outputs":{"tool_calls":[
data: {"id":"c","type":"function","function":{"name":"ls","arguments":"{}"}}]}},
data: "usage":{"prompt_tokens":9,"completion_tokens":2,"total_tokens":11,"prompt_token_details":{"cached_tokens":8}}}

event: done
data: [DONE]

""",
    reply=Reply(
        id="run_1",
        model="gpt-1",
        tool_calls=(ToolCall("c", "ls", "{}"),),
        usage=Usage(input=1, output=2, cache_read=8),
        finish_reason="tool_calls",
    ),
    failed=b'{"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"rate_limit"}}',
    failed_stream=b"""event: thread.run.created
data: {"id":"run_1","object":"thread.run","status":"queued","model":"gpt-1"}

event: error
data: {"error":{"message":"Slow down","type":"rate_limit_error","param":null,"code":"rate_limit"}}

""",
    error="rate_limit_error: Slow down",
    requests=(
        b"""{"assistant_id":"a","additional_instructions":"x","additional_messages":[{"role":"user","content":[
            {"type":"text","text":"see"},{"type":"image_file","image_file":{"file_id":"file_1"}}]}],
            "response_format":{"type":"json_object"}}""",
        b'{"tool_outputs":[{"tool_call_id":"c","output":"a b"}],"stream":true}',
    ),
    responses=(
        b'{"id":"run_1","object":"thread.run","status":"queued","model":"gpt-1"}',
        b"""{"id":"run_1","object":"thread.run","status":"incomplete","incomplete_details":{"reason":"max_completion_tokens"},
            "last_error":null}""",
    ),
    streams=(
        b"""event: thread.message.created
data: {"id":"msg_1","object":"thread.message","role":"assistant","content":[]}

event: thread.message.delta
data: {"id":"msg_1","object":"thread.message.delta","delta":{"content":[{"index":0,"type":"text","text":{"value":"Hi "}}]}}

event: thread.message.delta
data: {"id":"msg_1","object":"thread.message.delta","delta":{"content":[{"index":0,"type":"text","text":{"value":"the"}}]}}

event: thread.message.completed
data: {"id":"msg_1","object":"thread.message","role":"assistant","content":[{"type":"text","text":{"value":"Hi there"}}]}

event: thread.run.step.completed
data: {"id":"step_1","object":"thread.run.step","step_details":{"type":"tool_calls","tool_calls":[
data: {"id":"i","type":"code_interpreter","code_interpreter":{"input":"1+1"}}]}}

event: thread.run.failed
data: {"id":"run_1","object":"thread.run","status":"failed","last_error":{"code":"server_error","message":"Sorry"}}

""",
    ),
)
