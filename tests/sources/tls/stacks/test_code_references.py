"""References and calls in code: what decides about them is the displacement, as far as 32 bits reach."""

from __future__ import annotations

from pathlib import Path
from struct import pack

from agentsight_rx.sources.tls.stacks.code import X86Code
from agentsight_rx.sources.tls.stacks.elf import Image
from tests.sources.tls.stacks import Maker, called, lea

_COUNT = 41


def test_displacements_on_both_sides_of_a_multiple_of_64_kib_are_found(tmp_path: Path) -> None:
    maker = Maker()
    place = maker.places["in the data"] = maker.data_address() + 100  # data begin 64 KiB behind the code
    maker.data += bytes(200)
    maker.raw("code", *[lea("in the data")] * _COUNT)
    path = tmp_path / "program"
    path.write_bytes(maker.made())
    with path.open("rb") as file:
        found = X86Code(Image(file, "program"), lambda: None).references([(place, place + 1)])
    displacements = [place - each - 4 for each, _ in found]
    assert (_COUNT, [place] * _COUNT) == (len(found), [target for _, target in found])
    assert min(displacements) < 1 << 16 < max(displacements)


def test_calls_before_and_behind_a_function_and_its_tail_calls_are_found(tmp_path: Path) -> None:
    maker = Maker()
    maker.raw("first", called("second"), called("third"))
    maker.raw("second", b"\xc3", called("first"))
    maker.raw("third", b"\xe9" + pack("<i", 3), bytes(3), b"\xc3")
    path = tmp_path / "program"
    path.write_bytes(maker.made())
    first, second, third = (maker.places[name] for name in ("first", "second", "third"))
    with path.open("rb") as file:
        code = X86Code(Image(file, "program"), lambda: None)
        assert [first, second, third] == code.called_between(first, third + 9)
        assert [second] == code.called_between(first + 1, third)
        assert {first, second, third + 8} == code.called([first, second, third + 8, third + 1])
