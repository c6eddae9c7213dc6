"""What the documents say is true: commands parse, code blocks run, every flag is described."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from agentsight_rx.cli import app
from agentsight_rx.cli.program.reference import reference

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
GIVEN = {"--pid": "1", "--comm": "nobody"}


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands() -> list[list[str]]:
    lines = [line for block in blocks(README, "bash") for line in block.splitlines() if line.startswith("./run.sh ")]
    return [shlex.split(line)[1:] for line in lines]


def test_cli_md_is_what_the_program_says() -> None:
    assert (ROOT / "docs" / "cli.md").read_text() == reference()


@pytest.mark.parametrize("command", commands(), ids=" ".join)
def test_a_command_of_the_readme_is_understood(command: list[str]) -> None:
    name, *rest = command
    words = [GIVEN.get(before, word) for before, word in zip(["", *rest], rest, strict=False)]
    asked = ["--explain", *words] if name in ("trace", "record", "replay") else [*words, "--help"]
    result = CliRunner().invoke(app, [name, *asked])
    assert result.exit_code == 0, result.output
    assert result.output.strip()


def test_the_scripts_of_the_readme_are_there() -> None:
    assert {"./run.sh", "./test.sh"} <= set(re.findall(r"\./\w+\.sh", README))
    assert all((ROOT / name).stat().st_mode & 0o111 for name in ("run.sh", "test.sh", ".ci/run"))


def test_links_lead_somewhere() -> None:
    for page in (*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_the_readme_leads_to_every_page() -> None:
    linked = set(re.findall(r"\]\(([^)#:]+)\)", README))
    pages = {*(f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")), "CONTRIBUTING.md", "SECURITY.md", "LICENSE"}
    assert pages - linked == set()


def test_every_command_is_in_the_help() -> None:
    output = CliRunner().invoke(app, ["--help"]).output
    assert all(f" {name} " in output for name in ("trace", "record", "replay", "report", "doctor", "bench", "demo"))
