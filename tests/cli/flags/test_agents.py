"""The flags of agents that are not recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from agentsight_rx.cli.flags.agents import Agents
from agentsight_rx.errors import UsageError
from agentsight_rx.sources import Choice


def test_each_flag_is_a_part_of_the_choice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/lena")
    flags = Agents(["claude", "tool"], ["root", "1234"], [Path("~/private"), Path("here")])
    expected = Choice(
        ("tool",), ("claude", "tool"), no_uids=(0, 1234), no_folders=("/home/lena/private", str(tmp_path / "here"))
    )
    assert expected == flags.choice(("tool",))
    assert Choice() == Agents().choice(())


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (Agents(exclude_agent=["clod"]), "--exclude-agent 'clod' is no agent that is known"),
        (Agents(exclude_user=["no such user"]), "--exclude-user 'no such user' is no user of this machine"),
    ],
)
def test_names_that_are_wrong_are_said(flags: Agents, said: str) -> None:
    with pytest.raises(UsageError, match=f"^{said}"):
        flags.choice(())
