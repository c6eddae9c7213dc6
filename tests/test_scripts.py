"""What the scripts that set up and test do to the files of the project."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_no_script_gives_the_files_of_another_machine_to_us() -> None:
    """Beside what a script makes lie trees of other machines, whose users own files."""
    scripts = [ROOT / "test.sh", ROOT / "run.sh", *(ROOT / "scripts").glob("*.sh")]
    recursive = [line for script in scripts for line in script.read_text().splitlines() if "give_to_owner --recursive" in line]
    assert recursive
    assert [] == [line for line in recursive if re.search(r"%/\*}\"(?!/)|\.setup\"", line)]
