from __future__ import annotations

from agentsight_rx.events import Reply, Usage
from agentsight_rx.llm import Prompt
from agentsight_rx.llm.dialects.plain_text import ALEPH_ALPHA
from tests.provider_component import ProviderCase

CASE = ProviderCase(
    ALEPH_ALPHA,
    host="api.aleph-alpha.com",
    path="/complete",
    request=b'{"model":"luminous-base","prompt":[{"type":"text","data":"Say hi"}],"maximum_tokens":5,"temperature":0.5}',
    prompt=Prompt(model="luminous-base", last_user_text="Say hi", text="Say hi", max_tokens=5, temperature=0.5),
    response=b"""{"model_version":"2022-04","completions":[{"completion":" Hi there","finish_reason":"maximum_tokens"}],
        "num_tokens_prompt_total":2,"num_tokens_generated":3}""",
    stream=b"""data: {"model_version":"2022-04","completion":" Hi"}

data: {"completion":" there"}

data: {"completion":"","finish_reason":"maximum_tokens","num_tokens_prompt_total":2,"num_tokens_generated":3}

""",
    reply=Reply(model="2022-04", text=" Hi there", usage=Usage(2, 3), finish_reason="maximum_tokens"),
    failed=b'{"error":"Too many requests","code":"TOO_MANY_REQUESTS"}',
    failed_stream=b"""data: {"completion":" Hi"}

data: {"error":"Too many requests","code":"TOO_MANY_REQUESTS"}

""",
    error="Too many requests",
    events_of=None,
)
