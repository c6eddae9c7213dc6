from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from agentsight_rx.doctor import Check, checks, render, require_capture
from agentsight_rx.errors import CaptureError

_FINE = Check("one", True, "seen one", "help one", "need one")
_MISSING = Check("two", False, "seen [two]", "help two", "need two")
_LATER = Check("three", False, "seen three", "help three", "need three")


def _text(found: list[Check]) -> str:
    out = StringIO()
    Console(file=out, width=100).print(render(found))
    return out.getvalue()


def test_the_table_has_every_finding_and_remedies_only_for_failures() -> None:
    text = _text([_FINE, _MISSING])
    assert [line.split() for line in text.splitlines()] == [
        ["ok", "one", "seen", "one"],
        ["--", "two", "seen", "[two]"],
        ["for", "need", "two:", "help", "two"],
    ]


def test_the_first_thing_that_a_capture_lacks_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.doctor._NEEDED", (lambda: _FINE, lambda: _MISSING, lambda: _LATER))
    with pytest.raises(CaptureError, match=r"^cannot capture: two: seen \[two\]\. What to do: help two$"):
        require_capture()


def test_a_machine_that_passes_every_check_may_capture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.doctor._NEEDED", (lambda: _FINE,))
    require_capture()


def test_every_check_says_what_it_is_needed_for_and_helps_where_something_is_missing() -> None:
    found = checks()
    assert len({check.name for check in found}) == len(found)
    assert [check for check in found if not (check.seen and check.needed_for and (check.ok or check.remedy))] == []


def test_an_unfit_system_is_all_that_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.doctor._OLDEST_KERNEL", (9_999, 0))
    assert [check.name for check in checks()] == ["system"]


def test_without_tracefs_the_remedy_is_the_command_that_mounts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.doctor._TRACEFS_PLACES", (tmp_path,))
    check = _check("tracefs")
    assert not check.ok
    assert check.remedy.endswith("mount -t tracefs tracefs /sys/kernel/tracing")


def test_without_bcc_the_finding_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.sources.kernel.workers._PROGRAM", Path("/dev/null"))
    check = _check("BCC")
    assert (check.ok, check.remedy) == (False, "install BCC: apt-get install libbpfcc")


def test_a_cache_that_others_could_write_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = tmp_path / "agentsight-rx" / "programs"
    folder.mkdir(mode=0o700, parents=True)
    assert _check("cache of programs").seen == f"{folder}, 0 programs, 0 bytes"
    folder.chmod(0o777)
    check = _check("cache of programs")
    assert (check.ok, check.seen) == (False, f"{folder} is not used: it has mode 0777: other users have rights on it")


def test_only_the_left_over_probes_of_dead_tracers_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = 4_194_304  # one past the largest PID that Linux gives
    (tmp_path / "uprobe_events").write_text(
        f"p:uprobes/p__lib_so_0x10_bcc_{dead} /lib.so:0x0000000000000010\n"
        f"r:uprobes/r__lib_so_0x10_bcc_{dead} /lib.so:0x0000000000000010\n"
        "p:uprobes/p__lib_so_0x10_bcc_1 /lib.so:0x0000000000000010\n"
        "p:mine/somebody_elses /lib.so:0x0000000000000010\n"
    )
    monkeypatch.setattr("agentsight_rx.doctor._TRACEFS_PLACES", (tmp_path,))
    check = _check("left-over probes")
    assert (check.ok, check.seen) == (False, "2 of dead tracers")
    assert check.remedy == (
        "as root: "
        f"echo '-:uprobes/p__lib_so_0x10_bcc_{dead}' >> /sys/kernel/tracing/uprobe_events; "
        f"echo '-:uprobes/r__lib_so_0x10_bcc_{dead}' >> /sys/kernel/tracing/uprobe_events"
    )


def test_a_kernel_that_refuses_programs_is_shown_with_its_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agentsight_rx.doctor._PROG_TYPE_KPROBE", 9_999)
    assert _check("BPF").seen == "the kernel refuses a kprobe program: errno 22 (Invalid argument)"


@pytest.mark.live
def test_where_a_capture_is_possible_nothing_that_it_needs_is_reported_missing() -> None:
    require_capture()
    assert [check for check in checks() if check.needed_for == "every capture" and not check.ok] == []


def _check(name: str) -> Check:
    return next(check for check in checks() if check.name == name)
