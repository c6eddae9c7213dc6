"""docs/kernels.md has the table of features that the program asks for."""

from __future__ import annotations

from pathlib import Path

from agentsight_rx.sources.kernel.features import FEATURES

PAGE = Path(__file__).parents[1] / "docs" / "kernels.md"


def test_the_page_has_the_table_of_the_program() -> None:
    rows = [f"| {each.name} | {each.since} | {each.purpose} | {each.without} |" for each in FEATURES]
    lines = PAGE.read_text().splitlines()
    begin = lines.index("| feature | Linux | for | without it |") + 2
    assert lines[begin : begin + len(rows) + 1] == [*rows, ""]


def test_no_other_place_of_the_sources_tests_a_version() -> None:
    package = Path(__file__).parents[1] / "agentsight_rx"
    asks = [
        str(file.relative_to(package))
        for file in sorted(package.rglob("*.py"))
        if "os.uname()" in file.read_text().replace("os.uname().machine", "") or "platform.release" in file.read_text()
    ]
    # the key of what is kept, and the header with the kernel's own version, compare nothing
    assert asks == ["sources/kernel/cache.py", "sources/kernel/compiler.py", "sources/kernel/features.py"]
