"""Body of a request for text of watsonx.ai -> Asked."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from ..canonical import Asked, Message, Parameters, TextPart
from ..decode import Whole
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of

__all__ = ["request"]


class _Options(Struct):
    max_new_tokens: Whole | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    random_seed: Whole | None = None
    stop_sequences: list[str] | None = None


class _Request(RequestFields):
    model_id: str = ""
    input: str | None = None
    parameters: _Options | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked, sent = found.value, found.value.parameters or _Options()
    made = asked_of(
        asked,
        [Message("user", (TextPart(asked.input),))] if asked.input else [],
        tools=(),
        parameters=Parameters(
            max_tokens=sent.max_new_tokens,
            temperature=sent.temperature,
            top_p=sent.top_p,
            top_k=sent.top_k,
            seed=sent.random_seed,
            stop=tuple(sent.stop_sequences or ()),
        ),
        unknown=found.unknown,
    )
    return replace(made, model=made.model or asked.model_id)
