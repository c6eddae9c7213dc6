"""What is known of TCP connections by the time they are looked at."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from agentsight_rx.events import NO_CODE, NO_FILES, SEARCHED, UNOPENED, Origin, TcpTraffic, UnreadTls
from agentsight_rx.sources.tls.candidates import Mapped, mapped_files
from agentsight_rx.sources.tls.libraries import inspect, system_libraries
from agentsight_rx.sources.tls.traffic import Carried, Tcp, Traffic
from tests.sources.tls import TRUE, make_program

START_NS = 7
MAPS = "import ctypes, sys; ctypes.CDLL(sys.argv[1]); print('mapped', flush=True); sys.stdin.read()"
REFUSED = "OpenSSL, of which the kernel refused a probe: Invalid argument"


def tcp(pid: int, *, ended: bool) -> Tcp:
    carried = 100 if ended else 0
    return Tcp(
        Origin(1, pid, comm="python3"),
        START_NS,
        0xFF00,
        peer="10.0.0.1",
        port=443,
        sent=carried,
        received=carried,
        in_offset=0,
        out_offset=0,
        ended=ended,
        local_port=40_000 if ended else 0,
    )


@pytest.mark.needs("root")  # /proc/PID/map_files
def test_the_tls_code_of_a_process_that_is_gone_by_then_is_known(tmp_path: Path) -> None:
    """The records of one that lives for some milliseconds are read behind its end, on a slow machine."""
    path = tmp_path / "libssl.so.3"
    shutil.copy(next(each for each in system_libraries() if each.name.startswith("libssl.so.3")), path)
    library, traffic = inspect(path), Traffic()
    assert library is not None
    traffic.code.unreadable(library, REFUSED)
    with subprocess.Popen([sys.executable, "-c", MAPS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"mapped\n"
        traffic.code.maps(process.pid, list(mapped_files((process.pid,))))
        process.stdin.close()
    traffic.begin(tcp(process.pid, ended=False))
    *named, carried = traffic.end(tcp(process.pid, ended=True))
    assert isinstance(carried, TcpTraffic)
    assert REFUSED in [each.looks_like for each in named if isinstance(each, UnreadTls) and each.path == str(path)]


def named(traffic: Traffic, pid: int, path: Path) -> list[str]:
    """What is said of the TLS code of a file, once a connection of this process has ended."""
    traffic.begin(tcp(pid, ended=False))
    found = traffic.end(tcp(pid, ended=True))
    return [each.looks_like for each in found if isinstance(each, UnreadTls) and each.path == str(path)]


@pytest.mark.needs("root")
def test_a_file_that_was_searched_while_it_connected_is_said_and_one_that_was_read_is_not(tmp_path: Path) -> None:
    """A program that was updated is a file that no one has searched yet."""
    path = tmp_path / "libssl.so.3"
    shutil.copy(next(each for each in system_libraries() if each.name.startswith("libssl.so.3")), path)
    library = inspect(path)
    assert library is not None
    with subprocess.Popen([sys.executable, "-c", MAPS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == b"mapped\n"
        searched, late, early, missed = Traffic(lambda _: SEARCHED), Traffic(), Traffic(), Traffic()
        late.code.attached(library)  # behind the begin of the connection, which is at 1 ns
        early.code._attached_ns.put(library.id, 0)  # pyright: ignore[reportPrivateUsage]
        assert [SEARCHED] == named(searched, process.pid, path)
        assert [SEARCHED] == named(late, process.pid, path)
        assert [] == named(early, process.pid, path)
        assert [SEARCHED] == named(missed, process.pid, path), "it can be read, and was not"
        process.stdin.close()


def test_a_library_that_was_loaded_behind_the_first_connection_is_known(tmp_path: Path) -> None:
    """Of a long session, the module with the TLS code comes later than a first connection without."""
    path = Path(make_program(tmp_path / "module.node", trailing=b"\0third_party/boringssl/ssl/ssl_lib.cc\0"))
    traffic, pid = Traffic(), 2**22 + 1  # no process has it
    program = Mapped(pid, str(TRUE), str(TRUE), 1, 1)
    traffic.code.maps(pid, [program])
    traffic.begin(tcp(pid, ended=False))
    assert [NO_CODE] == whys(traffic.end(tcp(pid, ended=True)))
    traffic.code.maps(pid, [program, Mapped(pid, str(path), str(path), 1, 2)])
    assert ["BoringSSL"] == named(traffic, pid, path)
    assert [] == named(traffic, pid, path), "it is said once"


def test_each_reason_without_tls_code_is_one_of_its_own(tmp_path: Path) -> None:
    gone = 2**22 + 1  # no process has it
    traffic = Traffic()
    traffic.begin(tcp(gone, ended=False))
    assert [NO_FILES] == whys(traffic.end(tcp(gone, ended=True)))
    traffic.code.gone(gone)
    hidden = str(tmp_path / "hidden")
    traffic = Traffic()
    traffic.code.maps(gone, [Mapped(gone, hidden, hidden, 1, 1)])
    traffic.begin(tcp(gone, ended=False))
    assert [UNOPENED] == whys(traffic.end(tcp(gone, ended=True)))


def whys(found: Sequence[TcpTraffic | UnreadTls]) -> list[str]:
    return [each.looks_like for each in found if isinstance(each, UnreadTls) and not each.path]


def test_another_process_with_its_number_has_not_its_files() -> None:
    traffic = Traffic()
    gone = 2**22 + 1  # no process has it
    traffic.code.maps(gone, list(mapped_files((os.getpid(),))))
    traffic.code.gone(gone)
    traffic.begin(tcp(gone, ended=False))
    assert [NO_FILES] == whys(traffic.end(tcp(gone, ended=True)))


def test_a_connection_that_gave_its_port_back_is_told_by_the_record_of_its_end() -> None:
    """Behind its close the kernel knows its bytes and no port: as an open one it would be no connection that is known."""
    traffic, known = Traffic(), [Carried(30, 40, 70, local_port=5000), Carried(50, 60, 110)]
    traffic.ask = lambda _: known.pop(0)
    traffic.begin(tcp(os.getpid(), ended=False))
    (open_one,) = [each for each in traffic.look(at_end=True) if isinstance(each, TcpTraffic)]
    assert (open_one.local_port, open_one.sent, open_one.ended) == (5000, 30, False)
    assert traffic.look(at_end=True) == []
    assert known == []
    (ended,) = [
        each for each in traffic.end(tcp(os.getpid(), ended=True)._replace(local_port=5000)) if isinstance(each, TcpTraffic)
    ]
    assert (ended.local_port, ended.sent, ended.ended) == (5000, 100, True)
