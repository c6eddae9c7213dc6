"""What the demo is made of: the tools that an agent offers, a planted secret, a long task -> the fake model's answers."""

from __future__ import annotations

import base64
import json
import os
import sysconfig
from collections.abc import Sequence
from pathlib import Path

# -- long task -----------------------------------------------------------------------------------------------------
# A folder -> a task of several turns in it, for a demo with a page: what a person asks, and what the model has an agent do.


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


# -- secret --------------------------------------------------------------------------------------------------------
# A folder -> a made-up private key in it, which an agent of the demo reads and sends a part of.


SECRET_PROMPT = "The deploy fails with: permission denied. Find out why."


def planted_key(folder: Path, /) -> Path:
    """The file of a key that opens nothing: random bytes between the marks of a private key of OpenSSH."""
    path = folder / "keys" / "id_ed25519"
    path.parent.mkdir(mode=0o700)
    content = base64.b64encode(b"openssh-key-v1\0" + os.urandom(360)).decode()
    lines = [content[at : at + 70] for at in range(0, len(content), 70)]
    path.write_text("\n".join(["-----BEGIN OPENSSH PRIVATE KEY-----", *lines, "-----END OPENSSH PRIVATE KEY-----", ""]))
    path.chmod(0o600)
    return path


def command_for(key: Path, /) -> str:
    """What the model asks the agent to run."""
    return f"head -c 400 {key}"


# ------------------------------------------------------------------------------------------------------------------------


# Shell tools of Claude Code, opencode, Gemini CLI and Codex, and the parameter that takes the command
_SHELLS = {"Bash": "command", "bash": "command", "run_shell_command": "command", "exec_command": "cmd"}


def tool_among(names: Sequence[str]) -> str | None:
    """A shell, or else the first: agents offer a shell among other tools, and not always first."""
    return next((name for name in names if name in _SHELLS), next(iter(names), None))


def tool_call(shell: str, command: str) -> tuple[str, str]:
    """The tool that is called, and the JSON text of its input: `@NAME JSON` names another one than the shell."""
    if command.startswith("@"):
        name, _, given = command.removeprefix("@").partition(" ")
        return name, given
    return shell, json.dumps({_SHELLS.get(shell, "command"): command}, ensure_ascii=False)
