"""The tier of Phoenix: its package is pinned, and installed by `--phoenix` alone."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_phoenix_is_pinned_and_no_other_tier_installs_it() -> None:
    wanted = (ROOT / "tests" / "phoenix" / "requirements.txt").read_text().splitlines()
    assert all(re.fullmatch(r"[\w-]+ == [\d.]+", line) for line in wanted)
    assert "phoenix" not in (ROOT / "pyproject.toml").read_text().partition("[dependency-groups]")[2].partition("[tool.")[0]
    assert "tests/phoenix/requirements.txt" in (ROOT / "test.sh").read_text()
