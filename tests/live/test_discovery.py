"""TLS libraries outside the known paths: found when a process maps them, probed once, and only for chosen processes."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from agentsight_rx import operators as op
from agentsight_rx import sources
from agentsight_rx.core.stream import origin
from agentsight_rx.events import HttpRequest, TlsChunk, time_of
from agentsight_rx.sources import Target, TlsOptions
from agentsight_rx.sources.tls.libraries import system_libraries
from agentsight_rx.sources.tls.source import TlsReader
from tests.live.capture import PATIENCE_S, PROGRAM, Kept, running, started, until
from tests.live.peers import client_named, fake_llm
from tests.sources.tls import make_program

pytestmark = pytest.mark.live

MESSAGES = 37

# GATE NAME LIBRARY -> a TLS connection through that libssl: loaded by path, the linker uses it for the module `ssl`.
TALKER = f"""
import ctypes, sys, time
from pathlib import Path
gate, name, library = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
def wait(what):
    while not (gate / what).exists():
        time.sleep(0.005)
wait("go")
ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
(gate / f"loaded-{{name}}").touch()
wait("on")
from benchmarks.tls_worker import connected
client, server = connected()
for number in range({MESSAGES}):
    data = f"{{name}} {{number}};".encode()
    client.write(data)
    assert server.read(1000) == data
