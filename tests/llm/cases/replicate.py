from __future__ import annotations

from agentsight_rx.events import Reply
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.replicate import REPLICATE
from tests.provider_component import ProviderCase

# The events of a stream name neither its id nor its model nor its tokens: for plain answers see dialects/test_replicate.py
CASE = ProviderCase(
    REPLICATE,
    host="api.replicate.com",
    path="/v1/models/meta/llama-x/predictions",
    request=b"""{"stream":true,"input":{"prompt":"list","system_prompt":"Be brief.","max_new_tokens":5,"temperature":0.5,
        "top_p":0.9}}""",
    prompt=Prompt(
        model="meta/llama-x",
        stream=True,
        system="Be brief.",
        last_user_text="list",
        text="Be brief.\nlist",
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
    ),
    response=b'{"status":"succeeded","error":null,"output":["Hi ","there"]}',
    stream=b"""event: output
id: 1:0
data: Hi\x20

event: output
id: 2:0
data: there

event: done
id: 3:0
data: {}

""",
    reply=Reply(text="Hi there", finish_reason="succeeded"),
    failed=b'{"status":"failed","error":"CUDA out of memory","output":null}',
    failed_stream=b"""event: output
data: Hi

event: error
data: CUDA out of memory

""",
    error="CUDA out of memory",
    events_of=None,
)
