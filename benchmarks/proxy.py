"""
What calls of a model cost through mitmproxy, which stores their flows, and under `record`: processor time and delay (root).

    python -m benchmarks.proxy --calls 12 --rounds 3

The same client makes the same calls three times in each round: alone, through mitmdump, and under `record`. Processor time is
that of the process that looks on, between the third call and half a second behind the last one: its start does not count.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from msgspec import Struct

from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view.queries.reading import read_totals
from benchmarks.apart import command, environment, processor_ns
from benchmarks.figures import Figure, Size, report_table

__all__ = ["figures", "main", "mitmdump"]

_CALLS, _ROUNDS_MOST = 12, 3
_WARM = 3  # calls that model_client makes first
_BODY_LEAST = 60_000  # bytes of a request, which a stored flow has whole
_THINK_MS, _EVENT_MS = 100, 2.0
_THINKS_FROM = 0.05  # smaller sizes only show that it runs
_SETTLED_S = 0.5  # two flushes of a store
_STARTED_S = 60.0  # a proxy that does not listen by then has failed
_CPU_MOST, _DELAY_MOST, _OF_DELAY_MOST = 0.33, 1.0, 0.1
_KINDS = {"growing": "a growing conversation", "sliding": "a sliding window"}
_ROOT = Path(__file__).parents[1]
_HERE = _ROOT / ".setup" / "mitmproxy" / "bin" / "mitmdump"
_HOW = "python3 -m venv .setup/mitmproxy && .setup/mitmproxy/bin/pip install mitmproxy==11.0.2"


class _Took(Struct, frozen=True):
    call_s: float  # the middle one
    processor_ms: float  # a call, of the process that looks on


def figures(size: Size) -> Iterator[Figure]:
    thinks = size.scale >= _THINKS_FROM
    rounds = min(size.pairs, _ROUNDS_MOST)
    yield from _figures(rounds, size.many(_CALLS), think_ms=_THINK_MS * thinks, event_ms=_EVENT_MS * thinks)


def mitmdump() -> str | None:
    """The program: in .setup of a checkout, or anywhere on the path."""
    return str(_HERE) if _HERE.exists() else shutil.which("mitmdump")


def _figures(rounds: int, calls: int, *, think_ms: float, event_ms: float) -> Iterator[Figure]:
    peer = mitmdump()
    for kind, meaning in _KINDS.items():
        alone: list[_Took] = []
        proxied: list[_Took] = []
        recorded: list[_Took] = []
        with TemporaryDirectory() as name, _model(Path(name), think_ms, event_ms) as port:
            folder = Path(name)
            client = [str(port), str(folder / "ca.pem"), kind, str(calls)]
            for _ in range(rounds):
                alone.append(_alone(client))
                recorded.append(_recorded(folder, client))
                if peer is not None:
                    proxied.append(_proxied(peer, folder, client))
        yield from _of_kind(meaning, alone, recorded, proxied)


def _of_kind(meaning: str, alone: Sequence[_Took], recorded: Sequence[_Took], proxied: Sequence[_Took]) -> Iterator[Figure]:
    ours_ms = min(each.processor_ms for each in recorded)
    call_s = median(each.call_s for each in alone)
    ours_s = median(each.call_s for each in recorded) - call_s
    note = f"{ours_ms:.2f} ms a call of {call_s:.2f} s"
    yield Figure(
        group="proxy",
        name=f"what a client waits longer under record, {meaning}",
        value=100 * ours_s / call_s,
        unit="%",
        target=_DELAY_MOST,
        note=note,
    )
    cpu = f"processor time of a call, {meaning}, record to mitmdump that stores flows"
    delay = f"what a client waits longer, {meaning}, record to mitmdump"
    if not proxied:
        for name in (cpu, delay):
            yield Figure(group="proxy", name=name, note=f"mitmdump is not on this machine: {_HOW}")
        return
    peer_ms = min(each.processor_ms for each in proxied)
    peer_s = median(each.call_s for each in proxied) - call_s
    version = _version()
    yield Figure(
        group="proxy",
        name=cpu,
        value=ours_ms / peer_ms,
        target=_CPU_MOST,
        note=f"{ours_ms:.2f} ms, mitmdump {peer_ms:.2f} ms ({version})",
    )
    shown = f"{1000 * ours_s:+.1f} ms, mitmdump {1000 * peer_s:+.1f} ms of {1000 * call_s:.0f} ms"
    value = max(0.0, ours_s) / peer_s if peer_s > 0 else None
    yield Figure(group="proxy", name=delay, value=value, target=_OF_DELAY_MOST, note=shown)


def _version() -> str:
    said = subprocess.run([mitmdump() or "mitmdump", "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Mitmproxy: *(\S+)", said)
    return f"mitmproxy {found[1]}" if found else "mitmproxy of an unknown version"


def _alone(client: list[str]) -> _Took:
    with _started(command("model_client", *client)) as process:
        return _calls(process, process.pid)


def _recorded(folder: Path, client: list[str]) -> _Took:
    """All calls must be in the recording: a figure of a part of them would say nothing."""
    store = folder / "run.lmdb"
    words = [sys.executable, "-m", "agentsight_rx", "record", "--db", str(store), "--"]
    with _started([*words, *command("model_client", *client)]) as process:
        took = _calls(process, process.pid)
    opened = LmdbStore.open(store, readonly=True)
    found, made = read_totals(opened).calls, _WARM + int(client[3])
    opened.close()
    for path in (store, Path(f"{store}-lock")):
        path.unlink()
    if found != made:
        raise RuntimeError(f"{found} of {made} calls are in the recording")
    return took


def _proxied(peer: str, folder: Path, client: list[str]) -> _Took:
    port, place, (model, authority, *rest) = _free_port(), folder / "mitmproxy", client
    flows = folder / "flows"
    options = [f"confdir={place}", f"ssl_verify_upstream_trusted_ca={authority}"]
    words = [peer, "-q", "-w", str(flows), "--listen-host", "127.0.0.1", "-p", str(port)]
    words += [word for option in options for word in ("--set", option)]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as proxy:
        try:
            _wait_until_open(port, proxy)
            own = [model, str(place / "mitmproxy-ca-cert.pem"), *rest, str(port)]
            with _started(command("model_client", *own)) as process:
                took = _calls(process, proxy.pid)
        finally:
            proxy.terminate()
    least = (_WARM + int(client[3])) * _BODY_LEAST
    if (stored := flows.stat().st_size) < least:
        raise RuntimeError(f"mitmdump stored flows of {stored:,} bytes, of at least {least:,}")
    flows.unlink()
    return took


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _wait_until_open(port: int, proxy: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _STARTED_S
    while proxy.poll() is None and time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"mitmdump ended with {proxy.returncode}, or did not listen on port {port}")


@contextmanager
def _model(folder: Path, think_ms: float, event_ms: float) -> Generator[int]:
    with _started(command("model_server", folder, think_ms, event_ms)) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextmanager
def _started(words: list[str]) -> Generator[subprocess.Popen[str]]:
    """It ends at the end of its standard input."""
    pipes, env = subprocess.PIPE, {name: value for name, value in environment().items() if not name.startswith("SUDO_")}
    with subprocess.Popen(words, env=env, stdin=pipes, stdout=pipes, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdin is not None
        try:
            yield process
        finally:
            process.stdin.close()


def _calls(client: subprocess.Popen[str], watching: int) -> _Took:
    assert client.stdin is not None
    assert client.stdout is not None
    if client.stdout.readline() != "ready\n":
        raise RuntimeError(f"the client of the model ended with {client.wait()}")
    used = processor_ns(watching)
    client.stdin.write("go\n")
    client.stdin.flush()
    seconds = json.loads(client.stdout.readline())
    time.sleep(_SETTLED_S)
    return _Took(median(seconds), (processor_ns(watching) - used) / 1e6 / len(seconds))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=_CALLS, help=f"calls of a run (default: {_CALLS})")
    parser.add_argument("--rounds", type=int, default=_ROUNDS_MOST, help=f"runs of each of the three (default: {_ROUNDS_MOST})")
    options = parser.parse_args(arguments)
    print(report_table(list(_figures(options.rounds, options.calls, think_ms=_THINK_MS, event_ms=_EVENT_MS))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
