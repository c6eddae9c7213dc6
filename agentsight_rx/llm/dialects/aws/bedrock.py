"""
InvokeModel of Amazon Bedrock (docs.aws.amazon.com/bedrock/latest/APIReference): the body has the form of the model's vendor.

A stream is one of `vnd.amazon.eventstream`, each of whose chunks is an event of the vendor's stream.
"""

from __future__ import annotations

import re

from msgspec import Raw, Struct, field

from ....events import Headers, SseEvent, Usage
from ...aws import exception_of, take_exception
from ...by_shape import answers, asks, take
from ...lenient import Fields
from ...provider import IdentifyingFields, Provider, never_speaks
from ...reader import Draft
from .converse import take_usage


class _Metrics(Struct, gc=False):
    metrics: Raw = field(default=Raw(), name="amazon-bedrock-invocationMetrics")


class _Embedding(Struct, gc=False):
    """Fields that only requests for vectors have: of Cohere, Nova and Titan."""

    texts: Raw = Raw()
    input_type: Raw = Raw()
    task: Raw = field(default=Raw(), name="taskType")
    config: Raw = field(default=Raw(), name="embeddingConfig")
    types: Raw = field(default=Raw(), name="embeddingTypes")
    normalize: Raw = Raw()


_METRICS = Fields(_Metrics)
_EMBEDDING = Fields(_Embedding)
_NUMBER = re.compile(r"\d{1,15}").fullmatch
_COUNTED = ("input", "output", "cache-read-input", "cache-write-input")


def _take(draft: Draft, event: SseEvent) -> bool | None:
    if take_exception(draft, event):
        return False
    content = take(draft, event)
    if "amazon-bedrock-invocationMetrics" in event.data:
        content = content or False
        _take_metrics(draft, event)
    return content


def _take_metrics(draft: Draft, event: SseEvent) -> None:
    """Counts in the last chunk, for vendors that have none of their own; theirs say more."""
    said = _METRICS.value(event.data)
    if said is not None and said.metrics:
        draft.ended = True
        if draft.usage is None:
            take_usage(draft, said.metrics)


def answer(body: bytes, /) -> Draft:
    """An answer of a vendor, or an exception of Amazon."""
    draft = answers(body)
    if draft.error is None and not draft.blocks:
        draft.error = exception_of(body)
    return draft


def _counts(headers: Headers) -> Usage | None:
    """The counts of a plain answer, which the bodies of most vendors do not have."""
    found = {name: int(value) for name, value in headers if name.startswith("x-amzn-bedrock-") and _NUMBER(value)}
    asked, said, read, written = (found.get(f"x-amzn-bedrock-{what}-token-count") for what in _COUNTED)
    if asked is None and said is None:
        return None
    return Usage(asked or 0, said or 0, cache_creation=written or 0, cache_read=read or 0)


def _embeds(body: bytes) -> bool:
    asked = _EMBEDDING.value(body)
    return asked is not None and any((asked.texts and asked.input_type, asked.task, asked.config, asked.types, asked.normalize))


def _speaks(fields: IdentifyingFields) -> bool:
    return bool(fields.message_start or fields.content_block_delta or fields.invocation_metrics)


BEDROCK = Provider(
    name="bedrock",
    label="aws.bedrock",
    hosts=(("bedrock", "aws.bedrock"),),
    # Models of vectors and of ranks are no calls
    path=re.compile(r"/model/(?![^/]*(?:embed|rerank))(?P<model>[^/]+)/invoke(?P<stream>-with-response-stream)?$"),
    speaks=_speaks,
    asks=asks,
    answers=answer,
    take=_take,
    counts=_counts,
    embeds=_embeds,
)


# -- sagemaker -----------------------------------------------------------------------------------------------------
# InvokeEndpoint of Amazon SageMaker (docs.aws.amazon.com/sagemaker/latest/APIReference): the container says what the body is.
#
# Containers are text-generation-inference, or servers that speak OpenAI's chat, among others. Their streams are
# lines of JSON or of an event stream.


_LONGEST = 1 << 20  # characters of a line that is cut, as for an event with an image


def _sagemaker_take(draft: Draft, event: SseEvent) -> bool | None:
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
    take=_sagemaker_take,
)
