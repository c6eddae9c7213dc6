"""Completion in a real shell: commands, commands of commands, flags; and it loads only the command that the line names."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.program.test_help import COMMANDS

# What bash does when the user presses Tab at the end of LINE
TAB = """
eval "$(agentsight-rx --show-completion)"
COMP_WORDS=({words})
COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
_agentsight_rx_completion agentsight-rx
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words: str) -> list[str]:
    script = TAB.format(words=" ".join(shlex.quote(word) for word in ("agentsight-rx", *words)))
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    run = subprocess.run(
        ["bash", "-c", script], env={"PATH": path, "HOME": "/nonexistent"}, capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    return run.stdout.split()


def test_every_command_is_offered() -> None:
    assert sorted(name for name in COMMANDS if " " not in name) == sorted(completed(""))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (("re",), ("record", "replay", "report")),
        (("report", "to"), ("tokens", "tools")),
        (("record", "--ote"), ("--otel", "--otel-endpoint", "--otel-protocol", "--otel-capture-content")),
        (("no-such-command", ""), ()),
    ],
    ids=" ".join,
)
def test_a_begun_word_is_completed(line: tuple[str, ...], found: tuple[str, ...]) -> None:
    words = completed(*line)
    assert set(found) <= set(words)
    assert all(word.startswith(line[-1]) for word in words)
