"""A file's own tests are found by names alone, so a move of both needs no list."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.own_tests import ROOT, own_tests, product_files

FILES = (
    "agentsight_rx/launch.py",
    "agentsight_rx/wire/coding.py",
    "agentsight_rx/llm/gemini/answer.py",
    "agentsight_rx/llm/gemini/__init__.py",
    "agentsight_rx/llm/gemini_live/answer.py",
    "agentsight_rx/llm/gemini/deep/parts.py",
    "agentsight_rx/web/place.py",
)
TESTS = (
    "tests/test_launch.py",
    "tests/wire/test_coding.py",
    "tests/wire/test_coding_chains.py",
    "property_tests/test_coding_properties.py",
    "tests/llm/test_gemini.py",
    "tests/llm/test_gemini_usage.py",
    "tests/llm/test_gemini_live.py",
    "tests/llm/test_gemini_live_audio.py",
    "property_tests/test_web_properties.py",
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (*FILES, *TESTS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("def some(): ...\n")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "found"),
    [
        ("launch.py", ["tests/test_launch.py"]),
        (
            "wire/coding.py",
            ["property_tests/test_coding_properties.py", "tests/wire/test_coding.py", "tests/wire/test_coding_chains.py"],
        ),
        ("llm/gemini/answer.py", ["tests/llm/test_gemini.py", "tests/llm/test_gemini_usage.py"]),
        ("llm/gemini/__init__.py", ["tests/llm/test_gemini.py", "tests/llm/test_gemini_usage.py"]),
        ("llm/gemini_live/answer.py", ["tests/llm/test_gemini_live.py", "tests/llm/test_gemini_live_audio.py"]),
        ("llm/gemini/deep/parts.py", ["tests/llm/test_gemini.py", "tests/llm/test_gemini_usage.py"]),
        ("web/place.py", []),  # the properties of a whole room are of no file
    ],
)
def test_a_file_has_the_tests_of_its_name_or_else_of_its_folder(tree: Path, file: str, found: list[str]) -> None:
    assert found == own_tests(f"agentsight_rx/{file}", tree)


def test_a_file_that_does_nothing_needs_no_test(tree: Path) -> None:
    (tree / "agentsight_rx" / "names.py").write_text('"""Names."""\n\nclass Row:\n    a: int = 1\n')
    (tree / "agentsight_rx" / "work.py").write_text("class Row:\n    def work(self): ...\n")
    assert sorted([*FILES, "agentsight_rx/work.py"]) == product_files(tree)


def test_in_this_tree_no_test_file_that_is_found_is_missing() -> None:
    files = product_files()
    assert len(files) > 300
    assert all((ROOT / test).exists() for file in files for test in own_tests(file))
    assert ["tests/store/state/test_table.py"] == own_tests("agentsight_rx/store/state/table.py")
