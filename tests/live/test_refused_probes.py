"""Where the kernel refuses a probe, because another tool has one with a reference counter there, the capture says so."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from agentsight_rx.sources.kernel import probes as perf_events
from agentsight_rx.sources.tls.libraries import inspect, system_libraries
from tests.live.capture import PROGRAM
from tests.live.peers import fake_llm

pytestmark = pytest.mark.live

ASK = """
import socket, ssl, sys
assert any(sys.argv[1] in line for line in open("/proc/self/maps"))
context = ssl.create_default_context(cafile=sys.argv[3])
for _ in range(3):
    with context.wrap_socket(socket.create_connection(("127.0.0.1", int(sys.argv[2]))), server_hostname="127.0.0.1") as one:
        one.sendall(b"GET /nothing HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
        while one.recv(65536):
            pass
"""


@contextmanager
def another_tool_at(library: Path) -> Generator[None]:
    """A probe with a reference counter, as tools for USDT set them, at the first function that we would probe."""
    found = inspect(library)
    assert found is not None
    with library.open("rb") as file:
        section = ELFFile(file).get_section_by_name(".data")
        assert section is not None
        counter: int = section["sh_offset"]
    event, _file = perf_events._uprobe(str(library), found.findings[0].placed("cheap")[0].offset, at_return=False)  # pyright: ignore[reportPrivateUsage]
    event.config |= counter << 32
    opened = perf_events._perf_event(event)  # pyright: ignore[reportPrivateUsage]
    try:
        yield
    finally:
        os.close(opened)


def test_a_library_that_another_tool_keeps_from_us_is_said_counted_and_explained(tmp_path: Path) -> None:
    library = tmp_path / "lib" / "libssl.so.3"
    library.parent.mkdir()
    shutil.copy(next(path for path in system_libraries() if path.name.startswith("libssl.so.3")), library)
    store = tmp_path / "run.lmdb"
    with another_tool_at(library), fake_llm(tmp_path) as peer:
        words = ["-c", ASK, str(library), peer.base_url.rpartition(":")[2], str(peer.ca_file)]
        command = [*PROGRAM, "record", "--no-server", "--db", str(store), "--", "/usr/bin/python3", *words]
        env = os.environ | {"LD_LIBRARY_PATH": str(library.parent)}
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        probe = subprocess.run([*PROGRAM, "doctor", "--probe", str(library)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    health = subprocess.run(
        [*PROGRAM, "report", "health", "--text", "--db", str(store)], capture_output=True, text=True, check=True
    )
    refused = "OpenSSL, of which the kernel refused a probe: Invalid argument"
    assert f"could not be read, {refused}" in done.stderr
    flat = " ".join(health.stdout.split())
    assert f"could not be read: python3 ({refused}), process " in flat
    assert f"doctor --probe {library}" in flat
    assert f"{library}: OpenSSL is NOT read: the kernel refused a probe (Invalid argument, errno 22)" in " ".join(
        done.stderr.split()
    )
    assert "nothing is missing" not in done.stderr
    assert probe.returncode == 1
    assert "cannot be read: at offset" in probe.stdout
    assert "the kernel refused a probe (Invalid argument, errno 22); another tool" in " ".join(probe.stdout.split())
