"""
APIs that complete one text: Anthropic's Text Completions, Cohere's Generate, Aleph Alpha, and endpoints of Hugging Face.

Sources: docs.anthropic.com/en/api/complete, docs.cohere.com/v1/reference/generate, docs.aleph-alpha.com/api/complete,
huggingface.co/docs/inference-endpoints.
"""

from __future__ import annotations

import re

from msgspec.structs import replace

from ..aws import exception_of
from ..provider import IdentifyingFields, Provider
from ..reader import Draft
from ..tgi.answer import TGI
from .answer import answers, take
from .prompt import request

__all__ = ["ALEPH_ALPHA", "ANTHROPIC_COMPLETE", "COHERE_GENERATE", "HUGGING_FACE"]


def _is_completion(fields: IdentifyingFields) -> bool:
    return fields.type == "completion"


def _of_cohere(body: bytes) -> Draft:
    """Its errors are a `message` alone."""
    draft = answers(body)
    draft.error = draft.error if draft.understood else exception_of(body)
    return draft


def _is_nobodys(fields: IdentifyingFields) -> bool:
    return False


ANTHROPIC_COMPLETE = Provider(
    name="anthropic_complete",
    label="anthropic",
    hosts=(("anthropic", "anthropic"),),
    path=re.compile(r"/v1/complete/?$"),
    speaks=_is_completion,
    asks=request,
    answers=answers,
    take=take,
    operation="text_completion",
    has_mark=False,
)
COHERE_GENERATE = replace(
    ANTHROPIC_COMPLETE,
    name="cohere_generate",
    label="cohere",
    hosts=(("cohere", "cohere"),),
    path=re.compile(r"/v1/generate/?$"),
    speaks=_is_nobodys,
    answers=_of_cohere,
)
ALEPH_ALPHA = replace(
    ANTHROPIC_COMPLETE,
    name="aleph_alpha",
    label="aleph_alpha",
    hosts=(("aleph-alpha", "aleph_alpha"),),
    path=re.compile(r"^(?:https?://[^/]+)?/complete/?$"),
    speaks=_is_nobodys,
)
# An endpoint has one model, and its address is its root: elsewhere that is no call
HUGGING_FACE = replace(TGI, name="hugging_face", path=re.compile(r"^(?:https?://[^/]+)?/$"), speaks=_is_nobodys, anywhere=False)
