"""A ring is read rightly where a machine does loads out of order: each one is as early as a fence lets it be."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st

from agentsight_rx.sources.kernel import ring as module
from agentsight_rx.sources.kernel.ring import Ordered
from tests.sources.kernel.alone import Alone
from tests.sources.kernel.test_ring import Memory

PAGE = mmap.PAGESIZE
BUSY = 1 << 31
RECORD = 16  # bytes of one: its header, and a word

State = dict[str, int]


def states(order: list[int], count: int) -> list[State]:
    """
    The memory behind each store of the kernel (kernel/bpf/ringbuf.c): of each record its header with the BUSY bit, the end of
    the data, its content, and its header without the bit. `order` says which of the open records goes on.
    """
    stores = [
        [(f"header {each}", BUSY | 8), ("end", each + 1), (f"content {each}", 100 + each), (f"header {each}", 8)]
        for each in range(count)
    ]
    memory: State = {"end": 0, **{f"{what} {each}": 0 for each in range(count) for what in ("header", "content")}}
    found = [memory]
    begun = 0
    while any(stores):
        # a record is reserved, in two stores, before the next one is
        open_ = [each for each in range(count) if stores[each] and (each < begun or each == begun)]
        each = open_[order[len(found) % len(order)] % len(open_)] if order else open_[0]
        if each == begun:
            for name, value in stores[each][:2]:
                found.append({**found[-1], name: value})
            del stores[each][:2]
            begun += 1
        else:
            name, value = stores[each].pop(0)
            found.append({**found[-1], name: value})
    return found


class Weak:
    """What the reader sees: each load of a state between the last fence and now, as `pick` likes."""

    def __init__(self, found: list[State], pick: Callable[[int, int], int]) -> None:
        self._states, self._pick = found, pick
        self._least = self._seen = 0

    def load(self, name: str) -> int:
        at = self._pick(self._least, len(self._states) - 1)
        self._seen = max(self._seen, at)
        return self._states[at].get(name, 0)

    def fence(self) -> None:
        self._least = self._seen


class Words:
    """A view of the memory in words of `size` bytes."""

    def __init__(self, load: Callable[[int], int]) -> None:
        self._load = load

    def __getitem__(self, at: int) -> int:
        return self._load(at)

    def release(self) -> None:
        pass


def read(count: int, order: list[int], pick: Callable[[int, int], int], *, ordered: bool) -> list[int]:
    memory = Weak(states(order, count), pick)
    ring: Alone[int] = Alone(Memory().fd, 16 * PAGE, lambda _, at, __: memory.load(f"content {(at - PAGE) // RECORD}"))
    mapping: Any = vars(ring)["_mapping"]
    headers = Words(lambda at: memory.load(f"header {(at * 4 - PAGE) // RECORD}"))
    end = Words(lambda _: memory.load("end") * RECORD)
    mapping.words = Ordered(headers) if ordered else headers  # type: ignore[arg-type]
    mapping.producer = Ordered(end) if ordered else end  # type: ignore[arg-type]
    seen: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "fence", memory.fence)
        for _ in range(4 * count + 4):
            seen += ring.events()
    return seen


orders = st.lists(st.integers(0, 7), min_size=1, max_size=8)
picks = st.lists(st.integers(0, 1000), min_size=1, max_size=40)


def picker(numbers: list[int]) -> Callable[[int, int], int]:
    """Late ones once the numbers are used up, so that the reader comes to the end."""
    left = iter(numbers)

    def pick(least: int, last: int) -> int:
        number = next(left, None)
        return last if number is None else least + number % (last - least + 1)

    return pick


@given(st.integers(1, 5), orders, picks)
def test_no_record_is_read_before_it_is_whole(count: int, order: list[int], numbers: list[int]) -> None:
    assert read(count, order, picker(numbers), ordered=True) == [100 + each for each in range(count)]


def test_without_fences_it_would_be() -> None:
    """Else the model would show nothing."""
    order, numbers = find(st.tuples(orders, picks), lambda each: read(2, each[0], picker(each[1]), ordered=False) != [100, 101])
    assert read(2, order, picker(numbers), ordered=True) == [100, 101]
