"""A warm start, from the cache of programs, sees what a cold one sees."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agentsight_rx.core.merge import merge
from agentsight_rx.events import FileEvent, ProcessExec, ProcessExit, StdioChunk
from agentsight_rx.sources import FileOptions, ProcessOptions, StdioOptions, Target, files, process, stdio
from agentsight_rx.sources.kernel import cache as prepared
from agentsight_rx.sources.kernel.loaded import Image
from tests.live.capture import running, until

pytestmark = pytest.mark.live

_SCRIPT = 'read -r _; echo 1000003 > "$0"; cat "$0" | wc -c; mv "$0" "$0.2"; rm "$0.2"; exit 7'


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("SUDO_UID", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "agentsight-rx" / "programs"


def _seen(file: Path) -> list[tuple[object, ...]]:
    """What a shell and its programs did, without times and pids."""
    pipes = subprocess.PIPE
    with subprocess.Popen(["/bin/sh", "-c", _SCRIPT, str(file)], stdin=pipes, stdout=pipes) as shell:
        target = Target(shell.pid)
        graph = merge(process(ProcessOptions(target)), files(FileOptions(target)), stdio(StdioOptions(target)))
        with running(graph) as (_, kept):
            shell.communicate(b"go\n")
            until(lambda: any(event.origin.pid == shell.pid for event in kept.of(ProcessExit)))
    seen: list[tuple[object, ...]] = []
    for event in kept.items:
        match event:
            case ProcessExec():
                seen.append(("exec", event.argv))
            case ProcessExit():
                seen.append(("exit", event.origin.comm, event.exit_code))
            case FileEvent() if event.path.startswith(str(file.parent)):
                seen.append((event.action, event.path, event.target, event.read_bytes, event.written_bytes))
            case StdioChunk():
                seen.append((event.origin.comm, event.origin.direction, event.fd, event.channel.kind, event.data))
            case _:
                pass
    return sorted(seen, key=repr)


def test_a_warm_start_compiles_nothing_and_sees_the_same(tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_text: str, _flags: list[str]) -> Image:
        raise AssertionError("compiled again")

    cold = _seen(tmp_path / "kept")
    assert len(list(cache.iterdir())) == 4  # of three sources, and the tracker's
    monkeypatch.setattr(prepared, "compiled", refuse)
    assert _seen(tmp_path / "kept") == cold
    assert {kind for kind, *_ in cold} >= {"exec", "exit", "open", "close", "rename", "unlink", "cat", "wc"}


def test_a_damaged_cache_is_made_anew(tmp_path: Path, cache: Path) -> None:
    cold = _seen(tmp_path / "kept")
    whole = {path: path.read_bytes() for path in cache.iterdir()}
    for path, content in whole.items():
        path.write_bytes(content[:-1])
    assert _seen(tmp_path / "kept") == cold
    assert {path: path.read_bytes() for path in cache.iterdir()} == whole
