"""Exceptions of AWS, as bodies and as events -> their text (AWS restJson1 and vnd.amazon.eventstream)."""

from __future__ import annotations

from msgspec import Struct, field

from ..events import SseEvent
from .lenient import Fields
from .reader import Draft
from .resent import Failure, failure_text


class _Exception(Struct):
    type: str | None = field(default=None, name="__type")
    message: str | None = None
    capital: str | None = field(default=None, name="Message")
    original: str | None = field(default=None, name="OriginalMessage")  # of a model behind SageMaker
    code: str | None = None
    error: Failure | str | None = None


_EXCEPTION = Fields(_Exception)


def exception_of(body: bytes | str, kind: str = "", /) -> str | None:
    """`throttlingException: Slow down`; None where the body says no exception. `kind`: the type of its event, if it is one."""
    said = _EXCEPTION.value(body)
    if said is None:
        return kind or None
    message = said.original or said.message or said.capital
    name = kind or (said.type or said.code or "").rpartition("#")[2]
    if not name and not message:
        return failure_text(said.error)
    return failure_text(Failure(name or None, message))


def take_exception(draft: Draft, event: SseEvent, /) -> bool:
    """True if the event is an exception, which then is the end of the draft's stream."""
    if event.event == "error":  # one that the service does not describe
        error = exception_of(event.data)
    elif event.event.endswith(("Exception", "Error", "Failure")):
        error = exception_of(event.data, event.event)
    else:
        return False
    if error is None:
        return False
    draft.error, draft.ended = error, True
    return True
