"""All providers, and how to find the one that a request or a stream belongs to."""

from __future__ import annotations

from ..events import SseEvent
from .anthropic.answer import ANTHROPIC
    if not event.data.lstrip(" \t\r\n").startswith("{"):
        return None
    fields = decoded(_FIELDS.strict, event.data) or _FIELDS.value(event.data)
    if fields is None:
        return None
    return next((provider for provider in PROVIDERS if event.event in provider.events or provider.speaks(fields)), None)
