"""Body of a request to Text Generation Inference -> Asked."""

from __future__ import annotations

from msgspec import Struct

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
    frequency_penalty: float | None = None
    seed: Whole | None = None
    stop: list[str] | None = None


class _Request(RequestFields):
    inputs: str | None = None
    parameters: _Options | None = None


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked, sent = found.value, found.value.parameters or _Options()
    return asked_of(
        asked,
        [Message("user", (TextPart(asked.inputs),))] if asked.inputs else [],
        tools=(),
        parameters=Parameters(
            max_tokens=sent.max_new_tokens,
            temperature=sent.temperature,
            top_p=sent.top_p,
            top_k=sent.top_k,
            frequency_penalty=sent.frequency_penalty,
            seed=sent.seed,
            stop=tuple(sent.stop or ()),
        ),
        unknown=found.unknown,
    )
