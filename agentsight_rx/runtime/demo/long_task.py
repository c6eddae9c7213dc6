"""A folder -> a task of several turns in it, for a demo with a page: what a person asks, and what the model has an agent do."""

from __future__ import annotations

import sysconfig
from pathlib import Path

__all__ = ["COMMANDS", "COMPACT_TOKENS", "PROMPT", "prepare"]

PROMPT = "Write double.py with a test for it, and make the test pass."
# Between what the agent has before and after it reads what a test case offers: its conversation is compacted there
COMPACT_TOKENS = 14_000
_CASES = f"{sysconfig.get_path('stdlib')}/unittest/case.py"
_TESTS = (
    "import unittest\\n\\nfrom double import double\\n\\n\\nclass Double(unittest.TestCase):\\n"
    "    def test_two(self):\\n        self.assertEqual(4, double(2))\\n"
)
# A command fails and is repaired; a new tool costs the cache; a long output makes the agent compact its conversation
COMMANDS = (
    "cat /etc/hostname  # First I look where this runs.",
    f'@read_file {{"file_path": "{_CASES}"}}  # I read what case.py offers for a test.',
    "printf 'def double(x):\\n    return x + x + 1\\n' > double.py && date > notes.tmp"
    "  # Now the function, and notes of my own.",
    f"printf '{_TESTS}' > test_double.py  # A test that fails where the function is wrong.",
    "/usr/bin/python3 -m unittest test_double  # I run it.",
    """mkdir -p .agent && cat > .agent/run_tests.json <<'END'
{"name": "run_tests", "description": "Run all tests of this folder.", "input_schema": {"type": "object", "properties": {}},
 "command": "/usr/bin/python3 -m unittest"}
END  # I will need that again, so I make a tool of it.""",
    "sed 's/ + 1$//' double.py > double.new && mv double.new double.py  # It adds one too much: I take that out.",
    "@run_tests {}  # Once more.",
    "/usr/bin/python3 -m pydoc unittest.TestCase  # It passes. What else could a test compare?",
    'printf \'\\n    def test_text(self):\\n        self.assertEqual("abab", double("ab"))\\n\' >> test_double.py'
    "  # Texts can be doubled too: I add a test.",
    "@run_tests {}  # All of them.",
    "rm notes.tmp  # They pass. My notes can go.",
)
_INSTRUCTIONS = """\
# Working here

- Tests are in `test_NAME.py` beside `NAME.py`, and use unittest.
- A function has one purpose and at most ten lines.
- Remove what you wrote only for yourself.
"""


def prepare(folder: Path, /) -> None:
    """What the agent finds in the folder."""
    (folder / "AGENTS.md").write_text(_INSTRUCTIONS)
