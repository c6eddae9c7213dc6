from __future__ import annotations

from agentsight_rx.events import Reply
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.plain_text import ANTHROPIC_COMPLETE
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    ANTHROPIC_COMPLETE,
    host="api.anthropic.com",
    path="/v1/complete",
    request=b'{"model":"claude-2","prompt":"\\n\\nHuman: Hi\\n\\nAssistant:","max_tokens_to_sample":9,"stream":true}',
    prompt=Prompt(
        model="claude-2",
        stream=True,
        last_user_text="Human: Hi\n\nAssistant:",
        text="\n\nHuman: Hi\n\nAssistant:",
        max_tokens=9,
    ),
    response=b"""{"type":"completion","id":"compl_1","completion":" Hello, you","stop_reason":"stop_sequence",
        "model":"claude-2.1"}""",
    stream=b"""event: completion
data: {"type":"completion","id":"compl_1","completion":" Hello,","stop_reason":null,"model":"claude-2.1"}

event: completion
data: {"type":"completion","id":"compl_1","completion":" you","stop_reason":null,"model":"claude-2.1"}

event: completion
data: {"type":"completion","id":"compl_1","completion":"","stop_reason":"stop_sequence","model":"claude-2.1"}

""",
    reply=Reply(id="compl_1", model="claude-2.1", text=" Hello, you", finish_reason="stop_sequence"),
    failed=b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
    failed_stream=b"""event: completion
data: {"type":"completion","id":"compl_1","completion":" Hel","stop_reason":null,"model":"claude-2.1"}

event: error
data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}

""",
    error="overloaded_error: Overloaded",
)
