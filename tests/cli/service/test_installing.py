"""service install, service uninstall: the unit below a root, and a machine as it was before."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.cli.service import installing
from agentsight_rx.errors import CaptureError, UnwritableError, UsageError
from tests.cli.guarding import ran

UNIT = "etc/systemd/system/agentsight-rx.service"


@pytest.fixture(autouse=True)
def rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the kernel of this machine wants is tested with the unit."""
    monkeypatch.setattr("agentsight_rx.sources.kernel.features.wanted_capabilities", lambda: ("CAP_BPF",))


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file and folder below the root, with its mode and its content."""
    found: dict[str, tuple[int, bytes]] = {}
    for each in sorted(root.rglob("*")):
        content = os.readlink(each).encode() if each.is_symlink() else each.read_bytes() if each.is_file() else b""
        found[str(each.relative_to(root))] = stat.S_IMODE(each.lstat().st_mode), content
    return found


def unit(root: Path) -> str:
    return (root / UNIT).read_text()


def test_the_unit_starts_this_program_with_the_flags_that_were_given(tmp_path: Path) -> None:
    (line,) = ran(
        "service", "install", "--root", str(tmp_path), "--memory", "500MB", "--processor", "50", "--", "--exclude-user", "lena"
    )
    assert f"wrote {tmp_path / UNIT}" == line
    text = unit(tmp_path)
    assert "-m agentsight_rx watch --max-memory=350M --exclude-user lena\n" in text
    assert f"MemoryMax={500 << 20}\n" in text
    assert "CPUQuota=50%\n" in text
    assert "CapabilityBoundingSet=CAP_BPF CAP_CHOWN CAP_SETGID CAP_SETUID\n" in text
    assert 0o644 == stat.S_IMODE((tmp_path / UNIT).stat().st_mode), "systemd warns of others"


def test_a_guard_may_stop_agents_of_other_users(tmp_path: Path) -> None:
    ran("service", "install", "--root", str(tmp_path), "--", "--guard", "--no-users")
    assert "CapabilityBoundingSet=CAP_BPF CAP_KILL\n" in unit(tmp_path)


def test_only_who_writes_for_other_users_may_become_them(tmp_path: Path) -> None:
    ran("service", "install", "--root", str(tmp_path), "--", "--no-users")
    assert "CapabilityBoundingSet=CAP_BPF\n" in unit(tmp_path)
    ran("service", "install", "--root", str(tmp_path), "--", "--no-users", "--share-with=adm")
    assert "CapabilityBoundingSet=CAP_BPF CAP_CHOWN CAP_SETGID CAP_SETUID\n" in unit(tmp_path)


def left_by_a_service(root: Path) -> None:
    """What systemd and the recorder make while it runs."""
    for folder, name in (
        ("var/lib", "agentsight-machine.lmdb"),
        ("var/cache", "process.bin"),
        ("run", "agentsight-rx-watch.lock"),
        ("var/lib/agentsight-rx-users/1000", "agentsight-watched.lmdb"),
    ):
        place = root / folder if "users" in folder else root / folder / "agentsight-rx"
        place.mkdir(parents=True)
        (place / name).write_bytes(b"x")
    wanted = root / "etc/systemd/system/multi-user.target.wants"
    wanted.mkdir(exist_ok=True)
    (wanted / "agentsight-rx.service").symlink_to("../agentsight-rx.service")


@given(
    st.sets(
        st.sampled_from(["etc/agentsight-rx/guard.toml", "var/lib/other/x", "run/other", "etc/systemd/system/other.service"])
    )
)
def test_uninstall_leaves_the_machine_as_it_was(tmp_path_factory: pytest.TempPathFactory, others: set[str]) -> None:
    root = tmp_path_factory.mktemp("root")
    for folder in ("etc/systemd/system/multi-user.target.wants", "var/lib", "var/cache", "run"):
        (root / folder).mkdir(parents=True)
    for path in others:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(path)
    before = tree(root)
    ran("service", "install", "--root", str(root))
    left_by_a_service(root)
    assert before != tree(root)
    ran("service", "uninstall", "--root", str(root))
    assert before == tree(root)
    assert ["nothing of it was there"] == ran("service", "uninstall", "--root", str(root))


def test_recordings_stay_where_they_are_wanted(tmp_path: Path) -> None:
    ran("service", "install", "--root", str(tmp_path))
    left_by_a_service(tmp_path)
    ran("service", "uninstall", "--root", str(tmp_path), "--keep-recordings")
    files = [path for path, (_, content) in tree(tmp_path).items() if content]
    recordings = ["agentsight-rx/agentsight-machine.lmdb", "agentsight-rx-users/1000/agentsight-watched.lmdb"]
    assert [f"var/lib/{each}" for each in recordings] == files


def test_a_dry_run_says_all_and_does_nothing(tmp_path: Path) -> None:
    lines = ran("service", "install", "--root", str(tmp_path), "--dry-run")
    assert f"{tmp_path / UNIT}:" == lines[0]
    assert "systemctl enable --now agentsight-rx.service" == lines[-1]
    assert {} == tree(tmp_path)
    ran("service", "install", "--root", str(tmp_path))
    left_by_a_service(tmp_path)
    before = tree(tmp_path)
    lines = ran("service", "uninstall", "--root", str(tmp_path), "--dry-run")
    assert "systemctl disable --now agentsight-rx.service" == lines[0]
    assert [f"remove {tmp_path / path}" for path in (UNIT, "var/lib/agentsight-rx-users")] == [lines[1], lines[-1]]
    assert before == tree(tmp_path)


def test_wrong_flags_are_said(tmp_path: Path) -> None:
    for words in (["--memory", "100MB"], ["--memory", "much"]):
        with pytest.raises(UsageError):
            ran("service", "install", "--root", str(tmp_path), *words)
    assert {} == tree(tmp_path)


def test_a_root_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "etc").write_text("")
    with pytest.raises(UnwritableError, match="cannot be written: "):
        ran("service", "install", "--root", str(tmp_path))


def test_what_cannot_be_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran("service", "install", "--root", str(tmp_path))

    def refused(_: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(installing, "_remove", refused)
    with pytest.raises(UnwritableError, match=r"agentsight-rx\.service cannot be removed: Permission denied"):
        ran("service", "uninstall", "--root", str(tmp_path))


def test_the_machine_itself_is_roots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for command in ("install", "uninstall"):
        with pytest.raises(UsageError, match="run it with sudo"):
            ran("service", command)


def as_machine(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This folder is the root of the machine."""

    def below(_: Path, path: str) -> Path:
        return root / path.lstrip("/")

    monkeypatch.setattr(installing, "_below", below)


def test_on_the_machine_itself_systemd_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With this folder as the root of the machine, and what is asked of systemd written down."""
    asked: list[str] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    as_machine(tmp_path, monkeypatch)

    def systemctl(*words: str) -> None:
        asked.append(" ".join(words))
        link = tmp_path / "etc/systemd/system/multi-user.target.wants" / words[-1]
        if words[0] == "enable":
            link.parent.mkdir()
            link.symlink_to(f"../{words[-1]}")
        elif words[0] == "disable":
            link.unlink()

    monkeypatch.setattr(installing, "systemctl", systemctl)
    monkeypatch.setattr(installing, "is_running", lambda: True)
    ran("service", "install")
    ran("service", "uninstall")
    unit_name = "agentsight-rx.service"
    assert [
        "daemon-reload",
        f"enable {unit_name}",
        f"restart {unit_name}",
        f"disable --now {unit_name}",
        "daemon-reload",
    ] == asked
    assert [] == [path for path, (_, content) in tree(tmp_path).items() if content]


def test_without_systemd_that_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("agentsight_rx.cli.service.installing._MANAGER", tmp_path / "none")
    as_machine(tmp_path, monkeypatch)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(CaptureError, match="systemd does not run this machine"):
        ran("service", "install")
