"""Names of targets -> each is fuzzed by atheris in a process of its own; its result."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from msgspec import Struct

__all__ = ["MISSING", "Found", "available", "fuzz", "fuzz_here", "shrunk"]

MISSING = (
    "atheris is not installed: fuzzing needs it, and it runs on CPython up to 3.13. Run ./test.sh --fuzz, or "
    "`pip install --group fuzz`"
)
_LONGEST = 4096  # bytes of an input
_ONE_INPUT_S = 20  # an input that takes longer is a hang
_MEMORY_MB = 2048
_SHRINKING_S = 20
_DONE = re.compile(r"cov: (\d+) ft: (\d+)")
_STAT = re.compile(r"stat::(\w+):\s+(\d+)")


class Found(Struct, frozen=True):
    """The result of one target. `crash` is the input at which it failed, `report` its output."""

    name: str
    executions: int = 0
    features: int = 0
    new: int = 0
    crash: bytes | None = None
    report: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.report)

    def line(self) -> str:
        counts = f"{self.executions:>9,} executions  {self.features:>6,} features  {self.new:>5,} new inputs"
        return f"{self.name:<26}{counts}  {'FAILED' if self.failed else 'ok'}"

    def report_text(self) -> str:
        """The report, with the command that repeats the failure."""
        if self.crash is None:
            return self.report
        command = f"python -m property_tests.fuzz {self.name} --input {shlex.quote(repr(self.crash))}"
        return f"{self.report}\n\ninput: {self.crash!r}\nagain: {command}"


def available() -> bool:
    return importlib.util.find_spec("atheris") is not None


def fuzz(names: Sequence[str], seconds: int, jobs: int) -> list[Found]:
    """Fuzz each for `seconds`, `jobs` at a time; print a line for each as it ends, and the failures."""

    def one(name: str) -> Found:
        with tempfile.TemporaryDirectory(prefix=f"fuzz-{name}-") as directory:
            found = _fuzzed(name, seconds, Path(directory))
        print("\n".join([found.line(), *([found.report_text(), ""] if found.failed else [])]), flush=True)
        return found

    with ThreadPoolExecutor(jobs) as pool:
        return list(pool.map(one, names))


def _fuzzed(name: str, seconds: int, directory: Path) -> Found:
    corpus = directory / "corpus"
    corpus.mkdir()
    command = [sys.executable, "-m", "property_tests.fuzz", name, "--here", str(corpus), "--seconds", str(seconds)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    said = ended.stdout.decode(errors="replace")
    counts = {key: int(value) for key, value in _STAT.findall(said)}
    covered = _DONE.findall(said)
    crash = next((file.read_bytes() for file in sorted(directory.glob("found-*"))), None)
    return Found(
        name,
        counts.get("number_of_executed_units", 0),
        int(covered[-1][1]) if covered else 0,
        counts.get("new_units_added", 0),
        crash if crash is None or _is_hang(said) else shrunk(name, crash),
        "" if ended.returncode == 0 else _report(said),
    )


def _is_hang(said: str) -> bool:
    return "libFuzzer: timeout" in said or "libFuzzer: out-of-memory" in said


def _report(said: str) -> str:
    """The output from the exception on; without one, its end."""
    start = said.find("=== Uncaught Python exception: ===")
    lines = said[start:].splitlines() if start >= 0 else said.splitlines()[-30:]
    return "\n".join(line for line in lines if not line.startswith(("stat::", "MS:", "artifact_prefix", "Base64", "0x", "\\x")))


def fuzz_here(name: str, corpus: Path, seconds: int) -> None:
    """Fuzz in this process, and end it. Failing inputs are stored beside the corpus."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["agentsight_rx"]):
        targets = importlib.import_module(".targets", __package__)
        seeds = importlib.import_module(".seeds", __package__)
    for place, seed in enumerate(seeds.SEEDS[name]):
        (corpus / f"seed-{place}").write_bytes(seed)
    options = {
        "max_total_time": seconds, "max_len": _LONGEST, "timeout": _ONE_INPUT_S, "rss_limit_mb": _MEMORY_MB,
        "print_final_stats": 1, "artifact_prefix": f"{corpus.parent}/found-",
    }  # fmt: skip
    atheris.Setup([sys.argv[0], *(f"-{key}={value}" for key, value in options.items()), str(corpus)], targets.TARGETS[name])
    atheris.Fuzz()


def shrunk(name: str, data: bytes) -> bytes:
    """A shorter input at which the target fails in the same way, found within some seconds."""
    target = importlib.import_module(".targets", __package__).TARGETS[name]
    known, until = _failure(target, data), time.monotonic() + _SHRINKING_S
    if known is None:
        return data
    size = len(data) // 2
    while size:
        at = 0
        while at < len(data) and time.monotonic() < until:
            shorter = data[:at] + data[at + size :]
            if _failure(target, shorter) == known:
                data = shorter
            else:
                at += size
        size //= 2
    return data


def _failure(target: Any, data: bytes) -> tuple[str, str, int] | None:
    """The exception, and the innermost place it was raised at."""
    try:
        with contextlib.redirect_stderr(None):
            target(data)
    except Exception as error:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        return type(error).__name__, trace.tb_frame.f_code.co_qualname if trace else "", trace.tb_lineno if trace else 0
    return None
