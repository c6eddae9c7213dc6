"""What items of OpenAI's Responses API have in common, in requests and in answers."""

from __future__ import annotations

from msgspec import Raw

from ..lenient import Fields
from ..request_fields import text_of

__all__ = ["input_text", "is_server_tool"]

_STRING = Fields(str)
_OF_CLIENTS = ("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "computer_call")


def input_text(raw: Raw, /) -> str:
    """The input of a tool as text: most have JSON in a string, some the JSON itself."""
    text = text_of(raw)
    return (_STRING.value(text) or "") if text.startswith('"') else text


def is_server_tool(type: str, /) -> bool:
    """Does OpenAI run the tool of such an item itself, as `web_search_call` and `mcp_call`?"""
    return type not in _OF_CLIENTS
