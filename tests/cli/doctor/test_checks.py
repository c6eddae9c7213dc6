"""What the machine has of what a capture uses."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from agentsight_rx.cli.doctor import Check, can_try, machine_checks
from agentsight_rx.sources.kernel import features
from agentsight_rx.sources.kernel.features import FEATURES


def check(name: str) -> Check:
    return next(each for each in machine_checks() if each.name == name)


def test_every_check_says_what_was_seen_and_helps_where_something_is_missing() -> None:
    found = machine_checks()
    assert len({each.name for each in found}) == len(found)
    assert [each for each in found if not (each.seen and (each.ok or (each.without and each.remedy)))] == []


def test_where_nothing_can_be_captured_the_reason_is_the_last_check(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "_OLDEST", (9_999, 0))
    found = machine_checks()
    assert [each.name for each in found] == ["rights", "system"]
    assert not can_try(found)
    assert found[-1].remedy == "use a machine with Linux 5.15 or newer on x86-64 or arm64"


def test_what_has_another_way_does_not_end_the_checks() -> None:
    others = [each.name for each in FEATURES if each.at_start is None]
    assert can_try([Check(name, False, "none", "another way", "nothing") for name in others])
    assert not can_try([Check("BPF programs", False, "none", "nothing", "rights")])


def test_without_bcc_the_finding_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.sources.kernel.compiler._PROGRAM", Path("/dev/null"))
    found = next(each for each in FEATURES if each.name == "BCC").ask()
    assert not found.ok
    assert found.remedy == "install BCC: apt-get install python3-bpfcc (the package bcc on PyPI is another project)"


@pytest.mark.needs("bcc")
def test_the_version_of_clang_is_that_of_the_program_it_made() -> None:
    found = next(each for each in FEATURES if each.name == "BCC").ask()
    assert found.ok
    version = found.seen.partition("with clang ")[2].partition(":")[0]
    assert 11 <= int(version) <= 99


@pytest.mark.needs("kernel")  # the table leaves the kernel out for others
def test_a_cache_that_others_could_write_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "agentsight-rx" / "programs"
    folder.mkdir(mode=0o700, parents=True)
    assert check("cache of programs").seen == f"{folder}, 0 programs, 0 bytes"
    folder.chmod(0o777)
    found = check("cache of programs")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777
    assert (found.ok, found.seen) == (False, f"{folder} is not used: it has mode 0777: other users have rights on it")


@pytest.mark.needs("kernel")  # the table leaves the kernel out for others
def test_only_the_left_over_probes_of_dead_tracers_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = 4_194_304  # one past the largest PID that Linux gives
    (tmp_path / "uprobe_events").write_text(
        f"p:uprobes/p__lib_so_0x10_bcc_{dead} /lib.so:0x0000000000000010\n"
        f"r:uprobes/r__lib_so_0x10_bcc_{dead} /lib.so:0x0000000000000010\n"
        "p:uprobes/p__lib_so_0x10_bcc_1 /lib.so:0x0000000000000010\n"
        "p:mine/of_another_tool /lib.so:0x0000000000000010\n"
    )
    monkeypatch.setattr("agentsight_rx.cli.doctor.checks._TRACEFS_PLACES", (tmp_path,))
    found = check("left-over probes")
    assert (found.ok, found.seen) == (False, "2 of dead tracers")
    assert found.remedy == (
        "as root: "
        f"echo '-:uprobes/p__lib_so_0x10_bcc_{dead}' >> /sys/kernel/tracing/uprobe_events; "
        f"echo '-:uprobes/r__lib_so_0x10_bcc_{dead}' >> /sys/kernel/tracing/uprobe_events"
    )
