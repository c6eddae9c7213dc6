"""The file in work: texts are found wherever its pieces are cut, and the text around a place is the whole one."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import patch

import pytest

from agentsight_rx.sources.tls.stacks import scan as module
from agentsight_rx.sources.tls.stacks.elf import Image
from agentsight_rx.sources.tls.stacks.scan import Scan, TookTooLong
from tests.sources.tls.stacks import Maker


@pytest.mark.parametrize("piece", [40, 41, 47, 64, 1 << 20])
def test_a_text_is_found_wherever_pieces_are_cut(tmp_path: Path, piece: int) -> None:
    maker = Maker()
    places = [maker.text(f"{number}", b"x" * number + b"ssl/ssl_lib.cc") + number for number in range(1, 30)]
    path = tmp_path / "program"
    path.write_bytes(maker.made())
    with path.open("rb") as file, patch.object(module, "_SCAN_PIECE", piece):
        scan = Scan(Image(file, "program"))
        assert places == scan.find([b"ssl/ssl_lib.cc"])[b"ssl/ssl_lib.cc"]
        assert (places[4] - 5, "xxxxxssl/ssl_lib.cc") == scan.text_at(places[4])


def test_a_search_ends_when_its_time_is_over(tmp_path: Path) -> None:
    path = tmp_path / "program"
    path.write_bytes(Maker().made())
    with path.open("rb") as file, pytest.raises(TookTooLong):
        Scan(Image(file, "program"), seconds=-1.0).find([b"any"])
