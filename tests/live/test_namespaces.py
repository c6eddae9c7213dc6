"""We run in a PID namespace, as in a container: its processes are watched, by their numbers in it, and no stranger is."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from agentsight_rx.sources.own_folder import own_folder
from agentsight_rx.store.log.reading import read_exchange
from agentsight_rx.store.rows.tables import CALLS, PROCESSES
from agentsight_rx.store.state import LmdbStore
from tests.live.capture import PATIENCE_S, PROGRAM
from tests.live.namespaced import worker
from tests.live.peers import CLIENTS, fake_llm
from tests.live.podman import imported, podman
from tests.live.test_everything import AGENT, SERVER
from tests.reports import read_report

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
BELOW = ("unshare", "--fork", "--pid", "--mount-proc")

Way: TypeAlias = Callable[[Path], list[str]]  # a directory -> the words before a command, which sees that directory


@pytest.fixture(scope="module")
def image() -> Generator[str]:
    """An image with nothing in it: its programs are those of this machine."""
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for name in ("bin", "sbin", "lib", "lib64"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, f"usr/{name}"
            archive.addfile(link)
    with imported(f"localhost/agentsight-rx-namespaces-{os.getpid()}", content.getvalue()) as name:
        yield name


def _container(image: str, folder: Path, *options: str) -> list[str]:
    cache = own_folder()
    assert cache is not None
    cache.mkdir(parents=True, exist_ok=True)
    shared = {ROOT, folder, cache, Path(sys.base_prefix), Path("/sys/kernel"), Path("/usr"), Path("/etc")}
    volumes = [word for place in sorted(shared) for word in ("--volume", f"{place}:{place}")]
    where = ["--workdir", str(ROOT), "--env", f"XDG_CACHE_HOME={cache.parent}"]
    return podman("run", "--rm", "--privileged", "--network=host", *volumes, *where, *options, image)


@pytest.fixture(params=["below", "twice below", "container", "container of the host's pids"])
def way(request: pytest.FixtureRequest) -> Way:
    if "container" not in request.param:
        return lambda _: [*BELOW, *(BELOW if request.param == "twice below" else ())]
    image = request.getfixturevalue("image")
    options = ["--pid=host"] if "host" in request.param else []
    return lambda folder: _container(image, folder, *options)


def run(words: list[str], *, patience_s: float = PATIENCE_S) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=patience_s, check=False)


def rows(store: Path, table: Any) -> list[Any]:
    kept = LmdbStore.open(store, readonly=True)
    try:
        return [row for _, row in kept.scan(table)]
    finally:
        kept.close()


def test_a_command_is_recorded_whole(way: Way, tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "server.py").write_text(SERVER)
    (tmp_path / "go").touch()
    store, agent = tmp_path / "run.lmdb", [sys.executable, *(str(tmp_path / name) for name in ("agent.py", "go", "server.py"))]
    script = f'true; echo $$ $PPID >{tmp_path}/numbers; ls / >/dev/null; "$@"; exit 3'
    with fake_llm(tmp_path) as peer:
        given = [f"{name}={value}" for name, value in CLIENTS[0].env(peer, tmp_path).items() if name != "PATH"]
        command = ["/bin/sh", "-c", script, "sh", "env", *given, *agent]
        done = run([*way(tmp_path), *PROGRAM, "record", "--db", str(store), "--", *command])
        bodies = {exchange.request for exchange in peer.exchanges()}
    assert (3, True) == (done.returncode, "nothing is missing" in done.stderr), done.stderr
    kept = LmdbStore.open(store, readonly=True)
    report = read_report(kept)
    exchanges = [read_exchange(kept, call.id) for _, call in kept.scan(CALLS)]
    kept.close()
    assert bodies == {each.request.body for each in exchanges if each.request is not None}
    assert all(each.response is not None and each.response.complete for each in exchanges)
    assert report.totals.calls == 2
    assert report.totals.audits["mcp"] >= 5
    assert report.totals.audits["file"] > 100
    assert report.totals.audits["network"] >= 1
    shell, recorder = map(int, (tmp_path / "numbers").read_text().split())
    ran = rows(store, PROCESSES)
    assert {row.ppid for row in ran} - {row.pid for row in ran} == {recorder}
    assert [(shell, 3)] == [(row.pid, row.exit_code) for row in ran if row.ppid == recorder]
    assert [(shell, 0)] == [(row.ppid, row.exit_code) for row in ran if row.argv == ("ls", "/")]


@pytest.mark.parametrize("selected", ["a process", "a session", "every process"])
def test_no_process_outside_is_watched(selected: str, tmp_path: Path) -> None:
    """Here its number means another process, as that of a container often does. All are of a session that began outside: 0."""
    with worker(tmp_path, "outside") as outside:
        chosen = ["--pid", str(outside.pid), "--stdio", "--stdio-all-fds"]
        words = {"a process": chosen, "a session": ["--session", "0", "--mode", "2"]}.get(selected, [])
        inside = [sys.executable, "-m", "tests.live.namespaced", str(tmp_path), str(outside.pid), *words]
        done = run([*BELOW, *inside])
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert "-by-outside" not in done.stdout
    (made,) = [event for event in events if "made-by-inside" in event["data"].get("filepath", "")]
    (ran,) = [event for event in events if event["data"].get("event") == "EXEC" and "run-by-inside" in json.dumps(event)]
    assert (outside.pid, outside.pid) == (made["pid"], ran["data"]["ppid"])
    assert {"FORK", "EXIT", "FILE_MKDIR", "NET_CONNECT"} <= {event["data"].get("event") for event in events}
    assert (selected == "a process") == ("stdio" in {event["source"] for event in events})


def test_processes_of_a_namespace_below_have_our_numbers(tmp_path: Path) -> None:
    store = tmp_path / "run.lmdb"
    command = [*BELOW, "/bin/sh", "-c", "echo $$; ls / >/dev/null; exit 5"]
    done = run([*BELOW, *PROGRAM, "record", "--db", str(store), "--", *command])
    assert (5, "1\n", True) == (done.returncode, done.stdout, "nothing is missing" in done.stderr)
    ran = {row.comm: row for row in rows(store, PROCESSES) if row.comm in ("unshare", "sh", "ls")}
    assert ran["unshare"].pid == ran["sh"].ppid
    assert 1 < ran["sh"].pid == ran["ls"].ppid
    assert (5, 5, 0) == (ran["unshare"].exit_code, ran["sh"].exit_code, ran["ls"].exit_code)


def test_the_first_process_waits_for_what_is_left_running(tmp_path: Path) -> None:
    """It has no child of its own that would never end."""
    script = "(while ! [ -e $0/ended ]; do sleep 0.01; done; touch $0/last) & touch $0/ended"
    command = ["/bin/sh", "-c", script, str(tmp_path)]
    done = run([*BELOW, *PROGRAM, "record", "--wait-all", "--db", str(tmp_path / "run.lmdb"), "--", *command])
    assert (0, True) == (done.returncode, "nothing is missing" in done.stderr)
    assert (tmp_path / "last").exists()


@pytest.mark.parametrize(
    "words",
    [("record", "--db", "DB", "--", "touch", "RAN"), ("trace", "--process"), ("trace", "--system", "--pid", "1")],
    ids=lambda words: words[-1],
)
@pytest.mark.parametrize(
    ("unshared", "said"),
    [
        (
            ("--fork", "--pid"),
            "not of the PID namespace that we run in, so a number there means another process. What to do: mount it anew",
        ),
        ((*BELOW[1:], "--time", "--boottime", "100"), "whose clocks differ from the kernel's (boottime +100 s)"),
    ],
    ids=["numbers", "clocks"],
)
def test_what_would_mean_something_else_is_refused(
    words: tuple[str, ...], unshared: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    places = {"DB": str(tmp_path / "run.lmdb"), "RAN": str(tmp_path / "ran")}
    done = run(["unshare", *unshared, *PROGRAM, *(places.get(word, word) for word in words)])
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_every_source_passes_its_own_tests_in_a_container(image: str, tmp_path: Path) -> None:
    tests = (
        "test_process.py",
        "test_files.py",
        "test_scopes.py",
        "test_clients.py::test_every_byte_of_every_body_is_seen[curl]",
    )
    options = ["-n0", "-q", "-p", "no:cacheprovider", "--basetemp", str(tmp_path / "inside")]
    words = [sys.executable, "-m", "pytest", *options, *(f"tests/live/{name}" for name in tests)]
    done = run([*_container(image, tmp_path), *words], patience_s=5 * PATIENCE_S)
    assert done.returncode == 0, done.stdout[-3000:]


def test_a_command_of_which_nothing_was_seen_is_missing(tmp_path: Path) -> None:
    """Whatever the cause; here it is a control group that the command is not in."""
    group = Path("/sys/fs/cgroup/unified" if Path("/sys/fs/cgroup/unified").is_dir() else "/sys/fs/cgroup")
    elsewhere = group / f"agentsight-rx-test-{os.getpid()}"
    elsewhere.mkdir()
    try:
        done = run(
            [*PROGRAM, "record", "--cgroup", str(elsewhere), "--db", str(tmp_path / "run.lmdb"), "--", "sh", "-c", "exit 7"]
        )
    finally:
        elsewhere.rmdir()
    assert done.returncode == 7
    assert "nothing is missing" not in done.stderr
    assert "1 thing is missing: the recorded command was not seen to run" in done.stderr
    health = run([*PROGRAM, "report", "health", "--db", str(tmp_path / "run.lmdb"), "--json"])
    assert [("process", "unseen", 1)] == [
        (each["stage"], each["reason"], each["count"]) for each in json.loads(health.stdout)["losses"]
    ]
