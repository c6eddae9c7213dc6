"""The man page: every command and flag, as the reader of man pages shows it."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from typing import Any

import pytest
import typer

from agentsight_rx.cli import app
from agentsight_rx.cli.program.help import SELECTIONS, meaning_of, spec_of
from agentsight_rx.cli.program.manual import manual
from tests.cli.program.test_help import COMMANDS

pytestmark = pytest.mark.needs("groff")

GROFF = ["groff", "-man", "-ww", "-Tutf8", "-P-cbou", "-rHY=0"]  # every warning; plain text; no word is divided


@cache
def shown() -> str:
    """The page as text, in one line."""
    run = subprocess.run(GROFF, input=manual("1.2.3").encode(), capture_output=True, check=True)
    assert run.stderr == b""
    return words(run.stdout.decode())


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_page_says_whose_it_is() -> None:
    assert "AGENTSIGHT-RX(1)" in shown()
    assert "agentsight-rx 1.2.3" in shown()
    assert "NAME agentsight-rx - shows what AI agents really do" in shown()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_with_every_flag(name: str) -> None:
    command: Any = COMMANDS[name]
    section = shown().partition(f"agentsight-rx {name} {words(command.help)}")[2]
    assert section, f"the section of {name}"
    above = name.rpartition(" ")[0]
    shared = {spec_of(each) for each in COMMANDS[above].params} if above else set[str]()
    assert not shared or section.startswith(f" It also has the flags of agentsight-rx {above}.")
    for parameter in command.params:
        if spec_of(parameter) not in shared:
            assert words(f"{spec_of(parameter)} {meaning_of(parameter)}") in section


def test_the_flags_of_the_program_are_there() -> None:
    program: Any = typer.main.get_command(app)
    for parameter in program.params:
        assert words(f"{spec_of(parameter)} {meaning_of(parameter)}") in shown()


def test_selections_and_files_are_there() -> None:
    for given, who, _ in SELECTIONS:
        assert words(f"{given} A process is watched if {who}") in shown()
    assert "~/.local/share/agentsight-rx/" in shown()
    assert "~/.cache/agentsight-rx/" in shown()


def test_no_line_of_a_text_is_a_request_of_roff() -> None:
    requests = {line.split()[0] for line in manual("0").splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".SS", ".TP", ".PP", ".B"}
    assert re.search(r"(?<!\\)-", re.sub(r"^\..*", "", manual("0"), flags=re.MULTILINE)) is None
