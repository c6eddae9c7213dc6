"""A TLS client and a server talk inside a real container: every byte is captured from outside."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from agentsight_rx import sources
from agentsight_rx.errors import CaptureError
from agentsight_rx.events import ProcessExec, TlsChunk
from agentsight_rx.sources import ProcessOptions, Target, TlsOptions
from agentsight_rx.sources.containers.contents import control_groups, libraries_in
from agentsight_rx.sources.containers.references import Container, Host, resolve_reference
from tests.live.capture import PATIENCE_S, Kept, running, tracing, until
from tests.live.podman import imported, podman

pytestmark = pytest.mark.live

# NAME -> a TLS connection over which a line and its answer of 3,000 bytes alternate; /log has what each end sent.
TALK = """
import os, socket, ssl, sys, time
from pathlib import Path
name, log = sys.argv[1], Path("/log")
while not (log / "go").exists():
    time.sleep(0.005)
there, back = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile="/ca.pem")
there.load_cert_chain("/server.pem")
listener = socket.create_server(("127.0.0.1", 0))
if os.fork() == 0:
    connection, _ = listener.accept()
    with there.wrap_socket(connection, server_side=True) as server, open(log / f"{name}-server", "wb") as sent:
        for line in server.makefile("rb"):
            answer = line.strip() * 200 + b"\\n"
            server.sendall(answer)
            sent.write(answer)
    os._exit(0)
with back.wrap_socket(socket.create_connection(listener.getsockname()), server_hostname="localhost") as client:
    with client.makefile("rb") as answers, open(log / f"{name}-client", "wb") as sent:
        for number in range(23):
            line = f"{name} {number:07}\\n".encode()
            client.sendall(line)
            sent.write(line)
            answers.readline()
os.wait()
"""


def _podman(command: str, *words: str) -> str:
    done = subprocess.run(podman(command, *words), capture_output=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Generator[str]:
    """An image with the Python that runs this test and its libraries; nothing is downloaded."""
    directory = tmp_path_factory.mktemp("image")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(directory / "server.pem"))
    (directory / "talk.py").write_text(TALK)
    with imported(f"localhost/agentsight-rx-test-{os.getpid()}", _root_file_system(directory)) as name:
        yield name


def _root_file_system(own: Path) -> bytes:
    """A tar archive of Python, its standard library, the shared libraries of its `ssl`, and the files of `own`."""
    python, library = Path(sys.executable).resolve(), Path(sysconfig.get_path("stdlib"))
    modules = [*library.glob("lib-dynload/_ssl*.so"), *library.glob("lib-dynload/_socket*.so")]
    listing = "".join(
        subprocess.run(["ldd", file], capture_output=True, text=True, check=True).stdout for file in (python, *modules)
    )
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for word in sorted({word for word in listing.split() if word.startswith("/")}):
            archive.add(Path(word).resolve(), word)
        archive.add(python, "usr/bin/python")
        archive.add(library, str(library), filter=_without_ballast)
        for file in own.iterdir():
            archive.add(file, file.name)
    return content.getvalue()


def _without_ballast(file: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if Path(file.name).name in ("test", "__pycache__", "site-packages", "idlelib") or file.size > 8 << 20 else file


@contextmanager
def _container(image: str, log: Path, *command: str) -> Generator[str]:
    """The name of a container that runs `command`, with `log` as /log; removed at the end."""
    log.mkdir(exist_ok=True)
    name = f"agentsight-rx-test-{os.getpid()}-{log.name}"
    options = ["--detach", "--name", name, "--network=none", "--volume", f"{log}:/log"]
    _podman("run", *options, image, *command)
    try:
        yield name
    finally:
        _podman("rm", "--force", "--time", "0", name)


def _identified(name: str) -> Container:
    """The container of this name. The kernel identifies it if it has control groups of version 2."""
    container = resolve_reference(f"podman://{name}")
    if not control_groups(container):
        pytest.skip("this machine has no control groups of version 2, which identify containers")
    return container


def _talk(name: str) -> list[str]:
    return ["/usr/bin/python", "/talk.py", name]


_WAIT = ("/usr/bin/python", "-c", "import time; time.sleep(600)")


def _connections(kept: Kept) -> list[tuple[bytes, bytes]]:
    """(bytes in, bytes out) of each end of each connection."""
    found: dict[object, dict[str | None, bytes]] = {}
    for chunk in kept.of(TlsChunk):
        sides = found.setdefault(chunk.origin.connection, {"in": b"", "out": b""})
        assert chunk.lost == 0
        assert chunk.offset == len(sides[chunk.origin.direction])
        sides[chunk.origin.direction] += chunk.data
    return sorted((sides["in"], sides["out"]) for sides in found.values())


def _said(log: Path, name: str) -> list[tuple[bytes, bytes]]:
    client, server = (log / f"{name}-client").read_bytes(), (log / f"{name}-server").read_bytes()
    assert client.count(b"\n") == server.count(b"\n") == 23
    return sorted([(client, server), (server, client)])


def _done(log: Path, name: str) -> bool:
    file = log / f"{name}-server"
    return file.exists() and file.read_bytes().count(b"\n") == 23


def test_every_byte_in_a_container_is_seen_once(image: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    with _container(image, one, *_talk("a")) as first, _container(image, two, *_talk("b")) as second:
        until(lambda: resolve_reference(f"podman://{first}").init_pid)
        references = (f"podman://{first}", f"podman:{second}")
        with running(sources.tls(TlsOptions(binaries=references))) as (run, kept):
            for log in (one, two):
                (log / "go").touch()
            until(lambda: _done(one, "a") and _done(two, "b"))
            until(lambda: len(_connections(kept)) == 4 and all(data for ends in _connections(kept) for data in ends))
            assert run.stop().complete
    assert sorted(_said(one, "a") + _said(two, "b")) == _connections(kept)
    lines = capfd.readouterr().err.splitlines()
    assert len([line for line in lines if "/proc/" in line and "watching TLS" in line]) == 1  # both use one file of their image
    assert len([line for line in lines if "podman" in line and " is container " in line]) == 2


def test_a_process_that_enters_a_container_later_is_seen(image: str, tmp_path: Path) -> None:
    log = tmp_path / "later"
    with _container(image, log, *_WAIT) as name:
        _identified(name)
        with running(sources.tls(TlsOptions(binaries=(f"podman://{name}",)))) as (run, kept):
            (log / "go").touch()
            _podman("exec", name, *_talk("c"))
            until(lambda: len(_connections(kept)) == 2 and all(data for ends in _connections(kept) for data in ends))
            assert run.stop().complete
    assert _said(log, "c") == _connections(kept)


def test_a_container_is_watched_beside_a_name_by_every_source(image: str, tmp_path: Path) -> None:
    log = tmp_path / "besides"
    with _container(image, log, *_WAIT) as name:
        container = _identified(name)
        target = Target(comms=("no-such-name",), containers=(container,))
        with running(sources.process(ProcessOptions(target))) as (run, kept):
            _podman("exec", name, "/usr/bin/python", "-c", "pass")
            subprocess.run(["/bin/true"], check=True)
            until(lambda: kept.of(ProcessExec))
            run.stop()
    assert ["/usr/bin/python"] == [event.argv[0] for event in kept.of(ProcessExec)]


# After the gate opens: start a program that writes down its pid and waits.
STARTER = """
import os, time
def wait(name):
    while not os.path.exists(f"/log/{name}"):
        time.sleep(0.005)
