"""Instructions of a compiled source that get their numbers before they are loaded."""

from __future__ import annotations

from struct import pack

from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.sources.kernel.loaded import Function, Image

numbers = st.integers(-(1 << 31), (1 << 31) - 1)
steps = st.tuples(st.integers(0, 255), st.integers(0, 255), st.integers(-(1 << 15), (1 << 15) - 1), numbers)


@given(st.lists(steps), st.integers(0, 20))
def test_calls_of_these_numbers_alone_become_calls_of_the_kernel(code: list[tuple[int, int, int, int]], place: int) -> None:
    code.insert(place, (0x85, 0, 0, 7))
    image = Image((), (Function("f", b"".join(pack("<BBhi", *step) for step in code), ()),))
    wanted = [
        (op, 0x20, 0, 65_269) if (op, regs, value) == (0x85, 0, 7) else (op, regs, at, value) for op, regs, at, value in code
    ]
    assert image.calling({7: 65_269}).function("f").code == b"".join(pack("<BBhi", *step) for step in wanted)
    assert image.calling({}) == image
