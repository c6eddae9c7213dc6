"""The JSON of the result of an MCP request -> what matters in it, on one line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

__all__ = ["result_said"]


def result_said(result: str) -> str:
    """The text of a result, or the message of an error, where there is one."""
    members = _object(result)
    message, content = members.get("message"), members.get("content")
    if isinstance(message, str):
        return message
    if not isinstance(content, list):
        return result
    parts = cast("list[object]", content)
    texts = [cast("Mapping[str, object]", part).get("text") for part in parts if isinstance(part, dict)]
    return " ".join(text for text in texts if isinstance(text, str)) or result


def _object(text: str) -> Mapping[str, object]:
    try:
        value: object = msgspec.json.decode(text) if text else None
    except (msgspec.DecodeError, RecursionError):
        return {}
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}
