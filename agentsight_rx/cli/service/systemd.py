"""systemctl and journalctl -> what they print, or a sentence where they fail."""

from __future__ import annotations

import subprocess
from pathlib import Path

from ...core.errors import CaptureError

__all__ = ["backs_off", "is_running", "said", "systemctl", "version"]

_BACKS_OFF = 254  # the first version that can wait longer before each further start
_MANAGER = Path("/run/systemd/system")  # is there where systemd is the first process (sd_booted(3))


def is_running() -> bool:
    """systemd runs this machine."""
    return _MANAGER.is_dir()


def systemctl(*words: str) -> str:
    """What `systemctl` prints. Raises CaptureError where it fails, or systemd does not run this machine."""
    if not is_running():
        raise CaptureError("systemd does not run this machine: start `agentsight-rx watch` by what runs services here")
    return said("systemctl", *words)


def said(*command: str) -> str:
    """What a program prints. Raises CaptureError where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise CaptureError(f"{command[0]} cannot be run: {error.strerror}") from error
    if done.returncode:
        raise CaptureError(f"`{' '.join(command)}` failed: {done.stderr.strip() or f'status {done.returncode}'}")
    return done.stdout


def version() -> int | None:
    """Of the systemd that is installed; None where none is, or it does not say."""
    try:
        words = said("systemctl", "--version").split()
    except CaptureError:
        return None
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else None


def backs_off() -> bool:
    """It can wait longer before each further start of a service; so it is where its version is not known."""
    return (version() or _BACKS_OFF) >= _BACKS_OFF
