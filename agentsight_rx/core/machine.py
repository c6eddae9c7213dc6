"""What runs inside an operator: a Machine takes event by event, a Kernel batch by batch. No Rx, no clock, no I/O."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import FrameType
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args, get_origin

import msgspec
from msgspec import Struct

from ..events import Origin
from .errors import GraphError, words_of

# -- failing -------------------------------------------------------------------------------------------------------
# An exception inside an operator: whose it is, what a run does about it, and the error of a run that it ends.


_PACKAGE = __name__.partition(".")[0]


class Bug(Struct, frozen=True):
    """
    What failed in an operator, which went on behind it. `event` is the kind of event that a function was given, "" at a step of
    time, and `origin` where that came from, if it says so. `error` has no secrets. `where` is the line that raised, ""
    where Python does not say it, as of StopIteration. `count` events and `size` bytes that were held are lost by it.
    """

    operator: str
    event: str
    origin: Origin | None
    error: str
    where: str
    count: int
    size: int


# By a function of a user: its errors, and what ends the program
RAISED = (Exception, SystemExit, KeyboardInterrupt, GeneratorExit)


class Halted(BaseException):
    """Inside a kernel: the graph ends at this event, by an error of its author. What came before it is still emitted."""


def bug_of(operator: str, error: Exception, event: object, lost: tuple[int, int], redact: Callable[[str], str]) -> Bug:
    """`lost`: events and bytes."""
    origin = getattr(event, "origin", None)
    return Bug(
        operator=operator,
        event="" if event is None else type(event).__name__,
        origin=origin if isinstance(origin, Origin) else None,
        error=redact(f"{type(error).__name__}: {words_of(error)}"),
        where=where(error),
        count=lost[0],
        size=lost[1],
    )


def where(error: BaseException) -> str:
    """The line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def are_ours(authors: Sequence[object]) -> bool:
    """Whether all these functions and classes are of this package, and not of the author of a graph."""
    return all(map(_is_ours, authors))


def _is_ours(author: object) -> bool:
    while isinstance(author, partial):
        author = author.func
    known = getattr(author, "ours", None)  # of an operator
    if isinstance(known, bool):
        return known
    module: str | None = getattr(author, "__module__", None)
    return module is not None and module.partition(".")[0] == _PACKAGE


_ON_NEXT = "on_next"


def graph_error(error: Exception, operator: str, event: object = None) -> GraphError:
    """The error of a run, where this operator ended its graph by it, at this event if that is known."""
    return GraphError(operator, _kind_given(error) if event is None else _kind_of(event), error)


def _kind_given(error: Exception) -> str:
    """The type of the event that came into the operator: the first argument of its `on_next`. Empty: a timer called it."""
    at = error.__traceback__
    while at is not None:
        if _ON_NEXT in at.tb_frame.f_code.co_name:
            return _kind_of(_first_argument(at.tb_frame))
        at = at.tb_next
    return ""


def _kind_of(given: object) -> str:
    """Of an event with its number, or one of each stream, the first."""
    if not isinstance(given, tuple):
        return type(given).__name__
    some = cast("tuple[object, ...]", given)
    return _kind_of(some[0]) if some else "tuple"


def _first_argument(frame: FrameType) -> object:
    names = [name for name in frame.f_code.co_varnames[: frame.f_code.co_argcount] if name != "self"]
    return frame.f_locals.get(names[0]) if names else None


# ------------------------------------------------------------------------------------------------------------------------


A_contra = TypeVar("A_contra", contravariant=True)
B_co = TypeVar("B_co", covariant=True)
S = TypeVar("S")


class Malformed(Exception):
    """
    A machine cannot go on with its input. `after` is still emitted, `lost` bytes that it held are counted and not emitted; the
    machine is dropped, and the next event of its key starts a new one.
    """

    def __init__(self, why: str, *, after: Sequence[Any] = (), lost: int = 0) -> None:
        super().__init__(why)
        self.after = after
        self.lost = lost


class Machine(Generic[A_contra, B_co]):
    """An analysis. One is born per subscription, or per key of one; time comes from events and ticks alone."""

    def feed(self, event: A_contra, /) -> Iterable[B_co]:
        """Take one event; return the events that are known now."""
        raise NotImplementedError

    def tick(self, now_ns: int, /) -> Iterable[B_co]:
        """Time is `now_ns`. With nothing due this changes nothing."""
        return ()

    def finish(self) -> Iterable[B_co]:
        """No more input: return the rest, marked as partial."""
        return ()


class TakesRuns(Machine[A_contra, B_co]):
    """A machine with a faster way for many usual events that come one behind the other, such as records of a streamed body."""

    def feed_run(self, events: Sequence[A_contra], start: int, /) -> tuple[int, Sequence[B_co]]:
        """
        Take events from `start` on as long as they are of the usual kind; return the place of the first that was not taken, and
        what those before it make. It may be less in number than `feed` would return, such as one part of a body in the place of
        several, and has to say the same. The rest is given to `feed`.
        """
        raise NotImplementedError


