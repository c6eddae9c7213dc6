"""The environment that `./test.sh --cluster` made -> agentsight-rx in it, beside s3fs, moto and Spark."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentsight_rx.runtime.cluster import place_of, plan_of, run_here
from tests.runtime.cluster.hosts import contents, given

__all__ = ["BIN", "REPORTS", "agentsight", "environment", "expected", "finished", "report"]

BIN = Path(__file__).parents[3] / ".setup" / "cluster" / "bin"
REPORTS = ("calls", "tools", "files", "tokens")
_PATIENCE_S = 300.0


def environment(**more: str) -> dict[str, str]:
    """Nothing of ours but where programs are, so that nobody's own credentials or settings are used."""
    return {"PATH": f"{BIN}:/usr/bin:/bin", "LC_ALL": "C.UTF-8", **more}


def agentsight(own: Mapping[str, str], *words: object) -> subprocess.Popen[str]:
    """`agentsight-rx WORDS`, started."""
    command = [str(BIN / "agentsight-rx"), *map(str, words)]
    return subprocess.Popen(command, env=dict(own), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str], status: int = 0) -> str:
    """What it said, once it ended with this status."""
    with process:
        try:
            _, said = process.communicate(timeout=_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert status == process.returncode, said
    return said


def report(own: Mapping[str, str], store: Path, what: str) -> bytes:
    words: Sequence[str] = (str(BIN / "agentsight-rx"), "report", what, "--db", str(store), "--json")
    return subprocess.run(words, env=dict(own), check=True, capture_output=True, timeout=_PATIENCE_S).stdout


def expected(spool: Path, out: Path) -> dict[str, bytes]:
    """What a run in one process leaves, with the key of labels that `given` has made in `out`, or makes."""
    plan = plan_of(place_of(str(spool)), place_of(str(out)), given(out))
    run_here(plan, lambda _: None)
    return contents(out)
