"""
Calls to models: JSON and streams of each provider -> requests and answers in one shape.

A dialect has a folder with `answer` and mostly `prompt`. `dialects` has all of them, and `table` finds the one of a request.

`canonical`: the common shape of requests and answers.
`reader`: one answer. `news`: its new text. `usage`: its counts.
`lenient`: JSON, field by field. `resent`: messages that were sent before.
`by_shape`: vendors that share a path. `by_order`: calls without ids. `by_path`: streamed arguments. `aws`: exceptions.
`hosts`: the names of vendors.
"""

from typing import TYPE_CHECKING

from ..lazy_names import deferred
from .call import call_of, plain_answer
from .canonical import Answer, Asked, LlmCall
from .news import Reported, news
from .prompt import New, Prompt, ToolResult, new_in, prompt_of
from .provider import Provider
from .reader import BODY, NOT_UNDERSTOOD, StreamReader
from .table import add_provider, dialect_of, find, provider_at, provider_label, provider_named, providers

__all__ = [
    "BODY",
    "NOT_UNDERSTOOD",
    "PROVIDERS",
    "Answer",
    "Asked",
    "LlmCall",
    "New",
    "Prompt",
    "Provider",
    "Reported",
    "StreamReader",
    "ToolResult",
    "add_provider",
    "call_of",
    "dialect_of",
    "find",
    "new_in",
    "news",
    "plain_answer",
    "prompt_of",
    "provider_at",
    "provider_label",
    "provider_named",
    "providers",
]

if TYPE_CHECKING:
    from .dialects import PROVIDERS
else:
    __getattr__ = deferred(__name__, {".dialects": ("PROVIDERS",)}, {})
