from __future__ import annotations

from msgspec.structs import replace

from agentsight_rx.llm.dialects.plain_text import HUGGING_FACE
from agentsight_rx.llm.dialects.tgi import TGI
from tests.llm.cases.tgi import CASE as AT_GENERATE

_REQUEST = AT_GENERATE.request.replace(b"{", b'{"stream":true,', 1)  # the path of an endpoint does not say it
CASE = replace(AT_GENERATE, provider=HUGGING_FACE, path="/", request=_REQUEST, events_of=TGI)
