"""The example agent, recorded: its calls are asked again by the printed programs, and the fake model says the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.report.asking import bytes_of, text
from tests.live.capture import PATIENCE_S, until
from tests.live.peers import fake_llm
from tests.live.test_report import EXAMPLE, PROMPT, record

pytestmark = pytest.mark.live

PROGRAMS = (("--curl", ("sh",)), ("--python", (sys.executable, "-I")))


def test_each_call_is_asked_again_and_answered_the_same(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    store = tmp_path / "run.lmdb"
    with fake_llm(tmp_path, "--tool-command", "echo it ran") as peer:
        trusted = {
            "SSL_CERT_FILE": str(peer.ca_file),
            "CURL_CA_BUNDLE": str(peer.ca_file),
            "ANTHROPIC_API_KEY": "no-key-needed",
        }
        given = trusted | {"ANTHROPIC_AUTH_TOKEN": "no-key-needed", "PATH": os.defpath}
        environment = os.environ | trusted | {"ANTHROPIC_BASE_URL": peer.base_url, "PYTHONPATH": str(EXAMPLE.parents[1])}
        done = record(tmp_path, environment, PROMPT)
        assert done.returncode == 0, done.stderr
        for turn in ("1", "2"):
            for flag, command in PROGRAMS:
                program = tmp_path / "work" / f"again{flag}"
                program.write_bytes(bytes_of("call", turn, flag, "--db", str(store), "--to", str(tmp_path / "work")))
                asked = [*command, str(program)]
                again = subprocess.run(asked, env=given, capture_output=True, timeout=PATIENCE_S, check=True)
                (tmp_path / "answer").write_bytes(again.stdout)
                assert "they say the same" in text(store, "call", turn, "--against", str(tmp_path / "answer"))
        until(lambda: len(peer.exchanges()) == 6)
        bodies = [exchange.request for exchange in peer.exchanges()]
    assert bodies == [*bodies[:2], *[body for body in bodies[:2] for _ in PROGRAMS]]
