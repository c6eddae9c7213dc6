"""Commands as another user, with chosen capabilities, or on a machine that lacks something: in namespaces of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Generator, Iterable, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

__all__ = ["CAPABILITIES", "NOBODY", "PROGRAM_THERE", "as_user", "home_of_nobody", "on_machine"]

CAPABILITIES = ("CAP_BPF", "CAP_PERFMON", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH")
NOBODY = 65534
_ROOT = Path(__file__).parents[2]
_THERE = "/mnt"  # the checkout may be in a directory that only root may enter

PROGRAM_THERE = (f"{_THERE}/{Path(sys.prefix).relative_to(_ROOT)}/bin/python", "-m", "agentsight_rx")


@contextmanager
def home_of_nobody() -> Generator[Path]:
    """A directory of theirs, which they can reach."""
    with TemporaryDirectory(prefix="agentsight-rx-nobody-") as name:
        os.chown(name, NOBODY, NOBODY)
        yield Path(name)


def as_user(command: Sequence[str], capabilities: Iterable[str], home: Path) -> subprocess.CompletedProcess[str]:
    """
    Run it as a user without a password entry of its own, who has just these capabilities. The checkout is at /mnt: use
    PROGRAM_THERE.
    """
    chosen = "-all" + "".join(f",+{name.removeprefix('CAP_').lower()}" for name in capabilities)
    sets = [f"--{name}={chosen}" for name in ("inh-caps", "ambient-caps", "bounding-set")]
    user = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *sets]
    script = f'mount --bind {_ROOT} {_THERE} && cd / && exec setpriv "$@"'
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": _THERE,
        "PYTHONDONTWRITEBYTECODE": "1",
        "COLUMNS": "200",
    }
    words = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-ec", script, "sh", *user, *command]
    return subprocess.run(words, env=env, capture_output=True, text=True, check=False)


def on_machine(changes: str, command: Sequence[str], env: Collection[tuple[str, str]] = ()) -> subprocess.CompletedProcess[str]:
    """Run it as root where `changes`, lines of a shell, were made to the mounts: no other process sees them."""
    words = ["unshare", "--mount", "--propagation", "private", "--", "/bin/sh", "-ec", f'{changes}\nexec "$@"', "sh", *command]
    return subprocess.run(words, env={**os.environ, **dict(env)}, capture_output=True, text=True, check=False)
