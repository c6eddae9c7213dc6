"""Looks at a recording that goes on, and the pauses between looks."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from agentsight_rx.cli.top.looks import Looks, Saved, Wanted
from agentsight_rx.cli.top.table import refreshed
from agentsight_rx.llm.prices import Prices
from tests.cli.top.scene import Scripted, row

ROOT = Path(__file__).parents[3]


# A process that writes a part of the story whenever a line comes
WRITER = """
import sys
from pathlib import Path

from agentsight_rx.events.loss import Ledger
from agentsight_rx.sinks import store
from agentsight_rx.view import Fold
from tests.cli.report.story import small_story

fold, ledger = Fold(), Ledger()
ledger.begin()
writer = store(Path(sys.argv[1])).open(ledger)
items = [[event, *fold.add(event)] for event in small_story().events]
for part in (items[:4], items[4:-1]):
    writer.write([item for each in part for item in each])
    writer.flush()
    print("written", flush=True)
    sys.stdin.readline()
writer.close()
"""


def test_a_recording_is_followed_while_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "live.lmdb"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdin is not None
        assert writer.stdout.readline() == "written\n"
        with Looks(Saved(path, Prices()), Wanted(), interval_s=1) as looks:
            first = looks.look()
            writer.stdin.write("\n")
            writer.stdin.flush()
            assert writer.stdout.readline() == "written\n"
            second = looks.look()
        writer.stdin.write("\n")
        writer.stdin.close()
    assert [(each.tools, each.tokens) for each in first.rows] == [(1, 18_840)]
    assert [(each.tools, each.tokens) for each in second.rows] == [(3, 80_120)]
    assert [each.state for each in second.rows] == ["live"]
    assert second.source == f"{path}, which is being written"


def test_a_source_that_takes_long_is_looked_at_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([10.0, 13.0])
    monkeypatch.setattr(time, "monotonic", lambda: next(times))
    looks = Looks(Scripted([row("a")]), Wanted(), interval_s=2)
    assert looks.pause_s == 2
    looks.look()
    assert looks.pause_s == pytest.approx(15)


def test_the_first_look_is_taken_twice_where_one_does_not_know_all(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    source = Scripted([row("first")], [row("second")])
    source.first_s = 0.3
    (look,) = Looks(source, Wanted(), interval_s=2).each(1)
    assert ([each.session for each in look.rows], pauses) == (["second"], [0.3])


def test_the_screen_without_keys_is_drawn_until_it_is_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", interrupted)
    monkeypatch.setenv("FORCE_COLOR", "1")  # for rich this is a terminal
    monkeypatch.setenv("TERM", "xterm")
    refreshed(Looks(Scripted([row("a", pid=7)]), Wanted(), interval_s=2), hint="for keys: x")
    shown = capsys.readouterr().out
    assert ("from a script" in shown, "Ctrl-C ends; for keys: x" in shown, "\x07" in shown) == (True, True, False)
