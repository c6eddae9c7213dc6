"""
Programs that breakpoints may not harm: each ends as it does unrecorded, with the same output, and counts are exact or said.

200 MB through one connection and 2,000 forks: AGENTSIGHT_HOSTILE=10 pytest tests/sources/hooks/test_hostile.py
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentsight_rx import Recording, open_recording
from agentsight_rx.sources.tls.libraries import system_libraries
from tests.live.capture import PATIENCE_S, PROGRAM, until

pytestmark = [pytest.mark.slow, pytest.mark.needs("ptrace")]

TIMES = int(os.environ.get("AGENTSIGHT_HOSTILE", "1"))
NOBODY = 65534

CLIENT = """
import http.client, json, ssl, sys
def ask(text="hello", *, times=1):
    port, ca = sys.argv[1:3]
    context = ssl.create_default_context(cafile=ca)
    connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=context)
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": text}]})
    for _ in range(times):
        connection.request("POST", "/v1/messages", body, {"content-type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 200
    connection.close()
"""


@dataclass
class Recorded:
    """What a command did under `record --by hooks`, and its recording."""

    status: int
    out: str
    said: str
    store: Path

    def opened(self) -> Recording:
        return open_recording(self.store)


def recorded(folder: Path, *command: str, env: Mapping[str, str] | None = None, by: tuple[str, ...] = ()) -> Recorded:
    store = folder / "run.lmdb"
    words = [*by, *PROGRAM, "record", "--by", "hooks", "--no-server", "--db", str(store), "--", *command]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False, cwd=folder, env=env)
    print(f"{command[0]}: {done.returncode}\n{done.stderr}")
    return Recorded(done.returncode, done.stdout, done.stderr, store)


def bare(folder: Path, *command: str) -> tuple[int, str]:
    """The status, as a shell has it, and the output of the same command unrecorded."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=PATIENCE_S, check=False, cwd=folder)
    return (128 - done.returncode if done.returncode < 0 else done.returncode), done.stdout


def python(folder: Path, text: str) -> str:
    path = folder / "hostile.py"
    path.write_text(text)
    return str(path)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Generator[tuple[str, str]]:
    """A fake model: its port, and the file of the authority that a client must trust."""
    folder = tmp_path_factory.mktemp("model")
    words = [sys.executable, "-m", "agentsight_rx.runtime.demo.fake_llm", "--dir", str(folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server.stdout.readline().strip(), str(folder / "ca.pem")
        finally:
            server.kill()


@pytest.mark.needs("strace")
def test_a_command_that_another_program_traces_is_refused_with_the_reason_and_does_not_run(tmp_path: Path) -> None:
    done = recorded(tmp_path, "touch", "ran", by=("strace", "-f", "-o", "/dev/null"))
    assert done.status == 1
    assert "traced by another program" in done.said
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def home() -> Generator[Path]:
    """A folder of another user, where that user can go; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as folder:
        os.chown(folder, NOBODY, NOBODY)
        yield Path(folder)


@pytest.mark.needs("root", "setpriv")
def test_a_setuid_program_has_its_rights_and_is_said(home: Path) -> None:
    own = str(shutil.copy("/usr/bin/id", home / "own"))
    os.chmod(own, 0o4755)
    as_user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    assert (0, "0\n") == bare(home, *as_user, own, "-u"), "the disk of this folder heeds setuid"
    env = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_DATA_HOME": str(home), "TMPDIR": str(home)}
    done = recorded(home, "/bin/sh", "-c", f"{own} -u; exit 7", by=as_user, env=env)
    assert (7, "0\n") == (done.status, done.out)
    assert "1 process not looked into" in done.said


@pytest.mark.needs("go")
def test_a_static_go_program_runs_as_it_does(tmp_path: Path) -> None:
    """gofmt is one. It reads each file in a goroutine of its own, which wait for each other."""
    files = [tmp_path / f"{number}.go" for number in range(500)]
    for each in files:
        each.write_text("package  main\n")
    (tmp_path / "wrong.go").write_text("package\n")
    done = recorded(tmp_path, "gofmt", "-l", str(tmp_path))
    assert (2, {str(each) for each in files}) == (done.status, set(done.out.splitlines()))


def test_of_many_forks_each_is_a_process_with_its_exit_code(tmp_path: Path) -> None:
    forks = 200 * TIMES
    text = f"import os\nfor n in range({forks}):\n    if not os.fork(): os._exit(n % 7)\n    os.wait()\n"
    done = recorded(tmp_path, sys.executable, python(tmp_path, text))
    assert done.status == 0
    with done.opened() as recording:
        ended = Counter(row.exit_code for row in recording.processes() if row.command is None)
    assert Counter(n % 7 for n in range(forks)) == ended


def elf(folder: Path, machine: int, code: bytes, *, bits: int) -> str:
    """A program that the kernel loads at 0x400000, of `code` alone."""
    path = folder / "program"
    at, entry = 0x400000, 0x400000 + (0x54 if bits == 32 else 0x78)
    size = entry - at + len(code)
    ident = b"\x7fELF" + bytes([1 if bits == 32 else 2, 1, 1]) + bytes(9)
    if bits == 32:
        head = struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, entry, 52, 0, 0, 52, 32, 1, 0, 0, 0)
        segment = struct.pack("<8I", 1, 0, at, at, size, size, 7, 0x1000)
    else:
        head = struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, entry, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        segment = struct.pack("<IIQQQQQQ", 1, 7, 0, at, at, size, size, 0x1000)
    path.write_bytes(ident + head + segment + code)
    path.chmod(0o755)
    return str(path)


def test_a_32_bit_program_runs_as_it_does_and_is_said(tmp_path: Path) -> None:
    exits_with_7 = b"\xb8\x01\0\0\0\xbb\x07\0\0\0\xcd\x80"  # mov eax, 1; mov ebx, 7; int 0x80
    program = elf(tmp_path, 3, exits_with_7, bits=32)
    try:
        assert 7 == subprocess.run([program], check=False).returncode
    except OSError:
        pytest.skip("this kernel runs no 32-bit programs")
    done = recorded(tmp_path, "/bin/sh", "-c", f"{program}; echo $?; exit 8")
    assert (8, "7\n") == (done.status, done.out)
    assert "32-bit program" in done.said


def test_a_program_of_another_machine_is_refused_as_it_is_unrecorded(tmp_path: Path) -> None:
    program = elf(tmp_path, 183, bytes(64), bits=64)  # EM_AARCH64
    command = ("/bin/sh", "-c", f"{program} 2>&1; echo $?")
    done = recorded(tmp_path, *command)
    assert bare(tmp_path, *command) == (done.status, done.out)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGTRAP, signal.SIGTERM])
def test_a_program_that_a_signal_ends_ends_by_it(number: signal.Signals, tmp_path: Path) -> None:
    command = (sys.executable, python(tmp_path, f"import os\nos.kill(os.getpid(), {number})\nprint('alive')\n"))
    done = recorded(tmp_path, *command)
    assert (128 + number, "") == bare(tmp_path, *command) == (done.status, done.out)
    with done.opened() as recording:
        (row,) = [row for row in recording.processes() if "hostile.py" in " ".join(row.argv)]
    assert number == row.signal


@pytest.mark.needs("strace")
def test_strace_of_another_program_shows_its_calls(tmp_path: Path) -> None:
    done = recorded(tmp_path, "strace", "-f", "-o", "calls", "/bin/sh", "-c", "/bin/true; exit 7")
    assert done.status == 7
    calls = (tmp_path / "calls").read_text()
    assert "+++ exited with 7 +++" in calls
    assert calls.count("execve(") == 2


@pytest.mark.needs("gdb")
def test_gdb_stops_another_program_at_its_own_breakpoint(tmp_path: Path) -> None:
    words: tuple[str, ...] = ("gdb", "-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "set breakpoint pending on")
    words += ("-ex", "break execve", "-ex", "run", "-ex", "kill")
    command = (*words, "--args", "/usr/bin/env", "true")
    env = {**os.environ, "HOME": str(tmp_path)}
    assert "Breakpoint 1, " in subprocess.run(command, capture_output=True, text=True, check=False, env=env).stdout
    done = recorded(tmp_path, *command, env=env)
    assert done.status == 0
    assert "Breakpoint 1, " in done.out


def test_a_program_that_closes_all_descriptors_goes_on(tmp_path: Path) -> None:
    text = "import os\nos.closerange(0, 65_536)\nopen('left', 'w').write('here')\nos._exit(5)\n"
    done = recorded(tmp_path, sys.executable, python(tmp_path, text))
    assert done.status == 5
    assert (tmp_path / "left").read_text() == "here"
    with done.opened() as recording:
        assert str(tmp_path / "left") in {file.path for file in recording.files()}


def test_a_program_goes_on_unhooked_where_the_recorder_is_killed(tmp_path: Path, model: tuple[str, str]) -> None:
    text = CLIENT + (
        "import os, pathlib, time\n"
        "ask()\npathlib.Path('asked').touch()\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.01)\n"
        "ask(times=7)\npathlib.Path('tracer').write_text(pathlib.Path('/proc/self/status').read_text())\n"
        "os.rename('tracer', 'done')\n"
    )
    command = [*PROGRAM, "record", "--by", "hooks", "--no-server", "--db", str(tmp_path / "run.lmdb")]
    command += ["--", sys.executable, python(tmp_path, text), *model]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as recorder:
        until((tmp_path / "asked").exists)
        recorder.kill()
    (tmp_path / "go").touch()
    until((tmp_path / "done").exists)
    assert "TracerPid:\t0\n" in (tmp_path / "done").read_text()


def test_each_byte_of_a_long_connection_is_seen(tmp_path: Path, model: tuple[str, str]) -> None:
    size, times = 1 << 20, 20 * TIMES
    text = f"{CLIENT}\nask('x' * {size}, times={times})\n"
    done = recorded(tmp_path, sys.executable, python(tmp_path, text), *model)
    assert done.status == 0
    assert "nothing is missing" in done.said
    with done.opened() as recording:
        bodies = [row.request_bytes for row in recording.http()]
    assert times == len(bodies)
    assert all(size < body < size + 200 for body in bodies)


@contextmanager
def read_by_the_kernel(folder: Path, model: tuple[str, str]) -> Generator[None]:
    """A client of the same libraries, which the kernel's way reads; it asks once the file `begin` is there, and goes on."""
    wait = "import pathlib, time\nwhile not pathlib.Path('begin').exists(): time.sleep(0.01)\n"
    text = f"{CLIENT}\n{wait}ask()\npathlib.Path('read').touch()\ntime.sleep({PATIENCE_S})\n"
    path = folder / "client.py"
    path.write_text(text)
    command = [*PROGRAM, "record", "--by", "kernel", "--no-server", "--db", str(folder / "kernel.lmdb")]
    with subprocess.Popen(
        [*command, "--", sys.executable, str(path), *model], cwd=folder, stderr=subprocess.DEVNULL
    ) as recorder:
        try:
            until((folder / "read").exists)
            yield
        finally:
            recorder.terminate()


@pytest.mark.live
def test_what_the_kernel_reads_for_somebody_else_is_read_too(tmp_path: Path, model: tuple[str, str]) -> None:
    """Its probes stand at the first instruction of the same functions, and keep the stop for themselves."""
    (tmp_path / "begin").touch()
    with read_by_the_kernel(tmp_path, model):
        done = recorded(tmp_path, sys.executable, python(tmp_path, f"{CLIENT}\nask(times=5)\n"), *model)
    assert done.status == 0
    assert "nothing is missing" in done.said
    with done.opened() as recording:
        assert 5 == len(list(recording.http()))


@pytest.mark.live
def test_what_the_kernel_begins_to_read_for_somebody_else_is_read_on(tmp_path: Path, model: tuple[str, str]) -> None:
    text = (
        f"{CLIENT}\nimport pathlib, time\nask(times=2)\npathlib.Path('begin').touch()\n"
        "while not pathlib.Path('read').exists(): time.sleep(0.01)\nask(times=5)\n"
    )
    command = (sys.executable, python(tmp_path, text), *model)
    with ThreadPoolExecutor(1) as other:
        running = other.submit(recorded, tmp_path, *command)
        with read_by_the_kernel(tmp_path, model):
            done = running.result()
    assert done.status == 0
    assert "nothing is missing" in done.said
    with done.opened() as recording:
        assert 7 == len(list(recording.http()))


def test_a_library_that_comes_and_goes_leaves_nothing_behind(tmp_path: Path, model: tuple[str, str]) -> None:
    for name in ("libssl.so.3", "libcrypto.so.3"):
        found = next((each for each in system_libraries() if each.name.startswith("libssl.so.3")), None)
        if found is None:
            pytest.skip("this machine has no libssl.so.3")
        shutil.copy(found.with_name(name), tmp_path / name)
    text = CLIENT + (
        "import _ctypes, ctypes\n"
        "for n in range(20):\n"
        "    handle = _ctypes.dlopen('./libssl.so.3', 0)\n"
        "    library = ctypes.CDLL('./libssl.so.3', handle=handle)\n"
        "    library.SSL_CTX_new.restype = library.TLS_client_method.restype = ctypes.c_void_p\n"
        "    assert library.SSL_CTX_new(ctypes.c_void_p(library.TLS_client_method()))\n"
        "    del library\n"
        "    _ctypes.dlclose(handle)\n"
        "    if n == 10: ask()\n"
        "ask(times=3)\nprint('whole')\n"
    )
    command = (sys.executable, python(tmp_path, text), *model)
    done = recorded(tmp_path, *command)
    assert (0, "whole\n") == bare(tmp_path, *command) == (done.status, done.out)
    with done.opened() as recording:
        assert 4 == len(list(recording.http()))


def test_threads_that_fork_execute_and_spawn_at_once_are_each_seen(tmp_path: Path) -> None:
    text = (
        "import subprocess, threading\n"
        "def run(n):\n"
        "    for _ in range(10): assert subprocess.run(['/bin/sh', '-c', f'exit {n}']).returncode == n\n"
        "threads = [threading.Thread(target=run, args=(n,)) for n in range(1, 5)]\n"
        "for each in threads: each.start()\n"
        "for each in threads: each.join()\n"
    )
    done = recorded(tmp_path, sys.executable, python(tmp_path, text))
    assert done.status == 0
    with done.opened() as recording:
        codes = Counter(row.exit_code for row in recording.processes() if row.argv[:2] == ("/bin/sh", "-c"))
    assert Counter(dict.fromkeys(range(1, 5), 10)) == codes
