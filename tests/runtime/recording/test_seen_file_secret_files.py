"""Which files of this machine the guard recognises under any name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agentsight_rx.policy.rules.guard.file import built_in_rules
from agentsight_rx.runtime.recording.seen_file import secret_files

SECRETS = built_in_rules().lists["secrets"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    for name in (".aws/credentials", ".ssh/id_work", ".ssh/id_work.pub", ".ssh/deep/key", ".config/gh/hosts.yml", "notes"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text("x")
    monkeypatch.setenv("HOME", str(home))
    return home


def found(home: Path, folder: Path | None = None, patterns: tuple[str, ...] = SECRETS) -> set[str]:
    files = secret_files(patterns, (str(home),), folder)
    assert all(os.stat(path).st_ino == inode for _, inode, path in files)
    return {path.removeprefix(f"{home}/") for _, _, path in files if path.startswith(str(home.parent))}


def test_secrets_in_a_home_are_found_and_nothing_else(home: Path) -> None:
    assert {".aws/credentials", ".ssh/id_work", ".ssh/deep/key", ".config/gh/hosts.yml"} == found(home)


def test_secrets_of_the_workspace_are_found_by_their_names(home: Path) -> None:
    work = home / "shop"
    for name in (".env", "api/.env.local", ".env.example", "node_modules/x/.env", "a.py"):
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text("x")
    assert {"shop/.env", "shop/api/.env.local"} == {path for path in found(home, work) if path.startswith("shop")}


def test_a_link_in_a_home_stands_for_the_file_behind_it(home: Path) -> None:
    (home / "dotfiles").mkdir()
    (home / "dotfiles" / "npmrc").write_text("x")
    (home / ".npmrc").symlink_to("dotfiles/npmrc")
    (home / ".netrc").symlink_to("nowhere")
    (home / ".pgpass").mkdir()
    assert {".npmrc"} == found(home) & {".npmrc", ".netrc", ".pgpass", "dotfiles/npmrc"}


def test_the_user_s_own_patterns_count_and_have_limits(home: Path) -> None:
    (home / "keys").mkdir()
    for number in range(20):
        (home / "keys" / f"{number}").write_text("x")
    assert 20 == len(found(home, None, ("~/keys/*",)))
    assert {"keys/7"} == found(home, None, ("~/keys/[7]", "!~/keys/1*"))
    assert {"notes"} == found(home, None, (f"{home}/notes", "relative", "*"))
    assert set() == found(home, None, ())