class Bounded(Machine[A_contra, B_co]):
    """A machine that keeps some of its input, and so memory: it says how much, and can give it up."""

    def held(self) -> int:
        """Bytes of input that were neither emitted nor counted as lost. Without an override the machine holds none."""
        return 0

    def kept(self) -> int:
        """Bytes of memory that `evict` frees."""
        return self.held()

    def used_ns(self) -> int:
        """Time of the newest event. Where memory is short, the machines with the oldest give theirs up first."""
        return 0

    def evict(self) -> Iterable[B_co]:
        """Give up held events because memory is short: return it as at the end, and go on empty."""
        return self.finish()

    def idle(self) -> bool:
        """True if a new machine that inherits the legacy of this one would do the same from here on."""
        return False

    def legacy(self) -> bytes:
        """What a later machine of the same key needs to know once this one is dropped; empty: nothing."""
        return b""

    def inherit(self, legacy: bytes, /) -> None:
        """Take the legacy of an earlier machine of the same key."""


class Checkpointed(Generic[S]):
    """
    A machine that can be stopped and resumed: `class _Splitter(Machine[A, B], Checkpointed[_State])`.

    `S` is a type that msgspec encodes and decodes, such as a Struct. A machine that keeps all its state in `self.state`, of
    that type, needs no more; any other one overrides both methods.
    """

    state: S
    state_type: ClassVar[Any]

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for base in getattr(cls, "__orig_bases__", ()):
            if get_origin(base) is Checkpointed:
                (cls.state_type,) = get_args(base)

    def snapshot(self) -> S:
        """All that `restore` needs to go on exactly here. It is encoded at once, so it may share parts with the machine."""
        return self.state

    def restore(self, state: S, /) -> None:
        """Go on where `state` was taken."""
        self.state = state


class Kernel(Generic[A_contra, B_co]):
    """What operators fuse: takes a whole batch, returns a whole batch. Never changes the batch that it was given."""

    def feed(self, batch: Sequence[A_contra], /) -> Sequence[B_co]:
        raise NotImplementedError

    def tick(self, now_ns: int, /) -> Sequence[B_co]:
        return ()

    @property
    def ticks(self) -> bool:
        """Whether `tick` may do anything; it stays so. Time advances far more often than anything is due."""
        return type(self).tick is not Kernel[Any, Any].tick

    def finish(self) -> Sequence[B_co]:
        return ()

    def snapshot(self) -> bytes:
        """The state as msgpack. Raises TypeError where a machine has a state and is not Checkpointed."""
        return b""

    def restore(self, state: bytes, /) -> None:
        """Go on where `snapshot` was taken."""

    def held(self) -> int:
        """Bytes of input that were neither emitted nor counted as lost."""
        return 0


def encode_state(state: object, /) -> bytes:
    """A state as msgpack."""
    return _encoder.encode(state)


_encoder = msgspec.msgpack.Encoder()


# -- node ----------------------------------------------------------------------------------------------------------
# A graph as a value, and what its stock operators mean for the order of events.


class Node(Struct, frozen=True):
    """A graph as a value: a name, its options, its inputs. `ours` is False for stock RxPY operators."""

    name: str
    options: str = ""
    inputs: tuple[Node, ...] = ()
    ours: bool = True

    def text(self, depth: int = 0) -> str:
        """One stage a line, its inputs indented below it."""
        line = f"{'  ' * depth}{self.name}{'' if self.ours else ' (RxPY)'}{f'  {self.options}' if self.options else ''}"
        return "\n".join([line, *(source.text(depth + 1) for source in self.inputs)])


# Stock operators with one input, to which they subscribe once, and one output
_SUBSCRIBE_ONCE = frozenset({
    "all", "as_observable", "average", "buffer_with_count", "buffer_with_time", "buffer_with_time_or_count", "cast", "contains",
    "count", "debounce", "default_if_empty", "delay", "dematerialize", "distinct", "distinct_until_changed", "do", "do_action",
    "element_at", "element_at_or_default", "filter", "filter_indexed", "finally_action", "find", "find_index", "find_value",
    "first", "first_or_default", "first_or_default_async", "ignore_elements", "is_empty", "last", "last_or_default", "map",
    "map_indexed", "materialize", "max", "max_by", "min", "min_by", "pairwise", "pluck", "pluck_attr", "reduce", "scan",
    "single", "single_or_default", "single_or_default_async", "skip", "skip_last", "skip_last_with_time",
    "skip_until_with_time", "skip_while", "skip_while_indexed", "skip_with_time", "slice", "some", "starmap", "starmap_indexed",
    "sum", "take", "take_last", "take_last_buffer", "take_last_with_time", "take_until_with_time", "take_while",
    "take_while_indexed", "take_with_time", "tap", "throttle_first", "throttle_with_timeout", "time_interval", "timestamp",
    "to_dict", "to_iterable", "to_list", "to_set",
})  # fmt: skip


def may_subscribe_again(node: Node) -> bool:
    """Whether a stock operator of this graph may subscribe to a stream during the run, or have several subscribers."""
    return not (node.ours or node.name in _SUBSCRIBE_ONCE) or any(map(may_subscribe_again, node.inputs))
