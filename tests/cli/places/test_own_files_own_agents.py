"""Agents that a user describes in `agents.toml`."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import sys
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[3] / "docs" / "agents.md"
ASKED = """
import sys
from agentsight_rx.llm.agents import agent_named, agent_of
from agentsight_rx.cli.program.errors import shown
from agentsight_rx.cli.places.own_files import load_own_agents
status = shown(lambda: load_own_agents() and 0 or 0, [])
if status: sys.exit(status)
found = agent_of(sys.argv[1], sys.argv[1:])
print(found or "none", agent_named(found).title if found else "")
"""


def said(folder: Path, *argv: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Which agent a process with this argv is, where `folder` is the user's configuration."""
    words = [sys.executable, "-c", ASKED, *argv]
    environment = {"PATH": os.defpath, "HOME": "/nonexistent", "XDG_CONFIG_HOME": str(folder), **env}
    return subprocess.run(words, env=environment, cwd=DOCUMENT.parents[1], capture_output=True, text=True, check=False)


def written(folder: Path, text: str) -> Path:
    file = folder / "agentsight-rx" / "agents.toml"
    file.parent.mkdir(parents=True)
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    "argv", [("shopbot",), ("shopbot-x86",), ("node", "/opt/shop-bot/main.js"), ("python3", "/srv/shopbot")]
)
def test_the_table_of_the_page_makes_an_agent(tmp_path: Path, argv: tuple[str, ...]) -> None:
    found = re.search(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    written(tmp_path, found[1])
    assert said(tmp_path, *argv).stdout == "shopbot Shop bot\n"
    assert said(tmp_path, "claude").stdout == "claude Claude Code\n"
    assert said(tmp_path / "elsewhere", *argv).stdout == "none \n"


def test_without_xdg_it_is_in_the_home(tmp_path: Path) -> None:
    written(tmp_path / ".config", '[mine]\nnames = ["mine"]\n')
    assert said(tmp_path, "mine", XDG_CONFIG_HOME="", HOME=str(tmp_path)).stdout == "mine mine\n"


@pytest.mark.needs("root")
def test_under_sudo_it_is_the_file_of_the_person_who_ran_it(tmp_path: Path) -> None:
    written(tmp_path, '[mine]\nnames = ["mine"]\n')
    other = next(each for each in pwd.getpwall() if each.pw_uid and not Path(each.pw_dir, ".config").exists())
    assert said(tmp_path, "mine", SUDO_UID=str(other.pw_uid)).stdout == "none \n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[mine\n", "cannot be read as TOML"),
        ('[mine]\nname = ["mine"]\n', "unknown field `name`"),
        ('[mine]\nnames = "mine"\n', "Expected `array`"),
        ("mine = 3\n", "expected a table for each agent, [NAME], with title, names"),
        ('[mine]\ntitle = "Mine"\n', "[mine] says nothing to know it by: give names"),
        ('[claude]\nnames = ["x"]\n', "[claude] is the name of an agent that is known already"),
    ],
)
def test_a_mistake_is_an_error_that_names_the_file(tmp_path: Path, text: str, words: str) -> None:
    file = written(tmp_path, text)
    done = said(tmp_path, "mine")
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert str(file) in done.stderr
    assert words in done.stderr
