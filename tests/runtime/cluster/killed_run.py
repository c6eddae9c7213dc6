"""`agentsight-rx cluster` with the job of `killing`: python -m tests.runtime.cluster.killed_run RECORD run --spool … --out …"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from agentsight_rx.cli import app
from agentsight_rx.cli.program.errors import shown
from agentsight_rx.runtime.cluster import run_on_dask
from tests.runtime.cluster.killing import RECORD, job, started_by_us


def main(record: Path, arguments: Sequence[str]) -> int:
    os.environ[RECORD] = str(record)
    started_by_us(record, driver=os.getpid())
    command = import_module("agentsight_rx.cli.cluster")
    vars(command)["run_on_dask"] = partial(run_on_dask, job=job)
    return shown(lambda: app(["cluster", *arguments], standalone_mode=False), arguments)


if __name__ == "__main__":  # its workers import this file again
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
