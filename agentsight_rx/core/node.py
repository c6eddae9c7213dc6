"""A graph as a value, and what its stock operators mean for the order of events."""

from __future__ import annotations

from msgspec import Struct

__all__ = ["Node", "may_subscribe_again"]


class Node(Struct, frozen=True):
    """A graph as a value: a name, its options, its inputs. `ours` is False for stock RxPY operators."""

    name: str
    options: str = ""
    inputs: tuple[Node, ...] = ()
    ours: bool = True


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
