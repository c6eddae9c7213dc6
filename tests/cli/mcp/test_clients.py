"""Configurations of agents and editors in a home of their own: the entry comes once and goes, and nothing else changes."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from agentsight_rx.cli.mcp.clients import CLIENTS, NAME, place_of
from tests.cli.inside import ended

_OTHERS: dict[str, Any] = {"theme": "dark", "näme": [1, 2.5, None], "mcpServers": {"other": {"command": "x"}}}
_TOML = """# my settings
model = "gpt-5"   # kept

[mcp_servers.other]
command = "x"
args = ["[mcp_servers.agentsight-rx]"]

[mcp_servers.other.env]
KEY = "value"

[profiles.a]
model = "b"
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def _install(capsys: pytest.CaptureFixture[str], client: str, *words: str) -> str:
    done = ended(capsys, "mcp", "install", "--for", client, "--yes", *words)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def _read(client: str) -> dict[str, Any]:
    file = place_of(CLIENTS[client])
    return tomllib.loads(file.read_text()) if file.suffix == ".toml" else json.loads(file.read_text())


@pytest.mark.parametrize("client", CLIENTS)
def test_the_entry_is_shown_written_once_and_taken_out(capsys: pytest.CaptureFixture[str], client: str) -> None:
    file = place_of(CLIENTS[client])
    shown = _install(capsys, client)
    assert f"{file}: adds, for {CLIENTS[client].title}" in shown
    assert sys.executable in shown
    entry = _read(client)[CLIENTS[client].servers][NAME]
    words = [*entry["command"]] if isinstance(entry["command"], list) else [entry["command"], *entry["args"]]
    assert [sys.executable, "-m", "agentsight_rx", "mcp"] == words
    assert 0o600 == file.stat().st_mode & 0o777
    before = file.read_bytes()
    assert "the entry is there, nothing to do" in _install(capsys, client)
    assert before == file.read_bytes()
    assert "removes" in _install(capsys, client, "--remove")
    assert NAME not in file.read_text()
    assert "there is no entry, nothing to do" in _install(capsys, client, "--remove")


def test_other_entries_of_json_stay_as_they_are(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    file = home / ".claude.json"
    text = json.dumps(_OTHERS, indent=4, ensure_ascii=False) + "\n"
    file.write_text(text)
    file.chmod(0o640)
    _install(capsys, "claude")
    assert {**_OTHERS["mcpServers"], NAME: _read("claude")["mcpServers"][NAME]} == _read("claude")["mcpServers"]
    _install(capsys, "claude", "--remove")
    assert text == file.read_text()
    assert 0o640 == file.stat().st_mode & 0o777


def test_an_old_entry_is_replaced(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {NAME: {"command": "old"}}}))
    _install(capsys, "claude")
    assert sys.executable == _read("claude")["mcpServers"][NAME]["command"]
    codex = home / ".codex" / "config.toml"
    codex.parent.mkdir()
    codex.write_text(f'[mcp_servers.{NAME}]\ncommand = "old"\n\n[mcp_servers.{NAME}.env]\nA = "b"\n\n[tui]\nx = 1\n')
    _install(capsys, "codex")
    assert {"command": sys.executable, "args": ["-m", "agentsight_rx", "mcp"]} == _read("codex")["mcp_servers"][NAME]
    assert {"x": 1} == _read("codex")["tui"]


