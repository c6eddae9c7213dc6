"""Body of a request that is one text -> Asked: Llama, Mistral, Titan and Cohere's generate."""

from __future__ import annotations

from msgspec import Struct, field

from ..canonical import Asked, Message, Parameters, TextPart
from ..decode import Whole
from ..lenient import Fields
from ..request_fields import RequestFields, asked_of

__all__ = ["request"]


class _Parameters(Struct):
    """Each vendor has some of these names."""

    max_tokens: Whole | None = None
    max_gen_len: Whole | None = None
    max_tokens_to_sample: Whole | None = None
    camel_tokens: Whole | None = field(default=None, name="maxTokens")
    maximum_tokens: Whole | None = None
    max_token_count: Whole | None = field(default=None, name="maxTokenCount")
    temperature: float | None = None
    top_p: float | None = None
    camel_p: float | None = field(default=None, name="topP")
    p: float | None = None
    top_k: float | None = None
    k: float | None = None
    seed: Whole | None = None
    stop: str | list[str] | None = None
    stop_sequences: list[str] | None = None
    camel_stop: list[str] | None = field(default=None, name="stopSequences")

    def normal(self) -> Parameters:
        most = (self.max_tokens, self.max_gen_len, self.max_tokens_to_sample, self.maximum_tokens)
        stop = self.stop or self.stop_sequences or self.camel_stop or ()
        return Parameters(
            max_tokens=next((each for each in (*most, self.camel_tokens, self.max_token_count) if each is not None), None),
            temperature=self.temperature,
            top_p=next((each for each in (self.top_p, self.camel_p, self.p) if each is not None), None),
            top_k=self.k if self.top_k is None else self.top_k,
            seed=self.seed,
            stop=(stop,) if isinstance(stop, str) else tuple(stop),
        )


class _Item(Struct):
    """A piece of a prompt of Aleph Alpha."""

    data: str | None = None


class _Request(RequestFields):
    prompt: str | list[str | _Item] | None = None
    input_text: str | None = field(default=None, name="inputText")
    config: _Parameters | None = field(default=None, name="textGenerationConfig")


_REQUEST = Fields(_Request)
_PARAMETERS = Fields(_Parameters)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not such a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    asked = found.value
    given = asked.prompt or asked.input_text or []
    texts = [given] if isinstance(given, str) else [each if isinstance(each, str) else each.data for each in given]
    parts = tuple(TextPart(text) for text in texts if text)
    parameters = asked.config or _PARAMETERS.value(body) or _Parameters()
    return asked_of(
        asked,
        [Message("user", parts)] if parts else [],
        tools=(),
        parameters=parameters.normal(),
        unknown=found.unknown,
    )
