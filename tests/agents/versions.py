"""An agent -> the version of it that is installed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence

from tests.agents.agent import Agent
from tests.agents.install import INSTALLED, PYTHON
from tests.live.capture import PATIENCE_S

__all__ = ["debian_version", "python_version", "version", "version_of"]


def version(program: str) -> Callable[[], Sequence[str]]:
    return lambda: (program, "--version")


def python_version(package: str) -> Callable[[], Sequence[str]]:
    place = str(INSTALLED / "python")
    looked_up = (
        f"import sys; sys.path.insert(0, {place!r}); from importlib.metadata import version; print(version({package!r}))"
    )
    return lambda: (PYTHON, "-c", looked_up)


def debian_version(package: str) -> Callable[[], Sequence[str]]:
    return lambda: ("dpkg-query", "--show", "--showformat", "${Version}", package)


def version_of(agent: Agent) -> str:
    """The first word of its first line that has a digit."""
    env = {"PATH": "/usr/bin:/bin", "HOME": str(INSTALLED / "runs")}
    done = subprocess.run(agent.version(), env=env, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    words = [word for line in done.stdout.splitlines()[:1] for word in line.split() if any(map(str.isdigit, word))]
    return words[0].removeprefix("v").rstrip(".") if words else "?"
