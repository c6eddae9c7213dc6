"""agentsight-rx demo: record a small agent that uses a fake model, and print the report."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ..errors import CaptureError
from ..graphs import RECORD_HTTP_FILTERS
from ..launch import Launch, invoking_user
from ..sources import Target
from ..state import LmdbStore
from ..view.report import read_totals
from .listening import Listening
from .record import record_command
from .report.screen import Screen
from .report.summary import summary_text

__all__ = ["demo"]

_PROMPT = "Please count the lines of /etc/hostname with one shell command."
_TOOL = "wc -l < /etc/hostname"


def demo() -> int:
    """Record a small real agent that talks to a fake model over TLS, all on this machine."""
    with tempfile.TemporaryDirectory(prefix="agentsight-rx-demo-") as name:
        folder = Path(name)
        os.chown(folder, *invoking_user())
        server = subprocess.Popen(
            [sys.executable, "-m", "agentsight_rx.demo.fake_llm", "--dir", str(folder), "--tool-command", _TOOL],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            return _record(folder, _port(server))
        finally:
            server.terminate()
            if server.stdout is not None:
                server.stdout.close()


def _port(server: subprocess.Popen[str]) -> int:
    line = server.stdout.readline().strip() if server.stdout else ""
    if not line.isdigit():
        raise CaptureError("the demo's own server did not start on 127.0.0.1; is the loopback interface up?")
    return int(line)


def _record(folder: Path, port: int) -> int:
    environment = {
        **os.environ,
        "ANTHROPIC_BASE_URL": f"https://127.0.0.1:{port}",
        "ANTHROPIC_API_KEY": "no-key-needed",
        "SSL_CERT_FILE": str(folder / "ca.pem"),
    }
    launch = Launch.fork([sys.executable, "-m", "agentsight_rx.demo.agent", _PROMPT], env=environment)
    options = Listening(Target(launch.pid), ssl=True, process=True, http_filters=RECORD_HTTP_FILTERS).options()
    path = folder / "demo.lmdb"
    try:
        status, summary = record_command(launch, options, path)
    except BaseException:
        launch.abandon()
        raise
    store = LmdbStore.open(path, readonly=True)
    try:
        totals = read_totals(store)
        lines = summary_text(store, Screen(now_ms=time.time_ns() // 1_000_000))
    finally:
        store.close()
    print("\n".join(lines))
    as_planned = summary.complete and totals.calls == 2 and totals.tools_linked == 1
    return status if status or as_planned else 1
