"""A process moves between control groups: only events inside the chosen group are captured."""

from __future__ import annotations

import os
import re
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest

from agentsight_rx import sources
from agentsight_rx.errors import CaptureError
from agentsight_rx.events import FileEvent, ProcessExec, ProcessExit
from agentsight_rx.sources import FileOptions, ProcessOptions, Target
from tests.live.capture import PATIENCE_S, running, started
from tests.live.groups import new_group

pytestmark = pytest.mark.live


@pytest.fixture
def group() -> Generator[Path]:
    """A control group that contains another, `inner`; both are removed at the end."""
    directory = new_group("test")
    (directory / "inner").mkdir()
    yield directory
    for each in (directory / "inner", directory):
        with suppress(OSError):
            each.rmdir()


def test_only_what_happens_inside_the_group_is_seen(tmp_path: Path, group: Path) -> None:
    script = f"""\
until [ -e {tmp_path}/go ]; do sleep 0.01; done
: < {tmp_path}/before; /bin/echo before
echo $$ > {group}/cgroup.procs
: < {tmp_path}/inside; /bin/echo inside
echo $$ > {group}/inner/cgroup.procs
: < {tmp_path}/deeper; /bin/echo deeper
echo $$ > {group.parent}/cgroup.procs
: < {tmp_path}/after; /bin/echo after
"""
    for name in ("before", "inside", "deeper", "after"):
        (tmp_path / name).touch()
    with started(["/bin/sh", "-c", script]) as shell:
        target = Target(shell.pid, cgroup=str(group))
        deeper = Target(shell.pid, cgroup=f"/{group.name}/inner")  # as /proc/PID/cgroup shows it
        with (
            running(sources.process(ProcessOptions(target))) as (programs, ran),
            running(sources.files(FileOptions(target))) as (opens, opened),
            running(sources.process(ProcessOptions(deeper))) as (inner, ran_deeper),
        ):
            (tmp_path / "go").touch()
            shell.wait(PATIENCE_S)
            for run in (programs, opens, inner):
                run.stop()
    assert [("/bin/echo", "inside"), ("/bin/echo", "deeper")] == [each.argv for each in ran.of(ProcessExec)]
    assert [("/bin/echo", "deeper")] == [each.argv for each in ran_deeper.of(ProcessExec)]
    assert shell.pid not in {each.origin.pid for each in ran.of(ProcessExit)}  # it ended outside the group
    mine = [each.path for each in opened.of(FileEvent) if each.action == "open" and str(tmp_path) in each.path]
    assert [str(tmp_path / "inside"), str(tmp_path / "deeper")] == mine


def test_a_process_may_be_there_before_the_trace_begins(tmp_path: Path, group: Path) -> None:
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; exit 5"
    with started(["/bin/sh", "-c", script]) as shell, started(["/bin/sh", "-c", script]) as other:
        (group / "cgroup.procs").write_text(str(shell.pid))
        with (
            running(sources.process(ProcessOptions(Target(shell.pid, cgroup=str(group))))) as (one, inside),
            running(sources.process(ProcessOptions(Target(other.pid, cgroup=str(group))))) as (two, outside),
        ):
            (tmp_path / "go").touch()
            shell.wait(PATIENCE_S)
            other.wait(PATIENCE_S)
            one.stop()
            two.stop()
    assert [5] == [each.exit_code for each in inside.of(ProcessExit) if each.origin.pid == shell.pid]
    assert [] == outside.items


@pytest.mark.parametrize(
    ("path", "why"),
    [("/no/such/group", "there is no control group /no/such/group"), ("/tmp", "/tmp is no control group of version 2")],
)
def test_the_error_names_a_path_that_is_no_control_group(path: str, why: str, group: Path) -> None:
    with pytest.raises(CaptureError, match=f"^{re.escape(why)}.*look below {re.escape(str(group.parent))}"):
        Target(os.getpid(), cgroup=path).check()


def test_without_a_pid_every_process_of_the_group_is_seen_and_none_outside(tmp_path: Path, group: Path) -> None:
    script = f"until [ -e {tmp_path}/go ]; do sleep 0.01; done; /bin/true x; exit 7"
    with started(["/bin/sh", "-c", script]) as inside, started(["/bin/sh", "-c", script]) as outside:
        (group / "cgroup.procs").write_text(str(inside.pid))
        with running(sources.process(ProcessOptions(Target(cgroup=str(group))))) as (run, kept):
            (tmp_path / "go").touch()
            assert [7, 7] == [inside.wait(PATIENCE_S), outside.wait(PATIENCE_S)]
            run.stop()
    ends = [(event.origin.pid, event.exit_code) for event in kept.of(ProcessExit)]
    assert (inside.pid, 7) in ends
    assert outside.pid not in {event.origin.pid for event in kept.items}
    assert {event.ppid for event in kept.of(ProcessExec)} == {inside.pid}
