"""What a collector answered, which the standard exporters do not pass on; and the words of a failure."""

from __future__ import annotations

from typing import Protocol


class _PartialSuccess(Protocol):
    @property
    def error_message(self) -> str: ...


class Answer:
    """The collector's answer to the newest request. `why` is empty where it took everything."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        self.failed = False
        self.rejected = 0
        self.why = ""

    def fail(self, why: str) -> None:
        self.failed = True
        self.why = why

    def partly(self, rejected: int, partial: _PartialSuccess) -> None:
        """How much the collector rejected, and why (OTLP specification, "Partial Success")."""
        if rejected > 0:  # else the message is only a warning
            self.rejected = rejected
            self.why = " ".join(partial.error_message.split())[:200] or "a part was rejected"


def cause_of(error: BaseException) -> str:
    """The system's words, like `Connection refused`, from inside a chain of exceptions."""
    cause = type(error).__name__
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            cause = inner.strerror
        inner = inner.__cause__ or inner.__context__
    return cause
