"""What systemctl prints, or a sentence. The programs are real, and stand in front of systemd's."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.cli.service import installing as systemd
from agentsight_rx.cli.service.installing import backs_off, said, systemctl, version
from agentsight_rx.errors import CaptureError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(systemd, "_MANAGER", tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    program = tmp_path / "systemctl"
    program.write_text('#!/bin/sh\necho "$@"\n[ "$1" != fail ] || { echo "Failed: no such unit" >&2; exit 4; }\n')
    program.chmod(0o755)
    return tmp_path


def test_what_it_prints_is_returned(programs: Path) -> None:
    assert "show x\n" == systemctl("show", "x")


def test_a_failure_has_its_reason(programs: Path) -> None:
    with pytest.raises(CaptureError, match=r"^`systemctl fail x` failed: Failed: no such unit$"):
        systemctl("fail", "x")
    with pytest.raises(CaptureError, match=r"^`false` failed: status 1$"):
        said("false")
    with pytest.raises(CaptureError, match=r"^no-such-program cannot be run: No such file"):
        said("no-such-program")


def test_where_systemd_is_not_the_first_process_nothing_is_asked(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "_MANAGER", programs / "none")
    with pytest.raises(CaptureError, match=r"^systemd does not run this machine"):
        systemctl("show", "x")


@pytest.mark.parametrize(("words", "number"), [("systemd 252 (252.39-1~deb12u1)", 252), ("systemd v257", None), ("", None)])
def test_its_version_is_asked(programs: Path, words: str, number: int | None) -> None:
    (programs / "systemctl").write_text(f'#!/bin/sh\n[ "$1" = --version ] && echo "{words}\n+PAM +AUDIT"\n')
    assert number == version()


@pytest.mark.parametrize(("number", "can"), [("252", False), ("254", True), ("257", True), ("x", True)])
def test_older_ones_cannot_wait_longer_each_time(programs: Path, number: str, can: bool) -> None:
    (programs / "systemctl").write_text(f"#!/bin/sh\necho systemd {number}\n")
    assert can is backs_off()


def test_where_no_systemd_is_installed_there_is_no_version(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (programs / "systemctl").unlink()
    monkeypatch.setenv("PATH", str(programs))
    assert version() is None
