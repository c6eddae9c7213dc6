"""Both placements of probes, at once on the same process: the same bytes at the same positions."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from agentsight_rx import sources
from agentsight_rx.events import TlsChunk, TlsClose, TlsHandshake
from agentsight_rx.sources import Target, TlsOptions
from agentsight_rx.sources.tls.libraries import findings_of, system_libraries
from agentsight_rx.sources.tls.stacks.finding import Placement
from tests.live.capture import PATIENCE_S, Kept, running, started
from tests.live.load import message
from tests.live.peers import CLIENTS, Client, fake_llm, read_calls

pytestmark = pytest.mark.live

CALLS, SIZE = 7, 300_007
RECORDS, RECORD = 1009, 197


@contextmanager
def _both(options: Callable[[Placement], TlsOptions]) -> Generator[dict[Placement, Kept]]:
    cheap, entry = (options(placement) for placement in get_args(Placement))
    with running(sources.tls(cheap)) as (one, by_cheap), running(sources.tls(entry)) as (other, by_entry):
        yield {"cheap": by_cheap, "entry": by_entry}
        for run in (one, other):
            run.stop()
            assert run.ledger.entries() == []


def _seen(kept: Kept) -> tuple[dict[object, list[tuple[int, int, int, bytes]]], int, int]:
    """Of each connection and direction: position, number, what is missing and bytes; then the handshakes, and the ends."""
    chunks: defaultdict[object, list[tuple[int, int, int, bytes]]] = defaultdict(list)
    for chunk in kept.of(TlsChunk):
        chunks[chunk.origin.connection, chunk.origin.direction].append((chunk.offset, chunk.seq, chunk.lost, chunk.data))
    return chunks, len(kept.of(TlsHandshake)), len(kept.of(TlsClose))


@pytest.mark.parametrize("multi", [True, False], ids=["multi", "one by one"])
def test_every_record_of_a_connection_in_memory(tmp_path: Path, multi: bool) -> None:
    command = (sys.executable, "-m", "tests.live.load", "0", str(RECORDS), str(RECORD), str(tmp_path))
    with (
        started(command) as load,
        _both(lambda placement: TlsOptions(Target(load.pid), placement=placement, multi=multi)) as kept,
    ):
        (tmp_path / "go").touch()
        (tmp_path / "on").touch()
        assert load.wait(PATIENCE_S) == 0
    expected = [message(number, RECORD) for number in range(RECORDS)]
    for each in kept.values():
        chunks, _, _ = _seen(each)
        assert [expected, expected] == [[data for *_, data in records] for records in chunks.values()]
    assert _seen(kept["cheap"]) == _seen(kept["entry"])


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)
def test_every_byte_of_a_client(client: Client, tmp_path: Path) -> None:
    command: list[str] = []
    with fake_llm(tmp_path) as peer:
        command = [*client.command(peer, CALLS, SIZE)]
        with (
            started(command, client.env(peer, tmp_path) | {"WAIT_FOR": str(tmp_path / "go")}) as process,
            _both(
                lambda placement: TlsOptions(
                    Target(process.pid), candidates=(command[0],), handshakes=True, placement=placement
                )
            ) as kept,
        ):
            (tmp_path / "go").touch()
            assert process.wait(PATIENCE_S) == 0
    assert _seen(kept["cheap"]) == _seen(kept["entry"])
    carried = sum(len(chunk.data) for chunk in kept["cheap"].of(TlsChunk))
    calls = read_calls(tmp_path / "calls.jsonl")
    assert len(calls) == CALLS
    assert carried > sum(len(call.request) + len(call.response) for call in calls) > SIZE


def test_the_functions_of_the_systems_openssl_have_a_cheaper_place() -> None:
    (finding,) = findings_of(system_libraries()[0])
    moved = [hook for hook in finding.hooks if hook.instead is not None]
    assert {"SSL_read", "SSL_write", "SSL_read_ex"} <= {hook.shape for hook in moved}
    assert not any(hook.stepped for hook in finding.placed("cheap") if hook.shape.startswith(("SSL_read", "SSL_write")))
    assert finding.placed("entry") == finding.hooks
