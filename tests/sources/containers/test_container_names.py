"""The name of a container comes from the files of its runtime, on machines made of files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agentsight_rx.events import Origin, ProcessExec, ProcessSeen
from agentsight_rx.sources.containers.contents import ContainerNames, Placing, host_seen_from_here
from agentsight_rx.sources.containers.references import HERE, Host

ID = "a1" * 32


def write(root: Path, path: str, value: object) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(value))


@pytest.mark.parametrize(
    ("path", "value", "name"),
    [
        (f"var/lib/docker/containers/{ID}/config.v2.json", {"Name": "/box"}, "box"),
        ("var/lib/containers/storage/overlay-containers/containers.json", [{"id": ID, "names": ["box", "alias"]}], "box"),
        ("home/lena/.local/share/containers/storage/vfs-containers/containers.json", [{"id": ID, "names": ["box"]}], "box"),
        ("var/lib/containers/storage/overlay-containers/volatile-containers.json", [{"id": ID, "names": ["box"]}], "box"),
        (f"var/log/containers/web-1_team_main-app-{ID}.log", "", "team/web-1/main-app"),
        ("var/lib/containers/storage/overlay-containers/containers.json", [{"id": ID, "names": list[str]()}], ID[:12]),
        ("var/lib/containers/storage/overlay-containers/containers.json", "torn", ID[:12]),
    ],
)
def test_a_name_is_that_of_the_runtime_else_the_begin_of_the_id(tmp_path: Path, path: str, value: object, name: str) -> None:
    write(tmp_path, path, value)
    assert name == ContainerNames(Host(tmp_path)).of(ID)


def test_a_name_is_looked_up_once(tmp_path: Path) -> None:
    path = f"var/lib/docker/containers/{ID}/config.v2.json"
    write(tmp_path, path, {"Name": "/box"})
    names = ContainerNames(Host(tmp_path))
    assert "box" == names.of(ID)
    (tmp_path / path).unlink()
    assert "box" == names.of(ID)


def process(here: Path, pid: int, root: Path | None, *, group: str = "0::/\n", command: str = "init") -> None:
    """Without a root it may not be looked into."""
    place = here / f"proc/{pid}"
    place.mkdir(parents=True)
    (place / "cmdline").write_text(command)
    (place / "cgroup").write_text(group)
    (place / "status").write_text(f"NSpid:\t{pid}\n")
    if root is not None:
        (place / "root").symlink_to(root)


@pytest.mark.parametrize("hidden", [False, True], ids=["the first process", "the next one that may be looked into"])
def test_a_recorder_in_a_container_reads_the_files_of_its_machine(tmp_path: Path, hidden: bool) -> None:
    machine, own, other = tmp_path / "machine", tmp_path / "own", tmp_path / "other"
    other.mkdir()
    write(machine, f"var/lib/docker/containers/{ID}/config.v2.json", {"Name": "/box"})
    process(own, 1, None if hidden else machine)
    process(own, 2, other, command="")  # a thread of the kernel
    process(own, 30, other, group=f"0::/docker/{ID}\n")
    process(own, 100, machine)
    process(own, 101, own)
    assert "box" == ContainerNames(host_seen_from_here(own)).of(ID)


def test_on_the_machine_itself_and_without_rights_its_own_files_are_read(tmp_path: Path) -> None:
    assert HERE is host_seen_from_here(tmp_path)
    process(tmp_path, 1, None)
    assert HERE is host_seen_from_here(tmp_path)
    process(tmp_path, 20, tmp_path)
    assert HERE is host_seen_from_here(tmp_path)


def test_a_program_that_starts_gets_its_container(tmp_path: Path) -> None:
    write(tmp_path, f"var/lib/docker/containers/{ID}/config.v2.json", {"Name": "/box"})
    for pid, group in ((70, f"0::/docker/{ID}\n"), (71, "0::/\n")):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/cgroup").write_text(group)
        (tmp_path / f"proc/{pid}/status").write_text(f"NSpid:\t{pid}\t1\n")
    placing = Placing(tmp_path / "proc", Host(tmp_path))
    inside = ProcessExec(Origin(1, 70), 1, 5, "/bin/claude", ("claude",), "/")
    found = placing.exec(inside)
    assert (ID, 1, "box") == (found.container_id, found.ns_pid, found.container)
    outside = ProcessExec(Origin(1, 71), 1, 5, "/bin/claude", ("claude",), "/")
    assert outside == placing.exec(outside)


def test_a_program_that_ran_before_gets_the_name_of_its_container(tmp_path: Path) -> None:
    for pid, group in ((70, f"0::/docker/{ID}\n"), (71, "0::/\n")):
        (tmp_path / f"proc/{pid}").mkdir(parents=True)
        (tmp_path / f"proc/{pid}/cgroup").write_text(group)
        (tmp_path / f"proc/{pid}/status").write_text(f"NSpid:\t{pid}\t1\n")
    placing = Placing(tmp_path / "proc", Host(tmp_path))
    seen = [placing.seen(ProcessSeen(Origin(1, pid), 1, 5, "/bin/claude", ("claude",), "/")) for pid in (70, 71, 72)]
    assert [ID[:12], "", ""] == [event.container for event in seen]
