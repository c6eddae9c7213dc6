"""This machine -> what makes kernels and Debians differ, as words for the head of the table."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from pathlib import Path

from agentsight_rx.sources.kernel.features import has_may_goto, has_uprobe_multi

__all__ = ["facts"]


def facts() -> dict[str, str]:
    return {
        "kernel": os.uname().release,
        "built": os.uname().version,
        "system": _system(),
        "Python": platform.python_version(),
        "BCC": _package("python3-bpfcc"),
        "LLVM": _llvm(),
        "uprobe_multi": "yes" if has_uprobe_multi() else "no",
        "may_goto": "yes" if has_may_goto() else "no",
        "perf_event_paranoid": Path("/proc/sys/kernel/perf_event_paranoid").read_text().strip(),
    }


def _system() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    names = dict(line.split("=", 1) for line in lines if "=" in line)
    return f"{names.get('NAME', '?')} {names.get('VERSION_ID', '')}".replace('"', "").replace(" GNU/Linux", "").strip()


def _package(name: str) -> str:
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Version}", name], capture_output=True, text=True, check=False
    )
    return done.stdout.partition("-")[0].partition("+")[0] or "?"


def _llvm() -> str:
    found = [re.search(r"libLLVM-(\d+)\.so", file.name) for file in Path("/usr/lib").glob("*-linux-gnu/libLLVM*.so*")]
    return next((match[1] for match in found if match), "?")
