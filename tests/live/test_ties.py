"""A tool has its process and its exit code, and a file its tool, though one reader is seconds behind the others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from shlex import quote

import pytest

from agentsight_rx.store.rows.tables import AUDIT, TOOLS
from agentsight_rx.store.state import LmdbStore
from agentsight_rx.view import AuditRow, ToolRow
from tests.live.peers import fake_llm

pytestmark = pytest.mark.live

ROOT = Path(__file__).parents[2]
LATE_S = 2
# What goes on behind the agent, so that time does for the other readers
BEHIND = "for i in 1 2 3 4 5 6; do cat /etc/hostname > /dev/null; sleep 0.7; done"


@pytest.mark.parametrize("late", ["process", "files", "tls"])
def test_the_tool_the_process_and_the_files_are_tied_where_a_reader_is_late(tmp_path: Path, late: str) -> None:
    store = tmp_path / "run.lmdb"
    with fake_llm(tmp_path, "--tool-command", "wc -l /etc/hostname") as peer:
        agent = f"{quote(sys.executable)} -m agentsight_rx.runtime.demo.agent 'count the lines'; {BEHIND}"
        words = ["record", "--no-server", "--db", str(store), "--", "sh", "-c", agent]
        done = subprocess.run(
            [sys.executable, "-m", "tests.live.late", late, str(LATE_S), *words],
            env=os.environ
            | {"ANTHROPIC_BASE_URL": peer.base_url, "ANTHROPIC_API_KEY": "none", "SSL_CERT_FILE": str(peer.ca_file)},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    kept = LmdbStore.open(store, readonly=True)
    tools: list[ToolRow] = [row for _, row in kept.scan(TOOLS)]
    lines: list[AuditRow] = [row for _, row in kept.scan(AUDIT)]
    kept.close()
    (tool,) = tools
    assert tool.process_id is not None
    assert (0, "completed") == (tool.exit_code, tool.status)
    counted = [row for row in lines if row.audit_type == "file" and row.target == "/etc/hostname" and row.comm == "wc"]
    assert counted
    assert {(tool.id, "lineage")} == {(row.tool_id, row.link) for row in counted}
    assert all(row.process_id and row.session_id for row in counted)
    assert "nothing is missing" in done.stderr
