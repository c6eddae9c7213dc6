"""Container references and control groups, on machines made of files."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.errors import CaptureError, UsageError
from agentsight_rx.sources.containers.contents import control_groups, inside, libraries_in, members
from agentsight_rx.sources.containers.control_groups import Inside, Memory, container_of
from agentsight_rx.sources.containers.references import Container, Host, resolve_reference

A, B, C = "a1" * 32, "b2" * 32, "c3" * 32
POD = "0a1b2c3d-1111-2222-3333-444455556666"


class Machine:
    """A machine in a directory, without tools unless they are given."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.proc = root / "proc"
        self.proc.mkdir()
        (root / "bin").mkdir()
        self.host = Host(root, str(root / "bin"))

    def process(self, pid: int, cgroup: str, *numbers: int, started: int = 100) -> Path:
        directory = self.proc / str(pid)
        directory.mkdir()
        (directory / "cgroup").write_text(f"0::{cgroup}\n" if cgroup.startswith("/") else cgroup)
        (directory / "status").write_text("\t".join(["Name:\tx\nNSpid:", *map(str, (pid, *numbers))]) + "\nThreads:\t1\n")
        (directory / "stat").write_text(f"{pid} (a) b) S 1 " + "0 " * 17 + f"{started} 0\n")
        (directory / "root").mkdir()
        return directory

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def tool(self, name: str, script: str) -> None:
        self.write(f"bin/{name}", f'#!/bin/sh\necho {name} "$@" >> {self.root}/asked\n{script}\n')
        (self.root / "bin" / name).chmod(0o755)

    @property
    def asked(self) -> str:
        file = self.root / "asked"
        return file.read_text() if file.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


# -- a pid -> its container --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cgroup", "id", "runtime", "pod"),
    [
        (f"/docker/{A}", A, "docker", ""),
        (f"/system.slice/docker-{A}.scope", A, "docker", ""),
        (f"/docker/{A}/docker/{B}/init", B, "docker", ""),
        (f"/machine.slice/libpod-{A}.scope/container", A, "podman", ""),
        (f"/libpod_parent/libpod-{A}", A, "podman", ""),
        (f"/nerdctl/nerdctl-{A}.scope", A, "nerdctl", ""),
        (f"/kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri-containerd-{A}.scope", A, "containerd", POD),
        (f"/kubepods.slice/kubepods-burstable-pod{POD.replace('-', '_')}.slice:cri-containerd:{A}", A, "containerd", POD),
        (f"/kubepods/besteffort/pod{POD}/crio-{A}.scope", A, "cri-o", POD),
        (f"/kubepods/besteffort/pod{POD}/{A}", A, "", POD),
        (f"/kubepods/pod{'9f' * 16}/{A}", A, "", "9f" * 16),
        (f"/../{A}", A, "", ""),
    ],
)
def test_a_control_group_identifies_its_container(machine: Machine, cgroup: str, id: str, runtime: str, pod: str) -> None:
    machine.process(70, cgroup, 1)
    assert Inside(id, 1, pod) == container_of(70, machine.proc)
    assert resolve_reference(f"docker:{id}", machine.host).runtime == (runtime or "docker")


@pytest.mark.parametrize(
    "cgroup",
    [
        "/",
        "/user.slice/user-1000.slice",
        f"/machine.slice/libpod-conmon-{A}.scope",
        f"/crio-conmon-{A}.scope",
        f"/docker/{A[:-2]}",
        f"/x:y{A}",
    ],
)
def test_other_control_groups_are_not_containers(machine: Machine, cgroup: str) -> None:
    machine.process(70, cgroup)
    assert container_of(70, machine.proc) is None


def test_any_line_of_version_1_may_have_the_container(machine: Machine) -> None:
    machine.process(70, f"9:name=systemd:/\n4:memory:/docker/{A}\n0::/\n", 1)
    assert Inside(A, 1, "") == container_of(70, machine.proc)


def test_a_process_that_is_gone_has_the_container_of_its_parent(machine: Machine) -> None:
    memory = Memory(machine.proc)
    machine.process(70, f"/docker/{A}", 1)
    assert Inside(A, 1, "") == memory.of(70, 5, 1)
    assert Inside(A, 0, "") == memory.of(71, 6, 70)
    assert memory.of(72, 7, 2) is None