def test_lines_and_notes_of_toml_stay_as_they_are(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    file = home / ".codex" / "config.toml"
    file.parent.mkdir()
    file.write_text(_TOML)
    _install(capsys, "codex")
    assert file.read_text().startswith(_TOML)
    assert tomllib.loads(_TOML)["profiles"] == _read("codex")["profiles"]
    _install(capsys, "codex", "--remove")
    assert _TOML == file.read_text()


@pytest.mark.parametrize(
    ("client", "text"),
    [
        ("claude", '{"a": 1, // a note\n}'),
        ("claude", "[1, 2]"),
        ("gemini", '{"mcpServers": [1]}'),
        ("zed", "// settings\n{}"),
        ("codex", "this is = = no TOML"),
        ("codex", 'mcp_servers = { other = { command = "x" } }\n'),
        ("codex", f'mcp_servers.{NAME}.command = "x"\n'),
    ],
)
def test_a_file_that_cannot_be_changed_is_left_and_the_lines_are_shown(
    capsys: pytest.CaptureFixture[str], client: str, text: str
) -> None:
    file = place_of(CLIENTS[client])
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(text)
    done = ended(capsys, "mcp", "install", "--for", client, "--yes")
    assert 2 == done.returncode
    assert f"{file} " in done.stderr
    assert "so it is left as it is. The lines for it:\n" in done.stderr
    assert sys.executable in done.stderr
    assert text == file.read_text()


def test_a_link_is_followed_and_stays(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "claude.json").write_text("{}")
    (home / ".claude.json").symlink_to("dotfiles/claude.json")
    _install(capsys, "claude")
    assert (home / ".claude.json").is_symlink()
    assert NAME in (home / "dotfiles" / "claude.json").read_text()


def test_a_folder_that_a_variable_names_is_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", str(home / "c"))
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(home / "d"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "x"))
    assert home / "c" / "config.toml" == place_of(CLIENTS["codex"])
    assert home / "d" / ".claude.json" == place_of(CLIENTS["claude"])
    assert home / "x" / "opencode" / "opencode.json" == place_of(CLIENTS["opencode"])


def test_without_a_terminal_nothing_is_written_unasked(capsys: pytest.CaptureFixture[str], home: Path) -> None:
    done = ended(capsys, "mcp", "install", "--for", "claude")
    assert 2 == done.returncode
    assert "nothing was written: there is no terminal to ask on; --yes writes it without asking" in done.stderr
    assert NAME in done.stdout
    assert [] == os.listdir(home)


def test_an_unknown_client_is_an_error_that_knows_all(capsys: pytest.CaptureFixture[str]) -> None:
    done = ended(capsys, "mcp", "install", "--for", "emacs", "--yes")
    assert 2 == done.returncode
    assert all(name in done.stderr for name in ("emacs", "claude", "codex", "zed"))


def test_as_root_for_another_user_nothing_is_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setattr("agentsight_rx.cli.mcp.clients.invoking_user", lambda: (54_321, 54_321))
    done = ended(capsys, "mcp", "install", "--for", "claude", "--yes")
    assert (2, []) == (done.returncode, os.listdir(home))
    assert "run it without sudo" in done.stderr


@pytest.mark.parametrize(("typed", "status", "is_written"), [("y\n", 0, True), ("n\n", 130, False)])
def test_on_a_terminal_it_asks(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    home: Path,
    *,
    typed: str,
    status: int,
    is_written: bool,
) -> None:
    class Terminal(StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stdin", Terminal(typed))
    done = ended(capsys, "mcp", "install", "--for", "claude")
    assert (status, is_written) == (done.returncode, (home / ".claude.json").exists())
    assert "Write it?" in done.stdout + done.stderr


def test_what_cannot_be_read_or_written_is_one_sentence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (home / ".claude.json").write_bytes(b"\xff")
    (home / ".codex").write_text("a file")
    table = f'[mcp_servers]\n"{NAME}" = {{ command = "x" }}\n'
    (home / "c").mkdir()
    (home / "c" / "config.toml").write_text(table)
    (home / ".gemini").mkdir(mode=0o500)
    for client, said in (("claude", "cannot be read"), ("codex", "cannot be read")):
        done = ended(capsys, "mcp", "install", "--for", client, "--yes")
        assert 2 == done.returncode
        assert said in done.stderr

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("agentsight_rx.cli.mcp.clients.written_whole", full)
        done = ended(capsys, "mcp", "install", "--for", "cursor", "--yes")
        assert (1, True) == (done.returncode, "cannot be written: no space left on" in done.stderr)
    monkeypatch.setenv("CODEX_HOME", str(home / "c"))
    done = ended(capsys, "mcp", "install", "--for", "codex", "--remove", "--yes")
    assert (2, True) == (done.returncode, "it has the entry in another form" in done.stderr)
    assert table == (home / "c" / "config.toml").read_text()
    monkeypatch.delenv("HOME")
    done = ended(capsys, "mcp", "install", "--for", "claude", "--yes")
    assert (2, True) == (done.returncode, "HOME='' is no directory" in done.stderr)
