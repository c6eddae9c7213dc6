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
    from .agents import Agent
    from .all_dialects import PROVIDERS
    from .call import call_of, plain_answer
    from .canonical import Answer, Asked, LlmCall
    from .dialects.openai.responses_prompt import OfferedTool
    from .lenient import Fields
    from .new_text import Reported, news
    from .prompt import New, Prompt, ToolResult, counted, new_in, prompt_of, take_usage
    from .provider import IdentifyingFields, Provider
    from .reader import BODY, NOT_UNDERSTOOD, StreamReader
    from .request_fields import RequestFields, said_by
    from .request_table import Requests
    from .resent import Count, Failure, failure_text
    from .table import add_provider, dialect_of, find, provider_at, provider_label, provider_named, providers

__all__ = [
    "BODY",
    "NOT_UNDERSTOOD",
    "PROVIDERS",
    "Agent",
    "Answer",
    "Asked",
    "Count",
    "Failure",
    "Fields",
    "IdentifyingFields",
    "LlmCall",
    "New",
    "OfferedTool",
    "Prompt",
    "Provider",
    "Reported",
    "RequestFields",
    "Requests",
    "StreamReader",
    "ToolResult",
    "add_provider",
    "call_of",
    "counted",
    "dialect_of",
    "failure_text",
    "find",
    "new_in",
    "news",
    "plain_answer",
    "prompt_of",
    "provider_at",
    "provider_label",
    "provider_named",
    "providers",
    "said_by",
    "take_usage",
]

if not TYPE_CHECKING:
    __getattr__ = deferred(  # prices and agents are here too, which most reports need alone
        __name__,
        {
            ".agents": ("Agent",),
            ".all_dialects": ("PROVIDERS",),
            ".call": ("call_of", "plain_answer"),
            ".canonical": ("Answer", "Asked", "LlmCall"),
            ".dialects.openai.responses_prompt": ("OfferedTool",),
            ".lenient": ("Fields",),
            ".new_text": ("Reported", "news"),
            ".prompt": ("New", "Prompt", "ToolResult", "counted", "new_in", "prompt_of", "take_usage"),
            ".provider": ("IdentifyingFields", "Provider"),
            ".reader": ("BODY", "NOT_UNDERSTOOD", "StreamReader"),
            ".request_fields": ("RequestFields", "said_by"),
            ".request_table": ("Requests",),
            ".resent": ("Count", "Failure", "failure_text"),
            ".table": (
                "add_provider",
                "dialect_of",
                "find",
                "provider_at",
                "provider_label",
                "provider_named",
                "providers",
            ),
        },
        {},
    )
