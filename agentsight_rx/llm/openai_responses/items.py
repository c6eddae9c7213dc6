"""What items of OpenAI's Responses API have in common, in requests and in answers."""

from __future__ import annotations

__all__ = ["is_server_tool"]

_OF_CLIENTS = ("function_call", "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "computer_call")


def is_server_tool(type: str, /) -> bool:
    """Does OpenAI run the tool of such an item itself, as `web_search_call` and `mcp_call`?"""
    return type not in _OF_CLIENTS
