"""Body of a request to a parrot -> Asked."""

from __future__ import annotations

from agentsight_rx.llm.canonical import Asked, Message, Parameters, TextPart
from agentsight_rx.llm.lenient import Fields
from agentsight_rx.llm.request_fields import RequestFields, asked_of

__all__ = ["request"]


class _Request(RequestFields):  # model, stream, temperature and other common fields
    manners: str = ""
    say: str = ""


_REQUEST = Fields(_Request)


def request(body: bytes, /) -> Asked:
    """Never raises: a body that is not a request gives an empty Asked."""
    found = _REQUEST.read(body)
    if found is None:
        return Asked()
    said = (("system", found.value.manners), ("user", found.value.say))
    return asked_of(
        found.value,
        [Message(role, (TextPart(text),)) for role, text in said if text],
        tools=(),
        parameters=Parameters(temperature=found.value.temperature, top_p=found.value.top_p),
        unknown=found.unknown,
    )
