from __future__ import annotations

from agentsight_rx.events import Reply
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.mcp import MCP
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    MCP,
    host="tools.example",
    path="/mcp",
    request=b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ls","arguments":{}}}',
    prompt=Prompt(),  # no model is asked
    response=b'{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a b"}]}}',
    stream=b"""event: message
data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}

event: message
data: {"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"a b"}]}}

""",
    reply=Reply(),
    failed=b'{"jsonrpc":"2.0","id":1,"result":{"isError":true,"content":[{"type":"text","text":"no such file"}]}}',
    failed_stream=b"""event: message
data: {"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":1}}

event: message
data: {"jsonrpc":"2.0","id":1,"result":{"isError":true,"content":[{"type":"text","text":"no such file"}]}}

""",
    error="no such file",
)
