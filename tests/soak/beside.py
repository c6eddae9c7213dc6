"""Programs that run beside a recorder: many that start, a loop of TLS, a collector that hangs, a locked store."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from tests.live.watched import enter

__all__ = ["a_collector_that_hangs", "a_locked_store", "programs_a_second", "tls_loop_s"]

# Starts /bin/true so often a second, for so many seconds, and prints how often it did
STARTS = """
import os, sys, time
rate, seconds = float(sys.argv[1]), float(sys.argv[2])
begin = now = time.monotonic()
count = 0
while now - begin < seconds:
    if count > (now - begin) * rate:
        time.sleep(0.001)
    else:
        os.waitpid(os.posix_spawn("/bin/true", ["/bin/true"], {}), 0)
        count += 1
    now = time.monotonic()
print(count, now - begin)
"""

# Writes and reads through TLS in its own memory, and prints the seconds of processor that it took
TLS_LOOP = """
import ssl, sys, time
server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
server.load_cert_chain(sys.argv[1])
client = ssl.create_default_context(cafile=sys.argv[2])
up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
one, other = client.wrap_bio(down, up, server_hostname="localhost"), server.wrap_bio(up, down, server_side=True)
for _ in range(4):
    for each in (one, other):
        try:
            each.do_handshake()
        except ssl.SSLWantReadError:
            pass
begin = time.process_time()
for _ in range(int(sys.argv[3])):
    one.write(b"x" * 64)
    other.read(64)
print(time.process_time() - begin)
"""

HOLDS = """
import lmdb, sys
with lmdb.open(sys.argv[1], subdir=False, map_size=1 << 40).begin(write=True):
    print("held", flush=True)
    sys.stdin.read()
"""


def programs_a_second(rate: int, seconds: float, group: Path) -> tuple[int, float]:
    """Start so many programs a second in this control group. Returns how many it were, in how many seconds."""
    command = [sys.executable, "-S", "-c", STARTS, str(rate), str(seconds)]
    done = subprocess.run(command, preexec_fn=partial(enter, group), capture_output=True, text=True, check=True)
    count, took = done.stdout.split()
    return int(count), float(took)


def tls_loop_s(certificate: Path, authority: Path, times: int) -> float:
    """The processor time of a program that writes and reads so often through TLS."""
    command = [sys.executable, "-c", TLS_LOOP, str(certificate), str(authority), str(times)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@contextmanager
def a_collector_that_hangs() -> Generator[str]:
    """Its URL: connections are taken by the kernel, and nothing is ever answered."""
    with socket.create_server(("127.0.0.1", 0), backlog=16) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def a_locked_store(path: Path) -> Generator[None]:
    """Inside, another process has begun to write into the store and does not end."""
    command = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait()
