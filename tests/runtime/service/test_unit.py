"""The text of the unit: each right has a reason, words survive as systemd reads them, and systemd takes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentsight_rx.cli.service.installing import backs_off
from agentsight_rx.runtime.service.unit import RECORDINGS, RUNTIME, Needs, unit_text
from agentsight_rx.runtime.service.users.places import USERS
from agentsight_rx.sources.kernel.features import wanted_capabilities
from agentsight_rx.sources.kernel.rights import enough

FOUR = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
NEEDS = Needs(program=("/usr/bin/env", "agentsight-rx"), capabilities=FOUR)


def values(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))


def test_it_has_the_rights_that_this_kernel_wants_and_no_more() -> None:
    assert " ".join(FOUR) == values(unit_text(NEEDS))["CapabilityBoundingSet"]
    assert "" == values(unit_text(Needs(program=("x",))))["CapabilityBoundingSet"], "none, which takes all away"
    assert FOUR == enough(links=True, paranoid=2)
    assert (*FOUR, "CAP_SYS_ADMIN") == enough(links=False, paranoid=2) == enough(links=True, paranoid=3)
    assert set(FOUR) <= set(wanted_capabilities())


def test_its_limits_are_those_that_were_asked_for() -> None:
    unit = values(unit_text(Needs(program=("x",), memory=400 << 20, processor=50)))
    assert (str(400 << 20), str(300 << 20), "50%") == (unit["MemoryMax"], unit["MemoryHigh"], unit["CPUQuota"])
    assert ("always", "0", "notify") == (unit["Restart"], unit["StartLimitIntervalSec"], unit["Type"])


def test_a_directory_for_temporary_files_is_left_where_tmp_cannot_be_written() -> None:
    text = unit_text(NEEDS)
    assert ("strict", "agentsight-rx", "0700") == tuple(
        values(text)[name] for name in ("ProtectSystem", "RuntimeDirectory", "RuntimeDirectoryMode")
    )
    assert f" TMPDIR={RUNTIME}\n" in text
    assert "/run/agentsight-rx" == RUNTIME


def unquoted(line: str) -> list[str]:
    """The words of a command line as systemd.service(5) and systemd.syntax(7) read them."""
    words: list[str] = []
    word, quoted, at = "", False, 0
    while at < len(line):
        letter = line[at]
        if letter == "\\":
            at += 1
            word += {"n": "\n", "t": "\t"}.get(line[at], line[at])
        elif letter == '"':
            quoted = not quoted
        elif letter == " " and not quoted:
            words.append(word)
            word = ""
        else:
            word += letter
            at += letter in "%$"  # twice
        at += 1
    return [*words, word]


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]) | st.sampled_from('\n\t "%$\\;'), max_size=9),
        max_size=4,
    )
)
def test_each_word_survives(words: list[str]) -> None:
    line = next(
        each for each in unit_text(Needs(program=("x",), options=tuple(words))).split("\n") if each.startswith("ExecStart=")
    )
    assert ["x", "watch", *words] == unquoted(line.removeprefix("ExecStart="))


@pytest.mark.needs("systemd-analyze")
def test_systemd_takes_it(tmp_path: Path) -> None:
    unit = tmp_path / "agentsight-rx.service"
    words = "--exclude-folder", "/srv/a b/100%"
    needs = Needs(program=("/bin/true",), options=words, capabilities=FOUR, backs_off=backs_off())
    unit.write_text(unit_text(needs))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    mine = [line for line in done.stderr.splitlines() if "agentsight-rx.service" in line]
    assert [] == mine
    assert 0 == done.returncode, done.stderr


def test_each_state_directory_is_one_that_uninstall_knows() -> None:
    unit = values(unit_text(NEEDS))
    assert [RECORDINGS, str(USERS)] == [f"/var/lib/{name}" for name in unit["StateDirectory"].split()]
    assert "mixed" == unit["KillMode"], "writers of users end behind the recorder"


def test_a_systemd_that_cannot_wait_longer_each_time_is_not_asked_to() -> None:
    text = unit_text(Needs(program=("/bin/true",), backs_off=False))
    assert "RestartSec=1\n" in text
    assert "RestartSteps" not in text
    assert "RestartSteps=4\nRestartMaxDelaySec=5\n" in unit_text(Needs(program=("/bin/true",)))
