"""Body of a request to a parrot -> Asked."""

from __future__ import annotations

from agentsight_rx.llm.canonical import Asked
from agentsight_rx.llm.request_fields import RequestFields, said_by
from agentsight_rx.llm.request_table import Requests

__all__ = ["request"]


class _Request(RequestFields):  # model, stream, session and other common fields
    manners: str = ""
    say: str = ""


def _said(asked: _Request) -> Asked:
    return Asked(messages=(*said_by("system", asked.manners), *said_by("user", asked.say)))


request = Requests(_Request, _said, {"max_tokens": "limits.words"})
