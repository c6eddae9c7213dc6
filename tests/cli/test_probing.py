"""doctor --probe of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.cli import probing
from agentsight_rx.sources.tls.stacks.finding import Finding

from ..sources.tls import make_program


def test_a_file_whose_layout_a_connection_has_to_show_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = make_program(tmp_path / "agent")
    finding = Finding(
        "rustls with ring",
        "source positions of panics",
        evidence=("5 functions refer to 7 source positions",),
        failure="waiting for calibration",
        candidates=(16, 32),
    )

    def found(place: str) -> tuple[Finding, ...]:
        return (finding,) if place == str(program) else ()

    monkeypatch.setattr(probing, "findings_of", found)
    lines, readable = probing.probe_lines(str(program))
    assert readable
    assert lines == [
        str(program),
        "  rustls with ring, found by source positions of panics; its layout is learnt from the first connection",
        "    5 functions refer to 7 source positions",
    ]
