"""--version names the commit of a wheel, of a checkout and of a worktree, and is never an error."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from agentsight_rx.cli.program.version import COMMIT, commit_of, version_line

SOME = "0123456789abcdef0123456789abcdef01234567"
OTHER = "fedcba9876543210fedcba9876543210fedcba98"


def checkout(root: Path, head: str, *, loose: dict[str, str] | None = None, packed: str = "") -> Path:
    """A folder as `git clone` makes it, with a package in it."""
    package = root / "agentsight_rx"
    package.mkdir(parents=True)
    git = root / ".git"
    for name, text in {"HEAD": head, **(loose or {}), **({"packed-refs": packed} if packed else {})}.items():
        (git / name).parent.mkdir(parents=True, exist_ok=True)
        (git / name).write_text(text)
    return package


def test_a_branch_is_followed_to_its_commit(tmp_path: Path) -> None:
    package = checkout(tmp_path, "ref: refs/heads/main\n", loose={"refs/heads/main": f"{SOME}\n"})
    assert commit_of(package) == SOME[:12]


def test_a_packed_branch_is_found_by_its_whole_name(tmp_path: Path) -> None:
    packed = f"# pack-refs with: peeled\n{OTHER} refs/heads/not/refs/heads/main\n{SOME} refs/heads/main\n^{OTHER}\n"
    assert commit_of(checkout(tmp_path, "ref: refs/heads/main\n", packed=packed)) == SOME[:12]


def test_a_detached_head_is_the_commit(tmp_path: Path) -> None:
    assert commit_of(checkout(tmp_path, f"{SOME}\n")) == SOME[:12]


def test_a_worktree_finds_its_branch_in_the_main_checkout(tmp_path: Path) -> None:
    checkout(tmp_path / "main", f"{OTHER}\n", loose={"refs/heads/side": f"{SOME}\n"})
    own = tmp_path / "main" / ".git" / "worktrees" / "side"
    own.mkdir(parents=True)
    (own / "HEAD").write_text("ref: refs/heads/side\n")
    (own / "commondir").write_text("../..\n")
    package = tmp_path / "side" / "agentsight_rx"
    package.mkdir(parents=True)
    (package.parent / ".git").write_text(f"gitdir: {own}\n")
    assert commit_of(package) == SOME[:12]


def test_the_file_of_a_wheel_is_before_a_checkout_around_it(tmp_path: Path) -> None:
    package = checkout(tmp_path, f"{OTHER}\n")
    (package / COMMIT).write_text(f"{SOME}\n")
    assert commit_of(package) == SOME[:12]


@pytest.mark.parametrize("head", ["", "ref: refs/heads/gone\n", "not a commit, but longer than one\n", f"{SOME[:5]}\n"])
def test_what_cannot_be_read_is_no_commit(tmp_path: Path, head: str) -> None:
    assert commit_of(checkout(tmp_path, head)) == ""


def test_bytes_that_are_no_text_are_no_commit(tmp_path: Path) -> None:
    package = checkout(tmp_path, "")
    (package / COMMIT).write_bytes(b"\xff\xfe" * 20)
    assert commit_of(package) == ""


def test_an_installed_package_without_either_has_no_commit(tmp_path: Path) -> None:
    assert commit_of(tmp_path / "agentsight_rx") == ""


def test_the_line_begins_with_name_and_version() -> None:
    assert version_line().startswith(f"agentsight-rx {version('agentsight-rx')}")
