"""Body of a request to a parrot -> Asked."""

from __future__ import annotations

from agentsight_rx.llm import RequestFields, Requests, said_by
from agentsight_rx.llm.canonical import Asked

__all__ = ["request"]


class _Request(RequestFields):  # model, stream, session and other common fields
    manners: str = ""
    say: str = ""


def _said(asked: _Request) -> Asked:
    return Asked(messages=(*said_by("system", asked.manners), *said_by("user", asked.say)))


request = Requests(_Request, _said, {"max_tokens": "limits.words"})
