"""watch: the graph that its flags make, and what it does around the capture, which needs root and is traced elsewhere."""

from __future__ import annotations

import os
import re
import urllib.request
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.cli.watch import watching
from agentsight_rx.cli.watch.pausing import Pause
from agentsight_rx.core.sink import Sink
from agentsight_rx.core.stream import of
from agentsight_rx.errors import CaptureError, UsageError
from agentsight_rx.runtime.run import Run, Summary, run_to_end
from agentsight_rx.store.rows.tables import RUNS
from agentsight_rx.store.rows.tally import Tally
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import CallRow
from tests.cli.guarding import ran, stay_in


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stay_in(tmp_path, monkeypatch)
    monkeypatch.setattr(watching, "lock_of_machine", lambda: tmp_path / "lock")
    monkeypatch.setattr(watching, "require_kernel", lambda: None)  # nothing is captured


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What was to be captured. Its sinks are real, its sources emit nothing."""
    asked: list[Any] = []

    def capture(
        graph: Any,
        sinks: Iterable[Sink[Any]],
        *,
        required: Collection[str],
        keeps_auth: bool,
        beat: Any,
        tally: Tally,
        hangup: Any,
    ) -> Summary:
        asked.append((graph, sorted(required), keeps_auth))
        return run_to_end(Run(of(list[int]()), sinks, tally=tally), beat=beat, hangup=hangup)

    monkeypatch.setattr(watching, "capture", capture)
    return asked


def test_every_source_is_of_the_agents_and_one_finds_them() -> None:
    lines = [line.strip() for line in ran("watch", "--explain", "--cgroup", "/x")]
    sources = {line.split()[0]: line for line in lines if "roots=" in line}
    assert {"agents", "tls", "plain_http", "process", "files", "net", "stdio", "system", "readline"} == sources.keys()
    assert "cgroup='/x'" in sources.pop("agents"), "agents are looked for there"
    assert all("roots=Roots()" in line and "cgroup=None" in line for line in sources.values())
    sizes = [int(found[1]) for line in sources.values() if (found := re.search(r"ring_size=(\d+)", line))]
    assert len(sizes) >= 3
    assert all(0 < size <= 8 << 20 for size in sizes), "it takes less of the kernel's memory than a capture of one command"


@pytest.mark.parametrize(
    ("flags", "pairs"),
    [((), {("m", "claude")}), pytest.param(("--users",), {("other", "other")}, marks=pytest.mark.needs("root"))],
)
def test_figures_name_models_and_agents_unless_users_have_their_own(
    monkeypatch: pytest.MonkeyPatch, flags: tuple[str, ...], pairs: set[tuple[str, str]]
) -> None:
    seen: list[set[tuple[str, str]]] = []

    def capture(_: Any, sinks: Iterable[Sink[Any]], *, tally: Tally, **more: Any) -> Summary:
        tally.add([CallRow("llm-1", 1, model="m", agent="claude", status="complete", end_timestamp_ms=2, total_tokens=1)])
        assert tally.uses is not None
        seen.append({*tally.uses.until(3)})
        return run_to_end(Run(of(list[int]()), sinks), beat=more["beat"])

    monkeypatch.setattr(watching, "capture", capture)
    ran("watch", "--cgroup", "/x", "--metrics", "127.0.0.1:0", *flags)
    assert [pairs] == seen


def test_it_goes_on_with_the_store_of_the_machine(tmp_path: Path, captures: list[Any]) -> None:
    ran("watch")
    ran("watch")
    assert [["agents"], ["agents"]] == [required for _, required, _ in captures]
    store = LmdbStore.open(tmp_path / ".local/share/agentsight-rx/agentsight-machine.lmdb", readonly=True)
    assert [1, 2] == [run.number for _, run in store.scan(RUNS)]
    store.close()


def test_one_recorder_watches_the_machine_and_others_parts_of_it(
    tmp_path: Path, captures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    inner: list[str] = []

    def capture(*_: Any, **__: Any) -> Any:
        with pytest.raises(CaptureError, match=f"process {os.getpid()} records this machine already"):
            ran("watch", "--db", str(tmp_path / "other.lmdb"))
        inner.append("refused")
        monkeypatch.setattr(watching, "capture", before)
        ran("watch", "--session", "77", "--db", str(tmp_path / "part.lmdb"))
        return run_to_end(Run(of(list[int]())))

    before = vars(watching)["capture"]
    monkeypatch.setattr(watching, "capture", capture)
    ran("watch")
    assert ["refused"] == inner
    assert (tmp_path / "part.lmdb").exists()


def test_a_pause_outlives_the_recorder_and_is_said(
    tmp_path: Path, captures: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(watching, "say", said.append)
    store = tmp_path / "run.lmdb"
    Pause(store).begin(0)
    ran("watch", "--db", str(store), "--pid", str(os.getpid()))
    assert ["paused: nothing is recorded until `watch resume`, or the end of the pause"] == said
    assert 1 == len(captures)


def test_flags_that_are_wrong_are_said_before_anything_is_made(tmp_path: Path, captures: list[Any]) -> None:
    for words in (["--require", "nothing"], ["--keep", "long"], ["--exclude-agent", "nobody"], ["--exclude-user", "no one"]):
        with pytest.raises(UsageError):
            ran("watch", "--db", str(tmp_path / "run.lmdb"), *words)
    assert [] == captures
    assert not (tmp_path / "run.lmdb").exists()


def test_its_figures_are_served_while_it_records(tmp_path: Path, captures: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(watching, "say", said.append)
    ran("watch", "--db", str(tmp_path / "run.lmdb"), "--session", "77", "--metrics", "127.0.0.1:0", "--guard")
    (line,) = said
    assert re.fullmatch(r"figures: http://127\.0\.0\.1:\d+/metrics", line)
    with pytest.raises(OSError, match="refused"), urllib.request.urlopen(line.removeprefix("figures: ")):
        pass
