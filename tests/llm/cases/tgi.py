from __future__ import annotations

from agentsight_rx.events import Reply, Usage
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.tgi import TGI
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    TGI,
    host="x.endpoints.huggingface.cloud",
    path="/generate_stream",
    request=b'{"inputs":"Once upon","parameters":{"max_new_tokens":5,"temperature":0.5,"top_p":0.9,"stop":["x"],"seed":7}}',
    prompt=Prompt(
        stream=True,  # the path says so
        last_user_text="Once upon",
        text="Once upon",
        max_tokens=5,
        temperature=0.5,
        top_p=0.9,
    ),
    response=b"""{"generated_text":" a time","details":{"finish_reason":"eos_token","generated_tokens":3,"seed":7,
        "prefill":[{"id":1,"text":"Once"},{"id":2,"text":" upon"}],"tokens":[{"id":3,"text":" a","special":false}]}}""",
    stream=b"""data:{"index":1,"token":{"id":3,"text":" a","logprob":-0.5,"special":false},"generated_text":null,"details":null}

data:{"index":2,"token":{"id":4,"text":" time","logprob":-0.5,"special":false},"generated_text":null,"details":null}

data:{"index":3,"token":{"id":5,"text":"</s>","logprob":-0.5,"special":true},"generated_text":" a time",
data: "details":{"finish_reason":"eos_token","generated_tokens":3,"seed":7,"input_length":2}}

""",
    reply=Reply(text=" a time", usage=Usage(input=2, output=3), finish_reason="eos_token"),
    failed=b'{"error":"Model is overloaded","error_type":"overloaded"}',
    failed_stream=b"""data:{"index":1,"token":{"id":3,"text":" a","logprob":-0.5,"special":false},"generated_text":null}

data:{"error":"Model is overloaded","error_type":"overloaded"}

""",
    error="overloaded: Model is overloaded",
    responses=(b'[{"generated_text":" a time","details":{"finish_reason":"length","generated_tokens":3}}]',),
)
