"""doctor --probe of a file."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from agentsight_rx.cli.capturing import ways as probing
from agentsight_rx.sources.tls.stacks.finding import Finding, Hook
from tests.sources.tls import make_program


@pytest.fixture(autouse=True)
def _no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel that takes every probe."""

    def taken(_: str, __: int) -> int:
        return os.open(os.devnull, os.O_RDONLY)

    monkeypatch.setattr(probing, "try_uprobe", taken)


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


def test_where_the_calls_of_each_function_are_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = make_program(tmp_path / "agent")
    hooks = (
        Hook("SSL_read", 0x100, stepped=True, instead=Hook("SSL_read_ex", 0x200)),
        Hook("SSL_do_handshake", 0x300),
        Hook("SSL_free", 0x400, stepped=True),
    )

    def found(place: str) -> tuple[Finding, ...]:
        return (Finding("OpenSSL", "symbols", hooks=hooks),) if place == str(program) else ()

    monkeypatch.setattr(probing, "findings_of", found)
    assert probing.probe_lines(str(program)) == (
        [
            str(program),
            "  OpenSSL, by symbols",
            "    calls of SSL_read are seen at offset 0x200, where they cost less than at its begin, 0x100",
            "    calls of SSL_do_handshake are seen at offset 0x300",
            "    calls of SSL_free are seen at offset 0x400, an instruction that the kernel has to step through",
        ],
        True,
    )


@pytest.mark.parametrize(("number", "readable"), [(errno.EINVAL, False), (errno.EPERM, True), (errno.ENOENT, True)])
def test_a_function_that_the_kernel_refuses_to_probe_cannot_be_read(
    number: int, readable: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make_program(tmp_path / "agent")
    finding = Finding("OpenSSL", "symbols", hooks=(Hook("SSL_read", 0x100), Hook("SSL_write", 0x200)))

    def refuse(place: str, offset: int) -> int:
        if offset == 0x200:
            raise OSError(number, os.strerror(number))
        return os.open(os.devnull, os.O_RDONLY)

    def found_in(place: str) -> tuple[Finding, ...]:
        return (finding,) if place == program else ()

    monkeypatch.setattr(probing, "findings_of", found_in)
    monkeypatch.setattr(probing, "try_uprobe", refuse)
    lines, found = probing.probe_lines(program)
    assert found is readable
    assert (
        any("at offset 0x200 the kernel refused a probe" in line and "another tool" in line for line in lines) is not readable
    )
