"""What a command loads before it does anything."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

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
_COMMANDS = (
    "trace",
    "record",
    "watch",
    "service",
    "replay",
    "top",
    "serve",
    "filter",
    "guard",
    "check",
    "doctor",
    "bench",
    "demo",
    "report",
    "import",
    "mcp",
    "cluster",
    "ship",
    "debug",
)


def _loaded(*argv: str) -> set[str]:
    run = subprocess.run([sys.executable, "-c", _LOADED.format(argv=list(argv))], capture_output=True, text=True, check=True)
    return set(run.stderr.split())


@pytest.mark.parametrize("name", ["record", "doctor"])
def test_a_command_loads_none_of_the_others(name: str) -> None:
    loaded = _loaded(name, "--help")
    assert f"agentsight_rx.cli.{name}" in loaded
    others = {f"agentsight_rx.cli.{each}" for each in ("replay", "report", "debug", "demo")}
    assert not loaded & others


_BESIDE_THE_SOURCES = (
    "graphs",
    "runtime.run",
    "sinks",
    "runtime.web",
    "cli.capturing.capture",
    "cli.capturing.continuing",
    "cli.capturing.deliveries",
)


def _imported(*names: str) -> set[str]:
    code = f"import sys, {', '.join(f'agentsight_rx.{name}' for name in names)}; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_what_the_sources_do_not_need_is_imported_while_they_are_opened() -> None:
    loaded = _imported("cli.record")
    assert "agentsight_rx.sources.tls.source" in loaded
    beside = {
        f"agentsight_rx.{name}" for name in (*_BESIDE_THE_SOURCES, "operators", "policy.redaction", "store.fold", "store.log")
    }
    assert not beside & loaded
    assert beside <= _imported("cli.record", *_BESIDE_THE_SOURCES)


def test_a_recording_loads_neither_what_serves_the_page_nor_what_exports() -> None:
    late = {"uvicorn", "starlette", "sse_starlette", "opentelemetry", "urllib.request", "rich.table", "pydantic", "elftools"}
    own = {f"agentsight_rx.{name}" for name in ("view.page", "view.queries.sessions.verdict", "llm.context", "view.exports")}
    assert not (late | own) & _imported("cli.record", *_BESIDE_THE_SOURCES)


def test_the_help_of_all_commands_loads_none_of_them() -> None:
    assert not _loaded("--help") & {f"agentsight_rx.cli.{each}" for each in _COMMANDS}


def test_the_program_itself_loads_neither_sources_nor_stores() -> None:
    rooms = {name.split(".")[1] for name in _imported("cli") if name.startswith("agentsight_rx.")}
    assert {"cli", "core"} == rooms


def test_an_unknown_command_is_an_error_that_knows_all_of_them(capfd: pytest.CaptureFixture[str]) -> None:
    assert not _loaded("reprot") & {f"agentsight_rx.cli.{each}" for each in _COMMANDS}
    subprocess.run([sys.executable, "-m", "agentsight_rx", "reprot"], check=False)
    assert "'report'" in capfd.readouterr().err


def test_the_app_has_all_commands() -> None:
    program: Any = typer.main.get_command(app)
    assert [*program.commands] == list(_COMMANDS)
    assert {name: command.name for name, command in program.commands.items()} == {name: name for name in _COMMANDS}


def test_the_help_says_of_each_command_what_its_own_help_begins_with() -> None:
    program = typer.main.get_command(app)
    own = {name: " ".join(command.help.split("\n\n")[0].split()) for name, command in program.commands.items()}  # type: ignore[attr-defined]
    assert own == program.meanings  # type: ignore[attr-defined]


def test_a_report_loads_no_reader_of_model_calls_and_no_redaction() -> None:
    loaded = _loaded("report", "--db", "/nothing.lmdb")
    assert "agentsight_rx.view.queries.sessions.summary" in loaded
    assert not {"agentsight_rx.llm.reader", "agentsight_rx.llm.table"} & loaded
    assert not {name for name in loaded if name.startswith("agentsight_rx.policy.redaction")}


_RECORDING_MODULES_MOST = 62  # of ours; 215 while `open_recording` imported every sink


def test_a_program_opens_a_recording_without_rx_sinks_and_reports() -> None:
    code = "import sys; from agentsight_rx import open_recording; print(*sys.modules)"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    rooms = {f"agentsight_rx.{name}" for name in ("sinks", "sources", "operators", "view.exports", "runtime.recording.reports")}
    assert not (rooms | {"reactivex", "asyncio"}) & loaded
    assert sum(name.startswith("agentsight_rx") for name in loaded) <= _RECORDING_MODULES_MOST


_COUNTED = """
import re, sys
from re import _compiler
compiled, made = _compiler.compile, []
def counted(pattern, flags=0):
    frame = sys._getframe(1)
    while frame.f_code.co_filename.endswith(("re/__init__.py", "core/patterns.py")):
        frame = frame.f_back
    if "agentsight_rx" in frame.f_code.co_filename:
        made.append(pattern)
    return compiled(pattern, flags)
_compiler.compile = counted
import MODULES
print(len(made), sum(name.startswith("agentsight_rx") for name in sys.modules))
"""
_EXPRESSIONS_MOST, _MODULES_MOST = 60, 345  # 393 and 477 before expressions were compiled late and small files joined


def test_a_start_compiles_few_expressions_and_imports_no_more_modules_than_it_did() -> None:
    modules = ", ".join(f"agentsight_rx.{name}" for name in ("cli.record", *_BESIDE_THE_SOURCES))
    code = _COUNTED.replace("MODULES", modules)
    made, own = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert int(made) <= _EXPRESSIONS_MOST
    assert int(own) <= _MODULES_MOST