wait("go")
if os.fork() == 0:
    note = "import os, time; open('/log/pid', 'w').write(str(os.getpid())); time.sleep(600)"
    os.execv("/usr/bin/python", ["python", "-c", note])
wait("never")
"""


def test_an_exec_event_names_its_container(image: str, tmp_path: Path) -> None:
    log = tmp_path / "starts"
    with _container(image, log, "/usr/bin/python", "-c", STARTER) as name:
        container = resolve_reference(f"podman://{name}")
        with running(sources.process(ProcessOptions(Target(container.init_pid)))) as (run, kept):
            (log / "go").touch()
            until(lambda: kept.of(ProcessExec) and (log / "pid").exists() and (log / "pid").read_text())
            run.stop()
    (event,) = kept.of(ProcessExec)
    assert event.argv[0] == "python"
    assert (event.container_id, str(event.ns_pid)) == (container.id, (log / "pid").read_text())


def test_a_file_in_a_container_can_be_named(image: str, tmp_path: Path) -> None:
    log = tmp_path / "named"
    with _container(image, log, *_talk("d")) as name:
        library = next(file for file in libraries_in(resolve_reference(f"podman:{name}")) if file.name.startswith("libssl"))
        path = "/" + library.as_posix().partition("/root/")[2]
        with running(sources.tls(TlsOptions(binaries=(f"podman://{name}{path}",)))) as (run, kept):
            (log / "go").touch()
            until(lambda: _done(log, "d") and len(_connections(kept)) == 2 and _said(log, "d") == _connections(kept))
            assert run.stop().complete


def test_a_file_in_a_container_without_tls_is_refused(image: str, tmp_path: Path) -> None:
    with (
        _container(image, tmp_path / "refused", *_WAIT) as name,
        pytest.raises(CaptureError, match="has no TLS functions"),
        running(sources.tls(TlsOptions(binaries=(f"podman://{name}/usr/bin/python",)))),
    ):
        pass


def test_a_container_is_found_with_its_tool_and_without(image: str, tmp_path: Path) -> None:
    without = Host(tools="")
    with _container(image, tmp_path / "found", *_WAIT) as name:
        found = resolve_reference(f"podman://{name}")
        assert found.runtime == "podman"
        assert Path(f"/proc/{found.init_pid}/root/talk.py").exists()
        assert found == resolve_reference(f"podman://{name}", without)
        assert found.init_pid == resolve_reference(f"docker:{found.id[:12]}", without).init_pid
        _podman("kill", name)
        _podman("wait", name)
        for host in (Host(), without):
            with pytest.raises(CaptureError, match="does not run here"):
                resolve_reference(f"podman://{name}", host)


def test_a_trace_from_the_command_line_takes_a_container(image: str, tmp_path: Path) -> None:
    log = tmp_path / "program"
    with _container(image, log, *_talk("e")) as name:
        until(lambda: resolve_reference(f"podman://{name}").init_pid)
        with tracing("trace", "--ssl", "--process", "--binary-path", f"podman://{name}") as (tracer, said):
            (log / "go").touch()
            _podman("wait", name)
            tracer.send_signal(signal.SIGINT)
            out, err = tracer.communicate(timeout=PATIENCE_S)
    assert tracer.returncode == 0
    assert "nothing is missing" in err
    assert f"podman://{name} is container " in said
    events = [json.loads(line) for line in out.splitlines()]
    carried = sum(event["data"]["len"] for event in events if event["data"].get("function") in ("READ/RECV", "WRITE/SEND"))
    assert carried == sum(len(sent) + len(got) for sent, got in _said(log, "e"))
