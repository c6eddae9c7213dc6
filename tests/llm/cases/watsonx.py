from __future__ import annotations

from agentsight_rx.events import Reply, Usage
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.watsonx import WATSONX
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    WATSONX,
    host="us-south.ml.cloud.ibm.com",
    path="/ml/v1/text/generation_stream?version=2025-02-11",
    request=b"""{"model_id":"ibm/granite","project_id":"p","input":"Once upon",
        "parameters":{"max_new_tokens":5,"temperature":0.5,"stop_sequences":["x"]}}""",
    prompt=Prompt(
        model="ibm/granite",
        stream=True,  # the path says so
        last_user_text="Once upon",
        text="Once upon",
        max_tokens=5,
        temperature=0.5,
    ),
    response=b"""{"model_id":"ibm/granite","created_at":"2026-01-01T00:00:00Z","results":[{"generated_text":" a time",
        "generated_token_count":2,"input_token_count":3,"stop_reason":"eos_token"}]}""",
    stream=b"""id: 1
event: message
data: {"model_id":"ibm/granite","results":[{"generated_text":"","generated_token_count":0,"input_token_count":3,
data: "stop_reason":"not_finished"}]}

id: 2
event: message
data: {"model_id":"ibm/granite","results":[{"generated_text":" a","generated_token_count":1,"input_token_count":0,
data: "stop_reason":"not_finished"}]}

id: 3
event: message
data: {"model_id":"ibm/granite","results":[{"generated_text":" time","generated_token_count":2,"input_token_count":0,
data: "stop_reason":"eos_token"}]}

""",
    reply=Reply(model="ibm/granite", text=" a time", usage=Usage(input=3, output=2), finish_reason="eos_token"),
    failed=b'{"errors":[{"code":"rate_limit","message":"Slow down","more_info":"x"}],"trace":"t","status_code":429}',
    failed_stream=b"""data: {"model_id":"ibm/granite","results":[{"generated_text":" a","stop_reason":"not_finished"}]}

data: {"errors":[{"code":"rate_limit","message":"Slow down"}],"trace":"t","status_code":429}

""",
    error="rate_limit: Slow down",
    requests=(b'{"model_id":"m","input":"x","parameters":{"top_p":0.5,"top_k":40,"random_seed":7}}',),
)
