"""Clients of several TLS libraries -> what tracing adds to a record that they read; bcc's sslsniff on the same load."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from msgspec import Struct

from agentsight_rx import sources
from agentsight_rx.runtime.run import Run
from agentsight_rx.sources import Target, TlsOptions
from agentsight_rx.sources.kernel.compiler import shim_tree
from benchmarks.apart import command, environment
from benchmarks.figures import Figure, Size
from benchmarks.tls_loop import tls_calls

__all__ = ["figures"]

_RECORDS, _SIZE = 10_000, 200
_FOUND_MS = 500  # by then the file of a program that has just started is searched and probed
_PEER_PLACES = ("sslsniff-bpfcc", "/usr/sbin/sslsniff-bpfcc", "/usr/share/bcc/tools/sslsniff")
_PEER_READY_S = 30.0
_PEER_PRINTS_S = 1.0
_MIN = "#define min(a, b) ((a) < (b) ? (a) : (b))\n"  # of <linux/minmax.h>, which sslsniff needs besides

_NODE = "require('https').get(process.argv[1], {ca: require('fs').readFileSync(process.argv[2])}, r => r.resume())"
_PYTHON = (
    "import ssl, sys, urllib.request as u\n"
    "with u.urlopen(sys.argv[1], context=ssl.create_default_context(cafile=sys.argv[2])) as r:\n"
    "    while r.read1(16384): pass"
)


class _Client(Struct, frozen=True):
    """`command` with %u for the address and %c for the file of the certificate."""

    name: str
    command: tuple[str, ...]

    def words(self, url: str, certificate: Path) -> list[str]:
        return [word.replace("%u", url).replace("%c", str(certificate)) for word in self.command]


def _clients() -> list[_Client]:
    """Those that are on this machine."""
    wanted = [
        _Client("Python, libssl", (sys.executable, "-c", _PYTHON, "%u", "%c")),
        _Client("curl, libssl", ("curl", "--silent", "--output", "/dev/null", "--cacert", "%c", "%u")),
        _Client("wget, GnuTLS", ("wget", "--quiet", "--output-document=/dev/null", "--ca-certificate=%c", "%u")),
        _Client("node, OpenSSL inside", ("node", "-e", _NODE, "%u", "%c")),
        _Client("bun, BoringSSL", ("bun", "-e", _NODE, "%u", "%c")),
        _Client("deno, rustls", ("deno", "eval", "--cert", "%c", "await (await fetch(Deno.args[0])).bytes()", "%u")),
    ]
    return [client for client in wanted if shutil.which(client.command[0])]


def figures(size: Size) -> Iterator[Figure]:
    with TemporaryDirectory() as name:
        folder = Path(name)
        with _served(folder) as port:
            for client in _clients():
                yield _cost(client, port, folder / "ca.pem", size)
            yield _peer(port, folder / "ca.pem", size)


@contextmanager
def _served(folder: Path) -> Generator[int]:
    pipes = subprocess.PIPE
    with subprocess.Popen(command("tls_server", folder), stdin=pipes, stdout=pipes, env=environment(), text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline())
        finally:
            server.kill()


def _cost(client: _Client, port: int, certificate: Path, size: Size) -> Figure:
    bare: list[float] = []
    traced: list[float] = []
    seen: list[int] = []
    records = size.many(_RECORDS, 50)

    @contextmanager
    def ours(pid: int) -> Generator[None]:
        with Run(sources.tls(TlsOptions(Target(pid)))) as run:
            yield
            seen.append(tls_calls(run.stop()))

    for _ in range(_rounds(size)):
        bare.append(_cpu_s(client, _url(port, records), certificate, _untraced))
        traced.append(_cpu_s(client, _url(port, records, _FOUND_MS), certificate, ours))
    if median(seen) < records / 2:
        return Figure(group="stacks", name=client.name, note=f"{median(seen):,.0f} of {records:,} records were seen")
    added, share = min(traced) - min(bare), median(seen) / records
    return Figure(
        group="stacks",
        name=f"added to a record of 200 bytes: {client.name}",
        value=added / median(seen) * 1e6,
        unit="µs",
        note=f"processor time {min(traced) / min(bare):.2f} times as much; {share:.0%} of {records:,} records seen",
    )


def _rounds(size: Size) -> int:
    """Each takes seconds, so that a small size has one."""
    return size.runs if size.scale >= 1 else 1


def _url(port: int, records: int, wait_ms: int = 0) -> str:
    return f"https://127.0.0.1:{port}/{records}/{_SIZE}/{wait_ms}"


@contextmanager
def _untraced(_: int) -> Generator[None]:
    yield


def _cpu_s(client: _Client, url: str, certificate: Path, tracing: Callable[[int], AbstractContextManager[None]]) -> float:
    """Its processor time; it is traced before it starts."""
    words = ["/bin/sh", "-c", 'read _; exec "$@"', "sh", *client.words(url, certificate)]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    assert process.stdin is not None
    try:
        with tracing(process.pid):
            process.stdin.write(b"\n")
            process.stdin.close()
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
    finally:
        if process.returncode is None:
            process.kill()
            process.wait()
    if process.returncode:
        raise RuntimeError(f"{client.name} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def _peer(port: int, certificate: Path, size: Size) -> Figure:
    """curl uses SSL_read, which sslsniff knows; Python uses SSL_read_ex, which it does not."""
    name = "bcc's sslsniff, added to a record of 200 bytes: curl, libssl"
    program = next(filter(None, map(shutil.which, _PEER_PLACES)), None)
    client = next((each for each in _clients() if each.name.startswith("curl")), None)
    if program is None or client is None:
        return Figure(group="stacks", name=name, note="sslsniff or curl is not on this machine (Debian: bpfcc-tools, curl)")
    bare: list[float] = []
    sniffed: list[float] = []
    lines: list[int] = []
    records, failure = size.many(_RECORDS, 50), ""

    @contextmanager
    def sniffing(pid: int) -> Generator[None]:
        with _sniffer(program, pid) as count:
            yield
            lines.append(count())

    for _ in range(_rounds(size)):
        bare.append(_cpu_s(client, _url(port, records), certificate, _untraced))
        try:
            sniffed.append(_cpu_s(client, _url(port, records), certificate, sniffing))
        except RuntimeError as error:  # it does not attach each time
            failure = str(error)
    if not sniffed:
        return Figure(group="stacks", name=name, note=failure)
    return Figure(
        group="stacks",
        name=name,
        value=(min(sniffed) - min(bare)) / records * 1e6,
        unit="µs",
        note=f"{min(1.0, median(lines) / records):.0%} of {records:,} records printed {_PEER_PRINTS_S:g} s later",
    )


@contextmanager
def _sniffer(program: str, pid: int) -> Generator[Callable[[], int]]:
    """sslsniff, compiled without kernel headers as our own programs are. Gives the number of records that it printed."""
    with shim_tree() as tree, TemporaryDirectory() as folder, (Path(folder) / "printed").open("w+b") as output:
        with (tree / "include" / "linux" / "sched.h").open("a") as header:
            header.write(_MIN)
        env = {**os.environ, "BCC_KERNEL_SOURCE": str(tree)}
        with subprocess.Popen([program, "-p", str(pid)], env=env, stdout=output, stderr=subprocess.DEVNULL) as sniffer:

            def count() -> int:
                time.sleep(_PEER_PRINTS_S)
                sniffer.send_signal(signal.SIGINT)
                sniffer.wait()
                output.seek(0)
                return len(re.findall(rb"^READ", output.read(), re.MULTILINE))

            try:
                _wait_until_attached(sniffer)
                yield count
            finally:
                sniffer.kill()


def _wait_until_attached(sniffer: subprocess.Popen[bytes]) -> None:
    """Its probes are perf events; they are complete when they get no more."""
    until, before = time.monotonic() + _PEER_READY_S, 0
    while time.monotonic() < until:
        if sniffer.poll() is not None:
            raise RuntimeError(f"sslsniff ended with {sniffer.returncode}")
        now = _perf_events(sniffer.pid)
        if now and now == before:
            return
        before = now
        time.sleep(0.5)
    raise RuntimeError("sslsniff did not attach its probes")


def _perf_events(pid: int) -> int:
    links: Sequence[str] = []
    try:
        links = [os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return 0
    return sum("perf_event" in link for link in links)
