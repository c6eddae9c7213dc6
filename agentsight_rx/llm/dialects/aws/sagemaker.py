"""
InvokeEndpoint of Amazon SageMaker (docs.aws.amazon.com/sagemaker/latest/APIReference): the body has the form of the container.

Containers are text-generation-inference, or servers that speak OpenAI's chat, among others. Their streams are
lines of JSON or of an event stream.
"""

from __future__ import annotations

import re

from ....events import SseEvent
from ...aws import take_exception
from ...by_shape import asks, take
from ...provider import Provider, never_speaks
from ...reader import Draft
from .bedrock import answer

_LONGEST = 1 << 20  # characters of a line that is cut, as for an event with an image


def _take(draft: Draft, event: SseEvent) -> bool | None:
    """An event of a stream; a `PayloadPart` has bytes of the container's own stream, which may be cut anywhere."""
    if take_exception(draft, event):
        return False
    content = take(draft, event) if not draft.rest else None
    if content is not None or event.event not in ("PayloadPart", "chunk"):
        return content
    *lines, rest = (draft.rest + event.data).split("\n")
    draft.rest = rest if len(rest) <= _LONGEST else ""
    taken = [_take_line(draft, line.strip()) for line in lines]
    if draft.rest and (content := _take_line(draft, draft.rest.strip())) is not None:
        draft.rest = ""
        taken.append(content)
    known = [content for content in taken if content is not None]
    return any(known) if known or draft.rest or not event.data.strip() else None


def _take_line(draft: Draft, line: str) -> bool | None:
    data = line.removeprefix("data:").strip()
    return take(draft, SseEvent("message", data)) if data else None


SAGEMAKER = Provider(
    name="sagemaker",
    label="aws.sagemaker",
    hosts=(("runtime.sagemaker", "aws.sagemaker"),),
    path=re.compile(r"/endpoints/(?P<model>[^/]+)/invocations(?P<stream>-response-stream)?$"),
    speaks=never_speaks,  # its events are those of a vendor
    asks=asks,
    answers=answer,
    take=_take,
)
