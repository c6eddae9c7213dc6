"""Why no tracepoint can be looked up: what is mounted and closed is not to be mounted again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import gettempdir

import pytest

from agentsight_rx.errors import Unavailable
from agentsight_rx.sources.kernel import probes as tracepoints

ROOT = Path(__file__).parents[3]
AS_NOBODY = """
import os
import sys
from pathlib import Path
from agentsight_rx.errors import Unavailable
from agentsight_rx.sources.kernel import probes as tracepoints
tracepoints._MOUNTS, tracepoints._TRACEPOINTS = Path(sys.argv[1]), (Path(sys.argv[2]),)
os.setgroups([])
os.setgid(65534)
os.setuid(65534)  # behind the imports: this user may not be allowed into the folder of the product
try:
    tracepoints.number_of("syscalls:sys_exit_mmap")
except Unavailable as error:
    print(error)
"""


@pytest.mark.needs("root")
@pytest.mark.parametrize("kind", ["tracefs", "debugfs"])
def test_a_user_is_told_what_cannot_be_read(tmp_path: Path, kind: str) -> None:
    closed, mounts = tmp_path / kind, tmp_path / "mounts"
    closed.mkdir(mode=0o700)
    mounts.write_text(f"proc /proc proc rw 0 0\n{kind} {closed} {kind} rw,relatime 0 0\n")
    for folder in (tmp_path, *tmp_path.parents):  # pytest makes its own for root alone
        if folder.is_relative_to(gettempdir()) and folder != Path(gettempdir()):
            folder.chmod(0o755)
    words = [sys.executable, "-c", AS_NOBODY, str(mounts), str(closed / "events")]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{closed} cannot be read by user 65534; start it as root, or with CAP_DAC_READ_SEARCH\n"


def test_what_is_not_mounted_is_to_be_mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text("proc /proc proc rw 0 0\n")
    monkeypatch.setattr(tracepoints, "_MOUNTS", mounts)
    monkeypatch.setattr(tracepoints, "_TRACEPOINTS", (tmp_path / "events",))
    with pytest.raises(Unavailable, match="tracefs is not mounted; as root: mount -t tracefs tracefs"):
        tracepoints.number_of("syscalls:sys_exit_mmap")
