"""The commands of the service."""

from __future__ import annotations

from tests.cli.guarding import ran


def test_its_help_names_each_command() -> None:
    lines = ran("service", "--help")
    assert ["install", "status", "logs", "uninstall"] == [
        line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "
    ][:4]
