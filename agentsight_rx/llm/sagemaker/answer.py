"""
InvokeEndpoint of Amazon SageMaker (docs.aws.amazon.com/sagemaker/latest/APIReference): the body is that of the container.

Containers are text-generation-inference, or servers that speak OpenAI's chat, among others. A part of a streamed answer may be
a line of an event stream.
"""

from __future__ import annotations

import re

from ...events import SseEvent
from ..aws import exception_of, take_exception
from ..by_shape import answers, asks, take
from ..provider import IdentifyingFields, Provider
from ..reader import Draft

__all__ = ["SAGEMAKER"]


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if take_exception(draft, event):
        return False
    lines = [line.removeprefix("data:").strip() for line in event.data.splitlines()]
    if not any(line.startswith("data:") for line in event.data.splitlines()):
        return take(draft, event)
    known = [content for line in lines if line and (content := take(draft, SseEvent("message", line))) is not None]
    return any(known) if known else None


def _answer(body: bytes) -> Draft:
    draft = answers(body)
    if draft.error is None and not draft.blocks:
        draft.error = exception_of(body)
    return draft


def _speaks(fields: IdentifyingFields) -> bool:
    return False  # its events are those of a vendor


SAGEMAKER = Provider(
    name="sagemaker",
    label="aws.sagemaker",
    hosts=(("runtime.sagemaker", "aws.sagemaker"),),
    path=re.compile(r"/endpoints/(?P<model>[^/]+)/invocations(?P<stream>-response-stream)?$"),
    speaks=_speaks,
    asks=asks,
    answers=_answer,
    take=_take,
)
