"""Calls to models: JSON and streams of each provider -> `Prompt` and `Reply`."""

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
