"""A recorder in a container, built by the Containerfile, records an agent in another container from outside, under its name."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
import trustme

from agentsight_rx.sources.containers.references import resolve_reference
from tests.live.capture import PATIENCE_S, until
from tests.live.podman import podman
from tests.live.watched import AGENT, MODEL

pytestmark = pytest.mark.container

ROOT = Path(__file__).parents[2]
IMAGE = os.environ.get("AGENTSIGHT_IMAGE", "localhost/agentsight-rx-tier")  # made by scripts/container.sh
PAGE = (ROOT / "docs" / "containers.md").read_text()
MACHINE_WORDS = PAGE.partition("```sh\nsudo podman run")[2].partition("```")[0]
STORE = PAGE.partition("report sessions --db ")[2].partition("`")[0]  # of the recorder in the image
CALLS = 3

# Waits for its turn, runs a model and an agent that asks it, and then an agent that is told to end
INSIDE = """
until [ -e /log/start ]; do sleep 0.05; done
python3 /log/model.py /log/server.pem >/log/port &
until [ -s /log/port ]; do sleep 0.05; done
mkfifo /log/go
(exec -a claude python3 /log/agent.py claude /log/ca.pem "$(cat /log/port)" </log/go >/log/said) &
exec sleep 600
"""


def run_podman(command: str, *words: str) -> str:
    done = subprocess.run(podman(command, *words), capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip()


def flags_of_the_page() -> list[str]:
    """The words of `podman run` on the page that give rights and places, without those that choose a name or a time to live."""
    words = MACHINE_WORDS.replace("\\\n", " ").split()
    kept = [word for word in words if word.startswith(("--pid", "--cap", "--security-opt", "--volume=/sys"))]
    assert "--pid=host" in kept
    return kept


@pytest.fixture
def log(tmp_path: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    (tmp_path / "agent.py").write_text(AGENT)
    (tmp_path / "model.py").write_text(MODEL)
    return tmp_path


@pytest.fixture
def names() -> Generator[dict[str, str]]:
    """The names of the agent's container, of the recorder's, and of its volume; all are removed."""
    made = {part: f"agentsight-rx-tier-{os.getpid()}-{part}" for part in ("agent", "recorder", "volume")}
    yield made
    for part in ("agent", "recorder"):
        subprocess.run(podman("rm", "--force", "--volumes", "--time", "5", made[part]), capture_output=True, check=False)
    subprocess.run(podman("volume", "rm", "--force", made["volume"]), capture_output=True, check=False)


def test_an_agent_in_another_container_is_recorded_under_its_name(log: Path, names: dict[str, str]) -> None:
    shell = ["--detach", "--network=none", f"--volume={log}:/log", "--entrypoint=/bin/bash"]
    run_podman("run", "--name", names["agent"], *shell, IMAGE, "-c", INSIDE)
    until(lambda: resolve_reference(f"podman://{names['agent']}").init_pid)
    first = resolve_reference(f"podman://{names['agent']}").init_pid
    place = [f"--volume={names['volume']}:/var/lib/agentsight-rx", "--network=none"]
    recorder = ["--detach", "--name", names["recorder"], *flags_of_the_page(), *place]
    run_podman("run", *recorder, IMAGE, "watch", "--pid", str(first))

    def said() -> str:
        done = subprocess.run(podman("logs", names["recorder"]), capture_output=True, text=True, check=False)
        assert "Error:" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    until(lambda: "capturing" in said())
    (log / "start").touch()
    until(lambda: (log / "go").exists())
    with (log / "go").open("w") as agent:
        until(lambda: "recording claude" in said() and "watching TLS" in said().partition("recording claude")[2])
        for number in range(CALLS):
            agent.write("\n")
            agent.flush()
            until(lambda number=number: (log / "said").read_text().count("done") > number)  # type: ignore[misc]
    run_podman("stop", "--time", "60", names["recorder"])
    words = run_podman("run", "--rm", *place, IMAGE, "report", "sessions", "--json", "--db", STORE)
    (session,) = [row for row in map(json.loads, words.splitlines()) if row["agent"] == "claude"]
    assert (names["agent"], CALLS, 3 * CALLS) == (session["container"], session["calls"], session["input_tokens"])
    assert "nothing is missing" in said()
