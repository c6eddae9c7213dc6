"""What a call to a model means: from each provider's JSON and streams to `Prompt` and `Reply`."""

from .prompt import Prompt, ToolResult
from .provider import Provider
from .reader import StreamReader
from .table import PROVIDERS, dialect_of, find, provider_label, provider_named

__all__ = [
    "PROVIDERS",
    "Prompt",
    "Provider",
    "StreamReader",
    "ToolResult",
    "dialect_of",
    "find",
    "provider_label",
    "provider_named",
]
