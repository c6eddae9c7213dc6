from __future__ import annotations

from agentsight_rx.events import Reply, Usage
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.aws.bedrock import SAGEMAKER
from agentsight_rx.llm.dialects.tgi import TGI
from tests.provider_component import ProviderCase

# text-generation-inference; other containers: tests/llm/dialects/aws/test_bedrock_sagemaker.py
CASE = ProviderCase(
    SAGEMAKER,
    host="runtime.sagemaker.us-east-1.amazonaws.com",
    path="/endpoints/my-llm/invocations-response-stream",
    request=b'{"inputs":"list","parameters":{"max_new_tokens":5,"temperature":0.5,"top_p":0.9,"details":true},"stream":true}',
    prompt=Prompt(model="my-llm", stream=True, last_user_text="list", text="list", max_tokens=5, temperature=0.5, top_p=0.9),
    response=b"""[{"generated_text":"Hi there",
        "details":{"finish_reason":"eos_token","generated_tokens":3,"input_length":9}}]""",
    stream=b"""event: chunk
data: {"index":1,"token":{"id":1,"text":"Hi ","special":false},"generated_text":null,"details":null}

event: chunk
data: {"index":2,"token":{"id":2,"text":"there","special":false},"generated_text":null,"details":null}

event: chunk
data: {"index":3,"token":{"id":3,"text":"</s>","special":true},"generated_text":"Hi there",
data: "details":{"finish_reason":"eos_token","generated_tokens":3,"input_length":9}}

""",
    reply=Reply(text="Hi there", usage=Usage(input=9, output=3), finish_reason="eos_token"),
    failed=b"""{"Message":"Received server error (500)","OriginalMessage":"CUDA out of memory","OriginalStatusCode":500,
        "__type":"ModelError"}""",
    failed_stream=b"""event: chunk
data: {"token":{"id":1,"text":"Hi ","special":false},"generated_text":null}

event: ModelError
data: {"Message":"CUDA out of memory"}

""",
    error="ModelError: CUDA out of memory",
    events_of=TGI,
)
