"""Words of a command line -> how the program ends with them, run in this process: a start of its own takes half a second."""

from __future__ import annotations

import subprocess
import sys

import pytest

from agentsight_rx import cli

__all__ = ["ended"]


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> subprocess.CompletedProcess[str]:
    """The exit status, and what was printed, as of a program of its own; the streams are those of pytest, and stay so."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["agentsight-rx", *words])
        patch.setattr(cli, "mend_streams", lambda: None)
        with pytest.raises(SystemExit) as end:
            cli.main()
    assert isinstance(end.value.code, int)
    return subprocess.CompletedProcess(words, end.value.code, *capsys.readouterr())
