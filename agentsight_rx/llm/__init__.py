"""
Calls to models: JSON and streams of each provider -> requests and answers in one shape.

A dialect has a file in `dialects`, or two. `all_dialects` lists them, and `table` finds the one of a request.

`canonical`: the common shape of requests and answers. `prompt`: what is new in a request.
`reader`: one answer. `new_text`: its new text. `call`: both together.
`request_table`: where a request has its parameters. `request_fields`: the fields of all dialects.
`lenient`: JSON, field by field. `resent`: messages that were sent before.
`by_shape`: vendors that share a path. `by_order`: calls without ids. `by_path`: streamed arguments. `aws`: exceptions.
`agents`: who makes calls. `context`: what fills them. `prices`: what they cost.
"""

from typing import TYPE_CHECKING

from ..core.start import deferred

if TYPE_CHECKING:
    from .all_dialects import PROVIDERS
    from .call import call_of, plain_answer
    from .canonical import Answer, Asked, LlmCall
    from .new_text import Reported, news
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

if not TYPE_CHECKING:
    __getattr__ = deferred(  # prices and agents are here too, which most reports need alone
        __name__,
        {
            ".call": (
                "call_of",
                "plain_answer",
            ),
            ".canonical": (
                "Answer",
                "Asked",
                "LlmCall",
            ),
            ".new_text": (
                "Reported",
                "news",
            ),
            ".prompt": (
                "New",
                "Prompt",
                "ToolResult",
                "new_in",
                "prompt_of",
            ),
            ".provider": ("Provider",),
            ".reader": (
                "BODY",
                "NOT_UNDERSTOOD",
                "StreamReader",
            ),
            ".table": (
                "add_provider",
                "dialect_of",
                "find",
                "provider_at",
                "provider_label",
                "provider_named",
                "providers",
            ),
            ".all_dialects": ("PROVIDERS",),
        },
        {},
    )
