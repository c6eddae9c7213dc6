"""rustls with ring: the candidates by the source positions of panics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from struct import pack

import pytest

from tests.sources.tls.stacks import Maker, lea, one

FILE = b"/registry/rustls-0.23.16/src/crypto/ring/tls13.rs"


@pytest.mark.parametrize("relocated", [True, False])
@pytest.mark.parametrize(
    ("users", "around"),
    [
        ((12, 15), range(4, 24)),
        ((12, 190), (*range(4, 21), *range(182, 199))),
    ],  # with the second a linker has put one elsewhere
    ids=["together", "apart"],
)
def test_the_functions_around_the_positions_are_candidates(
    tmp_path: Path, users: tuple[int, int], around: Sequence[int], relocated: bool
) -> None:
    maker = Maker(frames=True)
    start = maker.text("file", b"some other text" + FILE) + len(b"some other text")
    for number in range(max(users) + 15):
        maker.function(f"f{number}", *((lea("position"),) if number in users else ()))
    maker.places["position"] = maker.data_address()
    maker.data += pack("<QQII", 0 if relocated else start, len(FILE), 77, 9)
    maker.data += pack("<QQII", start, len(FILE) - 1, 77, 9)  # of another text, with the same beginning
    if relocated:
        table = maker.constant(pack("<QQq", maker.places["position"], 8, start))
        maker.dynamic = {7: table, 8: 24}
    finding = one(tmp_path, maker)
    assert (finding.stack, finding.hooks, finding.failure) == ("rustls with ring", (), "waiting for calibration")
    assert set(finding.candidates) == {maker.places[f"f{number}"] for number in around}
    assert finding.evidence == ("2 functions refer to 1 source positions in crypto/ring/tls13.rs",)


@pytest.mark.parametrize("relocated", [True, False])
def test_of_them_those_are_taken_whose_address_is_in_the_data(tmp_path: Path, relocated: bool) -> None:
    """As that of each method is that is called through a table. One that is far away is no candidate by that alone."""
    methods, candidates = [0, 0, 0], set[int]()
    for _ in range(2):  # the first time shows where the functions are
        maker = Maker(frames=True)
        start = maker.text("file", FILE)
        for number in range(60):
            maker.function(f"f{number}", *((lea("position"),) if number == 30 else ()))
        maker.places["position"] = maker.data_address()
        maker.data += pack("<QQII", start, len(FILE), 77, 9)
        first = maker.data_address()
        maker.data += pack("<3Q", *([0, 0, 0] if relocated else methods))
        if relocated:
            rows = (pack("<QQq", first + 8 * number, 8, method) for number, method in enumerate(methods))
            maker.dynamic = {7: maker.constant(b"".join(rows)), 8: 24 * len(methods)}
        candidates = set(one(tmp_path, maker).candidates)
        methods = [maker.places[f"f{number}"] for number in (3, 25, 33)]
    assert candidates == set(methods[1:])


def test_a_text_without_code_is_no_implementation(tmp_path: Path) -> None:
    maker = Maker(frames=True)
    maker.text("file", FILE)
    maker.function("main")
    assert one(tmp_path, maker).failure == "the texts of rustls with ring are there, but no code refers to them"
