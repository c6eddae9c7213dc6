"""
The installed package -> its version, with the commit that it was made from, where that is known.

hatch_build.py runs this file and writes the commit into a file of the wheel. So it imports only the standard library.
"""

from __future__ import annotations

from pathlib import Path

COMMIT = "commit.txt"  # in the package of a wheel or an sdist
_SHOWN = 12
_REFERENCE = "ref: "


def version_line() -> str:
    from importlib.metadata import version  # takes as long to import as typer

    commit = commit_of(Path(__file__).resolve().parents[2])
    return f"agentsight-rx {version('agentsight-rx')}{f' (commit {commit})' if commit else ''}"


def commit_of(package: Path) -> str:
    """The first 12 digits of the commit of a package in a wheel or in a checkout; "" where it is unknown."""
    try:
        written = package / COMMIT
        commit = written.read_text() if written.exists() else _checked_out(package.parent / ".git")
    except (OSError, ValueError):
        return ""
    commit = commit.strip()
    return commit[:_SHOWN] if len(commit) >= _SHOWN and set(commit) <= set("0123456789abcdef") else ""


def _checked_out(git: Path) -> str:
    """The commit that HEAD names. It is read without the program git, which refuses the checkout of another user."""
    if git.is_file():  # a worktree: "gitdir: PATH"
        git = git.parent / git.read_text().partition(":")[2].strip()
    head = (git / "HEAD").read_text()
    if not head.startswith(_REFERENCE):
        return head
    name = head.removeprefix(_REFERENCE).strip()
    common = git / (git / "commondir").read_text().strip() if (git / "commondir").exists() else git
    for loose in (git / name, common / name):
        if loose.exists():
            return loose.read_text()
    packed = (common / "packed-refs").read_text().splitlines()
    return next((line.split()[0] for line in packed if line.endswith(f" {name}")), "")
