"""
What a test needs besides Python -> why this machine or this user does not have it. No other place leaves a test out.

    @pytest.mark.needs("root", "git")    # of the table below, else programs

`live` needs the kernel, and `browser` a browser. The last lines of a run count the tests that were left out, by reason. With
--all-required such a test fails instead, and so does one that skips itself.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

import pytest

__all__ = ["left_out", "refuse_to_skip", "skip_where_lacking", "why_not"]

Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

_CAPABILITIES = 0x80000EB  # bits of capabilities(7): what files of other users, their processes and ids, and devices need
_IMPLIED = {"live": "kernel", "browser": "browser"}
_REFUSED = "it was left out, and --all-required lets no test be left out: "


def skip_where_lacking(item: pytest.Item) -> None:
    wanted = [need for marker, need in _IMPLIED.items() if item.get_closest_marker(marker)]
    wanted += [str(need) for marker in item.iter_markers("needs") for need in marker.args]
    reason = next((reason for need in wanted if (reason := why_not(need))), "")
    if reason:
        pytest.skip(reason)


@cache
def why_not(need: str) -> str:
    """The reason, so that tests with the same reason are counted together; "" where the need is met."""
    if need in _NEEDS:
        return _NEEDS[need]()
    return "" if shutil.which(need) else f"the program {need} is not installed"


def refuse_to_skip(report: Report) -> Report:
    """A report of a test that was left out becomes one of a test that failed."""
    if report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = _REFUSED + _reason(report)
    return report


def left_out(reports: Sequence[pytest.TestReport | pytest.CollectReport]) -> list[str]:
    """Lines for the end of a run."""
    reasons = Counter(map(_reason, reports))
    counted = f"{len(reports):,} {'test was' if len(reports) == 1 else 'tests were'} left out here:"
    return [counted, *(f"{count:7,} {reason}" for reason, count in reasons.most_common())] if reports else []


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    found = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return found.removeprefix("Skipped: ")


def _collector() -> str:
    from tests.live.peers import installed

    asked = subprocess.run([installed("rotel") / "rotel-agent", "--version"], capture_output=True, check=False)
    return "the collector of OpenTelemetry finds no libpython" if asked.returncode else ""


def _root() -> str:
    lines = Path("/proc/self/status").read_text().splitlines()
    effective = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    has = os.geteuid() == 0 and effective & _CAPABILITIES == _CAPABILITIES
    return "" if has else "only root, with root's capabilities, can do what the test does"


def _kernel() -> str:
    from agentsight_rx.errors import Unavailable
    from agentsight_rx.sources.kernel.features import require_kernel

    try:
        require_kernel()
    except Unavailable as error:
        return f"the kernel shows this user nothing: {str(error).partition(': start it')[0]}"
    return _root()


def _bcc() -> str:
    found = subprocess.run(["/usr/bin/python3", "-I", "-c", "import bcc.libbcc"], capture_output=True, check=False)
    return "BCC is not installed" if found.returncode else ""


def _ptrace() -> str:
    from agentsight_rx.sources.hooks.source import why_not as refused

    return refused()


def _disk() -> str:
    with tempfile.TemporaryDirectory() as folder:
        words = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder]
        mounted = subprocess.run(words, capture_output=True, check=False)
        if mounted.returncode == 0:
            subprocess.run(["umount", folder], check=True)
    return "no disk can be mounted here" if mounted.returncode else _root()


def _browser() -> str:
    from tests.browser.browsing import chromium

    try:
        with chromium():
            return ""
    except Exception as error:  # of playwright, of its driver, of the program
        return f"no browser can be opened: {str(error).strip().splitlines()[0]}"


_NEEDS: dict[str, Callable[[], str]] = {
    "root": _root,
    "kernel": _kernel,
    "bcc": _bcc,
    "ptrace": _ptrace,
    "disk": _disk,
    "browser": _browser,
    "collector": _collector,
}