def test_a_process_that_is_gone_keeps_its_container(machine: Machine) -> None:
    memory = Memory(machine.proc)
    process = machine.process(70, f"/docker/{A}", 9)
    memory.of(70, 5, 1)
    (process / "cgroup").unlink()
    assert Inside(A, 9, "") == memory.of(70, 5, 1)
    assert memory.of(70, 6, 1) is None  # another one, under the same number


def test_memory_is_bounded(machine: Machine) -> None:
    memory = Memory(machine.proc, most=2)
    for pid in range(1, 8):
        memory.of(pid, pid, 0)
    assert len(memory._known) <= 2  # pyright: ignore[reportPrivateUsage]


# -- a reference -> its container --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "docker://",
        "docker:",
        "docker:///path",
        "docker://-v",
        "docker://a b",
        "docker://a;b",
        "podman://$(id)",
        "k8s://",
        "k8s://Upper",
        "k8s://ns/pod/",
        "k8s://a/b/c/d",
        "kubernetes://ns/pod_x",
        "lxc://a",
    ],
)
def test_a_bad_reference_is_refused_before_a_tool_sees_it(machine: Machine, text: str) -> None:
    for tool in ("docker", "podman", "nerdctl", "crictl"):
        machine.tool(tool, "echo")
    with pytest.raises(UsageError):
        resolve_reference(text, machine.host)
    assert machine.asked == ""


@pytest.mark.parametrize("form", ["docker://box", "docker:box"])
def test_the_tool_is_asked_first(machine: Machine, form: str) -> None:
    machine.process(70, f"/docker/{A}", 1)
    machine.tool("docker", f"echo {A} 70")
    assert Container(form, A, "docker", 70) == resolve_reference(form, machine.host)
    assert machine.asked == "docker inspect --type container --format {{.Id}} {{.State.Pid}} -- box\n"


def test_a_path_in_the_container_is_kept(machine: Machine) -> None:
    machine.process(70, f"/docker/{A}", 1)
    machine.tool("docker", f"echo {A} 70")
    assert resolve_reference("docker://box/usr/bin/agent", machine.host).path == "/usr/bin/agent"


def test_a_failing_tool_is_ignored(machine: Machine) -> None:
    machine.tool("docker", f"echo {B} 70; exit 1")
    machine.tool("nerdctl", f"echo {A} 70")
    machine.process(70, f"/x/nerdctl-{A}.scope", 1)
    assert Container("docker:box", A, "nerdctl", 70) == resolve_reference("docker:box", machine.host)


def test_a_tool_that_asks_another_machine_does_not_name_a_process_of_this_one(machine: Machine) -> None:
    machine.process(70, "/user.slice")
    machine.tool("docker", f"echo {A} 70")
    with pytest.raises(CaptureError, match="does not run here"):
        resolve_reference("docker:box", machine.host)


def test_docker_is_found_by_name_in_its_own_files(machine: Machine) -> None:
    machine.process(70, f"/docker/{A}", 1)
    machine.write(f"var/lib/docker/containers/{A}/config.v2.json", '{"Name": "/box", "State": {"Pid": 12}}')
    assert Container("docker:box", A, "docker", 70) == resolve_reference("docker:box", machine.host)


@pytest.mark.parametrize("place", ["var/lib/containers", "home/ada/.local/share/containers"])
def test_podman_is_found_by_name_in_its_own_files(machine: Machine, place: str) -> None:
    machine.process(70, f"/machine.slice/libpod-{A}.scope/container", 1)
    listing = f'[{{"id": "{B}", "names": ["other"]}}, {{"id": "{A}", "names": ["box"]}}]'
    machine.write(f"{place}/storage/overlay-containers/containers.json", listing)
    assert Container("podman:box", A, "podman", 70) == resolve_reference("podman:box", machine.host)
    with pytest.raises(CaptureError, match="does not run here"):
        resolve_reference("podman:other", machine.host)
    with pytest.raises(CaptureError, match="no such container here; running: box"):
        resolve_reference("podman:nobody", machine.host)


