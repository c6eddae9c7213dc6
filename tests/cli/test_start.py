"""What a command loads before it does anything."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agentsight_rx.cli import app

_LOADED = """
import sys
from agentsight_rx.cli import main
sys.argv[1:] = {argv!r}
try:
    main()
except SystemExit:
    pass
print(*sorted(name for name in sys.modules if name.startswith("agentsight_rx.")), file=sys.stderr)
"""
_COMMANDS = ("trace", "record", "replay", "top", "serve", "filter", "doctor", "bench", "demo", "report", "debug")


def _loaded(*argv: str) -> set[str]:
    run = subprocess.run([sys.executable, "-c", _LOADED.format(argv=list(argv))], capture_output=True, text=True, check=True)
    return set(run.stderr.split())


@pytest.mark.parametrize("name", ["record", "doctor"])
def test_a_command_loads_none_of_the_others(name: str) -> None:
    loaded = _loaded(name, "--help")
    assert f"agentsight_rx.cli.{name}" in loaded
    others = {f"agentsight_rx.cli.{each}" for each in ("replay", "report", "debug", "demo")}
    assert not loaded & others


def test_help_and_the_app_have_all_commands() -> None:
    assert _loaded("--help") >= {f"agentsight_rx.cli.{each}" for each in _COMMANDS}
    named = [command.name for command in app.registered_commands] + [group.name for group in app.registered_groups]
    assert sorted(map(str, named)) == sorted(_COMMANDS)
