"""JSON of the Responses and Realtime APIs -> values: responses, their items, and events."""

from __future__ import annotations

from msgspec import Raw, Struct

from ...request_fields import plain_text
from ...resent import Count, Failure


class Piece(Struct, gc=False):
    text: str | None = None
    refusal: str | None = None
    transcript: str | None = None  # of what was said aloud

    def said(self) -> str:
        return self.text or self.refusal or self.transcript or ""


class Item(Struct, gc=False):
    """One output: a message, reasoning, or a tool call. Each kind of tool has its own name for its input."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    content: list[Piece] | None = None
    summary: list[Piece] | None = None
    arguments: Raw = Raw()
    input: Raw = Raw()
    code: Raw = Raw()
    action: Raw = Raw()
    operation: Raw = Raw()
    queries: Raw = Raw()

    def call_input(self) -> str:
        sent = (self.arguments, self.input, self.code, self.action, self.operation, self.queries)
        return next((text for raw in sent if raw and (text := plain_text(raw))), "")


class Ending(Struct, gc=False):
    reason: str | None = None
    error: Failure | str | None = None


class Response(Struct, gc=False):
    id: str | None = None
    model: str | None = None
    status: str | None = None
    output: list[Item] | None = None
    usage: Raw = Raw()
    incomplete_details: Ending | None = None
    status_details: Ending | None = None  # of the Realtime API
    error: Failure | str | None = None


class Streamed(Struct, gc=False):
    type: str
    output_index: Count | None = None
    content_index: Count | None = None
    summary_index: Count | None = None
    item_id: str | None = None
    delta: str = ""
    text: str | None = None
    transcript: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    code: str | int | None = None  # of an interpreter, or of an error
    message: str | None = None
    item: Item | None = None
    response: Response | None = None
    error: Failure | str | None = None
