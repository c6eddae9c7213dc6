"""Agents for arm64, which run on no other machine: the search in their code finds exactly one function for each role."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.agents.install import GO_BUILDS, PARTS

pytestmark = pytest.mark.agents

NEEDS = ("arm64", "go-arm64", "ring-arm64")  # of PARTS, which conftest.py installs
_NPM = PARTS["arm64"].directory / "node_modules"
_CODEX = _NPM / "@openai/codex-linux-arm64/vendor/aarch64-unknown-linux-musl/bin"
_BORING, _AWS_LC, _GO = (
    ("SSL_read", "SSL_write"),
    ("open", "open_gather", "seal", "seal_scatter"),
    ("go_close", "go_read", "go_write"),
)
PROGRAMS: dict[Path, tuple[str, ...]] = {
    _NPM / "@anthropic-ai/claude-code-linux-arm64/claude": _BORING,
    _NPM / "opencode-linux-arm64/bin/opencode": _BORING,
    _CODEX / "codex": _AWS_LC,
    _CODEX / "codex-code-mode-host": _AWS_LC,
    **{PARTS["go-arm64"].directory / name: _GO for name in GO_BUILDS},
}

# The machine is asked for where the modules are imported
_SEARCH = """
import json, os, sys
names = os.uname()
os.uname = lambda: os.uname_result((*names[:4], "aarch64"))
from agentsight_rx.sources.tls.stacks.search import find_stacks
with open(sys.argv[1], "rb") as file:
    found = find_stacks(file, sys.argv[1], seconds=300)
print(json.dumps([[hook.shape for each in found for hook in each.hooks], [len(each.candidates) for each in found]]))
"""


def _searched(program: Path) -> tuple[list[str], list[int]]:
    done = subprocess.run([sys.executable, "-c", _SEARCH, str(program)], capture_output=True, text=True, check=True)
    shapes, candidates = json.loads(done.stdout)
    return shapes, candidates


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_each_role_is_one_function(program: Path) -> None:
    assert dict.fromkeys(PROGRAMS[program], 1) == Counter(_searched(program)[0])


def test_candidates_of_rustls_with_ring_are_few() -> None:
    """Which of them it is only a run shows."""
    shapes, (candidates,) = _searched(PARTS["ring-arm64"].directory / "bin" / "uv")
    assert [] == shapes
    assert 2 <= candidates <= 128