def test_docker_is_another_name_for_podman_where_docker_is_not_there(machine: Machine) -> None:
    machine.process(70, f"/machine.slice/libpod-{A}.scope/container", 1)
    machine.write("var/lib/containers/storage/overlay-containers/containers.json", f'[{{"id": "{A}", "names": ["box"]}}]')
    assert Container("docker://box", A, "podman", 70) == resolve_reference("docker://box", machine.host)
    machine.tool("podman", f"echo {A} 70")
    assert Container("docker:box", A, "podman", 70) == resolve_reference("docker:box", machine.host)
    machine.process(80, f"/docker/{B}", 1)
    machine.tool("docker", f"echo {B} 80")
    assert resolve_reference("docker:box", machine.host).init_pid == 80  # docker's own comes first


def test_a_broken_state_file_is_ignored(machine: Machine) -> None:
    machine.write("var/lib/containers/storage/overlay-containers/containers.json", '[{"id": ')
    with pytest.raises(CaptureError, match="no such container here"):
        resolve_reference("podman:box", machine.host)


def test_an_id_may_be_cut_while_it_is_the_only_one(machine: Machine) -> None:
    machine.process(70, f"/docker/{A}", 1)
    machine.process(80, f"/docker/{A[:20]}{C[:44]}", 1)
    assert resolve_reference(f"docker:{A[:24]}", machine.host).init_pid == 70
    with pytest.raises(CaptureError, match="several containers fit"):
        resolve_reference(f"docker:{A[:12]}", machine.host)


def test_the_first_process_has_number_1_or_started_first(machine: Machine) -> None:
    machine.process(70, f"/docker/{A}", 8, started=5)
    machine.process(90, f"/docker/{A}", 1, started=100)
    machine.process(71, f"/docker/{B}", started=300)
    machine.process(72, f"/docker/{B}", started=200)
    assert resolve_reference(f"docker:{A[:12]}", machine.host).init_pid == 90
    assert resolve_reference(f"docker:{B[:12]}", machine.host).init_pid == 72


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("run/containers/storage/overlay-containers/{id}/userdata/pidfile", "70"),
        ("run/containerd/io.containerd.runtime.v2.task/default/{id}/init.pid", "70"),
        ("run/runc/{id}/state.json", '{"init_process_pid": 70, "init_process_start": 100}'),
        ("run/crun/{id}/status", '{"pid": 70}'),
    ],
)
def test_a_container_without_a_control_group_of_its_own_is_found_by_its_state_file(
    machine: Machine, file: str, text: str
) -> None:
    machine.process(70, "/", 1)
    machine.write("var/lib/containers/storage/overlay-containers/containers.json", f'[{{"id": "{A}", "names": ["box"]}}]')
    machine.write(file.format(id=A), text)
    assert Container("podman:box", A, "podman", 70) == resolve_reference("podman:box", machine.host)


def test_a_reused_pid_is_not_accepted(machine: Machine) -> None:
    machine.process(70, "/", 1, started=101)
    machine.process(71, "/")
    machine.write("var/lib/containers/storage/overlay-containers/containers.json", f'[{{"id": "{A}", "names": ["box"]}}]')
    machine.write(f"run/runc/{A}/state.json", '{"init_process_pid": 70, "init_process_start": 100}')
    machine.write(f"run/containers/storage/overlay-containers/{A}/userdata/pidfile", "71")
    with pytest.raises(CaptureError, match="does not run here"):
        resolve_reference("podman:box", machine.host)


def _pod(machine: Machine) -> None:
    for pid, id, name in ((70, A, "agent"), (80, B, "proxy")):
        machine.process(pid, f"/kubepods/pod{POD}/cri-containerd-{id}.scope", 1)
        machine.write(f"var/log/containers/my-pod_team_{name}-{id}.log", "")
    machine.process(60, f"/kubepods/pod{POD}/cri-containerd-{C}.scope", 1)  # holds the namespaces
    machine.write(f"var/log/containers/my-pod_team_agent-{'d4' * 32}.log", "")  # of before a restart


@pytest.mark.parametrize("scheme", ["k8s://", "k8s:", "kubernetes://", "kubernetes:"])
def test_a_container_of_a_pod_is_found_by_the_links_of_its_log(machine: Machine, scheme: str) -> None:
    _pod(machine)
    found = resolve_reference(f"{scheme}team/my-pod/agent", machine.host)
    assert Container(f"{scheme}team/my-pod/agent", A, "containerd", 70) == found


