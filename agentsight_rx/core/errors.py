"""
Every error a person can meet, named for who must act. The message names the seen value, the expected value, and the next step.
"""

from collections.abc import Callable, Iterable
from typing import Any


class AgentsightError(Exception):
    """An error that is shown as one sentence, never as a traceback. `exit_status` is what the program ends with."""

    exit_status = 1


class UsageError(AgentsightError):
    """The command line, a filter text or an argument is not usable: the person typing must change it."""

    exit_status = 2


def words_of(error: BaseException, form: Callable[[object], str] = str, /) -> str:
    """Its text. Where its own methods raise, only its kind: what reports an error fails by no other one."""
    try:
        return form(error)
    except Exception:
        return f"a {type(error).__name__} without a text"


def refuse_others(where: str, wanted: str, given: Iterable[object], fits: Callable[[object], bool], *, hint: str = "") -> None:
    """Raises UsageError unless there are values, and each fits. It names what `where` wants and what it got."""
    values = list(given)
    for value in values:
        if not fits(value):
            kind = f"the class {value.__name__}" if isinstance(value, type) else f"a value of {type(value).__name__}"
            raise UsageError(f"{where} wants {wanted}, and got {kind}{': ' * bool(hint)}{hint}")
    if not values:
        raise UsageError(f"{where} wants {wanted}, and got nothing")


class CaptureError(AgentsightError):
    """This machine, or this process, cannot be captured as asked: whoever runs the machine must act."""


class GraphError(AgentsightError):
    """
    A function that the author of a graph wrote has raised, and the graph has ended. `operator` is the name of the operator that
    called it, `event` the kind of event that it was given; empty: not known. The cause is the exception, and `summary` what the
    run says of itself. The sinks have all events before it.
    """

    summary: Any = None

    def __init__(self, operator: str, event: str, cause: Exception) -> None:
        where = f"in {operator}" if operator else "in an operator"
        given = f", given {event}" if event else ""
        super().__init__(f"the graph ended by an error {where}{given}: {type(cause).__name__}: {words_of(cause)}")
        self.operator, self.event = operator, event
        self.__cause__ = cause


class Unavailable(CaptureError):
    """The kernel, its rights or its settings do not let a source be read here; other sources may go on without it."""


class StoreError(AgentsightError):
    """A store cannot be opened, read or written."""


class UnwritableError(StoreError):
    """
    The machine lets no store be written at a place: the disk or a quota is full, the file system is read-only, rights or a home
    directory are missing. A run that can do without a store goes on.
    """


class SinkError(AgentsightError):
    """A destination (file, terminal, collector) cannot take the events."""


class SpoolError(AgentsightError):
    """A segment of a spool, or its output, cannot be used as asked."""
