"""docs/ci.md: its workflows are YAML, and their own steps run as they stand there, with an agent that breaks a rule."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.live.capture import PATIENCE_S
from tests.live.peers import fake_llm

LOAD: Any = import_module("yaml").safe_load  # which has no types
PAGE = (Path(__file__).parents[2] / "docs" / "ci.md").read_text()
pytestmark = pytest.mark.live


def workflow(title: str) -> Any:
    found = re.search(rf"## {title}\n\n```yaml\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return LOAD(found[1])


def github() -> list[str]:
    steps = workflow("GitHub Actions")["jobs"]["agent"]["steps"]
    return [step["run"] for step in steps if "run" in step and step["name"] != "Install"]


def gitlab() -> list[str]:
    script: list[str] = workflow("GitLab CI")["agent"]["script"]
    return script


@pytest.mark.parametrize(("steps", "failing", "made"), [
    (github(), 1, ("agent.html", "agent.sarif", "summary")),
    (gitlab(), 4, ("agent.html", "summary.md", "agent.xml")),
], ids=["github", "gitlab"])  # fmt: skip
def test_the_steps_run_and_the_check_fails(tmp_path: Path, steps: list[str], failing: int, made: tuple[str, ...]) -> None:
    (tmp_path / "bin").mkdir()
    for name, text in (
        ("agentsight-rx", f'exec {shlex.quote(sys.executable)} -m agentsight_rx "$@"'),
        ("sudo", 'shift; exec "$@"'),
    ):
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    key = tmp_path / "id_ed25519"
    key.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXk" * 20 + "\n")
    (tmp_path / "guard.toml").write_text("")
    with fake_llm(tmp_path / "peer", "--tool-command", f"head -c 300 {key}") as peer:
        env = {
            **os.environ,
            "PATH": f"{tmp_path}/bin:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "AGENT": f"{shlex.quote(sys.executable)} -m agentsight_rx.runtime.demo.agent 'Deploy it.'",
            "ANTHROPIC_BASE_URL": peer.base_url,
            "ANTHROPIC_API_KEY": "none",
            "SSL_CERT_FILE": str(peer.ca_file),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
            "XDG_CONFIG_HOME": str(tmp_path),
        }
        env.pop("SUDO_UID", None)
        for number, step in enumerate(steps):
            words = ["bash", "-e", "-c", step]
            done = subprocess.run(words, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
            assert (int(number == failing), step) == (done.returncode, step), done.stdout + done.stderr
    assert [] == [name for name in made if not (tmp_path / name).stat().st_size]
    assert "⚑ 1 alert: secret-left." in (tmp_path / made[-1 if steps == github() else 1]).read_text()
