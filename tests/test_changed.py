"""./test.sh --changed: what a change of each kind of file runs, and what it says it leaves out."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from scripts.changed import changed_files, plan

HOUSE = {"tests/test_house.py", "tests/test_sentences.py"}


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("agentsight_rx/store/state/table.py", {"tests/store/state/test_table.py", *HOUSE}),
        ("tests/store/state/test_table.py", {"tests/store/state/test_table.py", *HOUSE}),
        ("docs/kernels.md", {"tests/test_kernels_page.py", "tests/test_docs.py", *HOUSE}),
        ("scripts/made.py", {"tests/test_made.py", *HOUSE}),
        ("tests/live/test_net.py", HOUSE),
        ("tests/release/test_artifacts.py", HOUSE),
        (
            "frontend/src/main.tsx",
            {f"tests/runtime/web/{each.name}" for each in (Path(__file__).parent / "runtime" / "web").glob("test_*.py")},
        ),
    ],
)
def test_a_changed_file_brings_its_tests(file: str, tests: set[str]) -> None:
    assert tests == set(plan([file]).tests)


def test_a_file_without_own_tests_brings_the_tests_that_import_it() -> None:
    found = plan(["agentsight_rx/cli/program/reference.py"])
    assert {"tests/cli/test_start.py", "tests/test_docs.py"} & set(found.tests)
    assert any("agentsight_rx/cli/program/reference.py has no tests of its own" in line for line in found.left_out)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("agentsight_rx/sources/bpf/tls.c", "runs in the kernel"),
        ("tests/live/test_net.py", "sudo .venv/bin/pytest -n0 tests/live/test_net.py"),
        ("tests/browser/test_page.py", "sudo .venv/bin/pytest -n0 tests/browser/test_page.py"),
        ("frontend/src/main.tsx", "shown by a browser"),
        ("tests/release/test_artifacts.py", "tier of its own: ./test.sh --release"),
        ("tests/view/scenes.py", "shared by tests"),
        ("scripts/bare.sh", "only parsed"),
        ("pyproject.toml", "./test.sh --fast"),
        ("LICENSE", "no test is known"),
    ],
)
def test_what_is_left_out_is_said(file: str, said: str) -> None:
    assert any(said in line for line in plan([file]).left_out)


def test_a_file_that_tests_share_brings_those_of_its_folder() -> None:
    found = set(plan(["tests/view/page/story.py"]).tests)
    assert {"tests/view/page/test_rail_answers.py", "tests/view/page/test_embedded.py"} <= found


def git(root: Path, *words: str) -> None:
    settings = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *settings, *words], cwd=root, check=True, capture_output=True)


@pytest.mark.needs("git")
def test_a_branch_is_compared_with_the_place_where_it_left_main(tmp_path: Path) -> None:
    git(tmp_path, "init")
    for name in ("removed", "kept", "later"):
        (tmp_path / name).write_text(name)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "--message", "first")
    git(tmp_path, "checkout", "-b", "side")
    (tmp_path / "committed").write_text("on the branch")
    (tmp_path / "removed").unlink()
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--message", "second")
    git(tmp_path, "checkout", "main")
    (tmp_path / "later").write_text("on main, after the branch")
    git(tmp_path, "commit", "--all", "--message", "third")
    assert [] == changed_files(root=tmp_path)
    git(tmp_path, "checkout", "side")
    (tmp_path / "kept").write_text("not committed")
    (tmp_path / "new").write_text("not added")
    assert ["committed", "kept", "new"] == changed_files(root=tmp_path)
    assert ["kept", "new"] == changed_files("HEAD", root=tmp_path)