"""


@pytest.fixture
def libssl() -> Path:
    return system_libraries()[0]


def _talker(gate: Path, name: str, library: Path) -> list[str]:
    return [sys.executable, "-c", TALKER, str(gate), name, str(library)]


def _said(name: str) -> bytes:
    return b"".join(b"%s %d;" % (name.encode(), number) for number in range(MESSAGES))


@contextmanager
def _reading(options: TlsOptions) -> Generator[tuple[Kept, list[str]]]:
    """Run the TLS source. Gives its events and its messages."""
    said: list[str] = []
    source = origin("tls", lambda: TlsReader(options, said.append), time_of=time_of, live=True)
    with running(source) as (run, kept):
        yield kept, said
        assert run.stop().complete


def _texts(kept: Kept) -> dict[tuple[int, str | None, str], bytes]:
    """All bytes of each process, direction and library."""
    found: dict[tuple[int, str | None, str], bytes] = {}
    for chunk in kept.of(TlsChunk):
        assert chunk.origin.connection is not None
        key = (chunk.origin.pid, chunk.origin.direction, chunk.origin.connection.library)
        found[key] = found.get(key, b"") + chunk.data
    return found


def test_a_library_under_another_name_is_found_when_it_is_loaded_late(libssl: Path, tmp_path: Path) -> None:
    library = tmp_path / "libother-6a9b88ec.so.3"
    shutil.copy(libssl, library)
    with (
        started(_talker(tmp_path, "late", library)) as talker,
        _reading(TlsOptions(Target(talker.pid))) as (kept, said),
    ):
        (tmp_path / "go").touch()
        until(lambda: f"watching TLS in {library}" in said)
        (tmp_path / "on").touch()
        assert talker.wait(PATIENCE_S) == 0
    expected = _said("late")
    assert _texts(kept) == {(talker.pid, direction, str(library)): expected for direction in ("in", "out")}


def test_a_deleted_library_that_is_still_mapped_is_read(libssl: Path, tmp_path: Path) -> None:
    library = tmp_path / "libssl.so.3"
    shutil.copy(libssl, library)
    with started(_talker(tmp_path, "gone", library)) as talker:
        (tmp_path / "go").touch()
        until((tmp_path / "loaded-gone").exists)
        library.unlink()
        with _reading(TlsOptions(Target(talker.pid))) as (kept, _):
            (tmp_path / "on").touch()
            assert talker.wait(PATIENCE_S) == 0
    assert [_said("gone")] * 2 == list(_texts(kept).values())


def test_two_processes_share_the_probes_of_one_file(libssl: Path, tmp_path: Path) -> None:
    library, link = tmp_path / "libssl-1.so", tmp_path / "libssl-2.so"
    shutil.copy(libssl, library)
    link.hardlink_to(library)
    one, two = (shlex.join(_talker(tmp_path, *names)) for names in (("one", library), ("two", link)))
    with (
        started(["/bin/sh", "-c", f"{one} & {two} & wait"]) as shell,
        _reading(TlsOptions(Target(shell.pid))) as (kept, said),
    ):
        (tmp_path / "go").touch()
        until(lambda: (tmp_path / "loaded-one").exists() and (tmp_path / "loaded-two").exists())
        until(lambda: any(str(tmp_path) in line for line in said))
        (tmp_path / "on").touch()
        assert shell.wait(PATIENCE_S) == 0
    assert len([line for line in said if str(tmp_path) in line]) == 1
    assert sorted([_said("one"), _said("two")] * 2) == sorted(_texts(kept).values())


def test_a_named_library_selects_the_processes_that_map_it(libssl: Path, tmp_path: Path) -> None:
    named, other = tmp_path / "libnamed.so.3", tmp_path / "libother.so.3"
    for library in (named, other):
        shutil.copy(libssl, library)
    before = _talker(tmp_path, "before", named)
    with (
        started(before) as first,
        started(_talker(tmp_path, "other", other)) as second,
        started(_talker(tmp_path, "system", libssl)) as third,
    ):
        (tmp_path / "go").touch()
        until(lambda: all((tmp_path / f"loaded-{name}").exists() for name in ("before", "other", "system")))
        with (
            _reading(TlsOptions(Target(comms=("no-such-name-at-all",)), binaries=(str(named),))) as (kept, said),
            started(_talker(tmp_path, "after", named)) as fourth,
        ):
            until((tmp_path / "loaded-after").exists)
            (tmp_path / "on").touch()
            assert [process.wait(PATIENCE_S) for process in (first, second, third, fourth)] == [0] * 4
    assert f"watching TLS in {named}" in said
    assert any("a name of processes does not count" in line for line in said)
    expected = {first.pid: _said("before"), fourth.pid: _said("after")}
    assert _texts(kept) == {(pid, direction, str(named)): text for pid, text in expected.items() for direction in ("in", "out")}


def test_a_named_program_selects_the_processes_that_run_it(tmp_path: Path) -> None:
    client = client_named("node")
    with fake_llm(tmp_path) as peer:
        runner, *arguments = client.command(peer, 5, 100)
        named = tmp_path / "agent"
        shutil.copy(runner, named)
        homes = [tmp_path / "named", tmp_path / "other"]
        for home in homes:
            home.mkdir()
        options = TlsOptions(binaries=(str(named),))
        with running(sources.tls(options).pipe(op.normalize(), op.parse_http())) as (run, kept):
            with (
                started([str(named), *arguments], client.env(peer, homes[0])) as watched,
                started([runner, *arguments], client.env(peer, homes[1])) as other,
            ):
                assert watched.wait(PATIENCE_S) == other.wait(PATIENCE_S) == 0
            assert run.stop().complete
    requests = kept.of(HttpRequest)
    assert {request.origin.pid for request in requests} == {watched.pid}
    assert len(requests) == 5


def test_a_program_with_built_in_tls_is_found_when_it_starts(tmp_path: Path) -> None:
    client = client_named("node")
    with fake_llm(tmp_path) as peer:
        runner, *arguments = client.command(peer, 5, 100)
        named = tmp_path / "agent"
        shutil.copy(runner, named)
        script = f'until [ -e {tmp_path}/go ]; do sleep 0.01; done; exec "$@"'
        env = client.env(peer, tmp_path) | {"WAIT_FOR": str(tmp_path / "on")}
        with (
            started(["/bin/sh", "-c", script, "sh", str(named), *arguments], env) as shell,
            _reading(TlsOptions(Target(shell.pid))) as (kept, said),
        ):
            (tmp_path / "go").touch()
            until(lambda: f"watching TLS in {named}" in said)
            (tmp_path / "on").touch()
            assert shell.wait(PATIENCE_S) == 0
    sent = b"".join(chunk.data for chunk in kept.of(TlsChunk) if chunk.origin.direction == "out")
    assert sent.count(b"POST /v1/messages HTTP/1.1\r\n") == 5


def test_a_named_file_without_symbols_is_refused_in_one_line(tmp_path: Path) -> None:
    named = make_program(tmp_path / "agent", trailing=b"\0/build/vendor/boringssl/ssl/ssl_lib.cc\0")
    done = subprocess.run(
        [*PROGRAM, "trace", "--ssl", "--binary-path", str(named)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"Error: {named} has no TLS functions that could be probed (it looks like BoringSSL): "
        "its TLS cannot be read: the texts of BoringSSL are there, but no code refers to them"
    )