def test_a_pod_of_several_containers_wants_a_name(machine: Machine) -> None:
    _pod(machine)
    with pytest.raises(CaptureError, match="several containers: agent, proxy; name one: k8s://team/my-pod/NAME"):
        resolve_reference("k8s://team/my-pod", machine.host)
    with pytest.raises(CaptureError, match="no container 'db' of pod 'my-pod' in namespace 'team' runs here"):
        resolve_reference("k8s://team/my-pod/db", machine.host)


def test_the_namespace_of_a_pod_is_default_by_default(machine: Machine) -> None:
    machine.process(70, f"/kubepods/pod{POD}/cri-containerd-{A}.scope", 1)
    machine.write(f"var/log/containers/my-pod_default_agent-{A}.log", "")
    assert resolve_reference("k8s://my-pod", machine.host).id == A
    with pytest.raises(CaptureError, match="no pod 'other' in namespace 'default'"):
        resolve_reference("k8s://other", machine.host)


def test_crictl_is_asked_about_a_pod(machine: Machine) -> None:
    machine.process(70, f"/kubepods/pod{POD}/crio-{A}.scope", 1)
    machine.tool("crictl", f"""echo '{{"containers": [{{"id": "{A}", "metadata": {{"name": "agent", "attempt": 0}}}}]}}'""")
    assert Container("k8s:team/my-pod", A, "cri-o", 70) == resolve_reference("k8s:team/my-pod", machine.host)
    assert "--label io.kubernetes.pod.name=my-pod --label io.kubernetes.pod.namespace=team" in machine.asked


# -- what is in a container --------------------------------------------------------------------------------------------


def test_members_are_all_of_its_control_group(machine: Machine) -> None:
    machine.process(70, f"/docker/{A}", 1)
    machine.process(75, f"/docker/{A}/sub", 8)
    machine.process(80, f"/docker/{B}", 1)
    machine.process(81, "/")
    container = resolve_reference(f"docker:{A}", machine.host)
    assert members([container], machine.proc) == {70, 75}
    assert members([], machine.proc) == set()


def test_the_links_of_a_container_stay_in_it(machine: Machine) -> None:
    root = machine.process(70, f"/docker/{A}", 1) / "root"
    container = resolve_reference(f"docker:{A}", machine.host)
    (root / "usr/lib").mkdir(parents=True)
    (root / "lib").symlink_to("/usr/lib")
    (root / "usr/lib/libssl.so.3").touch()
    (root / "usr/lib/libssl.so").symlink_to("/lib/libssl.so.3")
    (root / "agent").symlink_to("../../../etc/alternatives/agent")
    (root / "loop").symlink_to("loop")
    assert inside(container, "/lib/libssl.so", machine.proc) == root / "usr/lib/libssl.so.3"
    assert inside(container, "/agent", machine.proc) == root / "etc/alternatives/agent"
    assert inside(container, "/../../usr/./lib", machine.proc) == root / "usr/lib"
    with pytest.raises(CaptureError, match="too many symbolic links"):
        inside(container, "/loop", machine.proc)
    assert libraries_in(container, machine.proc) == [root / "usr/lib/libssl.so.3"]


@pytest.mark.parametrize("name", ["docker/{id}", "docker-{id}.scope", "libpod-{id}.scope/container"])
def test_its_control_groups_have_numbers(machine: Machine, name: str) -> None:
    path, _, _ = name.format(id=A).partition("/container")
    top = machine.root / "cgroup" / path
    (top / "below").mkdir(parents=True)
    machine.process(70, "/" + name.format(id=A), 1)
    machine.write("proc/self/mounts", f"proc /proc proc rw 0 0\ncgroup2 {machine.root}/cgroup cgroup2 rw 0 0\n")
    container = resolve_reference(f"docker:{A}", machine.host)
    assert control_groups(container, machine.host) == [top.stat().st_ino, (top / "below").stat().st_ino]


def test_a_container_in_the_top_group_has_none(machine: Machine) -> None:
    machine.process(70, f"4:memory:/docker/{A}\n0::/\n", 1)
    machine.write("proc/self/mounts", f"cgroup2 {machine.root}/cgroup cgroup2 rw 0 0\n")
    assert control_groups(resolve_reference(f"docker:{A}", machine.host), machine.host) == []
